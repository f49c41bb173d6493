"""Store segments from raw sales: the same stages as dvc.yaml, for Snakemake."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from lib.errors import PipelineError
from lib.workflow import DEMO_FILES, RawFiles, check_params, flags, flags_of, folder_of
from snakemake.exceptions import WorkflowError


configfile: "params.yaml"


try:
    PARAMS = check_params(config)
    RAW = RawFiles(PARAMS)
except PipelineError as error:
    raise WorkflowError(str(error)) from None

SOURCES = RAW.place.sources
CATEGORIES = sorted(PARAMS.internal.categories)


wildcard_constraints:
    category="[a-z][a-z0-9_]{0,40}",


# Jobs ----------------------------------------------------------------------------------------------------


rule full_pipeline:
    """Everything: segments, profiles, pictures, metrics, the report, the workbooks, and that the checks hold."""
    default_target: True
    input:
        "reports/checks_passed.txt",
        "reports/report.html",
        expand("reports/workbooks/{category}.xlsx", category=CATEGORIES),
        "data/merging/segments.parquet",
        "data/external/profile.parquet",
        expand("data/internal/profiles/{category}.parquet", category=CATEGORIES),


rule internal_preprocessing:
    """Raw sales to shares of need states."""
    input:
        expand("data/internal/shares/{category}.parquet", category=CATEGORIES),


rule external_preprocessing:
    """Raw external data to store features."""
    input:
        "data/external/store_features.parquet",


rule internal_ml:
    """Clusters of each category, with their profiles."""
    input:
        expand("data/internal/profiles/{category}.parquet", category=CATEGORIES),


rule external_ml:
    """Clusters by external data, with their profile."""
    input:
        "data/external/profile.parquet",


rule merging:
    """Segments of every category, the ledger and the metrics."""
    input:
        "data/merging/segments.parquet",


# Raw data ------------------------------------------------------------------------------------------------


rule make_demo_data:
    """A planted retailer, so that the pipeline has something to find."""
    input:
        script="scripts/make_demo_data.py",
        lib=expand("scripts/lib/{module}.py", module=["errors", "runtime", "tables"]),
    output:
        expand("data/raw/{{env}}/{file}", file=DEMO_FILES),
    log:
        "logs/make_demo_data/{env}.log",
    # Files of any other environment are somebody's own.
    wildcard_constraints:
        env="|".join(PARAMS.demo) or "(?!)",
    conda:
        "envs/stages.yaml"
    params:
        raw=lambda wildcards: f"data/raw/{wildcards.env}",
        flags=lambda wildcards: flags(config["demo"][wildcards.env]),
    shell:
        "python {input.script:q} --raw {params.raw:q} {params.flags} --log {log:q}"


rule ingest_sales:
    """Sum raw sales lines exactly by store, SKU, category and period."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.sales),
        script="scripts/ingest_sales.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "config",
                "contracts",
                "contracts_ledger",
                "contracts_sales",
                "database",
                "errors",
                "files",
                "formats",
                "ledger",
                "readers",
                "runtime",
                "sources",
                "tables",
                "text_files",
                "yaml_files",
            ],
        ),
    output:
        sales="data/internal/sales.parquet",
        ledger="data/internal/ingest_ledger.parquet",
    log:
        "logs/ingest_sales.log",
    conda:
        "envs/stages.yaml"
    threads: 2
    params:
        config=lambda wildcards: RAW.config,
        folder=lambda wildcards: RAW.folder,
        sources=lambda wildcards: RAW.parameters,
        flags=flags_of(config["internal"]["ingest_sales"]),
    shell:
        "python {input.script:q} --config {params.config:q} --raw {params.folder:q} "
        "--sales {output.sales:q} --ledger {output.ledger:q} {params.flags} --log {log:q}"


rule ingest_product_map:
    """Read which need states each SKU serves."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.product_map),
        categories="data/internal/categories.parquet",
        script="scripts/ingest_product_map.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "config",
                "contracts",
                "contracts_sales",
                "database",
                "errors",
                "files",
                "formats",
                "ledger",
                "readers",
                "runtime",
                "sources",
                "spellings",
                "tables",
                "text_files",
                "yaml_files",
            ],
        ),
    output:
        product_map="data/internal/product_map.parquet",
    log:
        "logs/ingest_product_map.log",
    conda:
        "envs/stages.yaml"
    params:
        config=lambda wildcards: RAW.config,
        folder=lambda wildcards: RAW.folder,
        sources=lambda wildcards: RAW.parameters,
        flags=flags_of(config["internal"]["ingest_product_map"]),
    shell:
        "python {input.script:q} --config {params.config:q} --raw {params.folder:q} "
        "--categories {input.categories:q} --product_map {output.product_map:q} {params.flags} --log {log:q}"


rule ingest_stores:
    """Read the store table."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.stores),
        script="scripts/ingest_stores.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "config",
                "contracts",
                "contracts_places",
                "database",
                "errors",
                "files",
                "formats",
                "ledger",
                "readers",
                "runtime",
                "sources",
                "tables",
                "text_files",
                "yaml_files",
            ],
        ),
    output:
        stores="data/external/stores.parquet",
    log:
        "logs/ingest_stores.log",
    conda:
        "envs/stages.yaml"
    params:
        config=lambda wildcards: RAW.config,
        folder=lambda wildcards: RAW.folder,
        sources=lambda wildcards: RAW.parameters,
    shell:
        "python {input.script:q} --config {params.config:q} --raw {params.folder:q} "
        "--stores {output.stores:q} --log {log:q}"


rule ingest_external:
    """Read every external source."""
    input:
        raw=lambda wildcards: RAW.of(*SOURCES.external.values()),
        script="scripts/ingest_external.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "config",
                "contracts",
                "contracts_places",
                "database",
                "errors",
                "files",
                "formats",
                "ledger",
                "readers",
                "runtime",
                "sources",
                "tables",
                "text_files",
                "yaml_files",
            ],
        ),
    output:
        sources="data/external/sources.parquet",
    log:
        "logs/ingest_external.log",
    conda:
        "envs/stages.yaml"
    params:
        config=lambda wildcards: RAW.config,
        folder=lambda wildcards: RAW.folder,
        sources=lambda wildcards: RAW.parameters,
    shell:
        "python {input.script:q} --config {params.config:q} --raw {params.folder:q} "
        "--sources {output.sources:q} --log {log:q}"


rule ingest_baseline:
    """Read earlier segments, whose numbers are kept."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.baseline),
        script="scripts/ingest_labels.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "config",
                "contracts",
                "contracts_segments",
                "database",
                "errors",
                "files",
                "formats",
                "ledger",
                "readers",
                "runtime",
                "sources",
                "tables",
                "text_files",
                "yaml_files",
            ],
        ),
    output:
        labels="data/merging/baseline.parquet",
    log:
        "logs/ingest_baseline.log",
    conda:
        "envs/stages.yaml"
    params:
        config=lambda wildcards: RAW.config,
        folder=lambda wildcards: RAW.folder,
        sources=lambda wildcards: RAW.parameters,
    shell:
        "python {input.script:q} --source baseline --config {params.config:q} --raw {params.folder:q} "
        "--labels {output.labels:q} --log {log:q}"


rule ingest_reference:
    """Read known segments, to compare with."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.reference),
        script="scripts/ingest_labels.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "config",
                "contracts",
                "contracts_segments",
                "database",
                "errors",
                "files",
                "formats",
                "ledger",
                "readers",
                "runtime",
                "sources",
                "tables",
                "text_files",
                "yaml_files",
            ],
        ),
    output:
        labels="data/merging/reference.parquet",
    log:
        "logs/ingest_reference.log",
    conda:
        "envs/stages.yaml"
    params:
        config=lambda wildcards: RAW.config,
        folder=lambda wildcards: RAW.folder,
        sources=lambda wildcards: RAW.parameters,
    shell:
        "python {input.script:q} --source reference --config {params.config:q} --raw {params.folder:q} "
        "--labels {output.labels:q} --log {log:q}"


# Internal data: what sells where -------------------------------------------------------------------------


rule select_categories:
    """List the categories to cluster, and delete the files of those that were dropped."""
    input:
        script="scripts/select_categories.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=["contracts", "contracts_sales", "errors", "leftovers", "runtime", "tables"],
        ),
    output:
        categories="data/internal/categories.parquet",
    log:
        "logs/select_categories.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["internal"]["categories"]),
    shell:
        "python {input.script:q} --categories {output.categories:q} {params.flags} --log {log:q}"


rule assign_categories:
    """Give each sale its category, and set aside the sales that have none."""
    input:
        sales="data/internal/sales.parquet",
        product_map="data/internal/product_map.parquet",
        stores="data/external/stores.parquet",
        categories="data/internal/categories.parquet",
        script="scripts/assign_categories.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "contracts",
                "contracts_ledger",
                "contracts_sales",
                "database",
                "errors",
                "ledger",
                "runtime",
                "spellings",
                "tables",
            ],
        ),
    output:
        category_sales="data/internal/category_sales.parquet",
        selling_stores="data/internal/selling_stores.parquet",
        ledger="data/internal/assign_ledger.parquet",
    log:
        "logs/assign_categories.log",
    conda:
        "envs/stages.yaml"
    threads: 2
    params:
        flags=flags_of(config["internal"]["assign_categories"]),
    shell:
        "python {input.script:q} --sales {input.sales:q} --product_map {input.product_map:q} "
        "--stores {input.stores:q} --categories {input.categories:q} --category_sales {output.category_sales:q} "
        "--selling_stores {output.selling_stores:q} --ledger {output.ledger:q} {params.flags} --log {log:q}"


rule split_need_states:
    """Split one category's sales over need states, and make each store's shares of them."""
    input:
        category_sales="data/internal/category_sales.parquet",
        product_map="data/internal/product_map.parquet",
        script="scripts/split_need_states.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "contracts",
                "contracts_ledger",
                "contracts_sales",
                "database",
                "errors",
                "ledger",
                "runtime",
                "tables",
            ],
        ),
    output:
        need_state_sales="data/internal/need_state_sales/{category}.parquet",
        shares="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        ledger="data/internal/ledger/{category}.parquet",
    log:
        "logs/split_need_states/{category}.log",
    conda:
        "envs/stages.yaml"
    params:
        name=lambda wildcards: flags(config["internal"]["categories"][wildcards.category]),
        flags=flags_of(config["internal"]["split_need_states"]),
    shell:
        "python {input.script:q} --category {wildcards.category} {params.name} "
        "--category_sales {input.category_sales:q} --product_map {input.product_map:q} "
        "--need_state_sales {output.need_state_sales:q} --shares {output.shares:q} "
        "--store_sales {output.store_sales:q} --ledger {output.ledger:q} {params.flags} --log {log:q}"


rule build_features:
    """Turn one category's shares into the points that are clustered."""
    input:
        table="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        script="scripts/build_features.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "contracts",
                "contracts_views",
                "errors",
                "features",
                "outliers",
                "runtime",
                "tables",
                "transforms",
            ],
        ),
    output:
        features="data/internal/features/{category}.parquet",
        feature_report="data/internal/feature_reports/{category}.parquet",
    log:
        "logs/build_features/{category}.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["internal"]["build_features"]),
    shell:
        "python {input.script:q} --table {input.table:q} --store_sales {input.store_sales:q} "
        "--features {output.features:q} --feature_report {output.feature_report:q} {params.flags} --log {log:q}"


rule cluster_stores:
    """Score every k for one category, choose one, and place every store."""
    input:
        features="data/internal/features/{category}.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/cluster_stores.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "contracts",
                "contracts_views",
                "errors",
                "indices",
                "k_rules",
                "labels",
                "partitions",
                "resampling",
                "runtime",
                "silhouette",
                "tables",
            ],
        ),
    output:
        clusters="data/internal/clusters/{category}.parquet",
        k_scores="data/internal/k_scores/{category}.parquet",
    log:
        "logs/cluster_stores/{category}.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["internal"]["cluster_stores"]),
    shell:
        "python {input.script:q} --view {wildcards.category} --features {input.features:q} "
        "--baseline {input.baseline:q} --clusters {output.clusters:q} --k_scores {output.k_scores:q} "
        "{params.flags} --log {log:q}"


rule profile_clusters:
    """Describe one category's clusters in figures and pictures."""
    input:
        table="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        features="data/internal/features/{category}.parquet",
        clusters="data/internal/clusters/{category}.parquet",
        k_scores="data/internal/k_scores/{category}.parquet",
        script="scripts/profile_clusters.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "charts",
                "contracts",
                "contracts_views",
                "errors",
                "k_rules",
                "palette",
                "profiles",
                "runtime",
                "tables",
            ],
        ),
    output:
        profile="data/internal/profiles/{category}.parquet",
        k_figure=report(
            "reports/figures/k_scores/{category}.png",
            caption="scripts/captions/k_scores.rst",
            category="What sells",
            labels={"view": "{category}", "picture": "number of clusters"},
        ),
        silhouette_figure=report(
            "reports/figures/silhouettes/{category}.png",
            caption="scripts/captions/silhouettes.rst",
            category="What sells",
            labels={"view": "{category}", "picture": "silhouettes"},
        ),
        stores_figure=report(
            "reports/figures/stores/{category}.png",
            caption="scripts/captions/stores.rst",
            category="What sells",
            labels={"view": "{category}", "picture": "stores"},
        ),
        profile_figure=report(
            "reports/figures/profile/{category}.png",
            caption="scripts/captions/profile.rst",
            category="What sells",
            labels={"view": "{category}", "picture": "profile"},
        ),
    log:
        "logs/profile_clusters/{category}.log",
    conda:
        "envs/stages.yaml"
    shell:
        "python {input.script:q} --view {wildcards.category} --table {input.table:q} "
        "--store_sales {input.store_sales:q} --features {input.features:q} --clusters {input.clusters:q} "
        "--k_scores {input.k_scores:q} --profile {output.profile:q} --k_figure {output.k_figure:q} "
        "--silhouette_figure {output.silhouette_figure:q} --stores_figure {output.stores_figure:q} --profile_figure {output.profile_figure:q} --log {log:q}"


# External data: where stores are -------------------------------------------------------------------------


rule join_external:
    """Join external sources to stores, by key."""
    input:
        selling_stores="data/internal/selling_stores.parquet",
        stores="data/external/stores.parquet",
        sources="data/external/sources.parquet",
        script="scripts/join_external.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=["contracts", "contracts_ledger", "contracts_places", "errors", "ledger", "runtime", "tables"],
        ),
    output:
        store_features="data/external/store_features.parquet",
        ledger="data/external/join_ledger.parquet",
    log:
        "logs/join_external.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["external"]["join_external"]),
    shell:
        "python {input.script:q} --selling_stores {input.selling_stores:q} --stores {input.stores:q} "
        "--sources {input.sources:q} --store_features {output.store_features:q} --ledger {output.ledger:q} "
        "{params.flags} --log {log:q}"


rule build_external_features:
    """Turn store features into the points that are clustered."""
    input:
        table="data/external/store_features.parquet",
        script="scripts/build_features.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "contracts",
                "contracts_views",
                "errors",
                "features",
                "outliers",
                "runtime",
                "tables",
                "transforms",
            ],
        ),
    output:
        features="data/external/features.parquet",
        feature_report="data/external/feature_report.parquet",
    log:
        "logs/build_external_features.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["external"]["build_features"]),
    shell:
        "python {input.script:q} --table {input.table:q} --features {output.features:q} "
        "--feature_report {output.feature_report:q} {params.flags} --log {log:q}"


rule cluster_external_stores:
    """Score every k for external data, choose one, and place every store."""
    input:
        features="data/external/features.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/cluster_stores.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "contracts",
                "contracts_views",
                "errors",
                "indices",
                "k_rules",
                "labels",
                "partitions",
                "resampling",
                "runtime",
                "silhouette",
                "tables",
            ],
        ),
    output:
        clusters="data/external/clusters.parquet",
        k_scores="data/external/k_scores.parquet",
    log:
        "logs/cluster_external_stores.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["external"]["cluster_stores"]),
    shell:
        "python {input.script:q} --view external --features {input.features:q} "
        "--baseline {input.baseline:q} --clusters {output.clusters:q} --k_scores {output.k_scores:q} "
        "{params.flags} --log {log:q}"


rule profile_external_clusters:
    """Describe the external clusters in figures and pictures."""
    input:
        table="data/external/store_features.parquet",
        store_sales="data/internal/selling_stores.parquet",
        features="data/external/features.parquet",
        clusters="data/external/clusters.parquet",
        k_scores="data/external/k_scores.parquet",
        script="scripts/profile_clusters.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "charts",
                "contracts",
                "contracts_views",
                "errors",
                "k_rules",
                "palette",
                "profiles",
                "runtime",
                "tables",
            ],
        ),
    output:
        profile="data/external/profile.parquet",
        k_figure=report(
            "reports/figures/k_scores/external.png",
            caption="scripts/captions/k_scores.rst",
            category="Where stores are",
            labels={"view": "external", "picture": "number of clusters"},
        ),
        silhouette_figure=report(
            "reports/figures/silhouettes/external.png",
            caption="scripts/captions/silhouettes.rst",
            category="Where stores are",
            labels={"view": "external", "picture": "silhouettes"},
        ),
        stores_figure=report(
            "reports/figures/stores/external.png",
            caption="scripts/captions/stores.rst",
            category="Where stores are",
            labels={"view": "external", "picture": "stores"},
        ),
        profile_figure=report(
            "reports/figures/profile/external.png",
            caption="scripts/captions/profile.rst",
            category="Where stores are",
            labels={"view": "external", "picture": "profile"},
        ),
    log:
        "logs/profile_external_clusters.log",
    conda:
        "envs/stages.yaml"
    shell:
        "python {input.script:q} --view external --table {input.table:q} "
        "--store_sales {input.store_sales:q} --features {input.features:q} --clusters {input.clusters:q} "
        "--k_scores {input.k_scores:q} --profile {output.profile:q} --k_figure {output.k_figure:q} "
        "--silhouette_figure {output.silhouette_figure:q} --stores_figure {output.stores_figure:q} --profile_figure {output.profile_figure:q} --log {log:q}"


# Merging: internal x external ----------------------------------------------------------------------------


rule merge_segments:
    """Cross one category's clusters with the external ones, and dissolve what is too small."""
    input:
        internal_clusters="data/internal/clusters/{category}.parquet",
        internal_features="data/internal/features/{category}.parquet",
        external_clusters="data/external/clusters.parquet",
        external_features="data/external/features.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/merge_segments.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "contracts",
                "contracts_ledger",
                "contracts_segments",
                "errors",
                "labels",
                "ledger",
                "runtime",
                "tables",
            ],
        ),
    output:
        segments="data/merging/category_segments/{category}.parquet",
        ledger="data/merging/category_ledger/{category}.parquet",
    log:
        "logs/merge_segments/{category}.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["merging"]),
    shell:
        "python {input.script:q} --category {wildcards.category} "
        "--internal_clusters {input.internal_clusters:q} --internal_features {input.internal_features:q} "
        "--external_clusters {input.external_clusters:q} --external_features {input.external_features:q} "
        "--store_sales {input.store_sales:q} --baseline {input.baseline:q} --segments {output.segments:q} "
        "--ledger {output.ledger:q} {params.flags} --log {log:q}"


rule collect_segments:
    """Collect the segments of every category, the ledger of every stage, and the metrics."""
    input:
        split_ledgers=expand("data/internal/ledger/{category}.parquet", category=CATEGORIES),
        internal_k_scores=expand("data/internal/k_scores/{category}.parquet", category=CATEGORIES),
        merge_ledgers=expand("data/merging/category_ledger/{category}.parquet", category=CATEGORIES),
        category_segments=expand("data/merging/category_segments/{category}.parquet", category=CATEGORIES),
        categories="data/internal/categories.parquet",
        category_sales="data/internal/category_sales.parquet",
        ingest_ledger="data/internal/ingest_ledger.parquet",
        assign_ledger="data/internal/assign_ledger.parquet",
        join_ledger="data/external/join_ledger.parquet",
        external_k_scores="data/external/k_scores.parquet",
        reference="data/merging/reference.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/collect_segments.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "agreement",
                "charts",
                "contracts",
                "contracts_ledger",
                "contracts_segments",
                "database",
                "errors",
                "k_rules",
                "labels",
                "ledger",
                "palette",
                "runtime",
                "tables",
            ],
        ),
    output:
        segments="data/merging/segments.parquet",
        ledger="data/merging/ledger.parquet",
        segments_csv="reports/segments.csv",
        metrics="reports/metrics.json",
        scores="reports/k_scores.csv",
        recovery="reports/recovery.csv",
        figure=report(
            "reports/figures/segments.png",
            caption="scripts/captions/segments.rst",
            category="Segments",
            labels={"view": "all", "picture": "sizes"},
        ),
        recovery_figure=report(
            "reports/figures/recovery.png",
            caption="scripts/captions/recovery.rst",
            category="Segments",
            labels={"view": "all", "picture": "known against found"},
        ),
    log:
        "logs/collect_segments.log",
    conda:
        "envs/stages.yaml"
    params:
        split_ledgers=folder_of("split_ledgers"),
        merge_ledgers=folder_of("merge_ledgers"),
        category_segments=folder_of("category_segments"),
        internal_k_scores=folder_of("internal_k_scores"),
    shell:
        "python {input.script:q} --categories {input.categories:q} --category_sales {input.category_sales:q} "
        "--ingest_ledger {input.ingest_ledger:q} --assign_ledger {input.assign_ledger:q} "
        "--join_ledger {input.join_ledger:q} --split_ledgers {params.split_ledgers:q} "
        "--merge_ledgers {params.merge_ledgers:q} --category_segments {params.category_segments:q} "
        "--internal_k_scores {params.internal_k_scores:q} --external_k_scores {input.external_k_scores:q} "
        "--reference {input.reference:q} --baseline {input.baseline:q} --segments {output.segments:q} "
        "--ledger {output.ledger:q} --segments_csv {output.segments_csv:q} --metrics {output.metrics:q} "
        "--scores {output.scores:q} --recovery {output.recovery:q} --figure {output.figure:q} "
        "--recovery_figure {output.recovery_figure:q} --log {log:q}"


# Reports: what was found, for people ----------------------------------------------------------------------


rule check_results:
    """Hold the result against what is expected of it."""
    input:
        clusters=expand("data/internal/clusters/{category}.parquet", category=CATEGORIES),
        categories="data/internal/categories.parquet",
        external_clusters="data/external/clusters.parquet",
        segments="data/merging/segments.parquet",
        ledger="data/merging/ledger.parquet",
        script="scripts/check_results.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=["borders", "errors", "expectations", "ledger", "runtime", "tables"],
        ),
    output:
        checks="reports/checks.json",
    log:
        "logs/check_results.log",
    conda:
        "envs/stages.yaml"
    params:
        clusters=folder_of("clusters"),
        flags=flags_of(config["checks"]),
    shell:
        "python {input.script:q} --categories {input.categories:q} --segments {input.segments:q} "
        "--ledger {input.ledger:q} --clusters {params.clusters:q} --external_clusters {input.external_clusters:q} "
        "--checks {output.checks:q} {params.flags} --log {log:q}"


rule build_report:
    """Write the report: one page that opens anywhere."""
    input:
        raw=lambda wildcards: RAW.every(),
        shares=expand("data/internal/shares/{category}.parquet", category=CATEGORIES),
        store_sales=expand("data/internal/store_sales/{category}.parquet", category=CATEGORIES),
        clusters=expand("data/internal/clusters/{category}.parquet", category=CATEGORIES),
        k_scores=expand("data/internal/k_scores/{category}.parquet", category=CATEGORIES),
        profiles=expand("data/internal/profiles/{category}.parquet", category=CATEGORIES),
        categories="data/internal/categories.parquet",
        sales="data/internal/sales.parquet",
        stores="data/external/stores.parquet",
        store_features="data/external/store_features.parquet",
        external_clusters="data/external/clusters.parquet",
        external_k_scores="data/external/k_scores.parquet",
        external_profile="data/external/profile.parquet",
        segments="data/merging/segments.parquet",
        ledger="data/merging/ledger.parquet",
        reference="data/merging/reference.parquet",
        recovery="reports/recovery.csv",
        checks="reports/checks.json",
        template="scripts/templates/report.html.j2",
        outlines="scripts/outlines/outlines.json",
        script="scripts/build_report.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=[
                "agreement",
                "borders",
                "config",
                "database",
                "errors",
                "files",
                "flows",
                "k_rules",
                "labels",
                "ledger",
                "maps",
                "palette",
                "profiles",
                "readers",
                "report",
                "runtime",
                "tables",
                "text_files",
                "words",
                "yaml_files",
            ],
        ),
    output:
        report=report(
            "reports/report.html",
            caption="scripts/captions/report.rst",
            category="Segments",
            labels={"view": "all", "picture": "report"},
        ),
    log:
        "logs/build_report.log",
    conda:
        "envs/stages.yaml"
    params:
        config=lambda wildcards: RAW.config,
        folder=lambda wildcards: RAW.folder,
        sources=lambda wildcards: RAW.parameters,
        shares=folder_of("shares"),
        store_sales=folder_of("store_sales"),
        clusters=folder_of("clusters"),
        k_scores=folder_of("k_scores"),
        profiles=folder_of("profiles"),
        internal=flags_of(config["internal"]),
        external=flags_of(config["external"]),
        merging=flags_of(config["merging"]),
    shell:
        "python {input.script:q} --config {params.config:q} --raw {params.folder:q} "
        "--categories {input.categories:q} --sales {input.sales:q} --stores {input.stores:q} "
        "--shares {params.shares:q} --store_sales {params.store_sales:q} --clusters {params.clusters:q} "
        "--k_scores {params.k_scores:q} --profiles {params.profiles:q} --store_features {input.store_features:q} "
        "--external_clusters {input.external_clusters:q} --external_k_scores {input.external_k_scores:q} "
        "--external_profile {input.external_profile:q} --segments {input.segments:q} --ledger {input.ledger:q} "
        "--reference {input.reference:q} --recovery {input.recovery:q} --checks {input.checks:q} "
        "--template {input.template:q} --outlines {input.outlines:q} --report {output.report:q} --internal {params.internal} "
        "--external {params.external} --merging {params.merging} --log {log:q}"


rule export_workbook:
    """Write one category's segments as an Excel workbook."""
    input:
        segments="data/merging/category_segments/{category}.parquet",
        clusters="data/internal/clusters/{category}.parquet",
        shares="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        need_state_sales="data/internal/need_state_sales/{category}.parquet",
        ledger="data/merging/category_ledger/{category}.parquet",
        stores="data/external/stores.parquet",
        external_clusters="data/external/clusters.parquet",
        store_features="data/external/store_features.parquet",
        script="scripts/export_workbook.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=["errors", "ledger", "profiles", "runtime", "sheets", "tables", "words"],
        ),
    output:
        workbook="reports/workbooks/{category}.xlsx",
    log:
        "logs/export_workbook/{category}.log",
    conda:
        "envs/stages.yaml"
    params:
        name=lambda wildcards: flags(config["internal"]["categories"][wildcards.category]),
    shell:
        "python {input.script:q} --category {wildcards.category} {params.name} --segments {input.segments:q} "
        "--clusters {input.clusters:q} --shares {input.shares:q} --store_sales {input.store_sales:q} "
        "--need_state_sales {input.need_state_sales:q} --ledger {input.ledger:q} --stores {input.stores:q} "
        "--external_clusters {input.external_clusters:q} --store_features {input.store_features:q} "
        "--workbook {output.workbook:q} --log {log:q}"


rule require_checks:
    """Fail where a check failed. Last, so that the report and the workbooks are there to look at."""
    input:
        workbooks=expand("reports/workbooks/{category}.xlsx", category=CATEGORIES),
        checks="reports/checks.json",
        report="reports/report.html",
        script="scripts/require_checks.py",
        lib=expand(
            "scripts/lib/{module}.py",
            module=["borders", "errors", "expectations", "ledger", "runtime", "tables"],
        ),
    output:
        passed="reports/checks_passed.txt",
    log:
        "logs/require_checks.log",
    conda:
        "envs/stages.yaml"
    shell:
        "python {input.script:q} --checks {input.checks:q} --report {input.report:q} "
        "--passed {output.passed:q} --log {log:q}"
