"""Colours that colour-blind readers can tell apart, for figures and the page."""

# Okabe & Ito (2008)
BLUE = "#0072b2"
ORANGE = "#e69f00"
GREEN = "#009e73"
VERMILION = "#d55e00"
SKY_BLUE = "#56b4e9"
PURPLE = "#cc79a7"
BLACK = "#000000"

#: Order in which figures use them.
FIGURE_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY_BLUE, PURPLE, BLACK)
#: Order in which the page gives them to the chosen runs.
RUN_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY_BLUE, BLACK)
