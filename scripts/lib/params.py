"""The method, `params.yaml`, as a model."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from lib.config import Key, Model, read_yaml, validated

Rule = Literal[
    "silhouette", "calinski_harabasz", "davies_bouldin", "consensus", "bic", "bic_tied",
    "gap", "prediction_strength", "stability",
]  # fmt: skip


class Demo(Model):
    """Size of a planted retailer."""

    seed: int = Field(ge=0)
    stores: int = Field(ge=20)
    categories: int = Field(ge=1, le=4)
    weeks: int = Field(ge=2)
    lines_per_store: int = Field(ge=10, description="sales lines per store and category")
    concentration: float = Field(gt=0, description="Dirichlet concentration: how alike a segment's stores are")


class Category(Model):
    """One category to cluster."""

    name: str = Field(min_length=1, description="as the source spells it")

    @field_validator("name")
    @classmethod
    def survives_a_command(cls, name: str) -> str:
        r"""DVC shortens `\${`, and a program takes a leading dash for a flag."""
        if name.startswith("-") or "\\${" in name:
            raise ValueError("a name that does not start with '-' and does not hold '\\${' is expected")
        return name


class IngestSales(Model):
    """Raw sales lines to exact sums."""

    period: Literal["week", "month", "all"]
    negative_sales: Literal["keep", "drop", "fail"]
    invalid_lines: Literal["drop", "fail"]


class AssignCategories(Model):
    """Sales to categories."""

    unknown_stores: Literal["keep", "drop", "fail"]
    skus_without_category: Literal["drop", "fail"]


class SplitNeedStates(Model):
    """Sales of a category to need states."""

    unmapped_skus: Literal["own_need_state", "drop", "fail"]
    stores_without_net_sales: Literal["place", "drop", "fail"]


class JoinExternal(Model):
    """External sources to store features."""

    stores_without_sales: Literal["keep", "drop"]


class BuildFeatures(Model):
    """A table of stores to the points that are clustered. Applied in this order, but for the seed."""

    transform: Literal["none", "hellinger", "clr", "log1p", "yeo_johnson"]
    winsorise_iqr: float = Field(
        ge=0,
        allow_inf_nan=False,
        description="interquartile ranges beyond the quartiles, where values are cut; 0 is off",
    )
    scaling: Literal["none", "robust", "standard", "quantile"]
    imputation: Literal["mean", "median", "most_frequent", "knn"]
    max_correlation: float = Field(gt=0, le=1, description="of two features with a larger |r| one goes; 1 is off")
    outliers: Literal["none", "isolation_forest", "elliptic_envelope", "local_outlier_factor"]
    outlier_share: float = Field(ge=0, le=0.5, description="contamination: the share of stores taken out; 0 is off")
    pca_variance: float = Field(gt=0, le=1, description="share of variance kept by PCA; 1 is off")
    pca_components: int = Field(ge=0, description="number of components kept by PCA; 0 is off")
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def components_are_chosen_once(self) -> "BuildFeatures":
        """By share of variance, by number, or not at all."""
        if self.pca_variance < 1 and self.pca_components > 0:
            raise ValueError(
                f"pca_variance {self.pca_variance} and pca_components {self.pca_components} are both set; "
                "pca_variance: 1 or pca_components: 0 is expected"
            )
        return self


class BuildInternalFeatures(BuildFeatures):
    """Shares to points."""

    min_lines: int = Field(ge=0, description="stores with fewer sales lines are placed but do not train")
    min_sales: float = Field(
        ge=0, allow_inf_nan=False, description="stores with less net sales are placed but do not train"
    )
    min_need_states: int = Field(ge=0, description="stores that sell fewer need states are placed but do not train")


class ClusterStores(Model):
    """Points to clusters."""

    algorithm: Literal["kmeans"]
    min_clusters: int = Field(ge=1, description="1 allows the finding that there is no structure")
    max_clusters: int = Field(ge=1)
    rule: Rule
    all_rules: bool = Field(
        description="compute gap, prediction_strength and stability too, which cost dozens of scans"
    )
    min_cluster_share: float = Field(
        ge=0, lt=1, description="a k with a cluster of fewer of the training stores is not eligible; 0 is off"
    )
    bic_coarsening: float = Field(ge=0, description="how far BIC believes that clusters are Gaussian; 0 is wholly")
    resamples: int = Field(ge=2, description="reference sets, halvings and bootstrap samples of the resampling rules")
    n_init: int = Field(ge=1, description="starts of k-means")
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def range_is_upright(self) -> "ClusterStores":
        """At least one k."""
        if self.min_clusters > self.max_clusters:
            raise ValueError(f"min_clusters {self.min_clusters} is above max_clusters {self.max_clusters}")
        return self


class Internal(Model):
    """What sells where."""

    categories: Annotated[dict[Key, Category], Field(min_length=1)]
    ingest_sales: IngestSales
    assign_categories: AssignCategories
    split_need_states: SplitNeedStates
    build_features: BuildInternalFeatures
    cluster_stores: ClusterStores

    @field_validator("categories")
    @classmethod
    def names_are_distinct(cls, categories: dict[str, Category]) -> dict[str, Category]:
        """A category clustered under two keys would be counted twice."""
        seen: dict[str, str] = {}
        for key, category in categories.items():
            if category.name in seen:
                raise ValueError(f"{key} and {seen[category.name]} both name {category.name!r}")
            if key == "external":
                raise ValueError("'external' is the name of the external view; another key is expected")
            seen[category.name] = key
        return categories


class External(Model):
    """Where stores are."""

    join_external: JoinExternal
    build_features: BuildFeatures
    cluster_stores: ClusterStores


class Merging(Model):
    """Internal x external clusters to segments."""

    min_cluster_size: int = Field(ge=1, description="smaller segments are dissolved into the nearest others")
    internal_weight: float = Field(gt=0, description="weight of the sales mix in the distance between segments")
    external_weight: float = Field(gt=0, description="weight of external data in the distance between segments")


class Params(Model):
    """params.yaml."""

    env: Key
    demo: dict[Key, Demo]
    internal: Internal
    external: External
    merging: Merging


def load_params(path: Path = Path("params.yaml")) -> Params:
    """The method. Raises ConfigError."""
    return validated(Params, read_yaml(path), path)
