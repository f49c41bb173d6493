"""Data that the method cannot work with, or that only looks so: from the first join to the segments."""

from typing import Any

import pyarrow.parquet as pq

from bad_input.cases import Case, Edit, both, fails, right
from bad_input.project import Project
from bad_input.sales import HEADER, then
from bad_input.settings import params, place

SALES = "ingest_sales assign_categories"
SPLIT = f"{SALES} select_categories split_need_states@beauty"
FEATURES = f"{SPLIT} build_features@beauty"
CLUSTERS = f"{FEATURES} cluster_stores@beauty"
MAPPED = f"ingest_product_map {SPLIT}"
EXTERNAL = "ingest_external join_external build_external_features cluster_external_stores"
JOINED = "ingest_external join_external"
MERGED = "merge_segments@beauty"
WHOLE = (
    f"{MAPPED} build_features@beauty cluster_stores@beauty "
    "join_external build_external_features cluster_external_stores merge_segments@beauty"
)


def sold(*rows: str) -> Edit:
    """The sales are these lines alone: store,SKU,category,amount; all on one day. A category without any is not clustered."""

    def edit(p: Project) -> None:
        p.lines("sales.csv", HEADER, *(f"{row},2024-01-01" for row in rows))
        if not any(",SNACKS," in row for row in rows):
            beauty_alone(p)

    return edit


def beauty_alone(p: Project) -> None:
    """No other category is clustered."""
    p.params("internal.categories", {"beauty": {"name": "BEAUTY"}})


def counties(header: str, *rows: str) -> Edit:
    return lambda p: p.lines("counties.csv", header, *rows)


def named(name: str) -> Edit:
    """Beauty has another name, in params.yaml and in the sales."""

    def edit(p: Project) -> None:
        quoted = '"' + name.replace('"', '""') + '"'
        p.replace("sales.csv", "BEAUTY", quoted)
        p.replace("map.csv", "BEAUTY", quoted)
        p.params("internal.categories.beauty.name", name)

    return edit


def need_state(name: str) -> Edit:
    """The need state `need a` of every category has another name."""

    def edit(p: Project) -> None:
        p.replace("map.csv", "need a", '"' + name.replace('"', '""') + '"')

    return edit


def alike(p: Project) -> None:
    """Every store sells the same."""
    beauty_alone(p)
    p.lines(
        "sales.csv",
        HEADER,
        *(
            f"{s:03d},B{k},BEAUTY,{a}.00,2024-01-01"
            for s in range(24)
            for k, a in (("a", 3), ("b", 1))
            for _ in range(2)
        ),
    )


def ledger(name: str, flow: str, reason: str, *expected: object) -> Any:
    def works(p: Project) -> None:
        assert p.ledger(name)[flow, reason] == expected

    return works


def no_features(p: Project) -> None:
    stores = [f"{store:03d}" for store in (*range(24), 900)]
    assert p.rows("external/store_features.parquet") == [(store,) for store in stores]


def shares(*expected: tuple[str, dict[str, float]]) -> Any:
    """Asserts each store's shares of need states."""

    def works(p: Project) -> None:
        rows = pq.ParquetFile(p / "data/internal/shares/beauty.parquet").read().to_pylist()
        assert [(row.pop("store_id"), {k: round(v, 9) for k, v in row.items()}) for row in rows] == list(expected)

    return works


def placed(stores: int, segments: int | None = None) -> Any:
    """Asserts that each of so many stores has one segment."""

    def works(p: Project) -> None:
        rows = p.rows("merging/merged_segments/beauty.parquet", "store_id", "segment")
        assert len({store for store, _ in rows}) == len(rows) == stores
        assert segments is None or len({segment for _, segment in rows}) == segments

    return works


def clustered(stores: int, thin: int = 0) -> Any:
    def works(p: Project) -> None:
        rows = p.rows("internal/clusters/beauty.parquet", "store_id", "cluster", "exclusion")
        assert len(rows) == stores
        assert all(cluster >= 1 for _, cluster, _ in rows)
        assert sum(exclusion == "thin" for *_, exclusion in rows) == thin

    return works


def left_out(feature: str, reason: str) -> Any:
    def works(p: Project) -> None:
        rows = {
            f: (used, why) for f, used, why in p.rows("external/feature_report.parquet", "feature", "used", "reason")
        }
        assert rows[feature][0] is False
        assert reason in rows[feature][1]

    return works


def unmapped(policy: str) -> Edit:
    """SKU a is dry, SKU x has no need state."""
    return then(
        sold("1,a,BEAUTY,3.00", "1,x,BEAUTY,1.00", "2,a,BEAUTY,2.00"),
        lambda p: p.lines("map.csv", "SKU,NEED,CAT", "a,dry,BEAUTY", "s,salty,SNACKS"),
        params("internal.split_need_states.unmapped_skus", policy),
    )


ASSIGN = [
    fails(
        "assign: an unknown store where none is allowed",
        SALES,
        params("internal.assign_categories.unknown_stores", "fail"),
        "their store is not in the store table, such as store '900'",
        advises="internal.assign_categories.unknown_stores",
    ),
    fails(
        "assign: a SKU without a category where none is allowed",
        SALES,
        then(
            lambda p: p.append("sales.csv", "007,new,,2.50,2024-01-01"),
            params("internal.assign_categories.skus_without_category", "fail"),
        ),
        "neither the sale nor the product map gives a category, such as store '007' or SKU 'new'",
        "2.50",
        advises="skus_without_category",
    ),
    fails(
        "assign: no store is known",
        "ingest_sales ingest_stores assign_categories",
        then(
            lambda p: p.lines("stores.csv", "STORE,COUNTY", "S-001,1"),
            params("internal.assign_categories.unknown_stores", "drop"),
        ),
        "no sale has both a category and a known store",
        advises="compare the ids",
    ),
    fails(
        "assign: no sale has a category",
        SALES,
        sold("1,q,,1.00", "2,r,,2.00"),
        "no sale has both a category and a known store",
    ),
    fails(
        "assign: a category in two spellings, refused",
        SALES,
        then(
            sold("1,a,BEAUTY,1", "1,a,Beauty,1", "2,a,Beauty,1"), params("internal.assign_categories.spelling", "fail")
        ),
        # BEAUTY on one line and for 4 SKUs of the map
        "the sales and the product map: category 'Beauty' (2 times) is also spelt 'BEAUTY' (5 times)",
        advises="`spelling: unify`",
    ),
    right(
        "assign: a category in three spellings, unified",
        SPLIT,
        sold("001,Ba,BEAUTY,1.00", "001,Ba, beauty ,2.00", "002,Ba,Beauty,4.00"),
        both(
            ledger("internal/assign_ledger.parquet", "noted", "category_respelt", 2, 2, "6.00"),
            ledger("internal/ledger/beauty.parquet", "in", "", 2, 3, "7.00"),
        ),
    ),
    right(
        "assign: unknown stores are dropped into the ledger",
        SALES,
        then(
            sold("001,Ba,BEAUTY,1.00", "900,Ba,BEAUTY,2.00"),
            params("internal.assign_categories.unknown_stores", "drop"),
        ),
        ledger("internal/assign_ledger.parquet", "set_aside", "unknown_store", 1, 1, "2.00"),
    ),
    right(
        "assign: unknown stores are kept and noted",
        SALES,
        sold("001,Ba,BEAUTY,1.00", "900,Ba,BEAUTY,2.00"),
        ledger("internal/assign_ledger.parquet", "noted", "unknown_store", 1, 1, "2.00"),
    ),
    right(
        "assign: SKUs without a category are dropped into the ledger",
        SALES,
        sold("001,Ba,BEAUTY,1.00", "002,q,,2.00"),
        ledger("internal/assign_ledger.parquet", "set_aside", "no_category", 1, 1, "2.00"),
    ),
]

NEED_STATES = [
    fails(
        "select: a category that is misspelt",
        "select_categories",
        params("internal.categories.beauty.name", "BEUATY"),
        "no sales in category 'BEUATY' (nearest: 'BEAUTY'); categories in the data: BEAUTY, SNACKS",
        advises="internal.categories",
    ),
    fails(
        "select: a category without sales",
        "select_categories",
        params("internal.categories.coffee", {"name": "COFFEE"}),
        "no sales in category 'COFFEE'",
    ),
    fails(
        "split: a SKU without need state where none is allowed",
        MAPPED,
        unmapped("fail"),
        "1 SKUs of category 'BEAUTY' have no need state in the product map, such as 'x' (sales 1.00)",
        advises="unmapped_skus",
    ),
    fails(
        "split: no SKU has a need state",
        MAPPED,
        then(unmapped("drop"), lambda p: p.lines("map.csv", "SKU,NEED,CAT", "z,dry,BEAUTY")),
        "every sale of category 'BEAUTY' was set aside",
    ),
    fails(
        "split: only returns",
        SPLIT,
        sold("001,Ba,BEAUTY,-1.00", "002,Bb,BEAUTY,-2.00"),
        "category 'BEAUTY': no store has positive net sales in any need state",
    ),
    fails(
        "split: only zeros", SPLIT, sold("001,Ba,BEAUTY,0.00", "002,Bb,BEAUTY,0.00"), "no store has positive net sales"
    ),
    fails(
        "split: a store without net sales where none is allowed",
        SPLIT,
        then(
            sold("001,Ba,BEAUTY,1.00", "002,Bb,BEAUTY,2.00", "002,Bb,BEAUTY,-2.00"),
            params("internal.split_need_states.stores_without_net_sales", "fail"),
        ),
        "1 stores have no net sales in category 'BEAUTY', such as '002'",
        advises="stores_without_net_sales",
    ),
    fails(
        "split: a need state with the name of the key",
        MAPPED,
        then(unmapped("drop"), lambda p: p.lines("map.csv", "SKU,NEED,CAT", "a,store_id,BEAUTY")),
        "a need state is called 'store_id'",
        advises="rename it",
    ),
    right(
        "split: SKUs without need state have their own",
        MAPPED,
        unmapped("own_need_state"),
        both(
            shares(("1", {"(unmapped)": 0.25, "dry": 0.75}), ("2", {"(unmapped)": 0.0, "dry": 1.0})),
            ledger("internal/ledger/beauty.parquet", "noted", "unmapped_sku", 1, 1, "1.00"),
        ),
    ),
    right(
        "split: SKUs without need state are dropped into the ledger",
        MAPPED,
        unmapped("drop"),
        both(
            shares(("1", {"dry": 1.0}), ("2", {"dry": 1.0})),
            ledger("internal/ledger/beauty.parquet", "set_aside", "unmapped_sku", 0, 1, "1.00"),
        ),
    ),
    right(
        "split: a SKU twice in the map counts once",
        MAPPED,
        then(
            sold("1,a,BEAUTY,3.00", "1,b,BEAUTY,1.00"),
            lambda p: p.lines(
                "map.csv",
                "SKU,NEED,CAT",
                "a,dry,BEAUTY",
                "a,dry,BEAUTY",
                "a,Dry,BEAUTY",
                "a,oily,BEAUTY",
                "b,dry,BEAUTY",
            ),
        ),
        shares(("1", {"dry": 0.625, "oily": 0.375})),
    ),
    right(
        "split: a store without net sales gets the chain's shares",
        SPLIT,
        sold("001,Ba,BEAUTY,3.00", "001,Bb,BEAUTY,1.00", "002,Bb,BEAUTY,-2.00"),
        both(
            shares(("001", {"need a": 0.75, "need b": 0.25}), ("002", {"need a": 0.75, "need b": 0.25})),
            ledger("internal/ledger/beauty.parquet", "noted", "no_net_sales", 1, 1, "-2.00"),
        ),
    ),
    right(
        "split: a store without net sales is dropped into the ledger",
        SPLIT,
        then(
            sold("001,Ba,BEAUTY,3.00", "002,Bb,BEAUTY,-2.00"),
            params("internal.split_need_states.stores_without_net_sales", "drop"),
        ),
        both(
            shares(("001", {"need a": 1.0})),
            ledger("internal/ledger/beauty.parquet", "set_aside", "no_net_sales", 1, 1, "-2.00"),
        ),
    ),
    right(
        "split: cents that three need states cannot share",
        SPLIT,
        sold("001,Bu,BEAUTY,0.10"),
        both(
            shares(("001", {f"need {n}": round(1 / 3, 9) for n in "abc"})),
            ledger("internal/ledger/beauty.parquet", "out", "", 1, 1, "0.10"),
        ),
    ),
    right(
        "split: the largest amounts there are",
        SPLIT,
        sold("001,Ba,BEAUTY,9999999999999999.99", "001,Bb,BEAUTY,0.01"),
        ledger("internal/ledger/beauty.parquet", "out", "", 1, 2, "10000000000000000.00"),
    ),
]

POINTS = [
    fails(
        "features: every store is thin",
        "build_features@beauty",
        params("internal.build_features.min_lines", 100_000),
        "data/internal/shares/beauty.parquet: no store can train: 25 thin of 25 stores",
        advises="lower min_lines",
    ),
    fails(
        "features: every store sells too little",
        "build_features@beauty",
        params("internal.build_features.min_sales", 1_000_000.0),
        "no store can train",
    ),
    fails(
        "features: all stores are alike",
        FEATURES,
        then(alike, params("internal.build_features.min_lines", 0)),
        "data/internal/shares/beauty.parquet: no feature tells the stores that train apart (of 2: 2 the same in every store)",
        advises=(),
    ),
    fails(
        "features: one store",
        FEATURES,
        then(sold(*["001,Ba,BEAUTY,1.00", "001,Bb,BEAUTY,2.00"] * 3), params("internal.build_features.min_lines", 0)),
        "data/internal/shares/beauty.parquet: no feature tells the stores that train apart (of 2: 2 the same in every store)",
    ),
    fails(
        "features: a need state with the name of a column",
        f"ingest_product_map {FEATURES}",
        need_state("trains"),
        "a feature is called 'trains'",
    ),
    fails(
        "features: another one",
        f"ingest_product_map {FEATURES}",
        need_state("exclusion"),
        "a feature is called 'exclusion'",
    ),
    fails(
        "features: more components than features",
        "build_features@beauty",
        params("internal.build_features.pca_components", 40),
        "40",
    ),
    fails(
        "features: an envelope of too few stores",
        "build_features@beauty",
        then(
            params("internal.build_features.outliers", "elliptic_envelope"),
            params("internal.build_features.outlier_share", 0.1),
            params("internal.build_features.min_lines", 13),
        ),
        "train",
    ),
    fails(
        "features: logarithms of ratios of external data",
        "build_external_features",
        params("external.build_features.transform", "clr"),
        "clr",
    ),
    fails(
        "features: square roots of negative external data",
        f"{JOINED} build_external_features",
        then(
            counties("FIPS,income", "00000,-5", "00001,6", "00002,7"),
            params("external.build_features.transform", "hellinger"),
        ),
        "at least 0, found -5",
        advises="transform: none",
    ),
    fails(
        "features: 1e308 in external data",
        f"{JOINED} build_external_features",
        counties("FIPS,income", "00000,1e308", "00001,-1e308", "00002,7"),
        "data/external/store_features.parquet: the table of features holds values beyond 1e+100 in column 'county.income' in 6 stores",
    ),
    fails(
        "features: every external feature is constant",
        f"{JOINED} build_external_features",
        counties("FIPS,income,age", *(f"{c:05d},5,6" for c in range(8))),
        "data/external/store_features.parquet: no feature tells the stores that train apart (of 2: 2 the same in every store)",
    ),
    fails(
        "features: no external value is known",
        f"{JOINED} build_external_features",
        then(
            counties("FIPS,income", *(f"{c:05d},-1" for c in range(8))),
            place("sources.external.county.missing", [-1]),
            place("sources.external.county.features", ["income"]),
        ),
        "no store can train",
    ),
    right(
        "features: one external feature is constant",
        f"{JOINED} build_external_features",
        counties("FIPS,income,age", *(f"{c:05d},{5 + c},6" for c in range(8))),
        left_out("county.age", "the same in every store"),
    ),
    right(
        "features: one external feature is all missing",
        f"{JOINED} build_external_features",
        then(
            counties("FIPS,income,age", *(f"{c:05d},{5 + c},-1" for c in range(8))),
            place("sources.external.county.missing", [-1]),
            place("sources.external.county.features", ["income", "age"]),
        ),
        left_out("county.age", "no value known"),
    ),
    fails(
        "features: the table is gone",
        "build_features@beauty",
        lambda p: (p / "data/internal/shares/beauty.parquet").unlink(),
        "data/internal/shares/beauty.parquet does not exist",
        advises="clustering run",
    ),
    fails(
        "features: the table is cut in half",
        "build_features@beauty",
        lambda p: p.unsealed("data/internal/shares/beauty.parquet").write_bytes(
            (p / "data/internal/shares/beauty.parquet").read_bytes()[:300]
        ),
        "data/internal/shares/beauty.parquet is no whole Parquet file",
        advises="delete it",
    ),
    fails(
        "split: sales of categories are cut in half",
        "split_need_states@beauty",
        lambda p: p.unsealed("data/internal/category_sales.parquet").write_bytes(b"PAR1" + b"x" * 99),
        "category_sales.parquet",
    ),
    fails(
        "assign: sums of sales are gone",
        "assign_categories",
        lambda p: (p / "data/internal/sales.parquet").unlink(),
        "data/internal/sales.parquet",
    ),
]

NUMBERS = [
    fails(
        "clusters: fewer stores than min_clusters",
        CLUSTERS,
        then(
            lambda p: p.lines(
                "sales.csv",
                HEADER,
                *(f"{s:03d},B{'abc'[s]},BEAUTY,{s + 1}.00,2024-01-01" for s in range(3) for _ in range(4)),
            ),
            beauty_alone,
            params("internal.cluster_stores.min_clusters", 4),
        ),
        "4 clusters are asked for, but 3 stores train, with 3 distinct points: at most 2 are possible",
        advises="lower min_clusters",
    ),
    fails(
        "clusters: two kinds of stores, and three clusters asked for",
        CLUSTERS,
        then(
            lambda p: p.lines(
                "sales.csv",
                HEADER,
                *(f"{s:03d},B{'ab'[s % 2]},BEAUTY,1.00,2024-01-01" for s in range(20) for _ in range(4)),
            ),
            beauty_alone,
            params("internal.cluster_stores.min_clusters", 3),
        ),
        "3 clusters are asked for, but 20 stores train, with 2 distinct points: at most 2 are possible",
    ),
    Case(
        "clusters: a range upside down, as flags",
        ("cluster_stores@beauty",),
        Project.check,
        4,
        ("min_clusters 6 is above max_clusters 4",),
        ("swap them",),
        flags=("--min_clusters", "6"),
    ),
    fails(
        "clusters: every k has a cluster that is too small",
        "cluster_stores@beauty",
        then(
            params("internal.cluster_stores.min_clusters", 2), params("internal.cluster_stores.min_cluster_share", 0.9)
        ),
        "fewer stores than min_cluster_share allows; the smallest clusters have",
    ),
    right(
        "clusters: a store with one sale is placed",
        CLUSTERS,
        lambda p: p.append("sales.csv", "024,Ba,BEAUTY,1.00,2024-01-01"),
        clustered(26, thin=2),
    ),
    right(
        "clusters: more are asked for than the data allow",
        "cluster_stores@beauty",
        params("internal.cluster_stores.max_clusters", 1000),
        clustered(25, thin=1),
    ),
]

PLACES = [
    fails(
        "join: a key that matches nothing",
        JOINED,
        counties("FIPS,income", "X1,5", "X2,6"),
        "external source 'county' matches no store by 'county': stores have values like ['00000'], it has ['X1']",
        advises="leading zeros?",
    ),
    fails(
        "join: keys without their zeros",
        JOINED,
        counties("FIPS,income", *(f"{c + 1},{c}" for c in range(8))),
        "matches no store by 'county'",
    ),
    right(
        "join: no external source: no features, and every store that sells",
        JOINED,
        place("sources.external", {}),
        no_features,
    ),
    fails(
        "join: a source on stores that do not sell",
        JOINED,
        then(counties("FIPS,income", "S1,5"), place("sources.external.county.key", {"store_id": "FIPS"})),
        "matches no store by 'store_id'",
    ),
    right(
        "join: a store without a match has its row",
        JOINED,
        counties("FIPS,income", *(f"{c:05d},{c}" for c in range(1, 8))),
        ledger("external/join_ledger.parquet", "noted", "not in county", 4, 0, "0.00"),
    ),
    fails(
        "join: the store table lost a column",
        JOINED,
        lambda p: p.place("sources.external.county.key", {"store_id": "FIPS"}),
        "matches no store by 'store_id'",
    ),
]

SEGMENTS = [
    right(
        "segments: every one is under the minimum", MERGED, params("merging.min_cluster_size", 10_000), placed(25, 1)
    ),
    right("segments: none is under the minimum", MERGED, params("merging.min_cluster_size", 1), placed(25)),
    right(
        "segments: one view counts for nearly nothing",
        MERGED,
        then(params("merging.internal_weight", 0.0001), params("merging.external_weight", 99.9999)),
        placed(25),
    ),
    fails(
        "segments: a store has no external cluster",
        MERGED,
        lambda p: without_store(p, "data/external/clusters.parquet"),
        "data/external/clusters.parquet: 1 stores have no external cluster, such as '000'",
        advises="run the earlier stages again",
    ),
    fails(
        "segments: a store has no internal cluster",
        MERGED,
        lambda p: without_store(p, "data/internal/clusters/beauty.parquet"),
        "data/internal/clusters/beauty.parquet: 1 stores have no internal cluster, such as '000'",
    ),
    fails(
        "segments: no clusters",
        MERGED,
        lambda p: (p / "data/external/clusters.parquet").unlink(),
        "data/external/clusters.parquet does not exist",
    ),
    fails(
        "segments: no baseline",
        MERGED,
        lambda p: (p / "data/merging/baseline.parquet").unlink(),
        "data/merging/baseline.parquet does not exist",
    ),
]


def without_store(p: Project, name: str) -> None:
    table = pq.ParquetFile(p / name).read()
    pq.write_table(table.slice(1), p.unsealed(name))


# Names that could be taken for something else; they reach commands, tables and logs.
NAMES = {
    "path separators": "../../Health\\Beauty/OTC",
    "a shell command": "x; touch y $(touch z) `touch w` && ls",
    "quotes": 'L\'Oréal "Beauté"',
    "a line end": "two\nlines",
    "a tab": "a\tb",
    "an emoji": "💄 Beauty 👩🏽‍🎤",
    "right-to-left marks": "\u200f\u05d9\u05d5\u05e4\u05d9\u202e Beauty",
    "a formula": "=cmd()|'/c calc'!A0",
    "10,000 characters": "n" * 10_000,
    "a percent sign and braces": "100% {beauty} ${x} {{y}}",
    "SQL": "'; DROP TABLE joined; --",
    "a name of a column": "store_sales",
    "a null byte's escape": "a\\0b",
    "only digits": "0012",
    "a word of YAML": "yes",
    "a comma": "Health, Beauty",
}
NAMED = [
    *(right(f"names: a category with {what}", WHOLE, named(name), placed(25)) for what, name in NAMES.items()),
    *(
        right(
            f"names: a need state with {what}",
            f"{MAPPED} build_features@beauty cluster_stores@beauty",
            need_state(name),
            clustered(25, thin=1),
        )
        for what, name in NAMES.items()
    ),
]
CASES: list[Case] = [*ASSIGN, *NEED_STATES, *POINTS, *NUMBERS, *PLACES, *SEGMENTS, *NAMED]
