"""Small retailers of any shape, by any method: each store with sales gets one segment, or the run says why not."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bad_input.project import CATEGORIES, Project
from collect_segments import check_chain
from fuzz.drawing import Copy, drawn, examples
from fuzz.strategies import any_text
from storelib.accounts.ledger import Entry, check_balance, read_ledger
from storelib.accounts.selection import category_named
from storelib.tables import read_table

names = st.one_of(st.sampled_from(["dry", "oily", "Dry", " dry", "sweet"]), any_text.filter(lambda t: "\0" not in t))
lines = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.integers(0, 5),
        st.sampled_from(["BEAUTY", "BEAUTY", "BEAUTY", "SNACKS", "SNACKS", "beauty", "OTHER", ""]),
        st.one_of(st.integers(1, 2000), st.integers(-300, 300)),
    ),
    min_size=1,
    max_size=60,
)
mapped = st.lists(st.tuples(st.integers(0, 5), names, st.sampled_from(["BEAUTY", "SNACKS", "snacks", ""])), max_size=10)
places = st.lists(
    st.tuples(st.integers(0, 3), st.one_of(st.integers(-1, 50), st.none()), st.integers(-1, 2)),
    min_size=1,
    max_size=4,
    unique_by=lambda row: row[0],
)
one_of = st.sampled_from


def block(**settings: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=settings)


features = {
    "transform": one_of(["none", "hellinger", "log1p", "yeo_johnson"]),
    "winsorise_iqr": one_of([0, 0.5, 3, 1e300]),
    "scaling": one_of(["none", "robust", "standard", "quantile"]),
    "imputation": one_of(["mean", "median", "most_frequent", "knn"]),
    "max_correlation": one_of([0.5, 0.9, 1]),
    "outliers": one_of(["none", "isolation_forest", "elliptic_envelope", "local_outlier_factor"]),
    "outlier_share": one_of([0, 0.1, 0.5]),
    "pca_variance": one_of([0.5, 0.9, 1]),
    "pca_components": one_of([0, 0, 1, 3]),
    "seed": one_of([0, 1, 2**32 - 1]),
}
clusters = {
    "min_clusters": one_of([1, 1, 1, 2, 3]),
    "max_clusters": one_of([3, 4, 50]),
    "rule": one_of(
        [
            "silhouette",
            "calinski_harabasz",
            "davies_bouldin",
            "consensus",
            "bic",
            "bic_tied",
            "gap",
            "prediction_strength",
            "stability",
        ]
    ),
    "algorithm": one_of(["kmeans", "kmeans", "kmeans", "gaussian_mixture", "ward", "kmedoids", "constrained_kmeans"]),
    "refits": one_of([2, 5]),
    "min_cluster_share": one_of([0, 0.02, 0.3, 0.9]),
    "bic_coarsening": one_of([0, 250, 1e300]),
    "n_init": one_of([1, 2]),
    "seed": one_of([0, 2**32 - 1]),
}
methods = st.fixed_dictionaries(
    {
        "internal.ingest_sales": block(
            period=one_of(["week", "month", "all"]), negative_sales=one_of(["keep", "drop"])
        ),
        "internal.ingest_product_map": block(spelling=one_of(["keep", "unify", "fail"])),
        "internal.assign_categories": block(
            unknown_stores=one_of(["keep", "drop", "fail"]), spelling=one_of(["keep", "unify", "unify", "fail"])
        ),
        "internal.split_need_states": block(
            unmapped_skus=one_of(["own_need_state", "drop", "fail"]),
            stores_without_net_sales=one_of(["place", "drop", "fail"]),
        ),
        "external.join_external": block(stores_without_sales=one_of(["keep", "drop"])),
        "internal.build_features": block(
            **features
            | {
                "transform": one_of(["none", "hellinger", "clr", "log1p", "yeo_johnson"]),
                "min_lines": one_of([0, 0, 2, 30]),
                "min_sales": one_of([0, 0.5]),
                "min_need_states": one_of([0, 2]),
            }
        ),
        "external.build_features": block(**features),
        "internal.cluster_stores": block(**clusters),
        "external.cluster_stores": block(**clusters),
        "merging": block(
            method=one_of(["cross", "cross", "nested", "joint"]),
            inner_view=one_of(["internal", "external"]),
            rule=one_of(["silhouette", "bic", "bic_tied", "consensus"]),
            min_cluster_size=one_of([1, 2, 5, 1000, 0.01, 0.2]),
            max_segments=one_of([0, 0, 1, 3]),
        ),
    }
)


def deliver(p: Project, sold: list[Any], needs: list[Any], where: list[Any]) -> None:
    p.lines(
        "sales.csv",
        "STORE,SKU,CAT,AMOUNT,DAY",
        *(
            f"s{s},k{k},{c},{'-' if a < 0 else ''}{abs(a) // 100}.{abs(a) % 100:02d},2024-0{k + 1}-01"
            for s, k, c, a in sold
        ),
    )
    p.lines(
        "map.csv",
        "SKU,NEED,CAT",
        *('k{},"{}",{}'.format(k, n.replace('"', '""'), c) for k, n, c in needs),
        "k9,x,BEAUTY",
    )
    p.lines("stores.csv", "STORE,COUNTY", *(f"s{s},c{s % 4}" for s in range(10)))
    p.lines("counties.csv", "FIPS,income,age", *(f"c{c},{'' if i is None else i},{a}" for c, i, a in where))


def check_accounts(p: Project) -> None:
    """Every store and every cent of each category is in the ledger, and every store that sells in one segment."""
    entries: list[Entry] = []
    for name in ("internal/ingest_ledger", "internal/assign_ledger", "internal/select_ledger", "external/join_ledger"):
        entries += read_ledger(p / f"data/{name}.parquet")
    totals = read_table(p / "data/internal/category_totals.parquet")
    keys = {category_named(name, totals): key for key, name in p.rows("internal/categories.parquet", "key", "name")}
    for key in CATEGORIES:
        for folder in ("internal/ledger", "merging/category_ledger", "merging/override_ledger"):
            entries += read_ledger(p / f"data/{folder}/{key}.parquet")
    check_balance(entries)
    check_chain(entries)
    sold = {(keys[c], s) for c, s in p.rows("internal/category_sales.parquet", "category", "store_id") if c in keys}
    for key in CATEGORIES:
        segments = p.rows(
            f"merging/category_segments/{key}.parquet", "store_id", "internal_cluster", "external_cluster", "segment"
        )
        stores = [row[0] for row in segments]
        assert len(set(stores)) == len(stores)
        aside = sum(
            e.stores for e in entries if (e.stage, e.category, e.flow) == ("split_need_states", key, "set_aside")
        )
        assert len(stores) == len({s for c, s in sold if c == key}) - aside
        assert {(key, s) for s in stores} <= sold
        assert all(label >= 1 for row in segments for label in row[1:])
        for view in (f"internal/clusters/{key}", "external/clusters"):
            placed = p.rows(f"{view}.parquet", "store_id")
            assert len(placed) == len(set(placed))
            assert set(stores) <= set(placed)


@examples(800)
@given(sold=lines, needs=mapped, where=places, method=methods)
def test_any_retailer_by_any_method(
    copy: Copy, sold: list[Any], needs: list[Any], where: list[Any], method: dict[str, dict[str, Any]]
) -> None:
    drawn("small retailers by any method, from raw files to segments")
    project = copy.fresh()
    deliver(project, sold, needs, where)
    for keys, settings in method.items():
        for key, value in settings.items():
            project.params(f"{keys}.{key}", value)
    project.place("sources.external.county.missing", [-1])
    project.place("sources.external.county.features", ["income", "age"])
    told = project.check()
    copy.check_told(told)
    if told.code:
        return
    told = project.run_all()
    copy.check_told(told, codes=(0, 3, 4))
    if told.code == 0:
        check_accounts(project)
