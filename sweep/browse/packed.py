"""Numbers as the page's scripts take them: arrays of one type, as text."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Types of arrays by their names in JavaScript.
NAMES = {
    "float64": "Float64Array",
    "int32": "Int32Array",
    "uint16": "Uint16Array",
    "uint8": "Uint8Array",
}


def packed(values: NDArray[Any]) -> dict[str, Any]:
    """Return an array for a script.

    Parameters
    ----------
    values : array
        Numbers. Whole ones become 32-bit integers unless they are shorter.

    Returns
    -------
    dict
        ``type``, the name of a JavaScript array; ``shape``; and ``base64``, the bytes.
    """
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    if values.dtype.name not in NAMES:
        values = values.astype(np.int32 if values.dtype.kind in "iu" else np.float64)
    content = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"))
    return {
        "type": NAMES[values.dtype.name],
        "shape": list(values.shape),
        "base64": base64.b64encode(content.tobytes()).decode("ascii"),
    }
