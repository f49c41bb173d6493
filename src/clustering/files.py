"""What every file that the pipeline writes holds: its columns, and the contract by which it is checked."""

import importlib
from typing import NamedTuple

import pyarrow as pa

from storelib.configuration.own_settings import FOLDER, STAGES
from storelib.contracts.contract import Contract
from storelib.names import MONTHS

WIDE = "<feature>"
ENTRY = {"entry": "number of what the product map says of the SKU; 0 where it does not have it"}
SUMS = {"sales": "net sales", "lines": "sales lines"}
BY_MONTH = dict.fromkeys(MONTHS, "net sales of that month of the year; empty where `seasons` is off")
BESIDE = {
    "units": "how many were sold; there where a column says so",
    "largest": "the amount of the largest line; there where `largest_lines` is on",
    "capped": "net sales, of which lines above the cap count as much as it; there where `cap_quantile` is below 1",
    **dict.fromkeys(MONTHS, "net sales of that month of the year; there where `seasons` is on"),
}
RAW = {
    "source": "name of the source",
    "file": "path below `data/raw/<env>/`",
    "bytes": "its size",
    "sha256": "hash of its content",
    "lines": "of sales: lines that came in with it",
    "sales": "of sales: their sum",
}
STORE = {"store_id": "the store; text, as in the source"}
LEDGER = {
    "stage": "the stage that counted",
    "category": "the category's key, or the name of one that is not selected; empty where the stage does not tell them apart",
    "flow": "`in`, `out`, `set_aside`, `not_selected`, or `noted` for what stayed in and is worth knowing",
    "reason": "why; empty for `in` and `out`",
    "stores": "stores",
    "lines": "sales lines",
    "sales": "net sales, exact, in the source's currency",
}
SEGMENTS = {
    "category": "the category's key in `params.yaml`",
    **STORE,
    "internal_cluster": "cluster by what sells, within the category, from 1",
    "external_cluster": "cluster by external data, the same in every category",
    "merged_cluster": "the two crossed, such as `2x1`",
    "segment": "what both views make of the store, after small segments were dissolved into the nearest others",
    "is_outlier": "the store trained nothing because it is unlike all others; it was placed all the same",
    "flags": "why it did not train, such as `internal:thin external:outlier`; empty where it did. `override` where a person placed it",
    "confidence": "how sure the segment is, 0 to 1: from both views' memberships; empty where a person chose it",
    "runner_up_segment": "where it would go otherwise; empty where no other segment is possible",
    "is_borderline": "whether `confidence` is below 0.9",
}
CLUSTERS = {
    **STORE,
    "cluster": "its cluster, from 1",
    "distance": "to the centre of its cluster (its medoid with `kmedoids`), in units of the points; with `gaussian_mixture` "
    "$\\sqrt{-2 \\ln p}$ of the posterior probability $p$",
    "runner_up": "the nearest of the other clusters; empty where there is one cluster",
    "runner_up_distance": "to that one",
    "margin": "simplified silhouette: (runner_up_distance - distance) over the larger of them; 0 is between both",
    "membership": "how sure the cluster is, 0 to 1: the store's mean probability of being of it, over bootstrap refits",
    "is_borderline": "whether `membership` is below 0.9",
    "silhouette": "of a store that trained; empty for others",
    "is_outlier": "whether it was left out of training as an outlier",
    "exclusion": "why it did not train: `outlier`, `thin`, `no_net_sales`, `no_data`; empty where it did",
}
SCORES = {
    "k": "number of clusters tried",
    "silhouette": "larger is better",
    "calinski_harabasz": "larger is better",
    "davies_bouldin": "smaller is better",
    "consensus": "mean of the three, each scaled to 0..1",
    "bic": "of spheres of one size; larger is better",
    "bic_tied": "of clusters of any one shape; larger is better",
    "gap": "gap statistic",
    "prediction_strength": "mean of the halvings",
    "stability": "Jaccard coefficient of the worst cluster, mean of the samples",
    "gap_error": "standard error of `gap`",
    "bootstrap_ari": "adjusted Rand index with the bootstrap samples, mean",
    "inertia": "sum of squared distances to the centres",
    "smallest": "training stores of the smallest cluster",
    "eligible": "whether no cluster is below `min_cluster_share`",
    "chosen_by": "rules that choose this k",
    "chosen": "whether it was taken, by the rule of `params.yaml`",
}
MEMBERSHIPS = {
    **STORE,
    "cluster": "every cluster of the view",
    "share": "part of the bootstrap refits that place the store in it",
    "probability": "mean over the refits of the store's probability of being of it; a store's sum to 1",
}
STABILITY = {
    "cluster": "the cluster",
    "stores": "its stores that trained",
    "jaccard": "mean Jaccard coefficient with its likeness in the bootstrap refits; stable from 0.75",
    "dissolved": "part of the refits in which that is 0.5 or less",
}
PROFILE = {
    "cluster": "cluster, from 1",
    "stores": "stores in it",
    "share_of_stores": "of all stores of the view",
    "sales": "their net sales",
    "share_of_sales": "of the sales of all stores of the view",
    "feature": "need state, or external feature",
    "mean": "mean of the feature over the cluster's stores",
    "chain_mean": "mean over all stores",
    "index": "`mean` against `chain_mean` = 100",
}
REPORT = {
    "feature": "column of the table of shares or of store features, in its order",
    "used": "whether it is part of the points, before principal components",
    "reason": "why it is not: `no value known`, `the same in every store`, `above 0 in fewer than two stores`, "
    "`r = 0.98 with <feature>`",
    "missing": "values that were imputed, of all stores",
    "skewness": "of the known values of training stores, before the transform",
    "transformed": "whether the transform changed it",
    "lower_fence": "below this it was clipped, in transformed units; empty where it was not",
    "upper_fence": "above this it was clipped",
    "clipped_low": "values below the lower fence, of all stores",
    "clipped_high": "values above the upper fence, of all stores",
    "centre": "what was subtracted; empty for `none` and `quantile`",
    "scale": "what was divided by; empty for `none` and `quantile`",
    "imputed_value": "what a missing value became, in scaled units; empty for `knn`, where it differs by store",
    "weight": "what the values were multiplied by in the end",
}
FEATURES = {
    **STORE,
    "trains": "whether the clusters were learned from it",
    "exclusion": "why not; empty where it does",
    WIDE: "the points: one column per feature or principal component",
}
NAME = {"segment_name": "what the segment is called"}
LABELS = {
    **{name: SEGMENTS[name] for name in ("category", "store_id", "internal_cluster", "external_cluster", "segment")},
    "segment_name": "what it was called; empty where that is not known",
    "chain_segment": "segment of the chain; empty where that is not known",
}


SETTINGS = {
    "setting": "the flag",
    "number": "which of its values, where it has several",
    "value": "as it stands in the command; empty for one that is on",
}
MIGRATIONS = {
    "category": "the category's key in `params.yaml`",
    "before": "segment in the baseline; empty for stores that it does not have",
    "after": "segment now; empty for stores that are gone",
    "stores": "how many",
    "share": "of the stores that `before` had",
}
CHAIN = {
    **STORE,
    "segment": "its segment of the chain, from 1",
    "categories": "categories that it sells",
    "agreement": "mean of the following columns",
}


MODEL = {
    "schema": "the version of this form",
    "view": "the category's key, or `external`",
    "algorithm": "as in `params.yaml`",
    "points": "names of the points' columns",
    "points_sha256": "hash of the table of points that it was fitted to",
    "clusters": "numbers of the clusters, in the order of `centres`",
    "centres": "a point per cluster",
    "mixture": "of `gaussian_mixture`: weights, means and roots of the precisions; else empty",
    "versions": "of the packages that fitted it",
}


class File(NamedTuple):
    """One file, or one per category: what a row is, its columns, and the name of its contract in storelib.contracts."""

    path: str
    holds: str
    columns: dict[str, str]
    contract: str = ""


FILES = [
    File(
        "data/merging/segments.parquet",
        "one row per category and store: the result",
        SEGMENTS | NAME,
        "segments.COLLECTED",
    ),
    File(
        "data/merging/ledger.parquet",
        "what entered, left and was set aside at each stage, and why",
        LEDGER,
        "ledger.LEDGER",
    ),
    File(
        "data/internal/clusters/{category}.parquet",
        "one row per store: its cluster in the category",
        CLUSTERS,
        "views.CLUSTERS",
    ),
    File(
        "data/internal/models/{category}.json",
        "what was fitted, as JSON: `clustering assign` places new stores by it",
        MODEL,
    ),
    File("data/external/model.json", "the same by external data", MODEL),
    File("data/external/clusters.parquet", "the same by external data", CLUSTERS, "views.CLUSTERS"),
    File(
        "data/internal/k_scores/{category}.parquet",
        "one row per number of clusters tried",
        SCORES,
        "views.SCORES",
    ),
    File("data/external/k_scores.parquet", "the same of the external view", SCORES, "views.SCORES"),
    File(
        "data/internal/memberships/{category}.parquet",
        "one row per store and cluster: how sure it is; no row where no refit was possible",
        MEMBERSHIPS,
        "views.MEMBERSHIPS",
    ),
    File("data/external/memberships.parquet", "the same of the external view", MEMBERSHIPS, "views.MEMBERSHIPS"),
    File(
        "data/internal/stability/{category}.parquet",
        "one row per cluster: how often it comes back",
        STABILITY,
        "views.STABILITY",
    ),
    File("data/external/stability.parquet", "the same of the external view", STABILITY, "views.STABILITY"),
    File(
        "data/internal/profiles/{category}.parquet",
        "one row per cluster and need state",
        PROFILE,
        "views.PROFILE",
    ),
    File("data/external/profile.parquet", "one row per cluster and external feature", PROFILE, "views.PROFILE"),
    File(
        "data/internal/feature_reports/{category}.parquet",
        "one row per need state: what became of it",
        REPORT,
        "views.FEATURE_REPORT",
    ),
    File(
        "data/external/feature_report.parquet",
        "the same of external features",
        REPORT,
        "views.FEATURE_REPORT",
    ),
    File(
        "data/internal/features/{category}.parquet",
        "one row per store: the points that are clustered",
        FEATURES,
        "views.FEATURES",
    ),
    File("data/external/features.parquet", "the same of the external view", FEATURES, "views.FEATURES"),
    File(
        "data/internal/shares/{category}.parquet",
        "one row per store; each row sums to 1",
        {**STORE, WIDE: "share of each need state"},
        "sales.SHARES",
    ),
    File(
        "data/internal/need_state_sales/{category}.parquet",
        "one row per store and need state",
        {**STORE, "need_state": "need state", "sales": "net sales, each SKU's split evenly over its need states"},
        "sales.NEED_STATE_SALES",
    ),
    File(
        "data/internal/store_sales/{category}.parquet",
        "one row per store",
        {
            **STORE,
            "lines": "sales lines in the category",
            "sales": "net sales in the category",
            "has_net_sales": "whether any need state nets to more than 0",
            "large_lines": "the part of its sales that is in amounts far above usual lines",
            "largest_line": "the part of its sales that is its largest line; empty where `largest_lines` is off",
            "units": "units sold in the category; empty where sources.sales.columns names none",
            **BY_MONTH,
        },
        "sales.STORE_SALES",
    ),
    File(
        "data/internal/sales.parquet",
        "sums of raw sales by category, store and entry of the product map",
        {"category": "as the sales spell it; empty where they have none", **STORE, **ENTRY, **SUMS, **BESIDE},
        "sales.SALES",
    ),
    File(
        "data/internal/sku_sales.parquet",
        "sums of the SKUs that the product map does not place in their category",
        {"category": "as the sales spell it; empty where they have none", "sku": "the article", **ENTRY, **SUMS},
        "sales.SKU_SALES",
    ),
    File(
        "data/internal/period_sales.parquet",
        "sums of raw sales by category and period",
        {
            "category": "as the sales spell it; empty where they have none",
            "period": "week or month, such as 2025-W06 or 2025-02; empty for `all`",
            **SUMS,
        },
        "sales.PERIOD_SALES",
    ),
    File("data/internal/sales_files.parquet", "the files of sales that were read", RAW, "raw_files.RAW_FILES"),
    File("data/internal/product_map_files.parquet", "of the product map", RAW, "raw_files.RAW_FILES"),
    File("data/external/stores_files.parquet", "of the store table", RAW, "raw_files.RAW_FILES"),
    File("data/external/sources_files.parquet", "of the external sources", RAW, "raw_files.RAW_FILES"),
    File("data/merging/baseline_files.parquet", "of the baseline", RAW, "raw_files.RAW_FILES"),
    File("data/merging/reference_files.parquet", "of the reference", RAW, "raw_files.RAW_FILES"),
    File("data/merging/segment_names_files.parquet", "of the names of segments", RAW, "raw_files.RAW_FILES"),
    File("data/merging/overrides_files.parquet", "of the overrides", RAW, "raw_files.RAW_FILES"),
    File(
        "data/internal/product_map.parquet",
        "distinct pairs of SKU and need state",
        {
            "sku": "the article",
            "category": "the category, where the map has one",
            "need_state": "a need state it serves",
            "entry": "SKUs of which the map says the same share its number",
        },
        "sales.PRODUCT_MAP",
    ),
    File(
        "data/internal/map_entries.parquet",
        "what the product map says of each entry, categories in one spelling",
        {
            "entry": "its number in the product map",
            "category": "the category, where the map has one",
            "need_state": "a need state it serves",
        },
        "sales.MAP_ENTRIES",
    ),
    File(
        "data/internal/category_totals.parquet",
        "the categories of the data, whether they are selected or not",
        {
            "category": "as the source spells it",
            "stores": "stores that sell it",
            **SUMS,
            "takes_other_spellings": "whether a name that differs by case, spaces or marks that do not show means this category too",
        },
        "sales.CATEGORY_TOTALS",
    ),
    File(
        "data/internal/categories.parquet",
        "the categories to cluster",
        {"key": "key in `params.yaml`", "name": "as the source spells it"},
        "sales.CATEGORIES",
    ),
    *(
        File(
            f"{FOLDER}/{stage}/{{category}}.parquet",
            f"a category's own settings of `{stage}`",
            SETTINGS,
            "sales.SETTINGS",
        )
        for stage in STAGES
    ),
    File(
        "data/internal/category_sales.parquet",
        "sums by category, store and entry of the product map",
        {"category": "as the source spells it", **STORE, **ENTRY, **SUMS, **BESIDE},
        "sales.CATEGORY_SALES",
    ),
    File(
        "data/internal/category_skus.parquet",
        "sums of the SKUs that the product map does not place, by category",
        {"category": "as the source spells it", "sku": "the article", **ENTRY, **SUMS},
        "sales.CATEGORY_SKUS",
    ),
    File(
        "data/internal/selling_stores.parquet",
        "one row per store that sells",
        {**STORE, "sales": "net sales of all categories", "lines": "sales lines"},
        "sales.SELLING_STORES",
    ),
    File(
        "data/external/stores.parquet",
        "the store table",
        {**STORE, WIDE: "every column that the configuration names; text"},
        "places.STORES",
    ),
    File(
        "data/external/sources.parquet",
        "every external source, in long form",
        {
            "source": "name of the source in the configuration",
            "column": "column of the store table that it joins on",
            "key": "value of that column",
            "feature": "name of the feature",
            "value": "its value; empty where missing",
        },
        "places.SOURCES",
    ),
    File(
        "data/external/store_features.parquet",
        "one row per store",
        {**STORE, WIDE: "external features, called `<source>.<column>`"},
        "places.STORE_FEATURES",
    ),
    File(
        "data/merging/category_segments/{category}.parquet",
        "the segments of one category",
        SEGMENTS,
        "segments.SEGMENTS",
    ),
    File(
        "data/merging/descriptions/{category}.parquet",
        "one row per segment: what it is",
        {
            "category": "the category's key",
            "segment": "segment",
            "name": "what it is called",
            "name_from": "`given` by a person, kept from the `baseline`, or `made` of what sets it apart",
            "made_name": "the name made of what sets it apart",
            "stores": "stores in it",
            "share_of_stores": "of all stores of the category",
            "sales": "their net sales",
            "share_of_sales": "of the sales of the category",
            "rules": "which stores are in it, in plain words; empty where no rule of so few conditions finds it",
            "rule_stores": "stores that its rules hold of",
            "rule_right": "those of them that are in it",
            "fidelity": "of the whole category: share of stores whose segment is told right by rules learned from other stores",
            "chance": "share of stores in the largest segment, which is what one would have right without any rule",
        },
        "describing.DESCRIPTIONS",
    ),
    File(
        "data/merging/traits/{category}.parquet",
        "one row per segment and need state or external feature: how far it is from all other stores",
        {
            "category": "the category's key",
            "segment": "segment",
            "kind": "`mix` of a need state's share of sales, `place` of an external feature",
            "feature": "need state, or external feature",
            "stores": "stores of the segment whose value is known",
            "mean": "their mean",
            "rest_mean": "mean of all other stores",
            "effect": "Cohen's d: the difference of both means in standard deviations within the two groups; at most 100 either way",
            "error": "standard error of d where there is no difference",
            "is_notable": "whether it is worth a word: `least_effect` is reached, and three standard errors",
        },
        "describing.TRAITS",
    ),
    File(
        "data/merging/store_fit/{category}.parquet",
        "one row per store: how near it is to the centre of its segment, in the joint space of both views",
        {
            **STORE,
            "segment": "its segment",
            "distance": "to the centre of its segment",
            "nearest_other": "the other segment whose centre is nearest; empty where there is one segment",
            "nearest_other_distance": "to that centre",
            "typical_rank": "1 for the store that is nearest to the centre of those that train, and so on; empty for most",
            "odd_rank": "1 for the store that is furthest from it; empty for most",
        },
        "describing.STORE_FIT",
    ),
    File(
        "data/merging/predictions/{category}.parquet",
        "one row: whether external data tell the clusters by what sells",
        {
            "category": "the category's key",
            "verdict": "`much`, `some`, `little` or `nothing`; or why it cannot be said: `one cluster`, `no data`, `too few stores`",
            "clusters": "clusters by what sells",
            "left_out": "those of fewer than five stores that train, which were left out",
            "features": "external features with a known value",
            "stores": "stores that train",
            "sampled": "those that were looked at",
            "accuracy": "balanced accuracy: mean over the clusters of the share of stores whose cluster is told right",
            "chance": "one over the number of clusters",
            "shuffled": "balanced accuracy where clusters are shuffled among the stores, mean",
            "p_value": "share of the shuffled that are as good, what was found among them",
        },
        "describing.PREDICTIONS",
    ),
    File(
        "data/merging/importance/{category}.parquet",
        "one row per external feature; none where nothing could be told",
        {
            "category": "the category's key",
            "feature": "external feature",
            "importance": "balanced accuracy that is lost where its values are shuffled, mean of the folds",
            "deviation": "standard deviation over the folds",
        },
        "describing.IMPORTANCE",
    ),
    File(
        "data/merging/segment_names.parquet",
        "names that a person has given; no row where there are none",
        {"category": "the category's key", "segment": "segment", "name": "what it is called"},
        "describing.SEGMENT_NAMES",
    ),
    File(
        "data/merging/merged_segments/{category}.parquet",
        "the same before overrides",
        SEGMENTS,
        "segments.SEGMENTS",
    ),
    File(
        "data/merging/explained/{category}.parquet",
        "one row per number of segments: what fewer would lose",
        {
            "category": "the category's key in `params.yaml`",
            "segments": "how many",
            "explained": "share of the variance of both views, weighted, between them; of the stores that train",
            "step": "`views`: as both views make them; `dissolved`: without the small ones; `merged`: with the nearest made one",
            "chosen": "whether these are the segments",
        },
        "segments.EXPLAINED",
    ),
    File(
        "data/merging/overrides.parquet",
        "stores that a person placed; no row where there are none",
        {
            "category": "the category's key in `params.yaml`",
            **STORE,
            "segment": "where it belongs",
            "who": "who says so",
            "why": "the reason",
        },
        "segments.OVERRIDES",
    ),
    File(
        "data/merging/baseline.parquet",
        "earlier labels; no row where there are none",
        LABELS,
        "segments.KNOWN_LABELS",
    ),
    File(
        "data/merging/migrations.parquet",
        "from the segments of the baseline to these; no row where there is none",
        MIGRATIONS,
        "segments.MIGRATIONS",
    ),
    File(
        "data/merging/chain_segments.parquet",
        "one row per store: one segmentation of the chain, from those of its categories",
        {**CHAIN, WIDE: "by category: share of the other stores of its chain segment that are in its segment there"},
        "segments.CHAIN_SEGMENTS",
    ),
    File(
        "data/merging/reference.parquet",
        "known labels; no row where there are none",
        LABELS,
        "segments.KNOWN_LABELS",
    ),
    File("data/internal/ingest_ledger.parquet", "the ledger of `ingest_sales`", LEDGER, "ledger.LEDGER"),
    File("data/internal/assign_ledger.parquet", "the ledger of `assign_categories`", LEDGER, "ledger.LEDGER"),
    File("data/internal/select_ledger.parquet", "the ledger of `select_categories`", LEDGER, "ledger.LEDGER"),
    File(
        "data/internal/ledger/{category}.parquet",
        "the ledger of `split_need_states`",
        LEDGER,
        "ledger.LEDGER",
    ),
    File("data/external/join_ledger.parquet", "the ledger of `join_external`", LEDGER, "ledger.LEDGER"),
    File(
        "data/merging/category_ledger/{category}.parquet",
        "the ledger of `merge_segments`",
        LEDGER,
        "ledger.LEDGER",
    ),
    File(
        "data/merging/override_ledger/{category}.parquet",
        "the ledger of `apply_overrides`",
        LEDGER,
        "ledger.LEDGER",
    ),
    File(
        "reports/segments.csv",
        "`data/merging/segments.parquet`, for a spreadsheet; a text that it would compute, or that begins with `'`, has a `'` before it: "
        "take one off to have the value",
        SEGMENTS | NAME,
    ),
    File("reports/migrations.csv", "`data/merging/migrations.parquet` as CSV", MIGRATIONS),
    File(
        "reports/chain_segments.csv",
        "`data/merging/chain_segments.parquet` as CSV",
        {**CHAIN, WIDE: "the same"},
    ),
    File("reports/k_scores.csv", "the scores of every view", {"view": "the category's key, or `external`", **SCORES}),
    File(
        "reports/recovery.csv",
        "where segments are known: how many were planted and found",
        {
            "view": "the category's key",
            "label": "`internal_cluster`, `external_cluster` or `segment`",
            "planted_k": "labels in the reference",
            "found_k": "labels found",
            "stores": "stores in both",
            "ari": "adjusted Rand index of the two",
        },
        "segments.RECOVERY",
    ),
    File(
        "reports/split_half.csv",
        "what `clustering split-half` found: one row per view",
        {
            "view": "the category's key, or `external`",
            "k_odd": "clusters in the half of odd weeks",
            "k_even": "clusters in the half of even weeks",
            "stores_odd": "stores in the one",
            "stores_even": "stores in the other",
            "stores_both": "stores in both",
            "internal_cluster_ari": "adjusted Rand index of the two halves' labels over the stores in both; "
            "empty where there is nothing to compare",
            "external_cluster_ari": "the same",
            "segment_ari": "the same",
            "stores_trained": "stores that trained in both",
            "trained_ari": "adjusted Rand index of the view's own clusters over those",
        },
    ),
]


def contract_of(file: File) -> Contract | None:
    """The contract by which a script checks the file; None for a CSV file of tables that were checked before."""
    if not file.contract:
        return None
    module, _, name = file.contract.rpartition(".")
    found: Contract = getattr(importlib.import_module(f"storelib.contracts.{module}"), name)
    return found


def schema_of(file: File) -> pa.Schema | None:
    """The file's schema, with the features of a wide table as one column."""
    contract = contract_of(file)
    return contract.schema([WIDE] if contract.others else []) if contract else None
