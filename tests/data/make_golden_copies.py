"""Copy the golden numbers that tests replay: ``python make_golden_copies.py FOLDER [SUBJECT]...``.

The numbers were made by the functions of an earlier program for the same disk. One file a subject
is written beside this script; of the large fragment tensors only a sample of entries and their sums
over one collider are kept.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
SAMPLE = 2000  # entries kept of each (40, 40, 40) tensor


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def write(name: str, content: Any) -> None:
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")


def orbit(folder: Path) -> None:
    golden = read(folder, "orbit_dynamics")
    write(
        "orbit",
        {key: golden[key] for key in ("constants", "kepler", "annulus", "v_rel", "update_e")},
    )


def psd(folder: Path) -> None:
    cases = read(folder, "psd_modes")
    arrays = np.load(folder / "psd_modes.npz")
    kept = []
    for name, case in cases.items():
        if name == "trunc_powerlaw":  # see melt
            continue
        lists = {key: arrays[f"{name}__{key}"].tolist() for key in ("edges", "m", "number", "N")}
        kept.append({"name": name, **case["inputs"], "kappa": case["kappa"], **lists})
    direct = read(folder, "kappa_direct")
    write(
        "psd",
        {
            "cases": kept,
            "kappa_direct": {
                key: direct[key]
                for key in ("rho", "sizes", "widths", "number", "kappa", "kappa_all_zero")
            },
        },
    )


def radiation(folder: Path) -> None:
    golden = read(folder, "radiation")
    kept = {}
    # that program had a different table
    for key in ("s_blow", "beta"):
        kept[key] = [case for case in golden[key] if case["Qpr"] != "table"]
    for key in ("chi_auto", "t_blow"):
        kept[key] = golden[key]
    write("radiation", kept)


def qstar(folder: Path) -> None:
    golden = read(folder, "qdstar")
    arrays = np.load(folder / "qdstar.npz")
    tables = {}
    for name, rows in golden["tables"].items():
        tables[name] = [[float(v), *row] for v, row in rows.items()]
    cases = []
    for case in golden["cases"]:
        inputs = {key: case[key] for key in ("table", "units", "mu", "rho")}
        cases.append({**inputs, "q_star": arrays[case["key"]].tolist()})
    write(
        "qstar",
        {
            "tables": tables,
            "s": arrays["s"].tolist(),
            "v_kms": arrays["v_kms"].tolist(),
            "cases": cases,
        },
    )


def remnant(folder: Path) -> None:
    golden = read(folder, "largest_remnant")
    write("remnant", {key: golden[key] for key in ("phi", "F_LF", "pairs")})


def fragments(folder: Path) -> None:
    kept = {
        f"weights__{name}": array
        for name, array in np.load(folder / "fragment_weights.npz").items()
    }
    kept |= {
        f"n12__{name}": array for name, array in np.load(folder / "fragment_tensor_n12.npz").items()
    }
    generator = np.random.default_rng(1)
    for name, array in np.load(folder / "fragment_tensor_n40.npz").items():
        if array.ndim < 3:
            kept[f"n40__{name}"] = array
            continue
        entries = generator.choice(array.size, SAMPLE, replace=False)
        kept[f"n40__{name}__entries"] = entries.astype(np.int32)
        kept[f"n40__{name}__values"] = array.ravel()[entries]
        kept[f"n40__{name}__sums"] = array.sum(axis=1)
    np.savez_compressed(FOLDER / "fragments.npz", **kept)


def gain(folder: Path) -> None:
    names = (
        "N",
        "s",
        "m",
        "H",
        "H2",
        "vm",
        "v",
        "rho",
        "edges",
        "C1",
        "C2",
        "gain1",
        "gain2",
        "energy_stats",
    )
    kept = {}
    for n in (12, 40):
        arrays = np.load(folder / f"kernel_gain_n{n}.npz")
        kept |= {f"n{n}__{name}": arrays[name] for name in names}
    np.savez_compressed(FOLDER / "gain.npz", **kept)


def supply(folder: Path) -> None:
    golden = read(folder, "supply_source")
    rates = read(folder, "supply_rate")
    (const,) = (case for case in rates["rates"] if case["label"] == "const")
    kept = {
        "rate": const["spec"]["const"]["prod_area_rate_kg_m2_s"],
        "mixing": const["spec"]["mixing"],
        "values": const["values"],
    }
    write(
        "supply_rates",
        {
            "rates": rates["rates"],
            **{name: rates["sequences"][name] for name in ("temperature", "feedback")},
        },
    )
    write("supply", {**golden, "mu_orbit10pct": rates["mu_orbit10pct_DERIVED"], "const": kept})


def imex(folder: Path) -> None:
    cases = read(folder, "imex_step")["cases"]
    arrays = np.load(folder / "imex_step.npz")
    inputs = ("v_rel", "rho", "dt", "safety", "mass_tol", "prod_mass_rate", "extra_mass_loss_rate")
    kept = []
    for name, case in cases.items():
        lists = {
            key.removeprefix(f"{name}__"): array.tolist()
            for key, array in arrays.items()
            if key.startswith(f"{name}__")
        }
        del lists["dN"]  # N_new - N
        outputs = {"dt_eff": case["dt_eff"], "mass_error": case["mass_error"], **case["diag"]}
        kept.append({"name": name, **{key: case[key] for key in inputs}, **lists, "found": outputs})
    write("imex", kept)


def collision_step(folder: Path) -> None:
    golden = read(folder, "collision_step")
    arrays = np.load(folder / "collision_step.npz")
    needed = (
        "dt",
        "r",
        "t_blow",
        "a_blow",
        "rho",
        "t_sink",
        "ds_dt_val",
        "s_min_effective",
        "sigma_surf",
        "prod_subblow_area_rate",
    )
    kept = []
    for name, case in golden["cases"].items():
        inputs = {
            key: value
            for key, value in case["inputs"].items()
            if key in needed or key.startswith("supply_")
        }
        numbers = {key: arrays[f"{name}__{key}"].tolist() for key in ("number_in", "number_out")}
        kept.append({"name": name, **inputs, **numbers, "found": case["outputs"]})
    write(
        "collision_step",
        {**{key: arrays[key].tolist() for key in ("edges", "s", "width")}, "cases": kept},
    )


def sinks(folder: Path) -> None:
    golden = read(folder, "sublimation_sinks")
    write(
        "sinks",
        {
            "sublimation": golden["sink_from_dsdt"],
            "blowout": golden["blowout_sink"],
            "drag": golden["gas_drag"],
        },
    )


def sublimation(folder: Path) -> None:
    # without the placeholder law, which is no physics
    hkl = read(folder, "sublimation_sinks")["hkl"]
    kept = {
        "forsterite": hkl["forsterite"],
        "forsterite_gas": hkl["forsterite_Pgas"],
        "sio": hkl["class_default_hkl"],
    }
    grain = read(folder, "radiation")["grain_temperature"]
    cases = {
        name: {"rho": case["rho"], "P_gas": case["params"].get("P_gas", 0.0), "rows": case["rows"]}
        for name, case in kept.items()
    }
    write("sublimation", {"hkl": cases, "grain_temperature": grain})


def melt(folder: Path) -> None:
    case = read(folder, "psd_modes")["trunc_powerlaw"]
    arrays = np.load(folder / "psd_modes.npz")
    lists = {key: arrays[f"trunc_powerlaw__{key}"].tolist() for key in ("mass_weights", "m", "N")}
    write("melt_simple", {**case["inputs"], "kappa": case["kappa"], **lists})


def mass(folder: Path) -> None:
    write("mass", read(folder, "misc")["sigma_from_mass"])


def shielding(folder: Path) -> None:
    golden = read(folder, "shielding")
    tables = {
        "phi_table": (folder.parent / "data" / golden["phi_table_file"]).read_text(encoding="utf-8")
    }
    cells = np.loadtxt(folder.parent / "data" / "phi_tau_w0_g.csv", delimiter=",", skiprows=1)
    lines = [f"{tau!r},{phi!r}" for tau, w0, g, phi in cells.tolist() if w0 == g == 0.0]
    tables["phi_slice"] = "\n".join(["tau,phi", *lines]) + "\n"  # of a grid over (tau, w0, g)
    write("shielding", {**golden, **tables})


def phase(folder: Path) -> None:
    write("phase", read(folder, "phase"))


def temperature(folder: Path) -> None:
    write("temperature", read(folder, "temperature"))


def truth(folder: Path) -> None:
    kept = {}
    for case in ("refweights_n12", "refweights_n40", "massweights_n40"):
        kept |= {
            f"{case}__{name}": array
            for name, array in np.load(folder / f"truth_{case}.npz").items()
        }
    np.savez_compressed(FOLDER / "truth.npz", **kept)


def main() -> None:
    folder = Path(sys.argv[1])
    wanted = sys.argv[2:]
    for subject in (
        orbit,
        psd,
        radiation,
        qstar,
        remnant,
        fragments,
        gain,
        imex,
        collision_step,
        sinks,
        sublimation,
        supply,
        melt,
        mass,
        shielding,
        phase,
        temperature,
        truth,
    ):
        if not wanted or subject.__name__ in wanted:
            subject(folder)


if __name__ == "__main__":
    main()
