"""What the report computes, by hand."""

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from storelib.accounts.ledger import Entry
from storelib.method.profiles import profile_by
from storelib.pages import flows, maps, report
from storelib.pages.words import Trait

ROOT = Path(__file__).resolve().parents[2]
OUTLINES = ROOT / "scripts" / "outlines" / "outlines.json"
NAN = math.nan


def test_stores_on_a_border() -> None:
    stores = pd.DataFrame({"segment": [2, 1, 1, 2, 2], "is_borderline": [False, True, False, False, False]})
    assert report.borderline_shares(stores, "segment") == {1: 0.5, 2: 0.0}


def ledger(*rows: tuple[str, str, str, str, str]) -> list[Entry]:
    return [Entry(stage, category, flow, reason, 1, 1, Decimal(sales)) for stage, category, flow, reason, sales in rows]


ENTRIES = ledger(
    ("ingest_sales", "", "in", "", "100.00"),
    ("ingest_sales", "", "set_aside", "invalid_date", "5.00"),
    ("assign_categories", "", "set_aside", "no_category", "3.00"),
    ("select_categories", "x", "not_selected", "category_not_selected", "2.00"),
    ("select_categories", "y", "not_selected", "category_not_selected", "10.00"),
    ("select_categories", "beauty", "out", "", "50.00"),
    ("select_categories", "snacks", "out", "", "30.00"),
    ("split_need_states", "beauty", "set_aside", "unmapped_sku", "0.01"),
    ("split_need_states", "beauty", "noted", "negative_need_state", "7.00"),
    ("merge_segments", "beauty", "out", "", "49.99"),
    ("merge_segments", "snacks", "out", "", "30.00"),
)


def test_flows_of_a_ledger_balance() -> None:
    found = flows.flows_of(ENTRIES, {"beauty": "BEAUTY"})
    assert [(f.source, f.target, str(f.amount)) for f in found] == [
        ("raw", "category:BEAUTY", "50.00"),
        ("raw", "category:snacks", "30.00"),
        ("raw", "aside:date unreadable", "5.00"),
        ("raw", "aside:no category", "3.00"),
        ("raw", "unselected:category not selected", "12.00"),
        ("category:BEAUTY", "late:SKU without need state", "0.01"),
        ("category:BEAUTY", "segmented", "49.99"),
        ("category:snacks", "segmented", "30.00"),
    ]
    picture = flows.picture_of(found)
    amounts = {node.name: node.amount for node in picture.nodes}
    assert amounts["Raw sales"] == flows.total(ENTRIES, "ingest_sales", "in") == 100
    assert amounts["In segments"] == Decimal("79.99")
    kinds = {node.name: node.kind for node in picture.nodes}
    assert kinds["category not selected"] == "unselected"
    assert kinds["no category"] == "aside"
    heights = {node.name: node.height for node in picture.nodes}
    assert heights["Raw sales"] == pytest.approx(flows.TALLEST)
    assert heights["BEAUTY"] == pytest.approx(flows.TALLEST / 2)
    assert heights["SKU without need state"] == flows.THINNEST  # a cent is drawn, too


def test_flows_of_many_categories_are_gathered() -> None:
    rows = [("select_categories", f"c{i:02d}", "out", "", f"{100 - i}.00") for i in range(20)]
    rows += [("merge_segments", f"c{i:02d}", "out", "", f"{100 - i}.00") for i in range(20)]
    found = flows.flows_of(ledger(*rows), {})
    targets = {f.target: f.amount for f in found if f.source == "raw"}
    assert len(targets) == flows.CATEGORIES_SHOWN
    assert targets[f"category:{flows.OTHERS}"] == sum(100 - i for i in range(13, 20))
    assert sum(targets.values()) == sum(f.amount for f in found if f.target == "segmented")


def test_no_sales_are_an_empty_picture() -> None:
    picture = flows.picture_of([])
    assert (picture.nodes, picture.bands) == ([], [])


def test_negative_sales_that_were_set_aside_are_drawn_by_size() -> None:
    rows = [("select_categories", "a", "out", "", "90.00"), ("merge_segments", "a", "out", "", "90.00"),
            ("ingest_sales", "", "set_aside", "negative_sales", "-10.00")]  # fmt: skip
    nodes = {node.name: node for node in flows.picture_of(flows.flows_of(ledger(*rows), {})).nodes}
    assert nodes["Raw sales"].amount == 80
    assert nodes["negative sales"].amount == -10
    assert nodes["negative sales"].height == pytest.approx(flows.TALLEST / 10)


def test_traits_are_told_in_standard_deviations() -> None:
    table = pd.DataFrame({"x": [1.0, 3.0, 5.0, 99.0]}, index=list("abcd"))
    groups = pd.Series({"a": 1, "b": 1, "c": 2, "d": 2})
    exclusion = pd.Series({"a": "", "b": "", "c": "", "d": "outlier"})
    profile, spread = profile_by(table, exclusion, groups, pd.Series({"a": 10.0}))
    # a, b and c train: mean 3, standard deviation sqrt(8 / 3)
    assert spread["x"] == pytest.approx(math.sqrt(8 / 3))
    traits, _ = report.traits_of(profile, spread, {"x": "x"})
    assert traits[1][0][:4] == ("x", 2, 3, pytest.approx(200 / 3))
    assert traits[2][0].distance == pytest.approx(2 / math.sqrt(8 / 3))


def test_a_group_none_of_whose_stores_trained_is_there() -> None:
    table = pd.DataFrame({"x": [1.0, 3.0]}, index=list("ab"))
    exclusion = pd.Series({"a": "", "b": "thin"})
    profile, _ = profile_by(table, exclusion, pd.Series({"a": 1, "b": 2}), pd.Series({"a": 1.0, "b": 3.0}))
    assert profile["cluster"].tolist() == [1, 2]
    assert profile["share_of_sales"].tolist() == [0.25, 0.75]
    assert math.isnan(profile["mean"][1])


def test_heat_of_an_index() -> None:
    cells = {(1, "a"): Trait("a", 0.4, 0.2, 200, NAN), (2, "a"): Trait("a", 0.1, 0.2, 50, NAN)}
    ((name, full, chain, (over, under, none)),) = report.heat_rows(cells, [1, 2, 3], ["a"], "mix")
    assert (name, full, chain, over.text, under.text, none.text) == ("a", "a", "20 %", "200", "50", "")
    # twice and half are equally far from white
    assert report.shade(0.5)[0] != report.shade(-0.5)[0]
    assert report.shade(0) == ("#f7f7f7", "#222222")
    assert report.shade(1)[1] == "#ffffff"
    assert over.background == report.shade(1 / 1.3)[0]
    assert under.background == report.shade(-1 / 1.3)[0]


def test_marks_differ_beyond_the_number_of_colours() -> None:
    assert len({report.mark(number) for number in range(1, 37)}) == 36
    assert report.mark(13) == (report.mark(1)[0], "square")


def test_what_segments_were_crossed_from() -> None:
    segments = pd.DataFrame({"segment": [1, 1, 1, 2], "merged_cluster": ["2x1", "1x1", "2x1", "1x3"]})
    assert report.crossed_words(segments) == {1: "mostly 2 × 1", 2: "1 × 3"}


def test_crossing_is_a_diagonal() -> None:
    known, found = pd.Series([1, 1, 1, 2], index=list("abcd")), pd.Series([2, 2, 1, 1], index=list("abcd"))
    crossing = report.crossing(known, found)
    assert crossing["columns"] == [2, 1]
    assert [[cell.text for cell in cells] for _, cells in crossing["rows"]] == [["2", "1"], ["", "1"]]


def scores(chosen: int, ks: list[int]) -> pd.DataFrame:
    columns = {"silhouette": [NAN if k == 1 else 0.1 * k for k in ks], "bic_tied": [float(-k) for k in ks]}
    empty = dict.fromkeys(report.RULE_WORDS, NAN) | {"gap_error": NAN}
    frame = pd.DataFrame({"k": ks, "eligible": [k < 4 for k in ks], "chosen": [k == chosen for k in ks]})
    return frame.assign(**(empty | columns))


def test_rules_and_their_choices() -> None:
    found = report.panels_of(scores(3, [1, 2, 3, 4]))
    assert [(p.rule, p.choice, p.agrees) for p in found] == [
        ("silhouette", "k = 3", True), ("BIC, one shape", "k = 1", False),
    ]  # fmt: skip
    assert [kind for _, _, _, kind, _ in found[0].dots] == ["", "own", "vetoed"]
    words = report.k_words(scores(3, [1, 2, 3, 4]))
    assert words == "Tried 1 to 4: 1 of 2 rules chooses 3. Not eligible, since a cluster would be too small: 4."
    assert report.k_words(scores(1, [1])).endswith("No structure was found: all stores are in one cluster.")
    assert report.panels_of(scores(1, [1]))[0].line == "8,48"


def test_places_that_are_none_are_left_out() -> None:
    stores = pd.DataFrame(
        {
            "store_id": list("abcdef"),
            "LATITUDE": ["41.5", "", None, "95", "0", "x"],
            "Longitude": ["-93", "1", "1", "1", "0", "1"],
        }
    )
    found = maps.coordinates(stores)
    assert found.index.tolist() == ["a"]
    assert found.iloc[0].tolist() == [-93, 41.5]
    assert maps.coordinates(stores[["store_id", "LATITUDE"]]).empty


@pytest.mark.parametrize(
    ("longitude", "latitude"),
    [([-91.0, -96.5], [40.4, 43.5]), ([2.35], [48.85]), ([-1.0, 1.0], [-1.0, 1.0]), ([151.2, 144.9], [-33.9, -37.8]),
     ([-120.0, 150.0], [40.0, -35.0])],
)  # fmt: skip
def test_every_place_lies_in_the_picture(longitude: list[float], latitude: list[float]) -> None:
    places = pd.DataFrame({"longitude": longitude, "latitude": latitude})
    drawn = maps.map_of(places, OUTLINES)
    points = drawn.place(np.array(longitude), np.array(latitude))
    assert (points >= 0).all()
    assert (points <= [drawn.width, drawn.height]).all()
    # north is up, east is right
    if len(longitude) > 1:
        assert (points[0][0] < points[1][0]) == (longitude[0] < longitude[1])
        assert (points[0][1] < points[1][1]) == (latitude[0] > latitude[1])


def test_borders_go_on_to_the_edge() -> None:
    drawn = maps.map_of(pd.DataFrame({"longitude": [-91.0, -96.5], "latitude": [40.4, 43.5]}), OUTLINES)
    ends = [tuple(map(float, part.split("L")[0].split())) for part in drawn.outlines.split("M")[1:]]
    assert len(ends) > 5
    assert any(x < 0 or y < 0 or x > drawn.width or y > drawn.height for x, y in ends)


def test_the_sea_has_no_borders() -> None:
    assert maps.map_of(pd.DataFrame({"longitude": [-1.0, 1.0], "latitude": [-1.0, 1.0]}), OUTLINES).outlines == ""


def test_dots_at_one_place_are_one() -> None:
    assert maps.dots_path(np.array([[1.01, 2.0], [1.0, 2.01], [7.26, 0.0]])) == "M1 2h0M7.5 0h0"
