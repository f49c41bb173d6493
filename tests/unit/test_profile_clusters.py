"""Profiles and pictures of a view's clusters."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cluster_stores
import profile_clusters
from storelib.contracts.views import SCORES
from storelib.method.k_rules import RULES
from storelib.method.profiles import profile_table
from storelib.pages.charts import Picture
from storelib.pages.view_charts import k_chart

FIGURES = ("k_figure", "silhouette_figure", "stores_figure", "profile_figure")


def test_profile_by_hand() -> None:
    table = pd.DataFrame({"x": [1.0, 3.0, 8.0, 900.0], "y": [0.0, 0.0, 0.0, 5.0]}, index=list("abcd"))
    clusters = pd.DataFrame({"cluster": [1, 1, 2, 2], "exclusion": ["", "", "", "outlier"]}, index=list("abcd"))
    found = profile_table(table, clusters, pd.Series([10.0, 20.0, 30.0, 40.0], index=list("abcd")))
    # d trains nothing: the chain's mean of x is (1 + 3 + 8) / 3 = 4, cluster 1 has 2 = half of it, cluster 2 has 8 = twice
    x = found[found["feature"] == "x"]
    assert x[["cluster", "mean", "chain_mean", "index"]].to_numpy().tolist() == [[1, 2, 4, 50], [2, 8, 4, 200]]
    # but it counts among the stores, and 30 + 40 of 100 are its cluster's sales
    assert x[["stores", "share_of_stores", "sales", "share_of_sales"]].to_numpy().tolist() == [
        [2, 0.5, 30, 0.3], [2, 0.5, 70, 0.7],
    ]  # fmt: skip
    # nothing can be compared with a chain's mean of 0
    assert found.loc[found["feature"] == "y", "index"].isna().all()


@pytest.fixture
def profile(bench: Any) -> Callable[..., pd.DataFrame]:
    """Cluster points on a line, describe the clusters, return the profile."""

    def run(points: dict[str, float], **clustering: Any) -> pd.DataFrame:
        bench.labels()
        bench.features("features.parquet", {store: (value,) for store, value in points.items()})
        files = {name: bench / f"{name}.parquet" for name in ("features", "clusters", "k_scores")}
        plain = {
            "algorithm": "kmeans", "min_clusters": 1, "max_clusters": 4, "rule": "bic_tied", "min_cluster_share": 0.02,
            "bic_coarsening": 250, "resamples": 3, "refits": 2, "n_init": 3, "seed": 1, "least_stores": 0, "most_stores": 0,
            "memberships": bench / "memberships.parquet", "stability": bench / "stability.parquet", "model": bench / "model.json",
        }  # fmt: skip
        bench.run(cluster_stores, view="beauty", baseline=bench / "baseline.parquet", **files, **(plain | clustering))
        bench.parquet("table.parquet", {"store_id": list(points), "x": [5 + value for value in points.values()]})
        sales = {"store_id": list(points), "sales": [1.0] * len(points)}
        bench.run(
            profile_clusters, view="beauty", table=bench / "table.parquet", profile=bench / "profile.parquet",
            store_sales=bench.parquet("store_sales.parquet", sales), **files,
            **{figure: bench / f"{figure}.png" for figure in FIGURES},
        )  # fmt: skip
        return pd.DataFrame(bench.rows("profile.parquet", "cluster", "stores", "index"))

    return run


def test_one_cluster_is_the_chain(bench: Any, profile: Callable[..., pd.DataFrame]) -> None:
    found = profile({f"s{i:02d}": i / 10 for i in range(20)}, max_clusters=1)
    assert found.to_numpy().tolist() == [[1, 20, 100]]
    assert all((bench / f"{figure}.png").stat().st_size > 1000 for figure in FIGURES)


def test_every_rule_has_its_panel(bench: Any, profile: Callable[..., pd.DataFrame]) -> None:
    points = {f"s{i:02d}": i / 10 + 50 * (i % 2) for i in range(40)}
    assert profile(points, all_rules=[], min_cluster_share=0.1)[0].nunique() == 2
    chart = k_chart(
        pd.DataFrame(dict(zip(COLUMNS, zip(*bench.rows("k_scores.parquet", *COLUMNS), strict=True), strict=True))),
        "beauty",
    )
    titles = [panel.get_title(loc="left") for panel in chart.figure.axes]
    assert [title.partition(":")[0].replace(" ", "_") for title in titles] == list(RULES)
    assert all((bench / f"{figure}.png").stat().st_size > 1000 for figure in FIGURES)


COLUMNS = SCORES.names


def test_full_disk_leaves_no_new_table_beside_old_pictures(
    bench: Any, profile: Callable[..., pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of four pictures finds no room: the profile and the other three are as they were."""
    profile({f"s{i:02d}": i / 10 for i in range(20)}, max_clusters=1)
    names = ["profile.parquet", *(f"{figure}.png" for figure in FIGURES)]
    before = {name: (bench / name).read_bytes() for name in names}
    draw = Picture.save

    def fails(chart: Picture, path: Path) -> None:
        if "profile_figure" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        draw(chart, path)

    monkeypatch.setattr(Picture, "save", fails)
    with pytest.raises(OSError, match="No space left"):
        profile({f"s{i:02d}": i / 10 + 50 * (i % 2) for i in range(40)})
    assert {name: (bench / name).read_bytes() for name in names} == before
    assert not list(bench.folder.rglob("*.tmp"))
