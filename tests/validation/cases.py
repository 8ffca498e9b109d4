"""All comparisons, in the order of the page."""

from .cascades import DOHNANYI, OBRIEN
from .case import Case
from .collisions import GROSS_RATE, WYATT
from .decays import DECAY, PRIMORDIAL_SIZES
from .grains import SHRINKING
from .light import MIE
from .mars import BURNS, COOLING

CASES: tuple[Case, ...] = (
    DOHNANYI,
    OBRIEN,
    DECAY,
    PRIMORDIAL_SIZES,
    GROSS_RATE,
    WYATT,
    COOLING,
    BURNS,
    MIE,
    SHRINKING,
)
