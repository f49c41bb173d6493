"""The colours of every picture and page."""

INK = "#222222"
SOFT = "#555555"
EDGE = "#888888"
GREY = "#9a9a9a"
PALE = "#eeeeee"
RED = "#ee6677"
# Below the chain, like it, and above it; told apart by colour-blind readers too.
BELOW, MIDDLE, ABOVE = "#d95f02", "#f7f7f7", "#2166ac"
# Paul Tol's "bright" and "muted" schemes, told apart by colour-blind readers too.
CLUSTER_COLOURS = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377",
    "#332288", "#ddcc77", "#117733", "#882255", "#44aa99", "#999933",
]  # fmt: skip
