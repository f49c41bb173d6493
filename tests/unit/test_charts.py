"""Pictures in one style, the same bytes every time."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.font_manager import findfont, fontManager
from PIL import Image

from storelib.method.agreement import Agreement
from storelib.pages.charts import MISSING_NOTE, Picture, colour_of, label_axis, note
from storelib.pages.palette import CLUSTER_COLOURS
from storelib.pages.segment_charts import recovery_chart, sizes_chart
from storelib.pages.view_charts import k_chart, profile_chart, shades, silhouette_curves, stores_chart, stores_on_axes


def features_of(points: np.ndarray, *, trains: list[bool] | None = None) -> pd.DataFrame:
    trained = np.ones(len(points), dtype=bool) if trains is None else np.array(trains)
    frame = pd.DataFrame(points, columns=[f"pc_{i}" for i in range(points.shape[1])])
    frame.insert(0, "store_id", [f"s{i}" for i in range(len(points))])
    frame.insert(1, "trains", trained)
    frame.insert(2, "exclusion", np.where(trained, "", "outlier"))
    return frame


def texts(picture: Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.texts]


def test_a_picture_holds_all_that_is_put_on_it_and_is_the_same_each_time(tmp_path: Path) -> None:
    def draw(name: str, left: float) -> tuple[int, int]:
        picture = note("beauty", "One cluster.")
        picture.words(left, 40, "far")
        picture.save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.info.keys() <= {"dpi"}
            return image.size

    assert draw("a.png", 500) == draw("b.png", 500)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    # twice the pixels of a screen
    assert draw("c.png", 800)[0] - draw("a.png", 500)[0] == 600


def test_texts_from_data_are_texts_on_one_line(tmp_path: Path) -> None:
    picture = note("$x^2$ \\frac{", "two\nlines \u2068\u05d0\u2069")
    assert texts(picture) == ["$x^2$ \\frac{", "two lines \u05d0"]
    picture.words(0, 80, "\U0001f9f4 a letter of no font")
    picture.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_letters_are_of_the_shipped_font_alone_and_what_it_lacks_is_told(tmp_path: Path) -> None:
    shipped = Path(mpl.get_data_path())
    assert all(Path(font.fname).is_relative_to(shipped) for font in fontManager.ttflist)
    assert {Path(findfont(name)).name for name in ("DejaVu Sans", "DejaVu Sans:bold")} == {
        "DejaVuSans.ttf",
        "DejaVuSans-Bold.ttf",
    }
    picture = note("\u5316\u7ca7\u54c1 Beauty", "One cluster.")
    # nothing is warned of, which would be an error here
    picture.save(tmp_path / "a.png")
    assert texts(picture) == ["\u25af\u25af\u25af Beauty", "One cluster.", MISSING_NOTE]
    told = note("Gr\u00f6\u00dfe, \u03b1, \u0416", "all known")
    told.save(tmp_path / "b.png")
    assert texts(told) == ["Gr\u00f6\u00dfe, \u03b1, \u0416", "all known"]


def test_a_long_picture_is_drawn_coarser(tmp_path: Path) -> None:
    picture = Picture("long")
    picture.words(0, 40_000, "the end")
    picture.save(tmp_path / "a.png")
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(tmp_path / "a.png") as image:
        assert 29_000 < image.height < 30_500


def test_a_cluster_has_one_colour_in_every_picture() -> None:
    assert [colour_of(1), colour_of(13)] == [CLUSTER_COLOURS[0]] * 2


def test_stores_are_shown_on_the_axes_in_which_they_differ() -> None:
    points = np.array([[0.0, -3.0, 5.0], [0.0, 3.0, 5.0], [1.0, 0.0, 5.0], [-1.0, 0.0, 5.0], [0.0, 90.0, 5.0]])
    shown, explained = stores_on_axes(features_of(points, trains=[True] * 4 + [False]))
    # squares of what trained, from its mean: 9 + 9 and 1 + 1
    assert np.allclose(explained, [0.9, 0.1])
    # what did not train is cut at 1.05 times the spread of what did
    assert np.allclose(np.abs(shown), [[3, 0], [3, 0], [0, 1], [0, 1], [3.15, 0]])
    one, explained = stores_on_axes(features_of(points[:, [1]]))
    assert explained == (1.0, 0.0)
    assert (one[:, 1] == 0).all()


@pytest.mark.parametrize("count", [1, 40])
def test_any_number_of_clusters_and_of_stores_is_drawn(tmp_path: Path, count: int) -> None:
    stores = 6000
    points = np.random.default_rng(1).normal(size=(stores, 3))
    clusters = pd.DataFrame({"cluster": np.arange(stores) % count + 1})
    picture = stores_chart(features_of(points), clusters, "beauty")
    word = "1 cluster" if count == 1 else "40 clusters"
    assert texts(picture) == [f"beauty: 6,000 stores in {word}"]
    picture.save(tmp_path / "many.png")
    assert (tmp_path / "many.png").stat().st_size > 20_000


def test_silhouettes_are_drawn_from_high_to_low_within_clusters() -> None:
    clusters = pd.DataFrame({"cluster": [1, 2, 1, 1], "silhouette": [0.1, 0.9, 0.5, None]})
    rows = silhouette_curves(clusters).to_numpy().tolist()
    # two stores of cluster 1 from 0 to 2, a gap of 1, one of cluster 2 from 3 to 4
    assert rows == [[1, 0, 0.5], [1, 1, 0.1], [1, 2, 0.1], [2, 3, 0.9], [2, 4, 0.9]]


def test_an_index_is_orange_below_the_chain_and_blue_above() -> None:
    low, chain, high, higher, none = shades(np.array([0.0, 100.0, 200.0, 900.0, np.nan]))
    assert [round(part * 255) for part in low] == [217, 95, 2]
    assert [round(part * 255) for part in chain] == [247] * 3
    assert high.tolist() == higher.tolist()
    assert [round(part * 255) for part in high] == [33, 102, 172]
    assert none.tolist() == [1, 1, 1]


def words(axes: Axes) -> list[str]:
    """What stands in a panel, in the order in which it was put there: cells, then labels along its sides."""
    return [text.get_text() for text in axes.texts]


def test_labels_lie_outside_of_their_panel_and_at_their_places() -> None:
    picture = Picture()
    axes = picture.panel(0, 0, 100, 100)
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 10)
    label_axis(axes, "bottom", [5], ["five"], "number")
    label_axis(axes, "left", [5], ["V"], "count")
    inside = axes.get_window_extent()
    five, number, v, count = (text.get_window_extent() for text in axes.texts)
    assert inside.y0 > five.y1 > five.y0 >= number.y1
    assert inside.x0 > v.x1 > v.x0 >= count.x1
    middle = (inside.x0 + inside.x1) / 2
    for box in (five, number):
        assert (box.x0 + box.x1) / 2 == pytest.approx(middle, abs=2)


def test_the_profile_shows_the_features_that_differ_most_first(tmp_path: Path) -> None:
    rows = [
        (cluster, 10, 0.5, name, mean, index)
        for name, mean, indices in (("rare", 0.01, (0.0, 900.0)), ("a" * 90, 0.6, (50.0, 150.0)), ("b", 0.39, (90.0, None)))
        for cluster, index in zip((1, 2), indices, strict=True)
    ]  # fmt: skip
    columns = ["cluster", "stores", "share_of_sales", "feature", "chain_mean", "index"]
    labels = {"rare": "seldom sold", "a" * 90: "a" * 90, "b": "b"}
    picture = profile_chart(pd.DataFrame(rows, columns=columns), "beauty", labels)
    cells, _ = picture.figure.axes
    # spread times share: 100 x 0.6 = 60, 900 x 0.01 = 9, and b, whose only index is 90, 0
    heads, names = [f"{c}\n10 stores\n50 % of sales" for c in (1, 2)], ["a" * 47 + "…", "seldom sold", "b"]
    assert words(cells) == ["50", "150", "0", "900", "90", *heads, *names]
    picture.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_infinite_scores_are_left_out_and_the_vetoed_are_told() -> None:
    scores = pd.DataFrame(
        {"k": [1, 2, 3], "bic": [1.0, 3.0, np.inf], "eligible": [True, True, False], "chosen": [False, True, False]}
    )
    for rule in ("silhouette", "calinski_harabasz", "davies_bouldin", "consensus", "bic_tied", "gap"):
        scores[rule] = np.nan
    scores["prediction_strength"] = scores["stability"] = np.nan
    picture = k_chart(scores, "beauty")
    assert texts(picture)[:3] == [
        "beauty: 2 clusters",
        "red: the k that was chosen; filled: the rule's own choice",
        "not eligible, for a cluster is too small: k = 3",
    ]
    (panel,) = picture.figure.axes
    assert panel.get_title(loc="left") == "bic: k = 2"
    chosen, line, own = (np.asarray(part.get_xdata()).tolist() for part in panel.lines)
    assert (chosen[0], line, own) == (2, [1, 2], [2])


def test_segments_are_blocks_as_wide_as_their_stores() -> None:
    segments = pd.DataFrame({"category": ["a"] * 100 + ["b"] * 10, "segment": [1] * 98 + [2] * 2 + [1] * 10})
    (axes,) = sizes_chart(segments, {"a": "Category A"}).figure.axes
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 98), (98, 2), (0, 10)]
    # 2 of 100 stores leave no room for a number
    assert words(axes) == ["1", "1", "Category A", "b"]


def test_known_against_found_is_a_map_of_each_view_and_of_each_categorys_segments() -> None:
    labels = {label: [1, 1, 2] for label in ("internal_cluster", "external_cluster", "segment")}
    known = pd.DataFrame({"store_id": list("abc"), "category": "x", **labels})
    found = known.assign(segment=[2, 2, 1])
    names = [("external", "external_cluster"), ("x", "internal_cluster"), ("x", "external_cluster"), ("x", "segment")]
    picture = recovery_chart(found, known, {name: Agreement(3, 2, 2, 1.0) for name in names}, {"x": "Xylo"})
    headings = [text for text in texts(picture) if text.endswith((": clusters", ": segments"))]
    assert headings == ["external: clusters", "Xylo: clusters", "Xylo: segments"]
    # Two stores of the known 1 in the found 2, which stands first, and one of 2 in 1.
    assert words(picture.figure.axes[-1]) == ["2", "1", "2", "1", "found", "1", "2", "planted"]


def test_where_nothing_is_known_clusters_by_what_sells_stand_against_places() -> None:
    labels = {"internal_cluster": [1, 1, 1, 2], "external_cluster": [1, 1, 2, 2]}
    found = pd.DataFrame({"store_id": list("abcd"), "category": "x", **labels, "segment": 1})
    picture = recovery_chart(found, pd.DataFrame(), {}, {"x": "Xylo"})
    # Of 6 pairs 3 and 2 are together, 1 in both: ARI is (1 - 3 * 2 / 6) / ((3 + 2) / 2 - 1) = 0.
    assert {"What sells, and where", "Xylo: clusters", "4 stores, ARI 0.000"} <= set(texts(picture))
    (axes,) = picture.figure.axes
    assert words(axes) == ["2", "1", "1", "1", "2", "external", "1", "2", "what sells"]
