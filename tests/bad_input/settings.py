"""params.yaml, configs/dev.yml and the flags of stages: unknown keys, wrong values, YAML of either dialect."""

from bad_input.cases import Case, Edit, refused, right, wrong_flags
from bad_input.project import Project
from bad_input.sales import then

PARAMS, PLACE = "params.yaml", "configs/dev.yml"
SALES = "sources.sales"


def params(keys: str, value: object) -> Edit:
    return lambda p: p.params(keys, value)


def place(keys: str, value: object) -> Edit:
    return lambda p: p.place(keys, value)


def written(name: str, old: str, new: str) -> Edit:
    """Another text in a file of settings."""

    def edit(p: Project) -> None:
        text = (p / name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        p.write(name, text.replace(old, new, 1))

    return edit


def whole(name: str, content: str | bytes) -> Edit:
    return lambda p: p.write(name, content)


def check_stores(p: Project) -> None:
    """All 25 stores were read."""
    assert len(p.rows("external/stores.parquet")) == 25


# Keys that are not known, with the nearest that is.
UNKNOWN = [
    (PARAMS, "internal.build_features.outliers_share", "outlier_share"),
    (PARAMS, "internal.cluster_stores.min_cluster", "min_clusters"),
    (PARAMS, "internal.ingest_sales.negative_sale", "negative_sales"),
    (PARAMS, "internal.ingest_product_map.speling", "spelling"),
    (PARAMS, "internal.assign_categories.unknown_store", "unknown_stores"),
    (PARAMS, "internal.split_need_states.unmapped_sku", "unmapped_skus"),
    (PARAMS, "internal.cluster_store", "cluster_stores"),
    (PARAMS, "external.join_external.stores_without_sale", "stores_without_sales"),
    (PARAMS, "merging.min_cluster_sise", "min_cluster_size"),
    (PARAMS, "checks.mapped_sale", "mapped_sales"),
    (PARAMS, "mergin", "merging"),
    (PLACE, "sources.sale", "sales"),
    (PLACE, "sources.sales.colums", "columns"),
    (PLACE, "sources.sales.columns.stor_id", "store_id"),
    (PLACE, "sources.sales.decimals", "decimal"),
    (PLACE, "sources.sales.date_formats", "date_format"),
    (PLACE, "sources.product_map.delimeter", "delimiter"),
    (PLACE, "sources.product_map.thousand", "thousands"),
    (PLACE, "sources.stores.encodings", "encoding"),
    (PLACE, "sources.external.county.feature", "features"),
    (PLACE, "sources.baselin", "baseline"),
    (PLACE, "compute.memory_limits", "memory_limit"),
    (PLACE, "computer", "compute"),
]
# Values that are not allowed, and what is said of them.
VALUES: list[tuple[str, str, object, tuple[str, ...]]] = [
    (PARAMS, "env", "../dev", ("env: String should match pattern", "found '../dev'")),
    (PARAMS, "env", 7, ("env: Input should be a valid string, found 7",)),
    (PARAMS, "internal.categories", {}, ("internal.categories: Dictionary should have at least 1 item", "found {}")),
    (
        PARAMS,
        "internal.categories",
        "all",
        ("internal.categories is 'all'; the runners need a key for each category",),
    ),
    (PLACE, "sources.sales", None, ("product_map means nothing without sales",)),
    (PLACE, "sources.product_map", None, ("sales means nothing without product_map",)),
    (PARAMS, "internal.categories", ["BEAUTY"], ("internal.categories: Input should be a valid dictionary",)),
    (PARAMS, "internal.categories.Beauty", {"name": "X"}, ("internal.categories.Beauty", "should match pattern")),
    (PARAMS, "internal.categories.a-b", {"name": "X"}, ("internal.categories.a-b", "should match pattern")),
    (PARAMS, "internal.categories.a/b", {"name": "X"}, ("internal.categories.a/b", "should match pattern")),
    (PARAMS, f"internal.categories.{'k' * 42}", {"name": "X"}, ("should match pattern",)),
    (PARAMS, "internal.categories.external", {"name": "X"}, ("'external' is the name of the external view",)),
    (PARAMS, "internal.categories.more", {"name": "BEAUTY"}, ("more and beauty both name 'BEAUTY'",)),
    (
        PARAMS,
        "internal.categories.more",
        {"name": " Beauty"},
        ("beauty and more name 'BEAUTY' and 'Beauty'", "`spelling: keep`"),
    ),
    (PARAMS, "internal.categories.beauty.name", "", ("beauty.name: String should have at least 1 character",)),
    (PARAMS, "internal.categories.beauty.name", 12, ("beauty.name: Input should be a valid string, found 12",)),
    (PARAMS, "internal.categories.beauty.name", "-x", ("does not start with '-'", "found '-x'")),
    (PARAMS, "internal.categories.beauty.name", "\\${env}", ("does not hold",)),
    (
        PARAMS,
        "internal.categories.beauty",
        "BEAUTY",
        ("internal.categories.beauty: Input should be a valid dictionary",),
    ),
    (PARAMS, "internal.categories.beauty", None, ("internal.categories.beauty", "found None")),
    (PARAMS, "internal.ingest_sales.period", "day", ("'week', 'month' or 'all', found 'day'",)),
    (PARAMS, "internal.ingest_sales.negative_sales", True, ("negative_sales", "found True")),
    (PARAMS, "internal.ingest_sales.invalid_lines", "keep", ("'drop' or 'fail', found 'keep'",)),
    (PARAMS, "internal.ingest_product_map.spelling", "merge", ("'keep', 'unify' or 'fail', found 'merge'",)),
    (PARAMS, "internal.split_need_states.unmapped_skus", "keep", ("'own_need_state', 'drop' or 'fail', found 'keep'",)),
    (PARAMS, "internal.cluster_stores.min_clusters", 9, ("min_clusters 9 is above max_clusters 4",)),
    (PARAMS, "internal.cluster_stores.min_clusters", 0, ("greater than or equal to 1, found 0",)),
    (
        PARAMS,
        "internal.cluster_stores.min_clusters",
        2.5,
        ("min_clusters: Input should be a valid integer, found 2.5",),
    ),
    (
        PARAMS,
        "internal.cluster_stores.min_clusters",
        "2",
        ("min_clusters: Input should be a valid integer, found '2'",),
    ),
    (PARAMS, "internal.cluster_stores.rule", "elbow", ("internal.cluster_stores.rule", "found 'elbow'")),
    (PARAMS, "internal.cluster_stores.algorithm", "dbscan", ("or 'constrained_kmeans', found 'dbscan'",)),
    (PARAMS, "internal.cluster_stores.least_stores", 5, ("least_stores 5 and most_stores 0 mean nothing to kmeans",)),
    (PARAMS, "internal.cluster_stores.most_stores", -1, ("most_stores", "greater than or equal to 0")),
    (PARAMS, "internal.cluster_stores.refits", 1, ("refits", "greater than or equal to 2")),
    (PARAMS, "internal.cluster_stores.min_cluster_share", 1.0, ("less than 1, found 1.0",)),
    (PARAMS, "internal.cluster_stores.resamples", 1, ("greater than or equal to 2, found 1",)),
    (PARAMS, "internal.cluster_stores.seed", -1, ("greater than or equal to 0, found -1",)),
    (PARAMS, "internal.cluster_stores.all_rules", "yes", ("all_rules: Input should be a valid boolean, found 'yes'",)),
    (
        PARAMS,
        "internal.build_features.winsorise_iqr",
        float("inf"),
        ("winsorise_iqr: Input should be a finite number",),
    ),
    (PARAMS, "internal.build_features.min_sales", float("nan"), ("min_sales", "nan")),
    (PARAMS, "internal.build_features.pca_variance", 1.5, ("less than or equal to 1, found 1.5",)),
    (PARAMS, "internal.build_features.outlier_share", 0.51, ("less than or equal to 0.5, found 0.51",)),
    (PARAMS, "internal.build_features.transform", None, ("transform", "found None")),
    (PARAMS, "external.build_features.min_lines", 5, ("external.build_features.min_lines is not a known key",)),
    (PARAMS, "merging.min_cluster_size", 0, ("min_cluster_size", "greater than or equal to 1, found 0")),
    (PARAMS, "merging.min_cluster_size", 2.5, ("min_cluster_size", "less than 1, found 2.5")),
    (
        PARAMS,
        "merging.internal_weight",
        1,
        ("internal_weight 1.0 and external_weight 50.0 add to 51", "percentages that add to 100"),
    ),
    (PARAMS, "merging.internal_weight", float("nan"), ("merging.internal_weight", "nan")),
    (PARAMS, "merging.external_weight", float("inf"), ("merging.external_weight", "inf")),
    (PARAMS, "internal.cluster_stores.bic_coarsening", float("inf"), ("bic_coarsening", "inf")),
    (PARAMS, "demo", {"dev": {"stores": 5}}, ("demo.dev", "more)")),
    (PLACE, f"{SALES}.reader", "cvs", ("a reader is expected (nearest: 'csv'): csv, excel, json, parquet",)),
    (PLACE, f"{SALES}.path", "../sales.csv", ("a path inside data/raw/<env>/ is expected, found '../sales.csv'",)),
    (PLACE, f"{SALES}.path", "/etc/passwd", ("a path inside data/raw/<env>/ is expected",)),
    (PLACE, f"{SALES}.path", "", ("a path inside data/raw/<env>/ is expected, found ''",)),
    (PLACE, f"{SALES}.path", "a\0b", ("path", "a\\x00b")),
    (
        PLACE,
        f"{SALES}.path",
        "${env:HOME}/x",
        ("sources.sales.path: '${env:HOME}/x' depends on an environment variable",),
    ),
    (PLACE, f"{SALES}.sheet", "Data", ("sheet means nothing to the reader 'csv'",)),
    (PLACE, f"{SALES}.encoding", "utf-9", ("an encoding such as utf-8", "found 'utf-9'")),
    (PLACE, f"{SALES}.encoding", "base64", ("an encoding such as utf-8", "found 'base64'")),
    (PLACE, f"{SALES}.delimiter", "", ("delimiter: String should have at least 1 character",)),
    (PLACE, f"{SALES}.delimiter", "\n", ("delimiter", "found '\\n'")),
    (PLACE, f"{SALES}.delimiter", '"', ("delimiter", "'\"'")),
    (PLACE, f"{SALES}.decimal", ";", ("'.' or ',', found ';'",)),
    (PLACE, f"{SALES}.thousands", ".", ("decimal and thousands are both '.'",)),
    (PLACE, f"{SALES}.currency", "7", ("currency symbols such as $ or EUR are expected, not '7'",)),
    (PLACE, f"{SALES}.currency", [""], ("currency symbols such as $ or EUR are expected, not ''",)),
    (
        PLACE,
        f"{SALES}.date_format",
        "MM/DD/YYYY",
        ("such as %m/%d/%Y is expected (or %Y%m, or %G-W%V), not 'MM/DD/YYYY'",),
    ),
    (PLACE, f"{SALES}.date_format", "%m/%d", ("not '%m/%d'",)),
    (PLACE, f"{SALES}.missing", "NA", ("missing: Input should be a valid list, found 'NA'",)),
    (PLACE, f"{SALES}.missing", [None], ("sources.sales.missing.0",)),
    (PLACE, f"{SALES}.missing", [float("nan")], ("sources.sales.missing", "nan")),
    (PLACE, f"{SALES}.columns", "STORE", ("sources.sales.columns", "found 'STORE'")),
    (PLACE, f"{SALES}.columns.sku", [], ("sources.sales.columns.sku", "at least 1 item")),
    (
        PLACE,
        f"{SALES}.columns.sku",
        ["a", 7],
        ("sources.sales.columns.sku: Input should be a valid string",),
    ),
    (
        PLACE,
        f"{SALES}.id_case",
        "lower",
        ("sources.sales.id_case: Input should be 'fail', 'keep' or 'upper', found 'lower'",),
    ),
    (PLACE, f"{SALES}.columns.sku", "", ("sources.sales.columns.sku", "at least 1 character")),
    (PLACE, "sources.product_map.columns.need_state", [], ("need_state", "at least 1 item")),
    (PLACE, "sources.stores.columns", {"county": "COUNTY"}, ("a column for store_id is expected",)),
    (PLACE, "sources.stores.columns.County", "COUNTY", ("sources.stores.columns.County", "should match pattern")),
    (PLACE, "sources.external.county.key", {}, ("sources.external.county.key", "at least 1 item")),
    (PLACE, "sources.external.county.categorical", ["FIPS"], ("column 'FIPS' is named twice",)),
    (
        PLACE,
        "sources.external.county.key",
        {"countty": "FIPS"},
        ("'countty' is no column of stores (nearest: 'county')",),
    ),
    (PLACE, "sources.external.county.features", [], ("features", "at least 1 item")),
    (PLACE, "sources.external.County", {"reader": "csv"}, ("sources.external.County",)),
    (PLACE, "compute.threads", 0, ("compute.threads: Input should be greater than or equal to 1, found 0",)),
    (PLACE, "compute.threads", True, ("compute.threads: Input should be a valid integer, found True",)),
    (PLACE, "compute.memory_limit", "512", ("compute.memory_limit: String should match pattern", "found '512'")),
    (PLACE, "compute.memory_limit", "0MB", ("compute.memory_limit", "'0MB'")),
    (PLACE, "compute.memory_limit", "${env:NO_SUCH_VARIABLE}", ("environment variable NO_SUCH_VARIABLE is not set",)),
]
MISSING = [
    (PARAMS, key)
    for key in (
        "env",
        "internal.categories",
        "internal.ingest_sales",
        "internal.ingest_product_map.spelling",
        "internal.cluster_stores.rule",
        "external.build_features.scaling",
        "merging.min_cluster_size",
        "internal.categories.beauty.name",
    )
] + [
    (PLACE, key)
    for key in (
        "sources.sales",
        "sources.sales.reader",
        "sources.sales.columns",
        "sources.sales.columns.store_id",
        "sources.product_map",
        "sources.product_map.columns.need_state",
        "sources.external.county.key",
        "sources",
    )
]
YAML = [
    *(
        refused(
            f"yaml: {value} for {key}",
            written(PARAMS, old, f"{key}: {value}"),
            "params.yaml, line ",
            f": {value} is read in two ways, by YAML 1.1 in one and by YAML 1.2 in another",
            advises=repr(value),
        )
        for key, old, value in (
            ("all_rules", "all_rules: false", "yes"),
            ("all_rules", "all_rules: false", "Off"),
            ("max_correlation", "max_correlation: 1", "1e-5"),
            ("max_correlation", "max_correlation: 1", "9e-1"),
            ("max_correlation", "max_correlation: 1", "+.5"),
            ("min_lines", "min_lines: 3", "010"),
            ("min_lines", "min_lines: 3", "1:30"),
            ("min_lines", "min_lines: 3", "0o17"),
            ("min_lines", "min_lines: 3", "-_3"),
            ("min_lines", "min_lines: 3", "._3"),
            ("bic_coarsening", "bic_coarsening: 250", "2.5e2"),
        )
    ),
    refused(
        "yaml: a column called NO",
        written(PLACE, "sku: SKU", "sku: NO"),
        "configs/dev.yml, line ",
        "NO is read in two ways",
        advises="'NO'",
    ),
    refused("yaml: a key called on", written(PLACE, "sku: SKU", "on: SKU"), "on is read in two ways"),
    refused(
        "yaml: a key twice",
        written(PARAMS, "env: dev", "env: dev\nenv: prod"),
        "params.yaml is not valid YAML",
        "key 'env' is given twice",
        "line 2",
    ),
    refused(
        "yaml: a key twice, deeper",
        written(PLACE, "reader: csv", "reader: csv\n    reader: json"),
        "key 'reader' is given twice",
    ),
    refused(
        "yaml: a bracket that is not closed",
        written(PARAMS, "env: dev", "env: [dev"),
        "params.yaml is not valid YAML",
        "line",
    ),
    refused("yaml: a tab", written(PARAMS, "env: dev", "env:\n\t- dev"), "params.yaml is not valid YAML", "line 2"),
    refused(
        "yaml: a colon in a value",
        written(PARAMS, "name: BEAUTY", "name: BEAUTY: more"),
        "params.yaml is not valid YAML",
        "line",
    ),
    refused(
        "yaml: a quote that is not closed",
        written(PARAMS, "name: BEAUTY", "name: 'BEAUTY"),
        "params.yaml is not valid YAML",
    ),
    refused("yaml: indented in two ways", written(PARAMS, "env: dev", "  env: dev"), "params.yaml is not valid YAML"),
    refused(
        "yaml: code",
        whole(PARAMS, "a: !!python/object/apply:os.getcwd []\n"),
        "params.yaml is not valid YAML",
        "python/object",
    ),
    refused("yaml: a tag that is not known", whole(PARAMS, "a: !thing 1\n"), "params.yaml is not valid YAML", "!thing"),
    refused(
        "yaml: a template that is not filled in",
        whole(PARAMS, "env: {{ env }}\n"),
        "params.yaml is not valid YAML",
        "a key that is no text",
    ),
    refused(
        "yaml: two documents", whole(PARAMS, "a: 1\n---\nb: 2\n"), "params.yaml is not valid YAML", "single document"
    ),
    refused(
        "yaml: a value that contains itself",
        whole(PARAMS, "a: &a\n  b: *a\n"),
        "params.yaml, line 1: a value contains itself",
    ),
    refused(
        "yaml: aliases of aliases of aliases",
        whole(
            PARAMS,
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
        ),
        "more than 100000 values",
    ),
    refused("yaml: an alias of nothing", whole(PARAMS, "a: *b\n"), "params.yaml is not valid YAML", "undefined alias"),
    refused("yaml: nested without end", whole(PARAMS, "[" * 5000), "params.yaml is nested too deeply"),
    refused("yaml: latin-1", whole(PARAMS, "a: Crème\n".encode("latin-1")), "params.yaml is not valid YAML", "utf-8"),
    refused(
        "yaml: a null byte",
        whole(PARAMS, b"a: b\0c\n"),
        "params.yaml is not valid YAML",
        "special characters are not allowed",
    ),
    refused("yaml: no byte", whole(PARAMS, ""), "params.yaml: the file: Input should be a valid dictionary"),
    refused(
        "yaml: a list", whole(PLACE, "- a\n- b\n"), "configs/dev.yml: the file: Input should be a valid dictionary"
    ),
    refused(
        "yaml: a word",
        whole(PLACE, "hello\n"),
        "configs/dev.yml: the file: Input should be a valid dictionary",
        "'hello'",
    ),
    refused(
        "yaml: comments only",
        whole(PLACE, "# sources:\n"),
        "configs/dev.yml: the file: Input should be a valid dictionary",
    ),
    refused("yaml: keys that are numbers", whole(PARAMS, "1: a\n"), "params.yaml"),
    refused("yaml: no file of settings", lambda p: (p / PARAMS).unlink(), "params.yaml does not exist"),
    refused(
        "yaml: no place",
        lambda p: (p / PLACE).rename(p / "configs/prod.yml"),
        "configs/dev.yml does not exist",
        advises="configurations there: prod",
    ),
    refused(
        "yaml: a folder for a file",
        lambda p: ((p / PLACE).unlink(), (p / PLACE).mkdir()),
        "configs/dev.yml cannot be read",
    ),
    refused(
        "yaml: an environment without a place", params("env", "prod"), "configs/prod.yml does not exist", advises="dev"
    ),
    right(
        "yaml: aliases and merge keys",
        "ingest_stores",
        then(written(PLACE, "reader: csv", "reader: &r csv"), written(PLACE, "reader: csv", "reader: *r")),
        check_stores,
    ),
]
FLAGS = [
    wrong_flags(
        "flags: a period that is none",
        "ingest_sales",
        "--period",
        "day",
        says=("argument --period: invalid choice: 'day'", "'week', 'month', 'all'"),
    ),
    wrong_flags(
        "flags: one that is not known", "ingest_sales", "--sku", "7", says=("unrecognized arguments: --sku 7",)
    ),
    wrong_flags(
        "flags: one that is cut short", "ingest_sales", "--neg", "keep", says=("unrecognized arguments: --neg keep",)
    ),
    wrong_flags(
        "flags: one without a value", "ingest_sales", "--period", says=("argument --period: expected one argument",)
    ),
    wrong_flags(
        "flags: a word for a number",
        "cluster_stores@beauty",
        "--min_clusters",
        "two",
        says=("argument --min_clusters: a whole number of at least 1 is expected, not 'two'",),
    ),
    wrong_flags(
        "flags: a key with a path in it",
        "cluster_stores@beauty",
        "--view",
        "../x",
        says=("argument --view", "'../x' is not a key"),
    ),
    wrong_flags(
        "flags: a key of 42 letters",
        "merge_segments@beauty",
        "--category",
        "k" * 42,
        says=("is not a key: lower-case letters",),
    ),
    wrong_flags("flags: a line end in a value", "ingest_sales", "--period", "a\nb", says=("invalid choice: 'a\\nb'",)),
    wrong_flags(
        "flags: a category without its name",
        "select_categories",
        "--snacks.name",
        says=("one name is expected after --snacks.name",),
    ),
    wrong_flags(
        "flags: a category with a path for a key",
        "select_categories",
        "--../x.name",
        "X",
        says=("--../x.name is none of --<key>.name",),
    ),
    wrong_flags(
        "flags: nan for a share",
        "build_features@beauty",
        "--outlier_share",
        "nan",
        says=("argument --outlier_share", "nan"),
    ),
    wrong_flags(
        "flags: a share above a half",
        "build_features@beauty",
        "--outlier_share",
        "0.9",
        says=("argument --outlier_share", "0.9"),
    ),
    wrong_flags(
        "flags: a negative number of clusters",
        "cluster_stores@beauty",
        "--min_clusters",
        "-1",
        says=("argument --min_clusters", "-1"),
    ),
    wrong_flags(
        "flags: no segment size",
        "merge_segments@beauty",
        "--min_cluster_size",
        "0",
        says=("argument --min_cluster_size", "0"),
    ),
]

CASES: list[Case] = [
    *(
        refused(
            f"settings: {name}: {keys}",
            (params if name == PARAMS else place)(keys, 1),
            f"{name}: ",
            f"{keys} is not a known key (nearest: {nearest!r})",
            advises="mend or delete it",
        )
        for name, keys, nearest in UNKNOWN
    ),
    *(
        refused(
            f"settings: {keys[:60]} = {str(value)[:40]!r}",
            (params if name == PARAMS else place)(keys, value),
            name,
            *says,
        )
        for name, keys, value, says in VALUES
    ),
    *(
        refused(
            f"settings: no {keys} in {name}",
            (params if name == PARAMS else place)(keys, ...),
            f"{name}: {keys}: Field required",
        )
        for name, keys in MISSING
    ),
    *YAML,
    *FLAGS,
]
