"""Numbers as people write them."""

import math

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 4) -> str:
    """Return a number as people write it, such as ``4000`` or ``2.88×10⁻⁹``; a dash for NaN."""
    if value != value:
        return "–"
    if value == 0.0 or math.isinf(value):
        return f"{value:g}".replace("-", "−")
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 < exponent < 6:
        return f"{rounded:.10g}".replace("-", "−")
    mantissa = f"{value / 10.0**exponent:.{digits}g}".replace("-", "−")
    power = f"10{str(exponent).translate(_SUPERSCRIPTS)}"
    return power if mantissa == "1" else f"{mantissa}×{power}"
