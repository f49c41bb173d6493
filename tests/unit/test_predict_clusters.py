"""Whether external data tell what sells: against chance, by feature, and in words."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import predict_clusters
from storelib.method.prediction import Prediction, balanced_accuracy, predict, sample, verdict_of
from storelib.pages.describing import prediction_words

STORES = 240


def test_all_clusters_count_alike() -> None:
    # 3 of 4, 1 of 2, 0 of 1: (0.75 + 0.5 + 0) / 3
    labels, told = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 0, 0])
    assert balanced_accuracy(labels, told, 3) == pytest.approx(1.25 / 3)


def test_a_sample_keeps_the_parts_and_at_least_five_stores_of_each_cluster() -> None:
    labels = np.array([1] * 900 + [2] * 92 + [3] * 8)
    chosen = sample(labels, 100, np.random.default_rng(1))
    # 900 x 100 / 1000 = 90; 9.2 is 9; 0.8 is less than five
    assert np.bincount(labels[chosen]).tolist() == [0, 90, 9, 5]
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert sample(labels, 1000, np.random.default_rng(1)).tolist() == list(range(1000))


@pytest.mark.parametrize(
    ("accuracy", "p_value", "verdict"),
    [
        # of two clusters chance is a half: 0.54 is 8 % of the way to all right, 0.6 is 20 %, 0.8 is 60 %
        (0.54, 0.005, "little"), (0.6, 0.005, "some"), (0.8, 0.005, "much"), (0.6, 0.02, "nothing"), (0.5, 0.005, "nothing"),
    ],
)  # fmt: skip
def test_verdict_is_by_chance_and_by_how_far_from_it(accuracy: float, p_value: float, verdict: str) -> None:
    assert verdict_of(Prediction(accuracy, 0.5, p_value, np.zeros((1, 1))), 2) == verdict


def points(seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(STORES, 3))


class TestPredict:
    def test_a_cluster_that_a_feature_makes_is_told_and_that_feature_carries_it(self) -> None:
        x = points()
        # the middle third is a cluster: neither more nor less of the feature tells it
        labels = 1 + (np.abs(x[:, 1]) < 0.43).astype(np.int32)
        x[::7, 1] = math.nan
        found = predict(x, labels, repeats=2, shuffles=99, seed=1)
        assert found.accuracy > 0.85
        # 1 of the 100 is what was found itself
        assert found.p_value == 0.01
        assert found.shuffled == pytest.approx(0.5, abs=0.03)
        assert found.importance.shape == (3, 10)
        mean = found.importance.mean(axis=1)
        assert mean.argmax() == 1
        assert mean[1] > 0.3
        assert max(abs(mean[0]), abs(mean[2])) < 0.05

    def test_clusters_that_have_nothing_to_do_with_the_features_are_told_as_well_as_shuffled_ones(self) -> None:
        rng = np.random.default_rng(11)
        helpful = 0
        for seed in range(12):
            labels = rng.integers(1, 4, STORES).astype(np.int32)
            found = predict(points(seed), labels, repeats=1, shuffles=99, seed=seed)
            assert found.accuracy == pytest.approx(1 / 3, abs=0.12)
            helpful += verdict_of(found, 3) != "nothing"
        assert helpful <= 1

    def test_same_seed_same_figures(self) -> None:
        labels = np.random.default_rng(2).integers(1, 3, STORES).astype(np.int32)
        first, second = (predict(points(), labels, repeats=1, shuffles=19, seed=3) for _ in range(2))
        assert first[:3] == second[:3]
        assert first.importance.tolist() == second.importance.tolist()


@pytest.fixture
def stage(bench: Any) -> Any:
    def run(labels: list[int], features: dict[str, list[Any]], excluded: int = 0) -> dict[str, Any]:
        stores = [f"s{i:03d}" for i in range(len(labels))]
        exclusion = ["thin"] * excluded + [""] * (len(labels) - excluded)
        bench.parquet("clusters.parquet", {"store_id": stores, "cluster": labels, "exclusion": exclusion})
        bench.parquet("features.parquet", {"store_id": stores, **features})
        bench.run(
            predict_clusters, category="beauty", clusters=bench / "clusters.parquet", store_features=bench / "features.parquet",
            predictions=bench / "predictions.parquet", importance=bench / "importance.parquet", most_stores=100, repeats=1,
            shuffles=99, seed=1,
        )  # fmt: skip
        (row,) = pd.read_parquet(bench / "predictions.parquet").to_dict("records")
        return row

    return run


def test_stage_takes_stores_that_train_and_clusters_that_are_large_enough(bench: Any, stage: Any) -> None:
    # 2 of 150 stores do not train; cluster 3 has four stores that do; of 144 others 100 are drawn, half of each cluster
    labels = [3, 3] + [1, 2] * 72 + [3] * 4
    income = [float(label * 10 + i % 3) for i, label in enumerate(labels)]
    row = stage(labels, {"county.income": income, "county.flat": [1.0] * 150, "county.none": [None] * 150}, excluded=2)
    assert {name: row[name] for name in ("clusters", "left_out", "features", "stores", "sampled")} == {
        "clusters": 3, "left_out": 1, "features": 2, "stores": 148, "sampled": 100,
    }  # fmt: skip
    assert (row["verdict"], row["accuracy"], row["chance"], row["p_value"]) == ("much", 1.0, 0.5, 0.01)
    # shuffled, a store's income is in either half as often: half of the accuracy is lost
    carried = dict(bench.rows("importance.parquet", "feature", "importance"))
    assert carried["county.flat"] == 0
    assert carried["county.income"] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("labels", "features", "verdict"),
    [
        ([1] * 30, {"a.x": [1.0, 2.0] * 15}, "one cluster"),
        ([1, 2] * 15, {"a.x": [None] * 30}, "no data"),
        ([1] * 27 + [2] * 3, {"a.x": [1.0, 2.0] * 15}, "too few stores"),
    ],
)
def test_what_cannot_be_said_is_not_an_error(
    bench: Any, stage: Any, labels: list[int], features: Any, verdict: str
) -> None:
    row = stage(labels, features)
    assert (row["verdict"], row["sampled"], math.isnan(row["accuracy"])) == (verdict, 0, True)
    assert bench.rows("importance.parquet") == []


def test_the_report_says_that_crossing_adds_no_knowledge() -> None:
    row = {"verdict": "nothing", "left_out": 0, "features": 3, "stores": 90, "sampled": 90, "accuracy": 0.31, "chance": 1 / 3,
           "shuffled": 0.33, "p_value": 0.6}  # fmt: skip
    carried = pd.DataFrame({"feature": ["a.x"], "importance": [0.05], "deviation": [0.01]})
    first, second = prediction_words(pd.DataFrame([row]), carried)
    assert first.endswith("Crossing the two adds segments without adding knowledge of what sells.")
    assert second.startswith(
        "From 3 external features alone, the cluster by what sells is told right for 31 % of the stores"
    )
