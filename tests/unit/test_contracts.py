"""Each rule of each contract: a table that breaks it is not written, and one line says how."""

import ast
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from clustering.files import FILES, contract_of
from storelib.contracts.contract import Contract, check_table, checked, count, first_broken, outputs, rule, text
from storelib.contracts.describing import DESCRIPTIONS, IMPORTANCE, PREDICTIONS, SEGMENT_NAMES, STORE_FIT, TRAITS
from storelib.contracts.ledger import LEDGER
from storelib.contracts.places import SOURCES, STORE_FEATURES, STORES
from storelib.contracts.raw_files import RAW_FILES
from storelib.contracts.sales import (
    CATEGORIES,
    CATEGORY_SALES,
    CATEGORY_SKUS,
    CATEGORY_TOTALS,
    MAP_ENTRIES,
    NEED_STATE_SALES,
    PERIOD_SALES,
    PRODUCT_MAP,
    SALES,
    SELLING_STORES,
    SETTINGS,
    SHARES,
    SKU_SALES,
    STORE_SALES,
)
from storelib.contracts.segments import (
    CHAIN_SEGMENTS,
    COLLECTED,
    EXPLAINED,
    KNOWN_LABELS,
    MIGRATIONS,
    OVERRIDES,
    RECOVERY,
    SEGMENTS,
)
from storelib.contracts.views import CLUSTERS, FEATURE_REPORT, FEATURES, MEMBERSHIPS, PROFILE, SCORES, STABILITY
from storelib.errors import DataError
from storelib.names import MONTHS

ROOT = Path(__file__).resolve().parents[2]
NAN, INF = math.nan, math.inf
Table = dict[str, list[Any]]


def dec(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


# A right table of two or three rows for each contract, and edits that break one rule each: column, values, what is said.
GOOD: dict[str, tuple[Contract, Table]] = {
    "sales": (
        SALES,
        {
            "category": ["A", "A", None],
            "store_id": ["s1", "s1", "s1"],
            "entry": [0, 2, 1],
            "sales": dec("1.00", "-2.00", "0.00"),
            "lines": [1, 2, 3],
            "units": dec("1.50", "-2.00", "0.00"),
            "largest": dec("1.00", "0.00", "0.00"),
            "capped": dec("1.00", "-2.00", "0.00"),
            **{name: dec("1.00", "-2.00", "0.00") for name in MONTHS},
        },
    ),
    "sku_sales": (
        SKU_SALES,
        {
            "category": ["A", "A", None],
            "sku": ["1", "2", "1"],
            "entry": [0, 2, 1],
            "sales": dec("1.00", "-2.00", "0.00"),
            "lines": [1, 2, 3],
        },
    ),
    "period_sales": (
        PERIOD_SALES,
        {
            "category": ["A", "A", None],
            "period": ["2025-01", "2025-W06", ""],
            "sales": dec("1.00", "-2.00", "0.00"),
            "lines": [1, 2, 3],
        },
    ),
    "raw_files": (
        RAW_FILES,
        {
            "source": ["sales", "stores"],
            "file": ["a.csv", "b.csv"],
            "bytes": [10, 0],
            "sha256": ["0" * 64, "f" * 64],
            "lines": [3, 0],
            "sales": [Decimal("1.00"), None],
        },
    ),
    "product_map": (
        PRODUCT_MAP,
        {"sku": ["1", "1", "2"], "category": ["A", "A", None], "need_state": ["x", None, None], "entry": [1, 1, 2]},
    ),
    "map_entries": (
        MAP_ENTRIES,
        {"entry": [1, 1, 2], "category": ["A", "A", None], "need_state": ["x", None, None]},
    ),
    "category_totals": (
        CATEGORY_TOTALS,
        {
            "category": ["A", "B"],
            "stores": [1, 2],
            "sales": dec("1.00", "-5.00"),
            "lines": [1, 2],
            "takes_other_spellings": [True, True],
        },
    ),
    "settings": (SETTINGS, {"setting": ["all_rules", "name"], "number": [1, 1], "value": [None, " Sn "]}),
    "categories": (CATEGORIES, {"key": ["beauty", "snacks"], "name": ["BEAUTY", " Sn "]}),
    "category_sales": (
        CATEGORY_SALES,
        {
            "category": ["A", "A"],
            "store_id": ["s1", "s2"],
            "entry": [9, 0],
            "sales": dec("1.00", "-5.00"),
            "lines": [1, 1],
            "units": dec("1.50", "-2.00"),
            "largest": dec("1.00", "0.00"),
            "capped": dec("1.00", "-5.00"),
            **{name: dec("1.00", "-5.00") for name in MONTHS},
        },
    ),
    "category_skus": (
        CATEGORY_SKUS,
        {"category": ["A", "A"], "sku": ["1", "9"], "entry": [0, 3], "sales": dec("1.00", "-5.00"), "lines": [1, 1]},
    ),
    "selling_stores": (SELLING_STORES, {"store_id": ["s1", "s2"], "sales": dec("1.00", "2.00"), "lines": [1, 2]}),
    "need_state_sales": (
        NEED_STATE_SALES,
        {"store_id": ["s1", "s1"], "need_state": ["x", "y"], "sales": [0.333, -1.0]},
    ),
    "shares": (SHARES, {"store_id": ["s1", "s2"], "x": [0.25, 1.0], "a\nb (y)": [0.75, 0.0]}),
    "store_sales": (
        STORE_SALES,
        {
            "store_id": ["s1", "s2"],
            "lines": [1, 2],
            "sales": dec("1.00", "-1.00"),
            "has_net_sales": [True, False],
            "large_lines": [0.0, 1.0],
            "largest_line": [0.5, None],
            "units": dec("2.50", "-1.00"),
            **{name: [None, None] for name in MONTHS},
        },
    ),
    "stores": (STORES, {"store_id": ["s1", "s2"], "county": ["01", None]}),
    "sources": (
        SOURCES,
        {
            "source": ["a", "a"],
            "column": ["county", "county"],
            "key": ["01", "02"],
            "feature": ["income", "income"],
            "value": [1.0, None],
        },
    ),
    "store_features": (STORE_FEATURES, {"store_id": ["s1", "s2"], "a.income": [1.0, None]}),
    "features": (
        FEATURES,
        {"store_id": ["s1", "s2"], "trains": [True, False], "exclusion": ["", "thin"], "pc_01": [1.0, -1.0]},
    ),
    "feature_report": (
        FEATURE_REPORT,
        {
            "feature": ["y", "x"],
            "used": [True, False],
            "reason": ["", "no value known"],
            "missing": [0, 2],
            "skewness": [0.1, None],
            "transformed": [True, False],
            "lower_fence": [0.0, None],
            "upper_fence": [1.0, None],
            "clipped_low": [0, 0],
            "clipped_high": [1, 0],
            "centre": [0.5, None],
            "scale": [1.0, None],
            "imputed_value": [0.0, None],
            "weight": [2.0, 0.0],
        },
    ),
    "clusters": (
        CLUSTERS,
        {
            "store_id": ["s1", "s2", "s3"],
            "cluster": [1, 2, 1],
            "distance": [0.0, 1.0, 2.0],
            "runner_up": [2, 1, None],
            "runner_up_distance": [1.0, 1.0, None],
            "margin": [1.0, 0.0, None],
            "membership": [1.0, 0.6, None],
            "is_borderline": [False, True, False],
            "silhouette": [1.0, -1.0, None],
            "is_outlier": [False, False, True],
            "exclusion": ["", "", "outlier"],
        },
    ),
    "memberships": (
        MEMBERSHIPS,
        {
            "store_id": ["s1", "s2", "s2"],
            "cluster": [1, 1, 2],
            "share": [1.0, 0.5, 0.5],
            "probability": [1.0, 0.75, 0.25],
        },
    ),
    "stability": (STABILITY, {"cluster": [1, 2], "stores": [3, 1], "jaccard": [0.8, None], "dissolved": [0.1, None]}),
    "k_scores": (
        SCORES,
        {
            "k": [1, 2],
            "silhouette": [None, 0.5],
            "calinski_harabasz": [None, 10.0],
            "davies_bouldin": [None, 0.4],
            "consensus": [None, 1.0],
            "bic": [-5.0, INF],
            "bic_tied": [-5.0, 3.0],
            "gap": [None, None],
            "prediction_strength": [1.0, 0.9],
            "stability": [1.0, 0.9],
            "gap_error": [0.0, 0.1],
            "bootstrap_ari": [1.0, 0.8],
            "inertia": [9.0, 0.0],
            "smallest": [9, 4],
            "eligible": [True, True],
            "chosen_by": ["", "bic"],
            "chosen": [False, True],
        },
    ),
    "profile": (
        PROFILE,
        {
            "cluster": [1, 1, 2],
            "stores": [3, 3, 1],
            "share_of_stores": [0.75, 0.75, 0.25],
            "sales": [5.0, 5.0, -1.0],
            "share_of_sales": [1.25, 1.25, -0.25],
            "feature": ["x", "y", "x"],
            "mean": [1.0, 2.0, None],
            "chain_mean": [1.0, 2.0, 1.0],
            "index": [100.0, 100.0, None],
        },
    ),
    "explained": (
        EXPLAINED,
        {
            "category": ["beauty", "beauty", "beauty"],
            "segments": [1, 2, 3],
            "explained": [0.0, 0.4, 0.5],
            "step": ["merged", "dissolved", "views"],
            "chosen": [False, True, False],
        },
    ),
    "chain segments": (
        CHAIN_SEGMENTS,
        {
            "store_id": ["s1", "s2"],
            "segment": [1, 2],
            "categories": [2, 1],
            "agreement": [0.75, None],
            "beauty": [1.0, None],
            "snacks": [0.5, None],
        },
    ),
    "overrides": (
        OVERRIDES,
        {
            "category": ["beauty", "beauty"],
            "store_id": ["s1", "s2"],
            "segment": [1, 2],
            "who": ["Ann", "Ann"],
            "why": ["new owner", "as its neighbour"],
        },
    ),
    "migrations": (
        MIGRATIONS,
        {
            "category": ["beauty", "beauty", "beauty"],
            "before": [1, 2, None],
            "after": [1, None, 1],
            "stores": [3, 1, 2],
            "share": [1.0, 1.0, None],
        },
    ),
    "segments": (
        SEGMENTS,
        {
            "category": ["beauty", "beauty"],
            "store_id": ["s1", "s2"],
            "internal_cluster": [1, 2],
            "external_cluster": [12, 1],
            "merged_cluster": ["1x12", "2x1"],
            "segment": [1, 1],
            "is_outlier": [False, True],
            "flags": ["internal:thin", "internal:no_net_sales external:outlier"],
            "confidence": [0.6, None],
            "runner_up_segment": [2, None],
            "is_borderline": [True, False],
        },
    ),
    "labels": (
        KNOWN_LABELS,
        {
            "category": ["a", "b"],
            "store_id": ["s1", "s1"],
            "internal_cluster": [1, 2],
            "external_cluster": [1, 1],
            "segment": [1, 9],
            "segment_name": ["Stars", None],
            "chain_segment": [3, None],
        },
    ),
    "collected": (
        COLLECTED,
        {
            "category": ["beauty", "beauty"],
            "store_id": ["s1", "s2"],
            "internal_cluster": [1, 2],
            "external_cluster": [12, 1],
            "merged_cluster": ["1x12", "2x1"],
            "segment": [1, 1],
            "is_outlier": [False, True],
            "flags": ["internal:thin", "internal:no_net_sales external:outlier"],
            "confidence": [0.6, None],
            "runner_up_segment": [2, None],
            "is_borderline": [True, False],
            "segment_name": ["Stars", "Stars"],
        },
    ),
    "segment names": (SEGMENT_NAMES, {"category": ["a", "a"], "segment": [1, 2], "name": ["Stars", "Others"]}),
    "descriptions": (
        DESCRIPTIONS,
        {
            "category": ["a", "a"],
            "segment": [1, 2],
            "name": ["Stars", "high income"],
            "name_from": ["given", "made"],
            "made_name": ["nails", "high income"],
            "stores": [3, 1],
            "share_of_stores": [0.75, 0.25],
            "sales": [5.0, -1.0],
            "share_of_sales": [1.25, -0.25],
            "rules": ["every store", ""],
            "rule_stores": [4, 0],
            "rule_right": [3, 0],
            "fidelity": [0.75, 0.75],
            "chance": [0.75, 0.75],
        },
    ),
    "traits": (
        TRAITS,
        {
            "category": ["a", "a"],
            "segment": [1, 1],
            "kind": ["mix", "place"],
            "feature": ["nails", "county.income"],
            "stores": [3, 0],
            "mean": [0.5, None],
            "rest_mean": [0.2, 7.0],
            "effect": [1.5, None],
            "error": [0.4, None],
            "is_notable": [True, False],
        },
    ),
    "predictions": (
        PREDICTIONS,
        {
            "category": ["a", "b"],
            "verdict": ["some", "one cluster"],
            "clusters": [3, 1],
            "left_out": [1, 0],
            "features": [4, 4],
            "stores": [20, 20],
            "sampled": [18, 0],
            "accuracy": [0.7, None],
            "chance": [0.5, None],
            "shuffled": [0.5, None],
            "p_value": [0.005, None],
        },
    ),
    "importance": (
        IMPORTANCE,
        {"category": ["a", "a"], "feature": ["x", "y"], "importance": [0.1, -0.01], "deviation": [0.02, 0.0]},
    ),
    "store fit": (
        STORE_FIT,
        {
            "store_id": ["s1", "s2"],
            "segment": [1, 1],
            "distance": [0.0, 3.0],
            "nearest_other": [2, None],
            "nearest_other_distance": [2.0, None],
            "typical_rank": [1, None],
            "odd_rank": [None, 1],
        },
    ),
    "recovery": (
        RECOVERY,
        {
            "view": ["beauty"],
            "label": ["segment"],
            "planted_k": [2],
            "found_k": [1],
            "stores": [6],
            "ari": [0.0],
        },
    ),
    "ledger": (
        LEDGER,
        {
            "stage": ["a", "a", "a", "a"],
            "category": ["", "", "", ""],
            "flow": ["in", "out", "set_aside", "noted"],
            "reason": ["", "", "late", "early"],
            "stores": [2, 2, 0, 1],
            "lines": [3, 2, 1, 1],
            "sales": dec("3.00", "2.00", "1.00", "-1.00"),
        },
    ),
}
TRIMMED = "is not text without spaces around it"
BROKEN: list[tuple[str, Table, str]] = [
    ("sales", {"category": ["A ", "A ", None]}, f"column 'category' {TRIMMED} on 2 rows, such as category 'A ', store_id 's1'"),
    ("sales", {"category": ["A", None, "A"]}, "rows are sorted by category, store_id, entry, each once on 1 rows"),
    ("sales", {"store_id": ["s1", "", "s1"]}, f"column 'store_id' {TRIMMED} on 1 rows"),
    ("sales", {"store_id": ["s1", None, "s1"]}, "column 'store_id' is empty on 1 rows, such as category 'A', store_id None"),
    ("sales", {"entry": [0, 0, 1]}, "each once on 1 rows"),
    ("sales", {"entry": [-1, 0, 1]}, "column 'entry' is not at least 0 on 1 rows"),
    ("sales", {"sales": [*dec("1.00", "-2.00"), None]}, "column 'sales' is empty on 1 rows"),
    ("sales", {"lines": [1, 0, 3]}, "column 'lines' is not at least 1 on 1 rows"),
    ("sku_sales", {"sku": ["1", "\t1", "2"]}, f"column 'sku' {TRIMMED} on 1 rows"),
    ("sku_sales", {"sku": ["1", "1", "1"]}, "each once on 1 rows"),
    ("sku_sales", {"category": [None, "A", "A"]}, "rows are sorted by category, sku, each once"),
    ("period_sales", {"period": ["2025-01", "2025-1", ""]}, "column 'period' is not a month such as 2025-01, a week"),
    ("period_sales", {"period": ["2025-01", "2025-01", ""]}, "rows are sorted by category, period, each once on 1 rows"),
    ("raw_files", {"sha256": ["0" * 63, "f" * 64]}, "column 'sha256' is not a SHA-256 on 1 rows"),
    ("raw_files", {"source": ["sales", "sales"], "file": ["b.csv", "a.csv"]}, "rows are sorted by source, file, each once"),
    ("raw_files", {"file": ["a.csv", None]}, "column 'file' is empty on 1 rows"),
    ("product_map", {"entry": [1, 0, 2]}, "column 'entry' is not at least 1 on 1 rows"),
    ("category_skus", {"sku": ["9", "1"]}, "rows are sorted by category, sku"),
    ("product_map", {"sku": ["1", "1", None]}, "column 'sku' is empty on 1 rows"),
    ("product_map", {"need_state": [None, "x", None]}, "rows are sorted by sku, category, need_state, each once on 1 rows"),
    ("product_map", {"need_state": ["x", "x", None]}, "each once on 1 rows, such as sku '1', category 'A', need_state 'x'"),
    ("product_map", {"need_state": ["x", "x ", None]}, f"column 'need_state' {TRIMMED}"),
    ("product_map", {"category": [" A", " A", None]}, f"column 'category' {TRIMMED} on 2 rows"),
    ("settings", {"setting": ["name", "all_rules"]}, "rows are sorted by setting, number, each once"),
    ("settings", {"number": [0, 1]}, "column 'number' is not at least 1 on 1 rows, such as setting 'all_rules', number 0"),
    ("settings", {"value": [None, ""]}, "column 'value' is not filled on 1 rows, such as setting 'name', number 1, value ''"),
    ("categories", {"key": ["../b", "snacks"]}, "column 'key' is not a key of params.yaml on 1 rows, such as key '../b'"),
    ("categories", {"key": ["snacks", "beauty"]}, "rows are sorted by key, each once"),
    ("categories", {"name": ["", "X"]}, "column 'name' is not filled on 1 rows, such as key 'beauty', name ''"),
    ("map_entries", {"entry": [1, 0, 2]}, "column 'entry' is not at least 1 on 1 rows"),
    ("map_entries", {"need_state": [None, "x", None]}, "rows are sorted by entry, category, need_state, each once on 1 rows"),
    ("category_totals", {"category": ["A", "A"]}, "rows are sorted by category, each once on 1 rows"),
    ("category_totals", {"stores": [1, 0]}, "column 'stores' is not at least 1 on 1 rows"),
    ("category_sales", {"category": ["A", None]}, "column 'category' is empty"),
    ("category_sales", {"lines": [1, 0]}, "column 'lines' is not at least 1, nor 0 in every row"),
    ("category_sales", {"largest": dec("1.00", "-0.01")}, "column 'largest' is not at least 0"),
    ("category_sales", {"store_id": ["s2", "s1"]}, "rows are sorted by category, store_id, entry"),
    ("selling_stores", {"store_id": ["s1", "s1"]}, "rows are sorted by store_id, each once on 1 rows, such as store_id 's1'"),
    ("selling_stores", {"lines": [1, 0]}, "column 'lines' is not at least 1"),
    ("need_state_sales", {"sales": [INF, 0.0]}, "column 'sales' is not a finite number on 1 rows"),
    ("need_state_sales", {"sales": [1.0, NAN]}, "column 'sales' is not a finite number on 1 rows"),
    ("need_state_sales", {"need_state": ["x", "x"]}, "rows are sorted by store_id, need_state, each once"),
    ("shares", {"x": [0.25, 1.1], "a\nb (y)": [0.75, -0.1]}, "column 'x' is not between 0 and 1 on 1 rows, such as store_id 's2', x 1.1"),
    ("shares", {"a\nb (y)": [0.75, -0.1], "x": [0.25, 1.0]}, r"column 'a\nb (y)' is not between 0 and 1 on 1 rows"),
    ("shares", {"x": [0.25, 0.99999]}, "each row of shares sums to 1 on 1 rows, such as store_id 's2'"),
    ("shares", {"x": [NAN, 1.0]}, "column 'x' is not a finite number on 1 rows"),
    ("shares", {"store_id": ["s2", "s1"]}, "rows are sorted by store_id, each once"),
    ("store_sales", {"store_id": ["s1", "s1"]}, "rows are sorted by store_id, each once"),
    ("store_sales", {"lines": [0, 2]}, "column 'lines' is not at least 1"),
    ("store_sales", {"large_lines": [0.0, 1.1]}, "column 'large_lines' is not between 0 and 1 on 1 rows"),
    ("store_sales", {"has_net_sales": [True, None]}, "column 'has_net_sales' is empty"),
    ("stores", {"county": ["01 ", None]}, f"column 'county' {TRIMMED}"),
    ("stores", {"store_id": ["s2", "s1"]}, "rows are sorted by store_id"),
    ("sources", {"value": [INF, None]}, "column 'value' is not a finite number"),
    ("sources", {"key": ["01", "01"]}, "rows are sorted by source, key, feature, each once"),
    ("sources", {"feature": ["", "x"]}, "column 'feature' is not filled"),
    ("store_features", {"a.income": [1.0, -INF]}, "column 'a.income' is not a finite number on 1 rows"),
    ("store_features", {"store_id": ["s1", "s1"]}, "rows are sorted by store_id, each once"),
    ("features", {"store_id": ["s1", "s1"]}, "rows are sorted by store_id, each once"),
    ("features", {"trains": [True, True]}, "a store trains where it has no exclusion on 1 rows, such as store_id 's2'"),
    ("features", {"trains": [False, False], "exclusion": ["thin", "thin"]}, "it does not hold that a store trains"),
    ("features", {"exclusion": ["", "odd"]}, "column 'exclusion' is not one of (empty), no_data, no_net_sales, outlier, thin"),
    ("features", {"pc_01": [1.0, NAN]}, "column 'pc_01' is not a finite number on 1 rows"),
    ("features", {"pc_01": [1.0, INF]}, "column 'pc_01' is not a finite number"),
    ("feature_report", {"feature": ["x", "x"]}, "each feature occurs once on 2 rows"),
    ("feature_report", {"used": [True, True]}, "a feature is used where there is no reason against it"),
    ("feature_report", {"used": [False, False], "reason": ["a", "b"]}, "it does not hold that a feature is used"),
    ("feature_report", {"missing": [0, -2]}, "column 'missing' is not at least 0"),
    ("feature_report", {"clipped_low": [-1, 0]}, "column 'clipped_low' is not at least 0"),
    ("feature_report", {"clipped_high": [-1, 0]}, "column 'clipped_high' is not at least 0"),
    ("feature_report", {"upper_fence": [-1.0, None]}, "the lower fence is not above the upper one"),
    ("feature_report", {"scale": [-1.0, None]}, "column 'scale' is not at least 0"),
    ("clusters", {"cluster": [0, 2, 1]}, "column 'cluster' is not at least 1 on 1 rows, such as store_id 's1', cluster 0"),
    ("clusters", {"distance": [-0.1, 1.0, 2.0]}, "column 'distance' is not at least 0"),
    ("clusters", {"runner_up": [1, 1, None]}, "a runner-up is another cluster on 1 rows, such as store_id 's1'"),
    ("clusters", {"runner_up": [None, 1, None]}, "a runner-up and the distance to it are both known or both missing"),
    ("clusters", {"runner_up": [0, 1, None]}, "column 'runner_up' is not at least 1"),
    ("clusters", {"runner_up_distance": [1.0, 0.9, None]}, "a runner-up is nearer than the cluster where the margin is below 0"),
    ("clusters", {"margin": [1.1, 0.0, None]}, "column 'margin' is not between -1 and 1"),
    ("clusters", {"membership": [1.1, 0.0, None]}, "column 'membership' is not between 0 and 1"),
    ("memberships", {"store_id": ["s2", "s1", "s2"]}, "rows are sorted by store_id, cluster, each once"),
    ("memberships", {"share": [1.1, 1.0, 0.0]}, "column 'share' is not between 0 and 1"),
    ("memberships", {"probability": [1.1, 1.0, 0.0]}, "column 'probability' is not between 0 and 1"),
    ("memberships", {"cluster": [0, 1, 2]}, "column 'cluster' is not at least 1"),
    ("stability", {"stores": [0, 2]}, "column 'stores' is not at least 1"),
    ("stability", {"jaccard": [1.1, None]}, "column 'jaccard' is not between 0 and 1"),
    ("stability", {"dissolved": [1.1, None]}, "column 'dissolved' is not between 0 and 1"),
    ("stability", {"cluster": [2, 1]}, "rows are sorted by cluster, each once"),
    ("clusters", {"silhouette": [1.1, 0.0, None]}, "column 'silhouette' is not between -1 and 1"),
    ("clusters", {"silhouette": [1.0, 0.0, 0.0]}, "only stores that trained have a silhouette on 1 rows, such as store_id 's3'"),
    ("clusters", {"is_outlier": [True, False, True]}, "an outlier is what is excluded as one"),
    ("clusters", {"exclusion": ["", "x", "outlier"]}, "column 'exclusion' is not one of"),
    ("clusters", {"store_id": ["s1", "s3", "s2"]}, "rows are sorted by store_id, each once"),
    ("k_scores", {"k": [0, 2]}, "column 'k' is not at least 1"),
    ("k_scores", {"k": [2, 2]}, "rows are sorted by k, each once on 1 rows, such as k 2"),
    ("k_scores", {"silhouette": [None, 1.5]}, "column 'silhouette' is not between -1 and 1"),
    ("k_scores", {"calinski_harabasz": [None, -1.0]}, "column 'calinski_harabasz' is not at least 0"),
    ("k_scores", {"davies_bouldin": [None, -1.0]}, "column 'davies_bouldin' is not at least 0"),
    ("k_scores", {"consensus": [None, 1.5]}, "column 'consensus' is not between 0 and 1"),
    ("k_scores", {"prediction_strength": [1.0, 1.5]}, "column 'prediction_strength' is not between 0 and 1"),
    ("k_scores", {"stability": [1.0, -0.5]}, "column 'stability' is not between 0 and 1"),
    ("k_scores", {"gap_error": [0.0, -0.5]}, "column 'gap_error' is not at least 0"),
    ("k_scores", {"bootstrap_ari": [0.0, -1.5]}, "column 'bootstrap_ari' is not between -1 and 1"),
    ("k_scores", {"inertia": [0.0, NAN]}, "column 'inertia' is not a finite number"),
    ("k_scores", {"inertia": [0.0, -1.0]}, "column 'inertia' is not at least 0"),
    ("k_scores", {"smallest": [9, 0]}, "column 'smallest' is not at least 1"),
    ("k_scores", {"chosen": [True, True]}, "it does not hold that one k is chosen"),
    ("k_scores", {"chosen": [False, False]}, "it does not hold that one k is chosen"),
    ("k_scores", {"eligible": [True, False]}, "the k that is chosen is eligible on 1 rows, such as k 2"),
    ("profile", {"cluster": [0, 0, 2]}, "column 'cluster' is not at least 1 on 2 rows"),
    ("profile", {"stores": [0, 0, 1]}, "column 'stores' is not at least 1"),
    ("profile", {"share_of_stores": [0.75, 0.75, 0.3]}, "the clusters' shares of stores sum to 1"),
    ("profile", {"share_of_stores": [1.2, 1.2, -0.2]}, "column 'share_of_stores' is not between 0 and 1"),
    ("profile", {"feature": ["y", "x", "x"]}, "rows are sorted by cluster, feature, each once"),
    ("profile", {"mean": [INF, 2.0, None]}, "column 'mean' is not a finite number"),
    ("segments", {"category": ["Beauty", "beauty"]}, "column 'category' is not a key of params.yaml"),
    ("segments", {"segment": [0, 1]}, "column 'segment' is not at least 1"),
    ("segments", {"merged_cluster": ["1-12", "2x1"]}, "column 'merged_cluster' is not of the form 2x1"),
    ("segments", {"merged_cluster": ["12x1", "2x1"]}, "a merged cluster is internal_cluster x external_cluster on 1 rows"),
    ("segments", {"is_outlier": [False, False]}, "an outlier is flagged as one on 1 rows, such as category 'beauty', store_id 's2'"),
    ("segments", {"confidence": [1.2, None]}, "column 'confidence' is not between 0 and 1"),
    ("segments", {"runner_up_segment": [1, None]}, "a runner-up is another segment on 1 rows"),
    ("segments", {"flags": ["thin", "external:outlier"]}, "column 'flags' is not of the form internal:thin external:outlier"),
    ("segments", {"store_id": ["s2", "s1"]}, "rows are sorted by category, store_id, each once"),
    ("labels", {"segment": [0, 9]}, "column 'segment' is not at least 1"),
    ("labels", {"category": ["a", "a"]}, "rows are sorted by category, store_id, each once"),
    ("labels", {"segment_name": ["", None]}, "column 'segment_name' is not text without spaces around it"),
    ("collected", {"merged_cluster": ["1x12", "1x2"]}, "a merged cluster is internal_cluster x external_cluster"),
    ("collected", {"is_outlier": [False, False]}, "an outlier is flagged as one"),
    ("collected", {"store_id": ["s2", "s1"]}, "rows are sorted by category, store_id, each once"),
    ("collected", {"runner_up_segment": [1, None]}, "a runner-up is another segment"),
    ("segment names", {"segment": [1, 1]}, "rows are sorted by category, segment, each once"),
    ("segment names", {"name": ["Stars", "STARS"]}, "segments of a category have different names"),
    ("descriptions", {"segment": [2, 1]}, "rows are sorted by category, segment, each once"),
    ("descriptions", {"name": ["Stars", "stars"]}, "segments have different names"),
    ("descriptions", {"rule_stores": [2, 2]}, "rules tell no more stores right than they are of"),
    ("descriptions", {"rule_right": [4, 0]}, "rules tell no more stores right than the segment has"),
    ("descriptions", {"rule_stores": [4, 1]}, "every store has a rule"),
    ("traits", {"kind": ["place", "mix"]}, "rows are sorted by category, segment, kind, feature, each once"),
    ("predictions", {"category": ["b", "a"]}, "rows are sorted by category, each once"),
    ("predictions", {"sampled": [21, 0]}, "no more stores are looked at than there are"),
    ("importance", {"feature": ["y", "x"]}, "rows are sorted by category, feature, each once"),
    ("store fit", {"store_id": ["s2", "s1"]}, "rows are sorted by store_id, each once"),
    ("store fit", {"nearest_other": [1, None]}, "the nearest other segment is another one"),
    ("store fit", {"odd_rank": [2, 1]}, "no store is typical and odd"),
    ("recovery", {column: 2 * rows for column, rows in GOOD["recovery"][1].items()}, "each view, label occurs once on 2 rows"),
    ("recovery", {"ari": [1.5]}, "column 'ari' is not between -1 and 1"),
    ("recovery", {"label": ["cluster"]}, "column 'label' is not one of internal_cluster, external_cluster, segment"),
    ("recovery", {"stores": [0]}, "column 'stores' is not at least 1"),
    ("ledger", {"flow": ["in", "out", "lost", "noted"]}, "column 'flow' is not one of in, out, set_aside, not_selected, noted on 1 rows"),
    ("ledger", {"flow": ["out", "in", "set_aside", "noted"]}, "rows are sorted by stage, category, flow, reason, each once"),
    ("ledger", {"reason": ["", "", "", "early"]}, "there is a reason but for what comes in or goes on, which has none"),
    ("ledger", {"stores": [2, -2, 0, 1]}, "column 'stores' is not at least 0"),
    ("ledger", {"lines": [3, 2, -1, 1]}, "column 'lines' is not at least 0"),
    ("ledger", {"sales": [*dec("3.00", "2.00", "1.00"), None]}, "column 'sales' is empty"),
    ("explained", {"chosen": [False, True, True]}, "one number of segments is chosen"),
    ("explained", {"segments": [1, 2, 2]}, "rows are sorted by category, segments, each once"),
    ("migrations", {"before": [1, 1, None], "after": [1, 1, 1]}, "rows are sorted by category, before, after, each once"),
    ("chain segments", {"store_id": ["s1", "s1"]}, "rows are sorted by store_id, each once"),
    ("overrides", {"store_id": ["s1", "s1"]}, "rows are sorted by category, store_id, each once"),
]  # fmt: skip


def table_of(name: str, edit: Table | None = None) -> tuple[pa.Table, Contract]:
    """The right table of a contract, with some columns replaced."""
    contract, columns = GOOD[name]
    schema = contract.schema(list(columns)[len(contract.columns) :])
    return pa.table({**columns, **(edit or {})}, schema=schema), contract


def write_one(rows: Any, contract: Contract, path: Path) -> None:
    with outputs() as write:
        write(rows, contract, path)


@pytest.mark.parametrize("name", GOOD)
def test_right_table_is_written_as_it_is(tmp_path: Path, name: str) -> None:
    table, contract = table_of(name)
    write_one(table, contract, tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet").equals(table)


@pytest.mark.parametrize(("name", "edit", "message"), BROKEN, ids=[f"{n} {', '.join(e)} {m}" for n, e, m in BROKEN])
def test_broken_rule_is_told_and_nothing_is_written(tmp_path: Path, name: str, edit: Table, message: str) -> None:
    table, contract = table_of(name, edit)
    path = tmp_path / "x.parquet"
    with pytest.raises(DataError) as caught:
        write_one(table, contract, path)
    told = caught.value.args[0]
    assert told.startswith(f"{path}: ")
    assert message in told
    assert "\n" not in told
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_every_rule_of_rows_is_broken_by_a_case() -> None:
    for name, (contract, _) in GOOD.items():
        said = [message for of, _, message in BROKEN if of == name]
        for check in contract.rules:
            assert any(check.error in message or message in check.error for message in said), (name, check.error)


@pytest.mark.parametrize("name", GOOD)
def test_right_table_is_recognised_without_pandera(name: str) -> None:
    """Else every run would pay for importing it, and nobody would notice."""
    table, contract = table_of(name)
    assert contract.keeps(table)


def test_texts_of_a_dictionary_are_looked_at_once_and_their_places_are_in_order() -> None:
    contract = Contract({"a": text(), "n": count()}, ["a", "n"])

    def of(places: list[int], texts: list[str]) -> pa.Table:
        return pa.table({"a": pa.DictionaryArray.from_arrays(pa.array(places), pa.array(texts)), "n": [1, 1]})

    right = pa.table({"a": ["x", "y"], "n": [1, 1]})
    assert checked(of([0, 1], ["x", "y"]), contract, "t").equals(right)
    # neither the order of the dictionary nor what stands in it unused counts
    assert checked(of([1, 0], ["y", "x"]), contract, "t").equals(right)
    assert checked(of([0, 1], ["x", "y", " z"]), contract, "t").equals(right)
    with pytest.raises(DataError, match="rows are sorted by a, n, each once"):
        checked(of([1, 0], ["x", "y"]), contract, "t")
    with pytest.raises(DataError, match="'a' is not text without spaces"):
        checked(of([0, 1], ["x", "y "]), contract, "t")


# A value that breaks a check, by how the check is told.
WRONG = {
    "text without spaces": " x",
    "filled": "",
    "a finite number": INF,
    "at least": -1,
    "between": -7.0,
    "one of": "odd",
    "a key": "Odd",
    "a month": "2025",
    "a SHA-256": "odd",
    "of the form": "odd",
}


@pytest.mark.parametrize("name", GOOD)
def test_every_check_of_a_column_is_broken_by_a_wrong_value(name: str) -> None:
    contract, columns = GOOD[name]
    wide = [(c, contract.others) for c in list(columns)[len(contract.columns) :] if contract.others]
    for column, rule_of in [*contract.columns.items(), *wide]:
        for check in rule_of.checks:
            (wrong,) = (value for words, value in WRONG.items() if check.error.startswith(f"is not {words}"))
            table, _ = table_of(name, {column: [wrong, *columns[column][1:]]})
            with pytest.raises(DataError) as caught:
                checked(table, contract, "x")
            assert f"x: column {column!r} {check.error} on 1 rows, such as" in caught.value.args[0]
        table, _ = table_of(name, {column: [None, *columns[column][1:]]})
        empty = first_broken(table.to_pandas(types_mapper=pd.ArrowDtype), contract.pandera)
        is_told = empty is not None and empty.rule == f"column {column!r} is empty"
        assert is_told == (not rule_of.nullable)


@pytest.mark.parametrize("name", GOOD)
def test_table_without_a_row_is_refused_but_for_those_that_may_be_empty(tmp_path: Path, name: str) -> None:
    table, contract = table_of(name)
    path = tmp_path / "x.parquet"
    may_be_empty = {
        "stores",
        "sources",
        "labels",
        "recovery",
        "sku_sales",
        "category_skus",
        "raw_files",
        "memberships",
        "segment names",
        "importance",
        "settings",
        "overrides",
        "migrations",
        # of a place without sales, or of a view without data
        "sales",
        "period_sales",
        "product_map",
        "map_entries",
        "need_state_sales",
        "feature_report",
        "profile",
    }
    assert contract.may_be_empty == (name in may_be_empty)
    if contract.may_be_empty:
        write_one(table.slice(0, 0), contract, path)
        assert pq.read_table(path).num_rows == 0
        return
    with pytest.raises(DataError, match=r"x\.parquet: no row is left to write"):
        write_one(table.slice(0, 0), contract, path)
    assert list(tmp_path.iterdir()) == []


def test_wrong_columns_and_types_are_refused() -> None:
    table, contract = table_of("clusters")
    with pytest.raises(
        DataError, match=r"x: columns \['store_id'\] are not those of its contract, \['store_id', 'cluster'"
    ):
        checked(table.select(["store_id"]), contract, "x")
    with pytest.raises(DataError, match="are not those of its contract"):
        checked(table.append_column("more", pa.nulls(3)), contract, "x")
    chain, contract = table_of("chain segments")
    with pytest.raises(DataError, match="and one for each feature"):
        checked(chain.select(contract.names), contract, "x")
    frame = table_of("k_scores")[0].to_pandas().assign(k=["one", "two"])
    with pytest.raises(DataError, match=r"x: .*column k"):
        checked(frame, SCORES, "x")
    with pytest.raises(DataError, match="x: "):
        checked(frame.assign(k=[1.5, 2.0]), SCORES, "x")


def test_pandas_leaves_no_trace(tmp_path: Path) -> None:
    frame = pd.DataFrame({"store_id": ["a", "b"], "x": [1.0, None]}, index=[7, 3])
    with outputs() as write:
        write(frame, STORE_FEATURES, tmp_path / "a.parquet")
        write(frame.set_axis(["p", "q"], axis="index"), STORE_FEATURES, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert pq.read_schema(tmp_path / "a.parquet").metadata is None


def test_all_tables_of_a_stage_are_written_or_none(tmp_path: Path) -> None:
    good, contract = table_of("selling_stores")
    bad, _ = table_of("selling_stores", {"lines": [0, 1]})
    old = tmp_path / "a.parquet"
    old.write_bytes(b"old")

    def write_both() -> None:
        with outputs() as write:
            write(good, contract, old)
            write(bad, contract, tmp_path / "b.parquet")

    with pytest.raises(DataError, match=r"b\.parquet: column 'lines'"):
        write_both()
    assert old.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_optional_columns_may_be_missing_and_no_others(tmp_path: Path) -> None:
    table, contract = table_of("sales")
    few = table.drop_columns(["largest", *MONTHS])
    write_one(few, contract, tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet").equals(few)
    others = [name for name in few.column_names if name != "units"]
    for names in (["category", "store_id", "entry", "sales", "units"], ["units", *others]):
        with pytest.raises(DataError, match="are not those of its contract"):
            checked(few.select(names), contract, "x")
    with pytest.raises(DataError, match="'units' is empty"):
        checked(
            few.set_column(5, "units", pa.array(dec("1.00") + [None] * 2, few.schema.field("units").type)),
            contract,
            "x",
        )


def test_rule_that_cannot_be_evaluated_is_a_defect_and_not_a_mistake() -> None:
    contract = Contract({"a": text()}, ["a"], rule("b is there", lambda table: table["b"] > 0))
    with pytest.raises(RuntimeError, match="'b is there' cannot be evaluated"):
        checked(pa.table({"a": ["x"]}), contract, "x")
    # it is not told where a broken column may be the cause
    with pytest.raises(DataError, match="column 'a' is empty"):
        checked(pa.table({"a": pa.array([None], pa.string())}), contract, "x")


def test_long_values_are_cut() -> None:
    contract = Contract({"a": text(), "n": count(1)}, ["a"])
    with pytest.raises(DataError) as caught:
        checked(pa.table({"a": ["x" * 10_000], "n": [0]}), contract, "x")
    assert len(caught.value.args[0]) < 400


def test_raw_table_is_checked_by_the_same_means() -> None:
    schema = pandera.DataFrameSchema({"key": pandera.Column(str, nullable=False)}, unique=["key"])
    frame = pd.DataFrame({"key": pd.Series(["b", "a", "b"], dtype="str"), "x": [1, 2, 3]})
    with pytest.raises(DataError) as caught:
        check_table(frame, schema, "stores.csv", lambda row: f"stores.csv:{row['x']}")
    assert caught.value.args[0] == (
        "stores.csv:1: column 'key' is part of a key that occurs more than once on 2 rows, such as key 'b', x 1"
    )


def test_every_file_between_stages_has_a_contract() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outs = [
        next(iter(out)) if isinstance(out, dict) else out
        for stage in stages.values()
        for out in stage.get("do", stage)["outs"]
    ]
    # Raw files are as somebody delivers them, or as the demo does in their place: they are checked when they are read.
    # What the code is says a text for each script.
    made = {out.replace("${key}", "{category}") for out in outs if not out.startswith(("data/raw/", "data/code"))}
    # One stage of all categories has folders of a file each.
    made = {out if Path(out).suffix else f"{out}/{{category}}.parquet" for out in made}
    tables = {out for out in made if out.startswith("data/") and "/model" not in out}
    assert len(tables) > 25
    assert all(out.endswith(".parquet") for out in tables)
    contracts = {file.path: contract_of(file) for file in FILES}
    assert {path for path, contract in contracts.items() if contract} == tables | {"reports/recovery.csv"}
    # and each contract has its cases above
    assert {id(contract) for contract in contracts.values() if contract} == {
        id(contract) for contract, _ in GOOD.values()
    }


def test_stages_write_tables_through_contracts_alone() -> None:
    """`write_table` checks nothing: only what writes raw files may use it, and the contracts."""
    of_raw_files = {"make_demo_data.py", "split_sales.py"}
    for path in [*(ROOT / "scripts").glob("*.py"), *(ROOT / "scripts" / "storelib").rglob("*.py")]:
        if path.name in of_raw_files | {"contract.py", "tables.py", "readers.py", "wide.py"}:
            continue
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not names & {"write_table", "ParquetWriter", "to_parquet", "write_parquet"}, path.name
