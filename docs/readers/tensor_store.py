"""Read a store with TensorStore: ``python docs/readers/tensor_store.py STORE``."""

import json
import sys
from pathlib import Path

import tensorstore
from digests import line

for description in sorted(Path(sys.argv[1]).resolve().glob("*/zarr.json")):
    path = description.parent
    attributes = json.loads(description.read_text(encoding="utf-8"))["attributes"]
    place = {"driver": "file", "path": str(path)}
    try:
        array = tensorstore.open({"driver": "zarr3", "kvstore": place}, read=True).result()
    except ValueError as error:
        print(f"{path.name}: {str(error).splitlines()[0]}", file=sys.stderr)
    else:
        print(line(path.name, array.read().result(), attributes))
