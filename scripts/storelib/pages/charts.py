"""Pictures in one style, drawn by matplotlib's own rasteriser: no browser, no screen, and the same bytes every time.

A chart is laid out in the pixels of a screen, from its upper left corner, and drawn at twice that resolution. What a user's
own matplotlibrc says does not count, and a text from data is never taken for a formula. Letters are those of the font that comes
with matplotlib, on every machine; one that it lacks, such as a Japanese one, is drawn as ▯, and the picture says so.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from matplotlib.ticker import StrMethodFormatter
from matplotlib.transforms import ScaledTranslation

from storelib.pages.palette import CLUSTER_COLOURS, EDGE, INK, PALE, SOFT
from storelib.pages.words import DIRECTION, short
from storelib.tables import replacing

# Pixels of a screen to an inch, and how many times finer a picture is; the longest side that it may get.
SCREEN, FINER, LONGEST_SIDE = 96, 2, 30_000
TITLE, PLAIN, SMALL = 15, 12, 11
LINE = 18
# The font that comes with matplotlib; one of that name which a system has may be of another release.
FONT_FILES = [Path(mpl.get_data_path(), "fonts", "ttf", name) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")]
LETTERS = frozenset.intersection(*(frozenset(FT2Font(str(file)).get_charmap()) for file in FONT_FILES))
MISSING = "▯"
MISSING_NOTE = f"{MISSING} stands for a letter that the font of pictures does not have; the report shows it"
NUMBERS = StrMethodFormatter("{x:,.10g}")


def points(pixels: float) -> float:
    """Pixels as a font's points."""
    return pixels * 72 / SCREEN


mpl.rcdefaults()
fontManager.ttflist.clear()
for font_file in FONT_FILES:
    fontManager.addfont(font_file)
mpl.rcParams.update(
    {
        "font.family": ["DejaVu Sans"],
        "font.size": points(PLAIN),
        "text.color": INK,
        "text.parse_math": False,
        "axes.edgecolor": EDGE,
        "axes.labelcolor": INK,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.axisbelow": True,
        "grid.color": PALE,
        "xtick.color": EDGE,
        "ytick.color": EDGE,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
        "legend.handletextpad": 0.4,
    }
)


class Picture:
    """A picture that panels and words are put on, at pixels from its upper left corner; it grows to hold them all."""

    def __init__(self, title: str = "", lines: Sequence[str] = ()) -> None:
        """Begin with a title and the lines below it. `top` is where the rest starts."""
        self.figure = Figure(figsize=(1, 1), dpi=SCREEN * FINER)
        FigureCanvasAgg(self.figure)
        self.top = 0.0
        if title:
            self.words(0, self.top, title, size=TITLE, weight="bold")
            self.top += 24
        for line in lines:
            self.words(0, self.top, line, color=SOFT)
            self.top += LINE
        self.top += 12 if self.top else 0

    def words(self, left: float, top: float, text: str, *, size: float = PLAIN, **looks: Any) -> None:
        """One line whose upper left corner is there."""
        place = (left / SCREEN, 1 - top / SCREEN)
        self.figure.text(*place, written(text), va="top", ha="left", fontsize=points(size), **looks)

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes whose upper left corner is there; their ticks and names lie outside."""
        place = (left / SCREEN, 1 - (top + height) / SCREEN, width / SCREEN, height / SCREEN)
        return self.figure.add_axes(place)

    def height(self) -> float:
        """Pixels from the upper edge to the lowest thing that is on it."""
        return float(1 - self.figure.get_tightbbox().y0) * SCREEN

    def save(self, path: Path) -> None:
        """Draw it, atomically."""
        shown = [text.get_text() for text in self.figure.findobj(Text)]
        if any(MISSING in text for text in shown):
            self.words(0, self.height() + LINE, MISSING_NOTE, size=SMALL, color=SOFT)
        with replacing(path) as temporary:
            edges = self.figure.get_tightbbox()
            longest = max(edges.width, edges.height, 1) * SCREEN * FINER
            self.figure.savefig(
                temporary,
                format="png",
                dpi=SCREEN * FINER * min(1, LONGEST_SIDE / longest),
                bbox_inches=edges.padded(12 / SCREEN),
                metadata={"Software": None},
                # Half the time of the default, a tenth larger.
                pil_kwargs={"compress_level": 3},
            )


def label_axis(
    axes: Axes, side: str, places: Sequence[float], labels: Sequence[str], name: str = "", *, size: float = PLAIN
) -> None:
    """Labels along one side of a panel, `bottom`, `top`, `left` or `right`, without ticks; `name` lies beyond them.

    Plain texts: an axis of matplotlib makes several objects for each of its ticks, and drawing those is most of the time of a
    small picture.
    """
    is_across = side in {"bottom", "top"}
    (axes.xaxis if is_across else axes.yaxis).set_visible(False)
    shift = {"bottom": (0, -1), "top": (0, 1), "left": (-1, 0), "right": (1, 0)}[side]
    along = axes.get_xaxis_transform() if is_across else axes.get_yaxis_transform()
    edge = 0.0 if side in {"bottom", "left"} else 1.0

    def put(place: float, label: str, pad: float, **looks: Any) -> Text:
        right, up = (pad * part / SCREEN for part in shift)
        far = along + ScaledTranslation(right, up, axes.figure.dpi_scale_trans)
        across = {"bottom": "top", "top": "bottom"}.get(side, "center_baseline")
        ends = {"left": "right", "right": "left"}.get(side, "center")
        at = (place, edge) if is_across else (edge, place)
        return axes.text(*at, label, transform=far, va=across, ha=ends, fontsize=points(size), **looks)

    texts = [put(place, label, 5) for place, label in zip(places, labels, strict=True)]
    if name:
        middle = sum(axes.get_xlim() if is_across else axes.get_ylim()) / 2
        if is_across:
            put(middle, name, 8 + size * 1.2 * (1 + max((label.count("\n") for label in labels), default=0)))
        else:
            widest = max((text.get_window_extent().width for text in texts), default=0) / FINER
            put(middle, name, 10 + widest, rotation=90).set_verticalalignment("center")


def grid_lines(axes: Axes, direction: str, places: Sequence[float]) -> None:
    """Lines across a panel at these places: `x` stands upright, `y` lies."""
    along = axes.get_xaxis_transform() if direction == "x" else axes.get_yaxis_transform()
    ends = [[(place, 0), (place, 1)] if direction == "x" else [(0, place), (1, place)] for place in places]
    axes.add_collection(LineCollection(ends, transform=along, colors=PALE, linewidths=0.8, zorder=0.5), autolim=False)


def written(text: str, longest: int = 1000) -> str:
    """A text from data on one line, cut where it is longer; matplotlib tells its direction by itself."""
    shown = DIRECTION.sub("", short(text, longest))
    return "".join(letter if ord(letter) in LETTERS else MISSING for letter in shown)


def note(title: str, line: str) -> Picture:
    """A picture that says why there is none."""
    picture = Picture(title)
    picture.words(0, picture.top, line, size=14, color=SOFT)
    return picture


def colour_of(cluster: int) -> str:
    """A cluster's or segment's colour, the same in every picture."""
    return CLUSTER_COLOURS[(cluster - 1) % len(CLUSTER_COLOURS)]


def rgb(colour: str) -> tuple[float, float, float]:
    """A colour such as #2166ac as parts of red, green and blue."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
