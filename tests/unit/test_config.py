"""params.yaml and configs/<env>.yml as models: mistakes are told with file, key, found and expected."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from storelib.configuration.params import Params, load_params
from storelib.configuration.place import load_place
from storelib.configuration.yaml_files import read_yaml
from storelib.errors import ConfigError

PROJECT = Path(__file__).parents[2]
PLACE: dict[str, Any] = {
    "sources": {
        "sales": {
            "reader": "csv", "path": "sales.csv", "columns": {"store_id": "S", "sku": "K", "sales": "A", "category": "C"},
        },
        "product_map": {"reader": "csv", "path": "map.csv", "columns": {"sku": "K", "need_state": "N"}},
        "stores": {"reader": "parquet", "path": "stores.parquet", "columns": {"store_id": "S", "county": "F"}},
        "external": {"county": {"reader": "csv", "path": "c.csv", "key": {"county": "F"}}},
    }
}  # fmt: skip


def changed(tree: Any, keys: str, value: object) -> Any:
    """A copy of the tree with one value changed, or deleted where the value is ...; keys are joined by dots."""
    first, _, rest = keys.partition(".")
    copy = dict(tree)
    if rest:
        copy[first] = changed(copy.get(first, {}), rest, value)
    elif value is ...:
        del copy[first]
    else:
        copy[first] = value
    return copy


def write(path: Path, tree: Any) -> Path:
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree), encoding="utf-8")
    return path


def test_place_is_read_with_defaults(tmp_path: Path) -> None:
    place = load_place(write(tmp_path / "dev.yml", PLACE))
    assert (place.compute.memory_limit, place.compute.threads) == ("512MB", 2)
    assert (place.sources.sales.missing, place.sources.sales.delimiter, place.sources.baseline) == ([], ",", None)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("sources.sale", {}, "sources.sale is not a known key (nearest: 'sales')"),
        ("sources.sales.colums", {}, "sources.sales.colums is not a known key (nearest: 'columns')"),
        (
            "sources.sales.columns.stor_id",
            "S",
            "sources.sales.columns.stor_id is not a known key (nearest: 'store_id')",
        ),
        (
            "sources.sales.reader",
            "sas",
            "sources.sales.reader: Value error, a reader is expected: csv, excel, json, parquet, found 'sas'",
        ),
        ("sources.sales", ..., "sources.sales: Field required"),
        ("sources.stores.columns", {"stor_id": "STORE"}, "a column for store_id is expected (nearest: 'stor_id')"),
        (
            "sources.sales.columns.sales",
            ...,
            "columns.sales is expected, or columns.quantity and columns.price, or `wide`",
        ),
        ("sources.sales.columns.price", "PRICE", "there is price and sales"),
        (
            "sources.sales.columns.sales",
            ["d_1", "d_2"],
            "one column is expected; a column for each day, week or month is told under",
        ),
        (
            "sources.sales.wide",
            {"columns": "d_*"},
            "of a wide table of sales, columns.sales and columns.quantity are in the cells",
        ),
        ("sources.sales.wide", {"columns": "d_"}, "sources.sales.wide.columns: String should match pattern"),
        ("sources.sales.wide", {"columns": "d_*", "unit": "week"}, "`first_day` is expected with `unit`"),
        (
            "sources.sales.wide",
            {"columns": "d_*", "first_day": date(2011, 1, 29)},
            'quotes are expected around a date: "2011-01-29"',
        ),
        ("sources.sales.wide", {"columns": "d_*", "first_day": "2011-02-30"}, "sources.sales.wide.first_day"),
        ("sources.sales.columns.sku", ..., "sources.sales.columns.sku: Field required"),
        ("sources.sales.columns.sku", 7, "sources.sales.columns.sku: Input should be a valid string, found 7"),
        ("sources.sales.path", "../x.csv", "a path inside data/raw/<env>/ is expected, found '../x.csv'"),
        ("sources.sales.path", "/etc/passwd", "a path inside data/raw/<env>/ is expected, found '/etc/passwd'"),
        ("sources.sales.path", "a/../../x", "a path inside data/raw/<env>/ is expected"),
        ("sources.sales.path", "", "a path inside data/raw/<env>/ is expected"),
        (
            "sources.sales.columns.category",
            ...,
            "a category column is expected in sales.columns or in product_map.columns",
        ),
        ("sources.stores.columns.store_id", ..., "a column for store_id is expected"),
        ("sources.external.county.key", {}, "Dictionary should have at least 1 item"),
        ("sources.external.county.key", {"store_id": []}, "at least 1 item"),
        ("sources.external.county.categorical", ["F"], "column 'F' is named twice"),
        ("sources.external.county.max_levels", 1, "greater than or equal to 2"),
        (
            "sources.sales.id_case",
            "lower",
            "sources.sales.id_case: Input should be 'fail', 'keep' or 'upper', found 'lower'",
        ),
        ("sources.stores.id_case", "upper", "id_case is 'fail' in sales and 'upper' in stores"),
        ("sources.external.county.key", {"countty": "b"}, "'countty' is no column of stores (nearest: 'county')"),
        ("sources.external.county.features", [], "at least 1 item"),
        ("sources.external.Bad/Key", {"reader": "csv"}, "Bad/Key"),
        ("compute.threads", 0, "compute.threads: Input should be greater than or equal to 1, found 0"),
        ("compute.threads", True, "compute.threads: Input should be a valid integer, found True"),
        ("compute.memory_limit", "lots", "compute.memory_limit: String should match pattern"),
    ],
)
def test_mistakes_in_the_place_are_told(tmp_path: Path, keys: str, value: object, message: str) -> None:
    path = write(tmp_path / "dev.yml", changed(PLACE, keys, value))
    with pytest.raises(ConfigError) as caught:
        load_place(path)
    assert str(path) in caught.value.args[0]
    assert message in caught.value.args[0]
    assert caught.value.exit_code == 3
    assert "\n" not in caught.value.args[0]


@pytest.mark.parametrize(
    ("keys", "name", "wrong"),
    [
        ("sources.sales.columns", "sku", "skuu"),
        ("sources.sales.columns", "store_id", "storeid"),
        ("sources.sales", "columns", "colums"),
        ("sources", "product_map", "productmap"),
        ("sources.external.county", "key", "keys"),
    ],
)
def test_required_key_that_is_misspelt_is_told_as_such(tmp_path: Path, keys: str, name: str, wrong: str) -> None:
    """Both are wrong, that one is missing and that the other is not known: what is meant is told."""
    tree = json.loads(json.dumps(PLACE))
    block = tree
    for key in keys.split("."):
        block = block[key]
    block[wrong] = block.pop(name)
    with pytest.raises(ConfigError) as caught:
        load_place(write(tmp_path / "dev.yml", tree))
    assert f"{keys}.{wrong} is not a known key (nearest: '{name}')" in caught.value.args[0]


@pytest.mark.parametrize(
    ("text", "expected"), [("${env:T_MEMORY}", "3GB"), ("${env:T_ABSENT,1GB}", "1GB"), ("${env:T_MEMORY,1GB}", "3GB")]
)
def test_environment_variables_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    monkeypatch.setenv("T_MEMORY", "3GB")
    monkeypatch.delenv("T_ABSENT", raising=False)
    place = load_place(write(tmp_path / "dev.yml", changed(PLACE, "compute.memory_limit", text)))
    assert place.compute.memory_limit == expected


# YAML 1.1 reads `010` as eight, and `0008` as text.
@pytest.mark.parametrize(("text", "number"), [("4", 4), ("010", 10), ("0008", 8)])
def test_environment_variables_may_give_a_decimal_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, number: int
) -> None:
    monkeypatch.setenv("T_THREADS", text)
    place = load_place(write(tmp_path / "dev.yml", changed(PLACE, "compute.threads", "${env:T_THREADS,2}")))
    assert place.compute.threads == number


def test_variable_that_is_not_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("T_ABSENT", raising=False)
    with pytest.raises(ConfigError, match="environment variable T_ABSENT is not set") as caught:
        load_place(write(tmp_path / "prod.yml", changed(PLACE, "compute.memory_limit", "${env:T_ABSENT}")))
    assert ".env.prod" in caught.value.solution


def test_sources_may_not_depend_on_a_variable(tmp_path: Path) -> None:
    path = write(tmp_path / "dev.yml", changed(PLACE, "sources.sales.path", "${env:HOME}/sales.csv"))
    with pytest.raises(ConfigError, match=r"sources\.sales\.path: .*depends on an environment variable"):
        load_place(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: 1\na: 2\n", "key 'a' is given twice", id="twice"),
        pytest.param("x:\n  a: 1\n  b: 2\n  a: 3\n", "key 'a' is given twice", id="twice, deeper"),
        pytest.param("a: [1\n", "is not valid YAML", id="syntax"),
        pytest.param("a:\tb\n\t- c", "is not valid YAML", id="tabs"),
        pytest.param("a: !!python/object/apply:os.getcwd []\n", "is not valid YAML", id="code"),
        pytest.param("path: {{ home }}\n", "is not valid YAML", id="a key that is no scalar"),
    ],
)
def test_yaml_that_is_no_configuration_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "dev.yml", text)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(path) in caught.value.args[0]
    assert message in caught.value.args[0]


def test_one_key_in_two_blocks_is_fine(tmp_path: Path) -> None:
    assert read_yaml(write(tmp_path / "x.yml", "a: {n: 1}\nb: {n: 1}\n")) == {"a": {"n": 1}, "b": {"n": 1}}


def test_missing_file_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path / "dev.yml", PLACE)
    write(tmp_path / "prod.yml", PLACE)
    with pytest.raises(ConfigError, match=r"stagin\.yml does not exist") as caught:
        load_place(tmp_path / "stagin.yml")
    assert "dev, prod" in caught.value.solution


@pytest.mark.parametrize("text", ["", "- a\n", "hello\n"])
def test_file_that_is_no_mapping_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="the file: Input should be a valid dictionary"):
        load_place(write(tmp_path / "dev.yml", text))


def test_category_has_the_settings_of_all_but_for_its_own() -> None:
    tree = read_yaml(PROJECT / "params.yaml")
    tree["internal"]["categories"]["beauty"]["cluster_stores"] = {"max_clusters": 4}
    tree["internal"]["categories"]["beauty"]["merging"] = {"min_cluster_size": 7}
    params = Params.model_validate(tree)
    of_all, of_beauty = (params.block_of(key, "cluster_stores").model_dump() for key in ("snacks", "beauty"))
    assert of_all == params.internal.cluster_stores.model_dump()
    assert of_beauty == of_all | {"max_clusters": 4}
    assert params.block_of("beauty", "merging").model_dump() == params.merging.model_dump() | {"min_cluster_size": 7}


def test_the_projects_own_files_are_right() -> None:
    load_params(PROJECT / "params.yaml")
    for path in sorted((PROJECT / "configs").glob("*.yml")):
        load_place(path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("env", "../dev", "env: String should match pattern"),
        ("internal.categories", {}, "internal.categories: Dictionary should have at least 1 item"),
        ("internal.categories.Bad", {"name": "X"}, "internal.categories.Bad"),
        ("internal.categories.other", {"name": "BEAUTY"}, "other and beauty both name 'BEAUTY'"),
        ("internal.categories.external", {"name": "X"}, "'external' is the name of the external view"),
        (
            "internal.categories.beauty.name",
            "",
            "internal.categories.beauty.name: String should have at least 1 character",
        ),
        (
            "internal.categories.beauty.cluster_stores",
            {"max_cluster": 5},
            "internal.categories.beauty.cluster_stores.max_cluster is not a known key (nearest: 'max_clusters')",
        ),
        (
            "internal.categories.beauty.cluster_stores",
            {"max_clusters": 0},
            "internal.categories.beauty.cluster_stores.max_clusters: Input should be greater than or equal to 1, found 0",
        ),
        (
            "internal.categories.beauty.cluster_stores",
            {"min_clusters": 11},
            "internal.categories.beauty.cluster_stores: min_clusters 11 is above max_clusters 10",
        ),
        # DVC would leave these out of the command.
        (
            "internal.categories.beauty.cluster_stores",
            {"all_rules": False},
            "all_rules: Input should be True, found False",
        ),
        (
            "internal.categories.beauty.build_features",
            {"feature_weights": []},
            "feature_weights: List should have at least 1 item",
        ),
        (
            "internal.categories.beauty.merging",
            {"min_cluster_size": None},
            "min_cluster_size: Input should be a valid integer",
        ),
        ("internal.categories.beauty.checks", {}, "internal.categories.beauty.checks is not a known key"),
        (
            "external.build_features.feature_weights",
            ["income"],
            "a feature and its weight from 0 to 1000000, such as income=2, is expected, found 'income'",
        ),
        ("external.build_features.feature_weights", ["income=-1"], "found 'income=-1'"),
        ("external.build_features.feature_weights", ["income=nan"], "found 'income=nan'"),
        ("external.build_features.feature_weights", ["--x=1"], "found '--x=1'"),
        ("internal.ingest_sales.negative_sales", "ignore", "'keep', 'drop' or 'fail', found 'ignore'"),
        ("internal.ingest_sales.negative_sale", "keep", "negative_sale is not a known key (nearest: 'negative_sales')"),
        ("internal.ingest_sales.invalid_lines", "keep", "'drop' or 'fail', found 'keep'"),
        ("internal.split_need_states.unmapped_skus", ..., "internal.split_need_states.unmapped_skus: Field required"),
        ("internal.build_features.outlier_share", 0.6, "less than or equal to 0.5, found 0.6"),
        ("internal.build_features.outlier_share", "0.1", "outlier_share: Input should be a valid number, found '0.1'"),
        ("internal.build_features.pca_variance", 0, "greater than 0, found 0"),
        ("internal.build_features.transform", "sqrt", "'log1p' or 'yeo_johnson', found 'sqrt'"),
        ("internal.build_features.winsorise_iqr", float("inf"), "winsorise_iqr: Input should be a finite number"),
        ("internal.build_features.max_correlation", 0, "max_correlation: Input should be greater than 0, found 0"),
        ("internal.build_features.min_sales", -1, "min_sales: Input should be greater than or equal to 0, found -1"),
        (
            "internal.cluster_stores.min_clusters",
            0,
            "min_clusters: Input should be greater than or equal to 1, found 0",
        ),
        ("internal.cluster_stores.min_clusters", 2.5, "min_clusters: Input should be a valid integer"),
        ("internal.cluster_stores.min_clusters", 99, "min_clusters 99 is above max_clusters 10"),
        ("internal.cluster_stores.rule", "elbow", "'prediction_strength' or 'stability', found 'elbow'"),
        ("internal.cluster_stores.min_cluster_share", 1, "min_cluster_share: Input should be less than 1, found 1"),
        ("internal.cluster_stores.all_rules", "yes", "all_rules: Input should be a valid boolean, found 'yes'"),
        ("external.build_features.min_lines", 5, "external.build_features.min_lines is not a known key"),
        ("external.join_external.stores_without_sales", None, "found None"),
        (
            "merging.min_cluster_size",
            0,
            "merging.min_cluster_size: Input should be greater than or equal to 1, found 0",
        ),
        ("merging.min_cluster_size", 1.5, "merging.min_cluster_size: Input should be less than 1, found 1.5"),
        ("merging.min_cluster_size", 0.0, "merging.min_cluster_size: Input should be greater than 0, found 0.0"),
        ("merging.internal_weight", 0, "merging.internal_weight: Input should be greater than 0, found 0"),
        (
            "merging.internal_weight",
            70,
            "internal_weight 70.0 and external_weight 50.0 add to 120; percentages that add to 100",
        ),
        ("merging.rule", "gap", "found 'gap'"),
        ("checks.mapped_sales.fail", 0.99, "checks.mapped_sales: Value error, fail 0.99 is above warn 0.95"),
        ("checks.smallest_segment.fail", 11, "checks.smallest_segment: Value error, fail 11 is above warn 10"),
        ("checks.smallest_segment.warn", 0.5, "checks.smallest_segment.warn: Input should be a valid integer"),
        ("checks.stores_set_aside.fail", 0.01, "checks.stores_set_aside: Value error, fail 0.01 is below warn 0.02"),
        (
            "checks.borderline_stores.warn",
            25,
            "borderline_stores.warn: Input should be less than or equal to 1, found 25",
        ),
        ("checks.borderline_ratio", 0.9, "checks.borderline_ratio is not a known key"),
        ("checks.sales_set_asid", {}, "checks.sales_set_asid is not a known key (nearest: 'sales_set_aside')"),
        ("demo.dev.categories", 5, "demo.dev.categories: Input should be less than or equal to 4, found 5"),
    ],
)
def test_mistakes_in_the_method_are_told(tmp_path: Path, keys: str, value: object, message: str) -> None:
    path = write(tmp_path / "params.yaml", changed(read_yaml(PROJECT / "params.yaml"), keys, value))
    with pytest.raises(ConfigError) as caught:
        load_params(path)
    assert str(path) in caught.value.args[0]
    assert message in caught.value.args[0]


def test_components_are_by_variance_or_by_count(tmp_path: Path) -> None:
    tree = changed(read_yaml(PROJECT / "params.yaml"), "external.build_features.pca_components", 3)
    path = write(tmp_path / "params.yaml", changed(tree, "external.build_features.pca_variance", 0.9))
    with pytest.raises(ConfigError, match=r"pca_variance 0\.9 and pca_components 3 are both set"):
        load_params(path)


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    tree = changed(
        changed(read_yaml(PROJECT / "params.yaml"), "merging.min_cluster_size", 0), "merging.internal_weight", 0
    )
    with pytest.raises(ConfigError, match=r"\(1 more\)"):
        load_params(write(tmp_path / "params.yaml", tree))


@pytest.mark.parametrize(
    "path",
    [*sorted(PROJECT.glob("configs/*.yml")), *sorted(PROJECT.glob("examples/*/configs/*.yml"))],
    ids=lambda path: path.relative_to(PROJECT).as_posix(),
)
def test_every_environment_loads_without_its_secrets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETAIL_DATABASE", "RETAIL_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    place = load_place(path)
    assert place.sources.external


def test_environments_are_three() -> None:
    assert sorted(path.stem for path in PROJECT.glob("configs/*.yml")) == ["dev", "prod", "staging"]


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("fetch.store", {"files": "x"}, "fetch.store: there is no such source (nearest: 'stores')"),
        ("fetch.baseline", {"files": "x"}, "fetch.baseline: there is no such source"),
        ("fetch", {"external.countie": {"files": "x"}}, "there is no such source (nearest: 'external.county')"),
        ("fetch.sales", {"database": "sqlite", "uri": "x", "query": "y"}, "rows of a database become one Parquet file"),
        ("fetch.stores", {"database": "sqlite", "uri": "x"}, "`query` is expected with `database`"),
        ("fetch.stores", {"database": "sqlite", "query": "x"}, "`uri` is expected with `database`"),
        ("fetch.stores", {"database": "mysql", "uri": "x", "query": "y"}, "Input should be 'postgresql', 'sqlite'"),
        (
            "fetch.stores",
            {"files": "x", "database": "sqlite", "uri": "x", "query": "y"},
            "either `database` or `files`",
        ),
        ("fetch.stores", {"files": "x", "query": "y"}, "`query` is expected with `database`"),
        ("fetch.stores", {"files": "x", "uri": "y"}, "belong to `database`"),
        ("fetch.stores", {}, "either `database` or `files` is expected"),
        ("fetch.stores", {"file": "x"}, "fetch.stores.file is not a known key (nearest: 'files')"),
    ],
)
def test_mistakes_under_fetch_are_told(tmp_path: Path, keys: str, value: object, message: str) -> None:
    path = write(tmp_path / "dev.yml", changed(PLACE, keys, value))
    with pytest.raises(ConfigError) as caught:
        load_place(path)
    assert message in str(caught.value)
