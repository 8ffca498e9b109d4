"""Make configs/README.md from the configurations in its folder: ``python docs/configs.py``."""

from pathlib import Path

from marsdisk.config import RunConfig, load_config
from marsdisk.physics.constants import YEAR
from marsdisk.run.derived import derive
from marsdisk.zero_d import run_zero_d

FOLDER = Path(__file__).parents[1] / "configs"
HEAD = (
    "# Configurations\n"
    "\n"
    "Made by `python docs/configs.py` from the files. Run one with `marsdisk run configs/NAME`,"
    " see all its keys with `marsdisk show`.\n"
    "Those that end within a second pass `optical_depth.tau_stop`, for the fragments of the first"
    " collisions raise tau; to run on, add\n"
    "`--set optical_depth.tau_stop=null`.\n"
    "\n"
    "| file | what it is | rings [R_M] | T0 [K] | start | v_rel [m/s] | losses | supply | to end"
    " | ended at | because |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def row(path: Path) -> str:
    """Describe a configuration in one line of the table."""
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
    supplied = supply.mode
    if supply.mode != "none":
        supplied += f" into {supply.injection}"
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
    end = f"{config.numerics.t_end_years:g} yr"
    stop = config.optical_depth.tau_stop
    if stop is not None:
        end += f", or tau = {stop:.3g}"
    return end


def _ended(config: RunConfig) -> tuple[str, str]:
    """Tell when and why the run does end."""
    result = run_zero_d(config)
    time = f"{result.t_end:.2g} s"
    if result.t_end > 0.01 * YEAR:
        time = f"{result.t_end / YEAR:.2g} yr"
    return time, result.stop_reason.label


def text() -> str:
    """Return the page."""
    return HEAD + "\n".join(row(path) for path in sorted(FOLDER.glob("mars_0d_*.yaml"))) + "\n"


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(text(), encoding="utf-8")
