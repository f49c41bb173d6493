# Raw data: the demo, and the tables that are read as they were delivered.


rule make_demo_data:
    """A planted retailer, so that the pipeline has something to find."""
    input:
        script="scripts/make_demo_data.py",
        lib=LIB["make_demo_data"],
    output:
        expand("data/raw/{{env}}/{file}", file=DEMO_FILES),
    log:
        "logs/make_demo_data/{env}.log",
    benchmark:
        "logs/benchmarks/make_demo_data/{env}.tsv"
    # Files of any other environment are somebody's own.
    wildcard_constraints:
        env="|".join(PARAMS.demo) or "(?!)",
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        flags=lambda wildcards: flags(config["demo"][wildcards.env]),
    shell:
        "python {input.script:q} --raw data/raw/{wildcards.env} {params.flags} --log {log:q}"


rule ingest_sales:
    """Count raw sales lines exactly, in one pass."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.sales),
        product_map="data/internal/product_map.parquet",
        script="scripts/ingest_sales.py",
        lib=LIB["ingest_sales"],
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
    conda:
        "../envs/stages.yaml"
    threads: THREADS
    resources:
        mem_mb=DATABASE_MB,
    params:
        **RAW.params("sales"),
        flags=flags_of(config["internal"]["ingest_sales"]),
    shell:
        "python {input.script:q} --config {params.config:q} --raw {params.folder:q} "
        "--product_map {input.product_map:q} --sales {output.sales:q} --sku_sales {output.sku_sales:q} "
        "--period_sales {output.period_sales:q} --files {output.files:q} --ledger {output.ledger:q} "
        "--cache .clustering/cache/sales {params.flags} --log {log:q}"


rule ingest_product_map:
    """Read which need states each SKU serves."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.product_map),
        script="scripts/ingest_product_map.py",
        lib=LIB["ingest_product_map"],
    output:
        product_map="data/internal/product_map.parquet",
        files="data/internal/product_map_files.parquet",
    log:
        "logs/ingest_product_map.log",
    benchmark:
        "logs/benchmarks/ingest_product_map.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=DATABASE_MB,
    params:
        **RAW.params("product_map"),
        flags=flags_of(config["internal"]["ingest_product_map"]),
    shell:
        "python {input.script:q} --config {params.config:q} --raw {params.folder:q} "
        "--product_map {output.product_map:q} --files {output.files:q} {params.flags} --log {log:q}"


rule ingest_stores:
    """Read the store table."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.stores),
        script="scripts/ingest_stores.py",
        lib=LIB["ingest_stores"],
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
    params:
        **RAW.table_params("stores"),
    shell:
        "python {input.script:q} --config {params.config:q} --raw {params.folder:q} {params.flags} --log {log:q}"


use rule ingest_stores as ingest_external with:
    """Read every external source."""
    input:
        raw=lambda wildcards: RAW.of(*SOURCES.external.values()),
        script="scripts/ingest_external.py",
        lib=LIB["ingest_external"],
    output:
        sources="data/external/sources.parquet",
        files="data/external/sources_files.parquet",
    log:
        "logs/ingest_external.log",
    benchmark:
        "logs/benchmarks/ingest_external.tsv"
    params:
        **RAW.table_params("external"),


use rule ingest_stores as ingest_baseline with:
    """Read earlier segments, whose numbers are kept."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.baseline),
        script="scripts/ingest_labels.py",
        lib=LIB["ingest_baseline"],
    output:
        labels="data/merging/baseline.parquet",
        files="data/merging/baseline_files.parquet",
    log:
        "logs/ingest_baseline.log",
    benchmark:
        "logs/benchmarks/ingest_baseline.tsv"
    params:
        **RAW.table_params("baseline", source="baseline"),


use rule ingest_baseline as ingest_reference with:
    """Read known segments, to compare with."""
    input:
        raw=lambda wildcards: RAW.of(SOURCES.reference),
        script="scripts/ingest_labels.py",
        lib=LIB["ingest_reference"],
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
        script="scripts/ingest_segment_names.py",
        lib=LIB["ingest_segment_names"],
    output:
        names="data/merging/segment_names.parquet",
        files="data/merging/segment_names_files.parquet",
    log:
        "logs/ingest_segment_names.log",
    benchmark:
        "logs/benchmarks/ingest_segment_names.tsv"
    params:
        **RAW.table_params("segment_names"),
