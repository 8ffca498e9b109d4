"""Compiled code is kept in a folder of its own, and a damaged folder repairs itself."""

from pathlib import Path

import numba
import pytest

from marsdisk import _jit


def test_a_failing_call_is_repeated_with_an_empty_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "damaged").write_bytes(b"")
    monkeypatch.setattr(_jit, "compiled_folder", lambda: folder)

    def call() -> str:
        if (folder / "damaged").exists():
            raise EOFError("ran out of input")
        return "compiled"

    assert _jit.call_repairing(call) == "compiled"
    assert folder.is_dir()
    assert not list(folder.iterdir())


def test_a_call_that_fails_again_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_jit, "compiled_folder", lambda: tmp_path / "kernels")
    with pytest.raises(ZeroDivisionError):
        _jit.call_repairing(lambda: 1 / 0)


def test_the_folder_can_be_chosen_and_is_named_by_a_digest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = _jit.compiled_folder.__wrapped__()
    assert folder.parent == tmp_path
    assert len(folder.name) == 16
    assert set(folder.name) <= set("0123456789abcdef")


def test_another_place_is_found_when_the_first_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "a_file"
    blocked.write_text("in the way")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    monkeypatch.setattr(_jit.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    assert (tmp_path / "temporary") in _jit.compiled_folder.__wrapped__().parents


def test_making_a_kernel_leaves_the_settings_of_others_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_jit, "compiled_folder", lambda: tmp_path)
    before = numba.config.CACHE_DIR
    assert _jit.kernel(lambda x: 2.0 * x)(21.0) == 42.0
    assert before == numba.config.CACHE_DIR


def test_the_digest_of_the_sources_is_short_and_stable() -> None:
    assert len(_jit.source_digest()) == 16
    assert _jit.source_digest() == _jit.source_digest.__wrapped__()
