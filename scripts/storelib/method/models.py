"""What was learned of one view, as plain values: features to points, and points to clusters. JSON, and never a pickle.

A model places stores that were not there when it was fitted, the same way as those that were. It says which table of points it was
fitted to, by its hash, and which versions fitted it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.errors import ConfigError, DataError
from storelib.method.algorithms import Fitted, Mixture
from storelib.method.partitions import Matrix
from storelib.names import WEIGHTS
from storelib.tables import read_json

SCHEMA = 1
PACKAGES = ("numpy", "scikit-learn", "scipy")
# What a report of features does not hold enough of to put other stores through.
TRANSFORMS = ("none", "hellinger", "log1p")
SCALINGS = ("none", "robust", "standard")
IMPUTATIONS = ("mean", "median", "most_frequent")


def digest_of(path: Path) -> str:
    """The hash of a file, by which a model knows what it was fitted to."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def cluster_model(view: str, algorithm: str, fitted: Fitted, numbers: list[int], names: list[str], digest: str) -> str:
    """A fitted partition as JSON. numbers: of the clusters 1..k; names: of the points' columns; digest: of their file."""
    parts = fitted.mixture
    mixture = None if parts is None else {name: value.tolist() for name, value in parts._asdict().items()}
    model = {
        "schema": SCHEMA,
        "view": view,
        "algorithm": algorithm,
        "points": names,
        "points_sha256": digest,
        "clusters": [int(number) for number in numbers],
        "centres": fitted.centres.tolist(),
        "mixture": mixture,
        "versions": {package: metadata.version(package) for package in PACKAGES},
    }
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class ClusterModel:
    """What places a point in a cluster. numbers: of the clusters, in the order of the model's."""

    names: list[str]
    numbers: NDArray[np.int64]
    fitted: Fitted

    @classmethod
    def read(cls, path: Path, digest: str) -> "ClusterModel":
        """A model that was fitted to the points with this hash. Raises DataError for another."""
        model: dict[str, Any] = read_json(path)
        if model["schema"] != SCHEMA or model["points_sha256"] != digest:
            raise DataError(
                f"{path} is of other points or of another version",
                solution="run `clustering run full_pipeline_job` again",
            )
        parts = model["mixture"]
        mixture = None if parts is None else Mixture(*(np.array(parts[name]) for name in Mixture._fields))
        fitted = Fitted(np.empty(0, dtype=np.int32), 0.0, np.array(model["centres"]), mixture)
        return cls(model["points"], np.array(model["clusters"]), fitted)


@dataclass(frozen=True)
class FeatureModel:
    """What turns a table of stores into points: what `build_features` learned and noted in its report.

    report: as it was written; options: the view's block of `build_features`.
    """

    report: pd.DataFrame
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Raise ConfigError for a method whose report does not hold all that was learned."""
        for name, known in (("transform", TRANSFORMS), ("scaling", SCALINGS), ("imputation", IMPUTATIONS)):
            if self.options[name] not in known:
                raise ConfigError(
                    f"stores cannot be placed after {name}: {self.options[name]}",
                    solution=f"choose one of {', '.join(known)} for this view, and run the pipeline again",
                )
        for name in WEIGHTS:
            if self.options[name] > 0:
                raise ConfigError(
                    f"stores cannot be placed after {name}: {self.options[name]:g}",
                    solution=f"set {name}: 0 for this view, and run the pipeline again",
                )
        if self.options["pca_variance"] < 1 or self.options["pca_components"] > 0:
            raise ConfigError(
                "stores cannot be placed after principal components",
                solution="set pca_variance: 1 and pca_components: 0 for this view, and run the pipeline again",
            )

    def points(self, table: pd.DataFrame) -> Matrix:
        """The points of other stores. table: by store, with every feature of the report; a missing value is NaN."""
        learned = self.report[self.report["used"]].set_index("feature")
        values = table[list(learned.index)].to_numpy(dtype="float64")
        if self.options["transform"] == "hellinger":
            values = np.sqrt(values)
        elif self.options["transform"] == "log1p":
            changed = learned["transformed"].to_numpy(dtype=bool)
            values = np.where(changed, np.sign(values) * np.log1p(np.abs(values)), values)
        lower, upper = (learned[name].to_numpy(dtype="float64") for name in ("lower_fence", "upper_fence"))
        # A missing value, or a missing fence, compares as false.
        values = np.where(values < lower, lower, np.where(values > upper, upper, values))
        if self.options["scaling"] != "none":
            values = (values - learned["centre"].to_numpy(dtype="float64")) / learned["scale"].to_numpy(dtype="float64")
        filled: Matrix = np.where(np.isnan(values), learned["imputed_value"].to_numpy(dtype="float64"), values)
        weighted: Matrix = filled * learned["weight"].to_numpy(dtype="float64")
        return weighted
