"""The method, `params.yaml`, as a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, get_origin

from pydantic import AfterValidator, Field, ValidationError, create_model, field_validator, model_validator

from storelib.configuration.own_settings import BLOCKS
from storelib.configuration.place import Key, Model, validated
from storelib.configuration.weights import view_shares
from storelib.configuration.yaml_files import read_yaml
from storelib.errors import ConfigError
from storelib.method.weights import weight_of
from storelib.names import LARGEST_SEED
from storelib.raw.spellings import folded, id_text

# What may stand in place of the categories until their keys are written down.
ALL = "all"
Rule = Literal[
    "silhouette", "calinski_harabasz", "davies_bouldin", "consensus", "bic", "bic_tied",
    "gap", "prediction_strength", "stability",
]  # fmt: skip


# One file of words for each language.
WORDS = Path(__file__).parents[2] / "templates" / "words"


def is_spoken(language: str) -> str:
    """A language that the pages are written in."""
    known = sorted(path.stem for path in WORDS.glob("*.yaml"))
    if language not in known:
        raise ValueError(f"one of {', '.join(known)} is expected, or another with a file {WORDS.name}/<language>.yaml")
    return language


class Demo(Model):
    """Size of a planted retailer."""

    seed: int = Field(ge=0, le=LARGEST_SEED, description="every random draw follows from it")
    stores: int = Field(ge=20, description="stores that sell")
    categories: int = Field(
        ge=1, le=4, description="how many of `beauty`, `cocktails_rtd`, `health_otc`, `snacks`, in this order"
    )
    weeks: int = Field(ge=2, description="weeks of sales")
    lines_per_store: int = Field(ge=10, description="sales lines per store and category")
    concentration: float = Field(gt=0, description="how alike the stores of a planted segment are (Dirichlet)")


class IngestSales(Model):
    """Raw sales lines to exact sums."""

    period: Literal["week", "month", "all"] = Field(description="what sales lines are summed over; `all` needs no date")
    negative_sales: Literal["keep", "drop", "fail"] = Field(description="returns and corrections")
    invalid_lines: Literal["drop", "fail"] = Field(
        description="lines without store, SKU, amount or (where one is used) date"
    )
    largest_lines: bool = Field(
        default=False,
        description="find the largest sales line of each store too, for the check `largest_line`; it costs a part of the pass",
    )
    cap_quantile: float = Field(
        default=1,
        gt=0,
        le=1,
        description="a line above this quantile of its category's lines counts as much as that in shares, and whole in all sums; 1 is "
        "off. It reads the sales twice",
    )
    seasons: bool = Field(
        default=False,
        description="sum each store's sales by month of the year too, for `season_weight`; it needs a date, and costs a part of the pass",
    )


Spelling = Literal["keep", "unify", "fail"]


class IngestProductMap(Model):
    """The product map to distinct pairs of SKU and need state."""

    spelling: Spelling = Field(
        description="need states that differ by case, spaces or characters that do not show, such as ` DRY SKIN` and `Dry skin`; "
        "`unify` warns, and takes the most frequent spelling"
    )


class AssignCategories(Model):
    """Sales to categories."""

    unknown_stores: Literal["keep", "drop", "fail"] = Field(
        description="sales of stores that the store table does not have"
    )
    skus_without_category: Literal["drop", "fail"] = Field(
        description="sales for which neither the sale nor the product map gives a category"
    )
    spelling: Spelling = Field(
        description="categories of the sales and of the product map that are spelt in several ways, as in `ingest_product_map`; "
        "with `unify` a name under `internal.categories` may be any of these spellings"
    )


class SplitNeedStates(Model):
    """Sales of a category to need states."""

    unmapped_skus: Literal["own_need_state", "drop", "fail"] = Field(
        description="SKUs without a need state; their own is called `(unmapped)`"
    )
    skus_of_other_categories: Literal["keep", "unmapped", "fail"] = Field(
        description="SKUs that the product map has in other categories only; `keep` takes their need states there"
    )
    stores_without_net_sales: Literal["place", "drop", "fail"] = Field(
        description="stores whose every need state nets to nothing; `place` gives them the chain's shares and a flag"
    )
    measure: Literal["sales", "lines", "units"] = Field(
        default="sales",
        description="what shares are of: net sales; sales lines, of which a large one counts as any other; or units, where the sales "
        "have a column of them",
    )


class JoinExternal(Model):
    """External sources to store features."""

    stores_without_sales: Literal["keep", "drop"] = Field(description="stores of the store table that sell nothing")


def is_weight(text: str) -> str:
    """Of a feature's weight. Raises ValueError where it is none."""
    weight_of(text)
    return text


FeatureWeights = list[Annotated[str, AfterValidator(is_weight)]]


class BuildFeatures(Model):
    """A table of stores to the points that are clustered. Applied in this order, but for the seed."""

    transform: Literal["none", "hellinger", "clr", "log1p", "yeo_johnson"] = Field(
        description="what is done to each feature first; `hellinger` and `clr` are for shares, `clr` for shares with counts"
    )
    winsorise_iqr: float = Field(
        ge=0,
        description="values further than this many interquartile ranges from the quartiles are set to that fence; 0 is off",
    )
    scaling: Literal["none", "robust", "standard", "quantile"] = Field(
        description="median and interquartile range, mean and standard deviation, or normal quantiles of ranks"
    )
    imputation: Literal["mean", "median", "most_frequent", "knn"] = Field(
        description="what a missing value becomes, from the stores that train; `knn` is the mean of the 5 nearest"
    )
    max_correlation: float = Field(
        gt=0, le=1, description="of two features with a larger absolute correlation the later one is dropped; 1 is off"
    )
    feature_weights: FeatureWeights = Field(
        default=[],
        description="how much a feature counts besides others, such as `floor_area=0.5`; 1 where none is named, 0 leaves it out",
    )
    outliers: Literal["none", "isolation_forest", "elliptic_envelope", "local_outlier_factor"] = Field(
        description="what finds outliers"
    )
    outlier_share: float = Field(
        ge=0, le=0.5, description="share of the stores that train which are outliers; 0 is off"
    )
    pca_variance: float = Field(gt=0, le=1, description="share of variance that principal components keep; 1 is off")
    pca_components: int = Field(
        ge=0, description="number of principal components; 0 is off. Not together with `pca_variance`"
    )
    seed: int = Field(ge=0, le=LARGEST_SEED, description="of the isolation forest and the elliptic envelope")

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
    min_sales: float = Field(ge=0, description="the same of net sales, in currency; 0 is off")
    min_need_states: int = Field(
        ge=0,
        description="the same of distinct need states sold, or of all that the chain sells if these are fewer; 0 is off",
    )
    level_weight: float = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="how much the level of a store's net sales counts beside its shares, which have 1; 0 is off",
    )
    price_weight: float = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="the same of what a store takes for a unit, on the average; it needs `units` in the sales",
    )
    season_weight: float = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="the same of the shares of its sales by month of the year; it needs `seasons` of `ingest_sales`",
    )


class ClusterStores(Model):
    """Points to clusters."""

    algorithm: Literal["kmeans", "gaussian_mixture", "ward", "kmedoids", "constrained_kmeans"] = Field(
        description="what parts the points into clusters; k is chosen for the same algorithm"
    )
    least_stores: float = Field(
        ge=0,
        description="of `constrained_kmeans`: stores that train in each cluster; below 1 a share of them; 0 is off",
    )
    most_stores: float = Field(
        ge=0, description="of `constrained_kmeans`: stores in each cluster; below 1 a share of all; 0 is off"
    )
    min_clusters: int = Field(ge=1, description="smallest k tried; 1 allows the finding that there is no structure")
    max_clusters: int = Field(ge=1, description="largest k tried, as far as the data allow")
    rule: Rule = Field(description="what chooses k")
    all_rules: bool = Field(
        description="compute `gap`, `prediction_strength` and `stability` too, which cost dozens of scans, to compare them"
    )
    min_cluster_share: float = Field(
        ge=0, lt=1, description="a k with a cluster of fewer of the training stores cannot be chosen; 0 is off"
    )
    bic_coarsening: float = Field(
        ge=0, description="stores up to which BIC believes that clusters are Gaussian; 0 is without end"
    )
    resamples: int = Field(
        ge=2,
        le=10_000,
        description="reference sets of `gap`, halvings of `prediction_strength`, samples of `stability`",
    )
    refits: int = Field(
        ge=2,
        le=10_000,
        description="bootstrap samples that are clustered anew, to say how sure clusters and stores are",
    )
    n_init: int = Field(ge=1, le=10_000, description="random starts, of which the best is kept; `ward` has none")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="of the starts and of the resampling")

    @model_validator(mode="after")
    def range_is_upright(self) -> "ClusterStores":
        """At least one k."""
        if self.min_clusters > self.max_clusters:
            raise ValueError(f"min_clusters {self.min_clusters} is above max_clusters {self.max_clusters}")
        return self

    @model_validator(mode="after")
    def sizes_mean_something(self) -> "ClusterStores":
        """Only where clusters are constrained, and not against each other."""
        sizes = f"least_stores {self.least_stores:g} and most_stores {self.most_stores:g}"
        if self.algorithm != "constrained_kmeans" and (self.least_stores or self.most_stores):
            raise ValueError(
                f"{sizes} mean nothing to {self.algorithm}; 0, or algorithm: constrained_kmeans, is expected"
            )
        comparable = (self.least_stores < 1) == (self.most_stores < 1)
        if self.most_stores and comparable and self.least_stores > self.most_stores:
            raise ValueError(f"{sizes} contradict each other")
        return self


class Merging(Model):
    """The clusters of both views to segments."""

    method: Literal["cross", "nested", "joint"] = Field(
        description="`cross`: each cluster by what sells with each by place; `nested`: clusters of one view within each of the "
        "other's; `joint`: one clustering of both views' points side by side"
    )
    inner_view: Literal["internal", "external"] = Field(
        description="of `nested`: the view that is clustered within each cluster of the other one"
    )
    rule: Literal["silhouette", "calinski_harabasz", "davies_bouldin", "consensus", "bic", "bic_tied"] = Field(
        description="of `nested` and `joint`: what chooses the number of clusters"
    )
    max_clusters: int = Field(ge=1, description="of `nested` and `joint`: largest k tried, as far as the data allow")
    bic_coarsening: float = Field(ge=0, description="of `nested` and `joint`: as of `cluster_stores`")
    n_init: int = Field(ge=1, le=10_000, description="of `nested` and `joint`: starts of k-means; the best is kept")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="of `nested` and `joint`: of k-means")
    min_cluster_size: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] = Field(
        description="smaller segments are dissolved into the nearest others; below 1 it is a share of the category's stores"
    )
    max_segments: int = Field(
        ge=0, description="segments of a category at most: the nearest are merged until there are no more; 0 is off"
    )
    internal_weight: float = Field(
        gt=0,
        le=100,
        description="share of the sales mix in the distance between segments; both add to 100 (per cent), or to 1",
    )
    external_weight: float = Field(gt=0, le=100, description="share of external data in that distance")

    @model_validator(mode="after")
    def weights_are_a_whole(self) -> "Merging":
        """Shares of one thing."""
        view_shares(self.internal_weight, self.external_weight)
        return self


class Part(Model):
    """Some settings of a block."""


def partial(model: type[Model]) -> type[Part]:
    """A model of some of another one's settings: each may be left out.

    What DVC leaves out of a command cannot stand for something: false, and a list of nothing.
    """
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        annotation = Literal[True] if field.annotation is bool else field.rebuild_annotation()
        if get_origin(field.annotation) is list:
            annotation = Annotated[annotation, Field(min_length=1)]
        fields[name] = (annotation, Field(default=None, description=field.description))
    return create_model(f"Own{model.__name__}", __base__=Part, __doc__="A category's own settings.", **fields)


if TYPE_CHECKING:
    # A checker of types does not know models that are made when this runs.
    OwnSplitNeedStates: TypeAlias = Part
    OwnBuildFeatures: TypeAlias = Part
    OwnClusterStores: TypeAlias = Part
    OwnMerging: TypeAlias = Part
else:
    OwnSplitNeedStates = partial(SplitNeedStates)
    OwnBuildFeatures = partial(BuildInternalFeatures)
    OwnClusterStores = partial(ClusterStores)
    OwnMerging = partial(Merging)


class Category(Model):
    """One category to cluster."""

    name: str = Field(min_length=1, description="a category to cluster, as the source spells it")
    split_need_states: OwnSplitNeedStates = Field(
        default=OwnSplitNeedStates(), description="this category's own, instead of `internal.split_need_states`"
    )
    build_features: OwnBuildFeatures = Field(
        default=OwnBuildFeatures(), description="its own, instead of `internal.build_features`"
    )
    cluster_stores: OwnClusterStores = Field(
        default=OwnClusterStores(), description="its own, instead of `internal.cluster_stores`"
    )
    merging: OwnMerging = Field(default=OwnMerging(), description="its own, instead of `merging`")

    @field_validator("name")
    @classmethod
    def survives_a_command(cls, name: str) -> str:
        r"""DVC shortens `\${`, and a program takes a leading dash for a flag."""
        if name.startswith("-") or "\\${" in name:
            raise ValueError("a name that does not start with '-' and does not hold '\\${' is expected")
        return name

    @field_validator("name")
    @classmethod
    def is_in_the_form_of_ids(cls, name: str) -> str:
        """As the stages read it in the data."""
        if not id_text(name):
            raise ValueError("a name is expected, not spaces alone")
        return id_text(name)


class Internal(Model):
    """What sells where."""

    categories: Annotated[dict[Key, Category], Field(min_length=1)]
    ingest_sales: IngestSales
    ingest_product_map: IngestProductMap
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

    @model_validator(mode="after")
    def spellings_are_distinct(self) -> "Internal":
        """Two categories whose spellings are unified would be one."""
        if self.assign_categories.spelling != "unify":
            return self
        seen: dict[str, str] = {}
        for key, category in self.categories.items():
            other = seen.setdefault(folded(category.name), key)
            if other != key:
                raise ValueError(
                    f"categories {other} and {key} name {self.categories[other].name!r} and {category.name!r}, two spellings "
                    "of one name; `spelling: keep` of assign_categories, or one category, is expected"
                )
        return self


class External(Model):
    """Where stores are."""

    join_external: JoinExternal
    build_features: BuildFeatures
    cluster_stores: ClusterStores


class DescribeSegments(Model):
    """What each segment is."""

    least_effect: float = Field(
        ge=0,
        description="how far a segment must be from all other stores to be told so, in standard deviations (Cohen's d); "
        "less is `like the chain`",
    )
    rule_depth: int = Field(ge=1, le=10, description="conditions of a rule at most")
    typical_stores: int = Field(ge=1, description="typical stores of each segment that are listed, and odd ones")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="of the tree of rules, and of the parts that it is tried on")


class PredictClusters(Model):
    """Whether external data tell what sells."""

    most_stores: int = Field(ge=100, description="of more stores a stratified sample of about that many is looked at")
    repeats: int = Field(ge=1, le=100, description="times that every store's cluster is predicted")
    shuffles: int = Field(
        ge=19, le=100_000, description="times that clusters are shuffled among the stores, to know what chance can do"
    )
    seed: int = Field(ge=0, le=LARGEST_SEED, description="of the sample, the folds and the shuffling")


class Describing(Model):
    """What is said about segments."""

    describe_segments: DescribeSegments
    predict_clusters: PredictClusters


class Chain(Model):
    """The segments of all categories to one segment of each store."""

    max_segments: int = Field(ge=1, description="segments of the chain at most; the mean silhouette chooses how many")
    n_init: int = Field(ge=1, le=10_000, description="starts of k-means; the best is kept")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="of k-means")


class AtLeast(Model):
    """Levels of a share that should be large."""

    warn: float = Field(ge=0, le=1, description="smaller is a warning; 0 is off")
    fail: float = Field(ge=0, le=1, description="smaller fails the run; 0 is off")

    @model_validator(mode="after")
    def failing_is_worse(self) -> "AtLeast":
        """A figure that fails is worse than one that warns."""
        return fails_below(self)


class AtLeastStores(Model):
    """Levels of a number of stores that should be large."""

    warn: int = Field(ge=0, description="fewer is a warning; 0 is off")
    fail: int = Field(ge=0, description="fewer fails the run; 0 is off")

    @model_validator(mode="after")
    def failing_is_worse(self) -> "AtLeastStores":
        """A figure that fails is worse than one that warns."""
        return fails_below(self)


Large = TypeVar("Large", AtLeast, AtLeastStores)


def fails_below(levels: Large) -> Large:
    """Raise ValueError where a figure would fail before it warns."""
    if levels.fail > levels.warn:
        raise ValueError(f"fail {levels.fail} is above warn {levels.warn}; at most {levels.warn} is expected")
    return levels


class AtMost(Model):
    """Levels of a share that should be small."""

    warn: float = Field(ge=0, le=1, description="a larger share is a warning; 1 is off")
    fail: float = Field(ge=0, le=1, description="a larger share fails the run; 1 is off")

    @model_validator(mode="after")
    def failing_is_worse(self) -> "AtMost":
        """A figure that fails is worse than one that warns."""
        if self.fail < self.warn:
            raise ValueError(f"fail {self.fail} is below warn {self.warn}; at least {self.warn} is expected")
        return self


class Checks(Model):
    """What is expected of the result; `check_results` looks, `require_checks` fails."""

    mapped_sales: AtLeast = Field(description="share of each category's sales whose SKU has a need state")
    sales_set_aside: AtMost = Field(
        description="share of sales set aside before categories are selected, and in each one"
    )
    lines_set_aside: AtMost = Field(description="the same of sales lines")
    stores_set_aside: AtMost = Field(description="the same of stores of which nothing is left")
    found_stores: AtLeast = Field(
        description="share of the stores that sell which the store table has, and each external source"
    )
    smallest_segment: AtLeastStores = Field(description="stores in the smallest segment of each category")
    large_lines: AtMost = Field(
        description="share of each category's stores that have more than a quarter of their sales in amounts far above usual lines"
    )
    largest_line: AtMost = Field(
        description="share of each category's stores that have more than a quarter of their sales in one line; of what "
        "`ingest_sales.largest_lines` finds",
    )
    dissolved_stores: AtMost = Field(
        description="share of each category's stores whose segment is below `merging.min_cluster_size`"
    )
    churn: AtMost = Field(
        description="share of each category's stores that are in another segment than in the baseline, of those in both"
    )
    borderline_stores: AtMost = Field(
        description="share of each view's stores that are on a border: less than 90 % sure of their cluster"
    )


class Report(Model):
    """For whom the report, the workbook of all categories, and names and rules of segments are written."""

    language: Annotated[str, AfterValidator(is_spoken)] = Field(
        description="`en`, `de`, or another with a file in `scripts/templates/words/`"
    )
    decimal: Literal["point", "comma"] = Field(description="mark before decimals")
    thousands: Literal["comma", "point", "space", "apostrophe", "none"] = Field(
        description="mark between groups of three digits"
    )
    currency: Annotated[str, Field(min_length=1, max_length=8, pattern=r"^[^\s\d%<>&,.-]+$")] | None = Field(
        default=None,
        description="of amounts: a symbol such as `€`, or a code such as `EUR`; by default none is written",
    )

    @model_validator(mode="after")
    def marks_differ(self) -> "Report":
        """One mark cannot mean two things."""
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal}; two different marks are expected")
        return self


class Params(Model):
    """params.yaml."""

    env: Key = Field(description="which `configs/<env>.yml` and `data/raw/<env>/`")
    demo: dict[Key, Demo] = Field(
        description="made-up retailers, by environment; a project with data of its own has `demo: {}`"
    )
    internal: Internal
    external: External
    merging: Merging
    chain: Chain
    describing: Describing
    checks: Checks
    report: Report

    @model_validator(mode="after")
    def own_settings_fit_the_others(self) -> "Params":
        """A category's settings are one block with those of all categories."""
        for key in self.internal.categories:
            for name in BLOCKS:
                try:
                    self.block_of(key, name)
                except ValidationError as error:
                    reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
                    raise ValueError(f"internal.categories.{key}.{name}: {reason}") from None
        return self

    def block_of(self, key: str, name: str) -> Model:
        """The settings of one category: those of all categories, where it has none of its own. name: one of BLOCKS."""
        block: Model = self.merging if name == "merging" else getattr(self.internal, name)
        own = getattr(self.internal.categories[key], name).model_dump(exclude_unset=True)
        return type(block).model_validate(block.model_dump() | own)


def asks_for_all(raw: Any) -> bool:
    """Whether a method, as it was read, has `all` in place of its categories."""
    internal = raw.get("internal") if isinstance(raw, Mapping) else None
    return isinstance(internal, Mapping) and internal.get("categories") == ALL


def method_of(raw: Any, path: Path) -> Params:
    """The method, as it was read from a file. Raises ConfigError."""
    if asks_for_all(raw):
        raise ConfigError(
            f"{path}: internal.categories is {ALL!r}; the runners need a key for each category, which names its files and stages",
            solution="run `clustering categories --write`, which writes down a key for each category of the data",
        )
    return validated(Params, raw, path)


def load_params(path: Path = Path("params.yaml")) -> Params:
    """The method. Raises ConfigError."""
    return method_of(read_yaml(path), path)
