"""What the page is answered, without a browser."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from small_sweeps import HOSTILE, forget_block, run_here, sweep_file

import sweep
from sweep.browse.answers import ANSWERS, answer
from sweep.browse.numbers_in_words import number
from sweep.browse.packed import packed
from sweep.browse.saved import saved
from sweep.browse.study import Moment, Study
from sweep.common.states import State
from sweep.results.effects import effects
from sweep.results.outcomes import outcomes
from sweep.store import layout
from sweep.store.store import Store

T0_AND_TAU0 = {"temperature.T0": [3000.0, 4000.0], "optical_depth.tau0_target": [0.5, 1.0]}
RINGS = {"ring": {"rings": [1.0, 2.7, 3]}}


def unpacked(content: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return an array as a script gets it."""
    dtype = {"Float64Array": "<f8", "Int32Array": "<i4", "Uint16Array": "<u2", "Uint8Array": "u1"}
    values = np.frombuffer(base64.b64decode(content["base64"]), dtype[content["type"]])
    return values.reshape(content["shape"])


def asked(moment: Moment, question: str, /, **query: str) -> dict[str, Any]:
    """Return an answer as JSON has it, without an error."""
    content: dict[str, Any] = json.loads(
        json.dumps(answer(moment, question, query), allow_nan=False)
    )
    assert "error" not in content, content
    return content


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of two temperatures, two depths, and three rings; read only."""
    folder = tmp_path_factory.mktemp("disks")
    file = sweep_file(folder, axes={**T0_AND_TAU0, **RINGS})
    run_here(file, folder / "s.zarr")
    return folder / "s.zarr"


def moment_of(store: Path) -> Moment:
    return Study.of(store).moment


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8, np.bool_])
def test_arrays_are_what_they_were(dtype: type) -> None:
    values = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    assert unpacked(packed(values)).tolist() == values.tolist()
    assert np.isnan(unpacked(packed(np.array([np.nan]))))[0]


def test_masses_are_those_of_whole_disks(disks: Path) -> None:
    moment = moment_of(disks)
    content = asked(moment, "cases", name="M_loss")
    wanted = sweep.open_store(disks).sweep.disk_total().M_loss.values
    values = unpacked(content["value"]) * content["factor"]
    assert values == pytest.approx(wanted.ravel(), rel=1e-15)
    assert content["words"] == "M_loss of the whole disk"
    single = asked(moment, "cases", name="M_loss", rings="single")
    assert unpacked(single["value"]).size == 12
    assert single["rings"] == ""
    assert asked(moment, "cases", name="t99")["rings"] == ""


def test_a_condition_on_rings_is_said_and_others_choose_disks(disks: Path) -> None:
    moment = moment_of(disks)
    part = asked(moment, "cases", name="M_loss", where="ring < 2 and T0 == 3000")
    assert part["words"] == "M_loss of 2 of 3 rings"
    state = unpacked(part["state"])
    assert sorted(state.tolist()) == [State.DONE] * 2 + [State.FILTERED] * 2
    assert np.isnan(unpacked(part["value"])[state == State.FILTERED]).all()
    whole = asked(moment, "cases", name="M_loss", where="run == 0")
    assert whole["words"] == "M_loss of the whole disk"


def test_sums_are_over_the_rings_that_are_there_while_a_sweep_runs(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={**T0_AND_TAU0, **RINGS}, block=4)
    run_here(file, tmp_path / "s.zarr")
    whole = sweep.open_store(tmp_path / "s.zarr").sweep.grid().M_loss
    lost = set(Store.open(tmp_path / "s.zarr").column("block")[[11]].tolist()).pop()
    rings = Store.open(tmp_path / "s.zarr").column("ring")
    blocks = Store.open(tmp_path / "s.zarr").column("block")
    forget_block(tmp_path / "s.zarr", lost)
    gone = set(rings[blocks == lost].tolist())
    left = [ring for ring in range(3) if ring not in gone]
    assert left
    moment = moment_of(tmp_path / "s.zarr")
    content = asked(moment, "cases", name="M_loss")
    assert content["rings"] == f"{len(left)} of 3 rings so far"
    values = unpacked(content["value"]) * content["factor"]
    assert values == pytest.approx(whole.sel(ring=left).sum("ring").values.ravel(), rel=1e-14)
    assert f"{len(left)} of 3 rings" in asked(moment, "matters", name="M_loss")["sentence"]
    curves = asked(moment, "curves", runs="0", names="M_loss_cum")
    assert f"{len(left)} of 3 rings so far" in curves["problems"][0]["words"]
    assert curves["heads"]["M_loss_cum"].startswith(f"M_loss_cum of {len(left)} of 3 rings")


def test_what_matters_is_said_with_the_effects_of_the_terminal(disks: Path) -> None:
    content = asked(moment_of(disks), "matters", name="M_loss")
    found = effects(outcomes(Store.open(disks), "M_loss"))
    assert [bar["name"] for bar in content["bars"]] == [effect.axis for effect in found]
    assert content["sentence"].startswith(f"{found[0].axis} changes M_loss of the whole disk")
    assert found[1].words in content["sentence"]
    begin = asked(moment_of(disks), "study")["begin"]
    assert [begin["x"], begin["y"]] == [effect.axis for effect in found][:2]


@pytest.mark.parametrize(
    ("sections", "kind", "begin"),
    [
        ({"axes": T0_AND_TAU0}, "product", {"x", "y"}),
        ({"one_at_a_time": T0_AND_TAU0}, "changes", {"x", "y"}),
        ({"include": [{"temperature.T0": 4000.0}]}, "list", {"x"}),
        (
            {
                "sample": {
                    "method": "random",
                    "n": 4,
                    "axes": {"dynamics.e0": {"uniform": [0, 0.5]}},
                }
            },
            "points",
            {"x"},
        ),
    ],
)
def test_the_page_begins_with_what_fits_the_way_cases_were_chosen(
    tmp_path: Path, sections: dict[str, Any], kind: str, begin: set[str]
) -> None:
    run_here(sweep_file(tmp_path, **sections), tmp_path / "s.zarr")
    content = asked(moment_of(tmp_path / "s.zarr"), "study")
    assert (content["kind"], set(content["begin"])) == (kind, begin)


def test_indices_of_a_sample_and_changes_from_a_base(tmp_path: Path) -> None:
    run_here(sweep_file(tmp_path, one_at_a_time=T0_AND_TAU0), tmp_path / "changes.zarr")
    content = asked(moment_of(tmp_path / "changes.zarr"), "matters", name="M_loss")
    assert {bar["name"] for bar in content["bars"]} <= set(T0_AND_TAU0)
    assert all(bar["low"] <= bar["middle"] <= bar["high"] for bar in content["bars"])
    prior = {"temperature.T0": {"uniform": [3000, 5000]}, "psd.alpha": {"uniform": [1.7, 2.0]}}
    sample = {"method": "random", "n": 100, "axes": prior}
    run_here(sweep_file(tmp_path, sample=sample), tmp_path / "drawn.zarr")
    content = asked(moment_of(tmp_path / "drawn.zarr"), "matters", name="M_loss")
    assert content["kind"] == "PAWN"
    assert content["sentence"].startswith("PAWN of M_loss: ")


def test_curves_of_a_disk_are_the_sums_of_its_rings(disks: Path) -> None:
    content = asked(moment_of(disks), "curves", runs="0,1", names="M_loss_cum,tau_los")
    dataset = sweep.open_store(disks)
    rows = np.flatnonzero((dataset.T0.values == 3000.0) & (dataset.tau0_target.values == 0.5))
    (first,) = (curve for curve in content["curves"] if curve["run"] == 0)
    head = content["heads"]["M_loss_cum"]
    unit = float((re.search(r"\[(1e-?\d+)? ?M_Mars\]", head) or ["", "1"])[1] or 1.0)
    summed = dataset.M_loss_cum.values[rows].sum(axis=0)
    assert unpacked(first["values"]["M_loss_cum"]) * unit == pytest.approx(summed, rel=1e-12)
    largest = dataset.tau_los.values[rows].max(axis=0)
    assert unpacked(first["values"]["tau_los"]) == pytest.approx(largest, rel=1e-15)
    single = asked(moment_of(disks), "curves", runs="0", names="tau_los", rings="single")
    values = unpacked(single["curves"][0]["values"]["tau_los"])
    assert values.tolist() == dataset.tau_los.values[0].tolist()


def test_curves_of_short_and_of_long_runs_are_along_the_same_time(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={"numerics.t_end_years": [1e-3, 0.1]}, set={})
    run_here(file, tmp_path / "s.zarr")
    moment = moment_of(tmp_path / "s.zarr")
    answers = [asked(moment, "curves", runs=run, names="M_loss_cum") for run in "01"]
    assert {each["time"] for each in answers} == {"time [yr]"}
    ends = [float(np.nanmax(unpacked(each["curves"][0]["t"]))) for each in answers]
    assert ends == pytest.approx([1e-3, 0.1], rel=1e-6)
    in_days = asked(moment, "curves", runs="1", names="M_loss_cum", time="d")
    assert float(np.nanmax(unpacked(in_days["curves"][0]["t"]))) == pytest.approx(36.525)
    assert {asked(moment, "sizes", runs=run)["radius"] for run in "01"} == {"grain radius s [µm]"}


def test_what_matters_goes_by_disks_or_by_rings_as_the_map_does(disks: Path) -> None:
    moment = moment_of(disks)
    of_disks = asked(moment, "matters", name="M_loss")
    of_rings = asked(moment, "matters", name="M_loss", rings="single")
    assert "ring" not in [bar["name"] for bar in of_disks["bars"]]
    assert "ring" in [bar["name"] for bar in of_rings["bars"]]
    for name in moment.results:
        of_map = asked(moment, "cases", name=name)["rings"]
        bars = [bar["name"] for bar in asked(moment, "matters", name=name)["bars"]]
        assert ("ring" in bars) == (not of_map), name


def test_bands_need_curves_enough(disks: Path) -> None:
    content = answer(moment_of(disks), "curves", {"runs": "0,1", "band": "1"})
    assert "bands need 20" in content["error"]


def test_the_table_has_states_disks_and_texts(mixed: Path) -> None:
    moment = moment_of(mixed)
    content = asked(moment, "runs", names="T0,M_loss,status,stop_reason")
    columns = {column["name"]: column for column in content["columns"]}
    words = np.array(columns["status"]["texts"])[unpacked(columns["status"]["codes"])]
    assert words.tolist() == [str(word) for word in moment.columns["status"]]
    numbers = unpacked(columns["M_loss"]["numbers"]) * columns["M_loss"]["factor"]
    wanted = moment.columns["M_loss"]
    assert numbers == pytest.approx(wanted, rel=1e-14, nan_ok=True)
    assert unpacked(content["state"]).tolist() == moment.status.tolist()
    disk = unpacked(content["disk"])
    assert (disk <= unpacked(content["run"])).all()


def test_a_head_has_its_badges_with_their_runs(mixed: Path) -> None:
    moment = moment_of(mixed)
    content = asked(moment, "head")
    failed = np.flatnonzero(moment.status == layout.FAILED).tolist()
    groups = [unpacked(group).tolist() for group in content["groups"]]
    assert f"{len(failed)} failed" in content["html"]
    assert failed in groups
    assert len(groups) == len(content["words"]) == len(content["first_runs"])
    assert content["version"] == asked(moment_of(mixed), "head")["version"]


@pytest.mark.parametrize("name", ["about", "sizes"])
def test_a_run_is_told_in_detail_and_one_that_is_not_done_says_so(mixed: Path, name: str) -> None:
    moment = moment_of(mixed)
    done = str(int(np.flatnonzero(moment.status == layout.DONE)[0]))
    content = asked(moment, name, runs=done)
    failed = str(int(np.flatnonzero(moment.status == layout.FAILED)[0]))
    other = answer(moment, name, {"runs": failed})
    if name == "about":
        assert "marsdisk run" in content["html"]
        assert "Error" in other["html"]
    else:
        densities = unpacked(content["densities"]["number"])
        assert densities.shape == (unpacked(content["t"]).size, unpacked(content["s"]).size)
        assert "it is not done" in other["error"]


def test_trust_is_one_view_of_errors_ledger_cache_and_origin(mixed: Path) -> None:
    html = asked(moment_of(mixed), "trust")["html"]
    for words in ("Numerical errors", "Ledger", "Failures", "Cache", "Provenance", "sweep doctor"):
        assert words in html


def test_commands_can_be_typed(disks: Path) -> None:
    content = asked(moment_of(disks), "commands", x="T0", y="tau0_target", where="T0 > 1")
    assert content["plot"].startswith("sweep plot ")
    assert content["plot"].endswith("heatmap --x T0 --y tau0_target --where 'T0 > 1'")
    compile(content["python"], "page", "exec")


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("cases", {"name": "nonsense"}, "nonsense"),
        ("cases", {"where": "T0 > 9e9"}, "no run fulfils T0 > 9e9"),
        ("cases", {"where": "TO > 1"}, "there is no TO"),
        ("runs", {"names": "nonsense"}, "'nonsense' is no array"),
        ("curves", {}, "no run is named"),
        ("curves", {"runs": "99999"}, "there is no run '99999'"),
        ("matters", {"name": "status"}, "status"),
        ("curves", {"runs": "0", "names": "nonsense"}, "nonsense"),
    ],
)
def test_what_cannot_be_answered_says_why(
    disks: Path, name: str, query: dict[str, str], words: str
) -> None:
    assert words in answer(moment_of(disks), name, query)["error"]


def test_hostile_texts_are_texts_in_every_answer(tmp_path: Path) -> None:
    variants = {"<img src=x onerror=alert(1)>": {}, HOSTILE: {"dynamics.e0": 0.2}}
    file = sweep_file(tmp_path, axes=T0_AND_TAU0, variants=variants)
    run_here(file, tmp_path / "s.zarr")
    group = zarr.open_group(tmp_path / "s.zarr", mode="r+")
    group.attrs["title"] = "</script><script>alert(3)</script>"
    moment = moment_of(tmp_path / "s.zarr")
    for name in ANSWERS:
        content = answer(moment, name, {"runs": "0", "names": "variant", "name": "M_loss"})
        for html in (content.get("html", ""),):
            assert not re.search(r"<(img|script)\b", html), name
    page, _ = saved(moment)
    inside = page.partition('id="answers">')[2].partition("</script>")[0]
    assert json.loads(inside)["0/study?"]["title"]
    assert "<script>alert" not in page


def test_a_saved_page_holds_what_its_scripts_ask_for(disks: Path) -> None:
    page, remarks = saved(moment_of(disks))
    inside = json.loads(page.partition('id="answers">')[2].partition("</script>")[0])
    for path in ("0/head?", "0/study?", "0/cases?name=M_loss", "0/matters?name=M_loss", "0/trust?"):
        assert path in inside
    assert "0/curves?names=M_out_dot%2CM_loss_cum%2Ctau_los&runs=0" in inside
    assert "src=" not in page.partition("<body")[0].replace('src="data:', "")
    assert not re.search(r"https?://[^ ]*\.js[\"']", page.partition('id="answers">')[2][:1000])
    assert any("more result" in line for line in remarks)


def test_ratios_are_of_the_same_cases_or_of_none(tmp_path: Path, disks: Path) -> None:
    def moment(name: str, **changes: Any) -> Moment:
        run_here(sweep_file(tmp_path, **changes), tmp_path / f"{name}.zarr")
        return moment_of(tmp_path / f"{name}.zarr")

    a = moment_of(disks)
    flat = moment("flat", axes=T0_AND_TAU0)
    more = moment("more", axes={**T0_AND_TAU0, **RINGS, "dynamics.e0": [0.1, 0.2]})
    same = moment("same", axes={**T0_AND_TAU0, **RINGS})
    one = moment("one", axes={"temperature.T0": [3000.0, 4000.0], **RINGS})
    asked_for = {"name": "M_loss"}
    assert "only one of the studies has rings" in answer(a, "ratio", asked_for, flat)["error"]
    assert "it also varies e0" in answer(a, "ratio", asked_for, more)["error"]
    narrowed = answer(a, "ratio", {**asked_for, "where": "ring < 2"}, same)
    assert unpacked(narrowed["value"]) == pytest.approx(1.0, rel=1e-15)
    assert narrowed["name"] == "ratio of M_loss"
    # what only the first varies has one value in the second, and is matched with that
    tau0 = one.recorded.config(0).optical_depth.tau0_target
    at_that = answer(a, "ratio", asked_for, one)
    wanted = a.cases.parameters["tau0_target"] == tau0
    assert np.isfinite(unpacked(at_that["value"])).sum() == wanted.sum() / 3


def test_two_studies_are_compared_case_by_case(tmp_path: Path, disks: Path) -> None:
    settings = {"numerics.t_end_years": 0.04}
    run_here(sweep_file(tmp_path, axes={**T0_AND_TAU0, **RINGS}, set=settings), tmp_path / "b.zarr")
    a, b = moment_of(disks), moment_of(tmp_path / "b.zarr")
    content = answer(a, "ratio", {"name": "M_loss"}, b)
    first = sweep.open_store(disks).sweep.disk_total().M_loss.values
    second = sweep.open_store(tmp_path / "b.zarr").sweep.disk_total().M_loss.values
    assert unpacked(content["value"]) == pytest.approx((second / first).ravel(), rel=1e-14)
    assert "4 of 4 cases are in both studies" in content["remarks"]
    assert "t_end_years" in answer(a, "comparison", {}, b)["html"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (4000.0, "4000"),
        (-273.2, "−273.2"),
        (2.882e-9, "2.882×10⁻⁹"),
        (1e-9, "10⁻⁹"),
        (9.9999e-5, "10⁻⁴"),
        (float("nan"), "–"),
    ],
)
def test_numbers_are_written_as_people_write_them(value: float, words: str) -> None:
    assert number(value) == words
