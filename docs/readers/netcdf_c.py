"""Read a NetCDF file, or a store, with netCDF-C: ``python docs/readers/netcdf_c.py FILE``.

A store is given as ``file:///PATH/x.zarr#mode=zarr,file``. A unit is that of the store if the file
says what it is.
"""

import sys

import netCDF4
from digests import line

with netCDF4.Dataset(sys.argv[1]) as file:
    file.set_auto_maskandscale(False)
    for name, variable in sorted(file.variables.items()):
        attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
        attributes["units"] = attributes.get("store_units", attributes.get("units", "-"))
        print(line(name, variable[...], attributes))
