"""Each rule chooses k its own way, among the k whose clusters are large enough."""

import math

import pandas as pd
import pytest

from storelib.errors import DataError
from storelib.method.k_rules import RULES, choices_of, choose_k, consensus
from storelib.method.one_cluster import alternative, one_cluster


def scores_of(first: int = 2, *, eligible: list[bool] | None = None, **columns: list[float]) -> pd.DataFrame:
    """Scores of k = first, first + 1, ...; clusters that are too small have 3 stores, others 50."""
    length = len(next(iter(columns.values())))
    eligible = eligible or [True] * length
    scores = pd.DataFrame({"k": range(first, first + length), "eligible": eligible} | columns)
    scores["smallest"] = [50 if large else 3 for large in eligible]
    return scores.reindex(columns=["k", "eligible", "smallest", *RULES, "gap_error"])


@pytest.mark.parametrize("rule", ["silhouette", "calinski_harabasz", "consensus", "bic", "bic_tied"])
def test_more_is_better(rule: str) -> None:
    assert choose_k(scores_of(**{rule: [0.1, 0.2, 0.9, 0.3]}), rule) == 4


def test_less_is_better_for_davies_bouldin() -> None:
    assert choose_k(scores_of(davies_bouldin=[0.9, 0.8, 0.7, 0.1]), "davies_bouldin") == 5


@pytest.mark.parametrize(
    ("rule", "values"), [("silhouette", [0.1, 0.7, 0.7, 0.2]), ("davies_bouldin", [0.9, 0.2, 0.2, 0.5])]
)
def test_of_equals_the_smallest_k(rule: str, values: list[float]) -> None:
    assert choose_k(scores_of(**{rule: values}), rule) == 3


def test_consensus_scales_each_index_over_the_k_that_it_can_judge() -> None:
    scores = scores_of(
        1,
        silhouette=[math.nan, 0.2, 0.4, 0.3],  # scaled 0, 1, 1/2
        calinski_harabasz=[math.nan, 500, 100, 400],  # scaled 1, 0, 3/4
        davies_bouldin=[math.nan, 1, 1, 1],  # equal for all: 0
    )
    scores["consensus"] = consensus(scores)
    # (0 + 1 + 0) / 3, (1 + 0 + 0) / 3, (1/2 + 3/4 + 0) / 3: k = 4, second in each, wins
    assert scores["consensus"].tolist()[1:] == pytest.approx([1 / 3, 1 / 3, 5 / 12])
    assert math.isnan(scores["consensus"][0])
    assert choose_k(scores, "consensus") == 4


@pytest.mark.parametrize(
    ("gaps", "errors", "k"),
    [
        # 0.5 >= 0.55 - 0.1
        pytest.param([0.1, 0.5, 0.55, 0.9], [0.1] * 4, 2, id="first within one error of the next"),
        pytest.param([0.1, 0.5, 0.55, 0.9], [0.01] * 4, 4, id="none, so the largest"),
        pytest.param([0.5, 0.4, 0.9, 0.2], [0.01] * 4, 1, id="one cluster"),
        # the error is that of k + 1: 0.5 >= 0.55 - 0.1, where k's own error is 0
        pytest.param([0.1, 0.5, 0.55, 0.9], [0, 0, 0.1, 0], 2, id="error of the next k"),
    ],
)
def test_gap_takes_the_smallest_k_within_one_standard_error(gaps: list[float], errors: list[float], k: int) -> None:
    assert choose_k(scores_of(1, gap=gaps, gap_error=errors), "gap") == k


@pytest.mark.parametrize(
    ("rule", "values", "k"),
    [
        ("prediction_strength", [1.0, 0.95, 0.8, 0.79], 3),
        ("prediction_strength", [1.0, 0.5, 0.9, 0.2], 3),
        ("prediction_strength", [1.0, 0.5, 0.4, math.nan], 1),
        ("stability", [1.0, 0.95, 0.75, 0.74], 3),
    ],
)
def test_largest_k_that_is_reproducible(rule: str, values: list[float], k: int) -> None:
    assert choose_k(scores_of(1, **{rule: values}), rule) == k


@pytest.mark.parametrize(("rule", "limit"), [("prediction_strength", 0.8), ("stability", 0.75)])
def test_k_that_nothing_reproduces_is_told_and_nothing_is_chosen_instead(rule: str, limit: float) -> None:
    with pytest.raises(DataError, match=f"{rule} reaches {limit} for none of k = 2 to 3") as caught:
        choose_k(scores_of(**{rule: [0.5, 0.4]}), rule)
    assert "min_clusters: 1" in caught.value.solution


def test_k_with_a_small_cluster_is_not_eligible() -> None:
    scores = scores_of(
        silhouette=[0.1, 0.2, 0.9, 0.3], gap=[0.9, 0.1, 0.05, 0.02], gap_error=[0.01] * 4,
        prediction_strength=[0.9, 0.85, 0.85, 0.3], eligible=[False, True, False, True],
    )  # fmt: skip
    assert choices_of(scores) == {"silhouette": 5, "gap": 3, "prediction_strength": 3}


def test_one_cluster_is_judged_by_the_rules_that_can() -> None:
    scores = scores_of(1, silhouette=[math.nan, 0.2, 0.1], bic=[5.0, 4.0, 3.0])
    assert choices_of(scores) == {"silhouette": 2, "bic": 1}
    # where no other k has large enough clusters, there is nothing to judge
    alone = scores_of(1, silhouette=[math.nan, 0.2, 0.1], eligible=[True, False, False])
    assert choose_k(alone, "silhouette") == 1


def test_all_k_with_small_clusters_are_told() -> None:
    with pytest.raises(DataError, match="each of k = 2 to 3 has a cluster of fewer stores") as caught:
        choose_k(scores_of(silhouette=[0.1, 0.2], eligible=[False, False]), "silhouette")
    assert "3, 3 stores" in str(caught.value)
    assert "min_cluster_share" in caught.value.solution


def test_rule_that_was_not_computed_is_told() -> None:
    with pytest.raises(DataError, match="gap cannot be computed for any of k = 2 to 3"):
        choose_k(scores_of(silhouette=[0.1, 0.2]), "gap")


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        # the indices cannot choose one cluster: that they choose more says nothing
        ({"silhouette": 2, "calinski_harabasz": 2, "davies_bouldin": 2, "consensus": 2, "bic": 1, "bic_tied": 1}, None),
        ({"silhouette": 3, "calinski_harabasz": 2, "davies_bouldin": 4, "consensus": 2, "bic": 4, "bic_tied": 1}, 4),
        # of two the one that more rules choose, of equals the smaller
        ({"silhouette": 5, "bic": 6, "bic_tied": 1, "gap": 5}, 5),
        ({"bic": 6, "bic_tied": 1, "gap": 5, "stability": None}, 5),
    ],
)
def test_one_cluster_is_weak_where_a_rule_that_could_choose_it_does_not(
    choices: dict[str, int | None], expected: int | None
) -> None:
    assert alternative(choices) == expected
    assert one_cluster(choices).startswith("weak structure" if expected else "no structure was found")


def test_weak_structure_names_the_other_k_and_who_chooses_it() -> None:
    told = one_cluster({"silhouette": 4, "calinski_harabasz": 2, "bic": 4, "bic_tied": 1})
    assert "k = 4 is chosen by silhouette, bic; look at it with min_clusters: 4, max_clusters: 4" in told
