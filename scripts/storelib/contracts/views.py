"""Contracts of the tables of one view: points, clusters, scores, profile."""

import pyarrow as pa

from storelib.contracts.contract import (
    NAMED,
    TRUTH,
    Column,
    Contract,
    at_least,
    between,
    count,
    label,
    number,
    one_of,
    rule,
    text,
)

EXCLUSIONS = ("", "no_data", "no_net_sales", "outlier", "thin")
# Means of figures that lie in a range may leave it by rounding.
SLACK = 1e-9


FEATURES = Contract(
    {"store_id": text(), "trains": TRUTH, "exclusion": text(one_of(EXCLUSIONS))},
    ["store_id"],
    rule("a store trains where it has no exclusion", lambda table: table["trains"] == (table["exclusion"] == "")),
    rule("a store trains", lambda table: bool(table["trains"].any())),
    others=number(),
    # A view without data has no features.
    others_required=False,
)
FEATURE_REPORT = Contract(
    {
        "feature": text(NAMED),
        "used": TRUTH,
        "reason": Column(pa.string()),
        "missing": count(),
        "skewness": number(nullable=True),
        "transformed": TRUTH,
        "lower_fence": number(nullable=True),
        "upper_fence": number(nullable=True),
        "clipped_low": count(),
        "clipped_high": count(),
        "centre": number(nullable=True),
        "scale": number(at_least(0), nullable=True),
        "imputed_value": number(nullable=True),
        "weight": number(at_least(0)),
    },
    ["feature"],
    rule(
        "a feature is used where there is no reason against it", lambda table: table["used"] == (table["reason"] == "")
    ),
    rule("a feature is used", lambda table: bool(table["used"].any())),
    rule(
        "the lower fence is not above the upper one",
        lambda table: (table["lower_fence"] <= table["upper_fence"]).fillna(value=True),
    ),
    is_sorted=False,
    may_be_empty=True,
)
CLUSTERS = Contract(
    {
        "store_id": text(),
        "cluster": label(),
        "distance": number(at_least(0)),
        "runner_up": label(nullable=True),
        "runner_up_distance": number(at_least(0), nullable=True),
        "margin": number(between(-1, 1, SLACK), nullable=True),
        "membership": number(between(0, 1, SLACK), nullable=True),
        "is_borderline": TRUTH,
        "silhouette": number(between(-1, 1, SLACK), nullable=True),
        "is_outlier": TRUTH,
        "exclusion": text(one_of(EXCLUSIONS)),
    },
    ["store_id"],
    rule("a runner-up is another cluster", lambda table: (table["runner_up"] != table["cluster"]).fillna(value=True)),
    rule(
        "a runner-up is nearer than the cluster where the margin is below 0",
        lambda table: ((table["runner_up_distance"] < table["distance"]) == (table["margin"] < 0)).fillna(value=True),
    ),
    rule(
        "a runner-up and the distance to it are both known or both missing",
        lambda table: table["runner_up"].isna() == table["runner_up_distance"].isna(),
    ),
    rule(
        "an outlier is what is excluded as one", lambda table: table["is_outlier"] == (table["exclusion"] == "outlier")
    ),
    rule(
        "only stores that trained have a silhouette",
        lambda table: table["silhouette"].isna() | (table["exclusion"] == ""),
    ),
)
MEMBERSHIPS = Contract(
    {
        "store_id": text(),
        "cluster": label(),
        "share": number(between(0, 1, SLACK)),
        "probability": number(between(0, 1, SLACK)),
    },
    ["store_id", "cluster"],
    may_be_empty=True,
)
STABILITY = Contract(
    {
        "cluster": label(),
        "stores": count(1),
        "jaccard": number(between(0, 1, SLACK), nullable=True),
        "dissolved": number(between(0, 1, SLACK), nullable=True),
    },
    ["cluster"],
)
INFINITE = Column(pa.float64(), nullable=True)
SCORES = Contract(
    {
        "k": label(),
        "silhouette": number(between(-1, 1, SLACK), nullable=True),
        "calinski_harabasz": number(at_least(0), nullable=True),
        "davies_bouldin": number(at_least(0), nullable=True),
        "consensus": number(between(0, 1, SLACK), nullable=True),
        # infinite where clusters are single points
        "bic": INFINITE,
        "bic_tied": INFINITE,
        "gap": INFINITE,
        "prediction_strength": number(between(0, 1, SLACK), nullable=True),
        "stability": number(between(0, 1, SLACK), nullable=True),
        "gap_error": number(at_least(0), nullable=True),
        "bootstrap_ari": number(between(-1, 1, SLACK), nullable=True),
        "inertia": number(at_least(0)),
        "smallest": label(),
        "eligible": TRUTH,
        "chosen_by": Column(pa.string()),
        "chosen": TRUTH,
    },
    ["k"],
    rule("one k is chosen", lambda table: int(table["chosen"].sum()) == 1),
    rule("the k that is chosen is eligible", lambda table: ~table["chosen"] | table["eligible"]),
)
PROFILE = Contract(
    {
        "cluster": label(),
        "stores": count(1),
        "share_of_stores": number(between(0, 1, SLACK)),
        "sales": number(),
        "share_of_sales": number(nullable=True),
        "feature": text(NAMED),
        "mean": number(nullable=True),
        "chain_mean": number(nullable=True),
        "index": number(nullable=True),
    },
    ["cluster", "feature"],
    rule(
        "the clusters' shares of stores sum to 1",
        lambda table: abs(float(table.drop_duplicates("cluster")["share_of_stores"].sum()) - 1) <= SLACK,
    ),
    may_be_empty=True,
)
