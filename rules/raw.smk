# Raw data: the demo, and the tables that are read as they were delivered.


use rule stage as make_demo_data with:
    """A planted retailer, so that the pipeline has something to find."""
    output:
        expand("data/raw/{{env}}/{file}", file=DEMO_FILES),
    log:
        "logs/make_demo_data/{env}.log",
    benchmark:
        "logs/benchmarks/make_demo_data/{env}.tsv"
    # Files of any other environment are somebody's own.
    wildcard_constraints:
        env="|".join(PARAMS.demo) or "(?!)",
    params:
        **CODE["make_demo_data"],
        files=files_of(raw="data/raw/{env}"),
        flags=lambda wildcards: flags(config["demo"][wildcards.env]),


rule ingest_stores:
    """Read the store table."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.stores),
    output:
        stores="data/external/stores.parquet",
        files="data/external/stores_files.parquet",
    log:
        "logs/ingest_stores.log",
    benchmark:
        "logs/benchmarks/ingest_stores.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=DATABASE_MB,
        runtime=minutes,
    params:
        **CODE["ingest_stores"],
        **RAW.table_params("stores"),
    shell:
        "python {params.script:q} --config {params.config:q} --raw {params.folder:q} {params.files} {params.flags} --log {log:q}"


use rule ingest_stores as ingest_sales with:
    """Count raw sales lines exactly, in one pass."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.sales),
        product_map="data/internal/product_map.parquet",
    output:
        sales="data/internal/sales.parquet",
        sku_sales="data/internal/sku_sales.parquet",
        period_sales="data/internal/period_sales.parquet",
        files="data/internal/sales_files.parquet",
        ledger="data/internal/ingest_ledger.parquet",
    log:
        "logs/ingest_sales.log",
    benchmark:
        "logs/benchmarks/ingest_sales.tsv"
    threads: THREADS
    params:
        **CODE["ingest_sales"],
        **RAW.table_params(
            "sales",
            product_map="data/internal/product_map.parquet",
            cache=".clustering/cache/sales",
            **config["internal"]["ingest_sales"],
        ),


use rule ingest_stores as ingest_product_map with:
    """Read which need states each SKU serves."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.product_map),
    output:
        product_map="data/internal/product_map.parquet",
        files="data/internal/product_map_files.parquet",
    log:
        "logs/ingest_product_map.log",
    benchmark:
        "logs/benchmarks/ingest_product_map.tsv"
    params:
        **CODE["ingest_product_map"],
        **RAW.table_params("product_map", **config["internal"]["ingest_product_map"]),


use rule ingest_stores as ingest_external with:
    """Read every external source."""
    input:
        raw=lambda wildcards: RAW.of(*SOURCES.external.values()),
    output:
        sources="data/external/sources.parquet",
        files="data/external/sources_files.parquet",
    log:
        "logs/ingest_external.log",
    benchmark:
        "logs/benchmarks/ingest_external.tsv"
    params:
        **CODE["ingest_external"],
        **RAW.table_params("external"),


use rule ingest_stores as ingest_baseline with:
    """Read earlier segments, whose numbers are kept."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.baseline),
    output:
        labels="data/merging/baseline.parquet",
        files="data/merging/baseline_files.parquet",
    log:
        "logs/ingest_baseline.log",
    benchmark:
        "logs/benchmarks/ingest_baseline.tsv"
    params:
        **CODE["ingest_labels"],
        **RAW.table_params("baseline", source="baseline"),


use rule ingest_baseline as ingest_reference with:
    """Read known segments, to compare with."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.reference),
    output:
        labels="data/merging/reference.parquet",
        files="data/merging/reference_files.parquet",
    log:
        "logs/ingest_reference.log",
    benchmark:
        "logs/benchmarks/ingest_reference.tsv"
    params:
        **RAW.table_params("reference", source="reference"),


use rule ingest_stores as ingest_segment_names with:
    """Read the names that a person has given to segments."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.segment_names),
    output:
        names="data/merging/segment_names.parquet",
        files="data/merging/segment_names_files.parquet",
    log:
        "logs/ingest_segment_names.log",
    benchmark:
        "logs/benchmarks/ingest_segment_names.tsv"
    params:
        **CODE["ingest_segment_names"],
        **RAW.table_params("segment_names"),


use rule ingest_stores as ingest_overrides with:
    """Read which stores a person has placed in another segment."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.overrides),
    output:
        overrides="data/merging/overrides.parquet",
        files="data/merging/overrides_files.parquet",
    log:
        "logs/ingest_overrides.log",
    benchmark:
        "logs/benchmarks/ingest_overrides.tsv"
    params:
        **CODE["ingest_overrides"],
        **RAW.table_params("overrides"),
