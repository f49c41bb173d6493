"""The ledger as a picture of flows: raw sales, categories, what was segmented, not selected or set aside."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from storelib.accounts.ledger import Entry
from storelib.pages.language import say
from storelib.pages.words import flag_words

WIDTH = 900.0
TOP = 34.0
TALLEST = 300.0
GAP = 22.0
BAR = 16.0
# No flow is drawn thinner, however little it is.
THINNEST = 1.0
CATEGORIES_SHOWN = 14
OTHERS = "other categories"
ENDS = {"raw": "Raw sales", "segmented": "In segments"}
# What leaves before there are categories, by stage and flow.
EARLY = {
    ("ingest_sales", "set_aside"): "aside",
    ("assign_categories", "set_aside"): "aside",
    ("select_categories", "not_selected"): "unselected",
}
# Kinds that hang below the rest of their column, in this order.
BELOW = {"unselected": 1, "aside": 2, "late": 2}


class Flow(NamedTuple):
    """Sales that go from one column's node to the next column's."""

    source: str
    target: str
    amount: Decimal


class Node(NamedTuple):
    """A bar of the picture."""

    name: str
    kind: str  # raw, category, segmented, aside, unselected
    column: int
    amount: Decimal
    x: float
    y: float
    height: float


class Band(NamedTuple):
    """A flow of the picture: an outline from bar to bar."""

    source: str
    target: str
    kind: str
    amount: Decimal
    path: str


class Picture(NamedTuple):
    """Nodes and bands, in a box of the given size."""

    nodes: list[Node]
    bands: list[Band]
    width: float
    height: float


REASONS = {
    "missing_store": "no store",
    "missing_sku": "no SKU",
    "missing_sales": "no amount",
    "invalid_sales": "amount unreadable",
    "invalid_date": "date unreadable",
    "ambiguous_date": "date that reads two ways",
    "negative_sales": "negative sales",
    "unknown_store": "unknown store",
    "no_category": "no category",
    "category_respelt": "category in another spelling",
    "category_not_selected": "category not selected",
    "unmapped_sku": "SKU without need state",
    "no_net_sales": "store without net sales",
    "small_segment": "small segment, dissolved into the nearest",
    "merged_segment": "segment merged with the nearest",
    "override": "placed by hand",
}


def reason_words(reason: str) -> str:
    """A reason of the ledger as words; those with a source in them stay recognisable."""
    if reason in REASONS:
        return say(REASONS[reason])
    return flag_words(reason) if ":" in reason else reason.replace("_", " ")


def total(entries: Iterable[Entry], stage: str, flow: str) -> Decimal:
    """Sales of one stage and flow, over all categories."""
    return sum((e.sales for e in entries if (e.stage, e.flow) == (stage, flow)), Decimal(0))


def flows_of(entries: Sequence[Entry], names: dict[str, str]) -> list[Flow]:
    """Raw sales to categories, not selected or set aside, categories to segmented or set aside; flows without sales are left out.

    names: what to call each category. Stages that only pass on what they were given have no flow of their own. Beyond the
    largest categories the rest are one.
    """
    entering = {
        e.category: e.sales for e in entries if (e.stage, e.flow) == ("select_categories", "out") and e.category
    }
    largest = sorted(entering, key=lambda key: (-entering[key], key))
    if len(largest) > CATEGORIES_SHOWN:
        largest = largest[: CATEGORIES_SHOWN - 1]

    def name_of(category: str) -> str:
        return names.get(category, category) if category in largest else say(OTHERS)

    amounts: dict[tuple[str, str], Decimal] = {}

    def add(source: str, target: str, amount: Decimal) -> None:
        if amount:
            amounts[source, target] = amounts.get((source, target), Decimal(0)) + amount

    for category in [*largest, *sorted(set(entering) - set(largest))]:
        add("raw", f"category:{name_of(category)}", entering[category])
    for entry in entries:
        if (entry.stage, entry.flow) in EARLY:
            add("raw", f"{EARLY[entry.stage, entry.flow]}:{reason_words(entry.reason)}", entry.sales)
    for category in [*largest, *sorted(set(entering) - set(largest))]:
        for entry in entries:
            if entry.category == category and (entry.stage, entry.flow) == ("merge_segments", "out"):
                add(f"category:{name_of(category)}", "segmented", entry.sales)
            elif entry.category == category and (entry.stage, entry.flow) == ("split_need_states", "set_aside"):
                add(f"category:{name_of(category)}", f"late:{reason_words(entry.reason)}", entry.sales)
    return [Flow(source, target, amount) for (source, target), amount in amounts.items()]


def picture_of(flows: Sequence[Flow]) -> Picture:
    """Bars and bands to scale, by the size of the amounts; what did not go on hangs below what did."""
    into: dict[str, Decimal] = {}
    out: dict[str, Decimal] = {}
    for flow in flows:
        into[flow.target] = into.get(flow.target, Decimal(0)) + abs(flow.amount)
        out[flow.source] = out.get(flow.source, Decimal(0)) + abs(flow.amount)
    columns: list[list[str]] = [[], [], []]
    for name in dict.fromkeys([*out, *into]):
        kind = name.partition(":")[0]
        columns[{"raw": 0, "category": 1, "unselected": 1, "aside": 1}.get(kind, 2)].append(name)
    for column in columns:
        column.sort(key=lambda name: BELOW.get(name.partition(":")[0], 0))
    largest = max((sum(max(into.get(n, Decimal(0)), out.get(n, Decimal(0))) for n in c) for c in columns), default=0)
    scale = TALLEST / float(largest) if largest else 0.0

    nodes: dict[str, Node] = {}
    for position, column in enumerate(columns):
        y = TOP
        for name in column:
            size = float(max(into.get(name, Decimal(0)), out.get(name, Decimal(0)))) * scale
            kind, _, label = name.partition(":")
            label = say(ENDS[kind]) if kind in ENDS else label
            side = [f.amount for f in flows if (f.source if kind == "raw" else f.target) == name]
            amount = sum(side, Decimal(0))
            kind = {"late": "aside"}.get(kind, kind)
            x = position * (WIDTH - BAR) / 2
            nodes[name] = Node(label, kind, position, amount, x, y, max(size, THINNEST))
            y += max(size, THINNEST) + GAP
    starts = {name: node.y for name, node in nodes.items()}
    ends = dict(starts)
    bands = []
    for flow in sorted(flows, key=lambda f: (list(nodes).index(f.source), list(nodes).index(f.target))):
        source, target = nodes[flow.source], nodes[flow.target]
        thick = max(float(abs(flow.amount)) * scale, THINNEST)
        path = band_path(source.x + BAR, starts[flow.source], target.x, ends[flow.target], thick)
        bands.append(Band(source.name, target.name, target.kind, flow.amount, path))
        starts[flow.source] += thick
        ends[flow.target] += thick
    height = max((node.y + node.height for node in nodes.values()), default=TOP) + GAP
    return Picture(list(nodes.values()), bands, WIDTH, height)


def band_path(x0: float, y0: float, x1: float, y1: float, thick: float) -> str:
    """SVG path of a band of even height between two bars."""
    middle = (x0 + x1) / 2
    return (
        f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}V{y1 + thick:.1f}"
        f"C{middle:.1f} {y1 + thick:.1f} {middle:.1f} {y0 + thick:.1f} {x0:.1f} {y0 + thick:.1f}Z"
    )
