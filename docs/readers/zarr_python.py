"""Read a store with zarr-python, 2 or 3: ``python docs/readers/zarr_python.py STORE``.

With ``ZARR_CODEC_PIPELINE__PATH=zarrs.ZarrsCodecPipeline`` zarr-python 3 lets zarrs read chunks.
"""

import sys

import zarr
from digests import line

group = zarr.open_group(sys.argv[1], mode="r")
for name, array in sorted(group.arrays()):
    print(line(name, array[...], dict(array.attrs)))
