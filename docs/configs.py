"""configs/README.md, from the configurations beside it: ``python docs/configs.py``."""

from pathlib import Path

from marsdisk.config import RunConfig, load_config
from marsdisk.derived import derive
from marsdisk.physics.constants import YEAR
from marsdisk.zero_d import run_zero_d

FOLDER = Path(__file__).parents[1] / "configs"
HEAD = """# Configurations

Made by `python docs/configs.py` from the files. Run one with `marsdisk run configs/NAME`, see all its keys with `marsdisk show`.
Those that end within a second pass `optical_depth.tau_stop`, for the fragments of the first collisions raise tau; to run on, add
`--set optical_depth.tau_stop=null`.

| file | what it is | rings [R_M] | T0 [K] | start | v_rel [m/s] | losses | supply | to end | ended at | because |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def row(path: Path) -> str:
    """One line of the table."""
    config = load_config(path)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    disk = config.disk
    supply = config.supply
    acting = {
        "blow-out": config.blowout.enabled,
        "sublimation": config.sublimation.method != "none",
        "drag": config.drag.rho_g > 0.0,
    }
    losses = ", ".join(name for name, acts in acting.items() if acts) or "none"
    supplied = "none" if supply.mode == "none" else f"{supply.mode} into {supply.injection}"
    cells = (
        f"`{path.name}`",
        first.removeprefix("# "),
        f"{disk.r_in_RM:g}-{disk.r_out_RM:g}",
        f"{config.temperature.T0:g}" if hasattr(config.temperature, "T0") else "table",
        config.initial.s0_mode,
        f"{derive(config).v_rel:.0f}",
        losses,
        supplied,
        _end(config),
        *_ended(config),
    )
    return f"| {' | '.join(cells)} |"


def _end(config: RunConfig) -> str:
    stop = config.optical_depth.tau_stop
    return f"{config.numerics.t_end_years:g} yr" + (
        "" if stop is None else f", or tau = {stop:.3g}"
    )


def _ended(config: RunConfig) -> tuple[str, str]:
    """When and why the run does end."""
    result = run_zero_d(config)
    return (
        f"{result.t_end / YEAR:.2g} yr" if result.t_end > 0.01 * YEAR else f"{result.t_end:.2g} s",
        result.stop_reason.label,
    )


def text() -> str:
    """The page."""
    return HEAD + "\n".join(row(path) for path in sorted(FOLDER.glob("mars_0d_*.yaml"))) + "\n"


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(text(), encoding="utf-8")
