# Read a NetCDF file with R and ncdf4: `Rscript docs/readers/netcdf.R FILE`.
# R has no integers of 64 bits: they are read as doubles, and printed as all numbers are, by a sum.
library(ncdf4)
file <- nc_open(commandArgs(trailingOnly = TRUE)[1])
for (name in sort(names(file$var))) {
  values <- ncvar_get(file, name)
  unit <- ncatt_get(file, name, "units")
  shown <- if (is.character(values)) values[1] else sprintf("%.17g", sum(values, na.rm = TRUE))
  cat(name, shown, if (unit$hasatt) unit$value else "-", "\n")
}
