"""Physical constants, SI units."""

G = 6.67430e-11  #: m3 kg-1 s-2, CODATA 2018
C_LIGHT = 2.99792458e8  #: m s-1, exact
SIGMA_SB = 5.670374419e-8  #: W m-2 K-4, CODATA 2018
R_GAS = 8.314462618  #: J mol-1 K-1, CODATA 2018
M_MARS = 6.4171e23  #: kg, JPL
R_MARS = 3.3895e6  #: m, JPL
DAY = 86400.0  #: s
YEAR = 365.25 * DAY  #: s, Julian
