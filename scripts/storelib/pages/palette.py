"""The colours of every picture and page."""

INK = "#222222"
GREY = "#9a9a9a"
RED = "#ee6677"
# Paul Tol's "bright" and "muted" schemes, told apart by colour-blind readers too.
CLUSTER_COLOURS = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377",
    "#332288", "#ddcc77", "#117733", "#882255", "#44aa99", "#999933",
]  # fmt: skip
