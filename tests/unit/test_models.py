"""Fitted models as plain values: they give the points and the clusters that were fitted."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from storelib.errors import ConfigError, DataError
from storelib.method.algorithms import ALGORITHMS, Algorithm
from storelib.method.features import FeatureOptions, fit_features
from storelib.method.models import ClusterModel, FeatureModel, cluster_model, digest_of

PLAIN = {"transform": "none", "scaling": "none", "imputation": "median", "pca_variance": 1.0, "pca_components": 0}
MODEL = PLAIN | {"level_weight": 0.0, "price_weight": 0.0, "season_weight": 0.0}


def drawn() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    table = pd.DataFrame(np.exp(rng.normal(size=(60, 4))), columns=list("abcd"))
    table["b"] = 5.0
    table.iloc[::7, 2] = np.nan
    table.iloc[3, 0] = 1000.0
    return table


@pytest.mark.parametrize("transform", ["none", "hellinger", "log1p"])
@pytest.mark.parametrize(("scaling", "fences"), [("none", 0.0), ("standard", 3.0), ("robust", 1.5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_known_stores_come_to_their_own_points_to_the_last_bit(
    transform: str, scaling: str, fences: float, weighted: bool
) -> None:
    table = drawn()
    options = PLAIN | {"transform": transform, "scaling": scaling}
    weights = {"feature_weights": ["a=0.3", "d=0"] if weighted else []}
    fitted = fit_features(table, np.arange(60) < 50, FeatureOptions(**options, **weights, winsorise_iqr=fences))  # type: ignore[arg-type]
    model = FeatureModel(fitted.report, MODEL | options)
    assert (model.points(table) == fitted.points).all()
    # b tells nothing and is no dimension
    assert model.points(table.iloc[[5]][["d", "c", "b", "a"]]).shape == (1, 2 if weighted else 3)


def test_what_was_learned_is_applied_by_hand() -> None:
    report = pd.DataFrame(
        {
            "feature": ["x", "y", "z"], "used": [True, True, False], "transformed": [True, False, False],
            "lower_fence": [0.0, np.nan, np.nan], "upper_fence": [np.log(4), np.nan, np.nan],
            "centre": [np.log(2), 10.0, np.nan], "scale": [2.0, 5.0, np.nan], "imputed_value": [0.25, -1.0, np.nan],
            "weight": [1.0, 1.0, 1.0],
        }
    )  # fmt: skip
    model = FeatureModel(report, MODEL | {"transform": "log1p", "scaling": "standard"})
    found = model.points(pd.DataFrame({"x": [1.0, 100.0, np.nan], "y": [20.0, np.nan, 0.0], "z": [1.0, 1.0, 1.0]}))
    # ln 2 is the centre; 100 is clipped to ln 4, which is ln 2 above it, over 2; (20 - 10) / 5 = 2; (0 - 10) / 5 = -2
    assert found == pytest.approx(np.array([[0, 2], [np.log(2) / 2, -1], [0.25, -2]]))


@pytest.mark.parametrize(
    "options",
    [
        {"transform": "clr"},
        {"level_weight": 0.5},
        {"price_weight": 0.5},
        {"season_weight": 0.5},
        {"scaling": "quantile"},
        {"imputation": "knn"},
        {"pca_variance": 0.9},
        {"pca_components": 2},
    ],
)
def test_methods_whose_reports_do_not_hold_all_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="stores cannot be placed after"):
        FeatureModel(pd.DataFrame(), MODEL | options)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_model_that_was_written_places_as_the_one_that_was_fitted(tmp_path: Path, name: str) -> None:
    points = np.random.default_rng(1).normal(size=(50, 2)) + np.repeat([[0], [6]], 25, axis=0)
    fitted = Algorithm(name, 2, 1).fit(points, 2)
    path = tmp_path / "model.json"
    path.write_text(cluster_model("beauty", name, fitted, [7, 3], ["x", "y"], "abc"))
    model = ClusterModel.read(path, "abc")
    assert (model.fitted.distances(points) == fitted.distances(points)).all()
    assert (model.numbers.tolist(), model.names) == ([7, 3], ["x", "y"])
    assert json.loads(path.read_text())["versions"].keys() == {"numpy", "scikit-learn", "scipy"}
    with pytest.raises(DataError, match="of other points or of another version"):
        ClusterModel.read(path, digest_of(path))
