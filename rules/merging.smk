# Merging: internal and external clusters to segments.


rule merge_segments:
    """Make one category's segments of both views, dissolve what is too small, and merge what is too many."""
    input:
        internal_clusters="data/internal/clusters/{category}.parquet",
        internal_features="data/internal/features/{category}.parquet",
        external_clusters="data/external/clusters.parquet",
        external_features="data/external/features.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/merge_segments.py",
        lib=LIB["merge_segments"],
    output:
        segments="data/merging/merged_segments/{category}.parquet",
        explained="data/merging/explained/{category}.parquet",
        ledger="data/merging/category_ledger/{category}.parquet",
    log:
        "logs/merge_segments/{category}.log",
    benchmark:
        "logs/benchmarks/merge_segments/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        flags=flags_of(config["merging"]),
    shell:
        "python {input.script:q} --category {wildcards.category} --internal_clusters {input.internal_clusters:q} "
        "--internal_features {input.internal_features:q} --external_clusters {input.external_clusters:q} "
        "--external_features {input.external_features:q} --store_sales {input.store_sales:q} "
        "--baseline {input.baseline:q} --segments {output.segments:q} --explained {output.explained:q} "
        "--ledger {output.ledger:q} {params.flags} --log {log:q}"


rule apply_overrides:
    """Put one category's stores into the segments that a person has chosen for them."""
    input:
        merged="data/merging/merged_segments/{category}.parquet",
        overrides="data/merging/overrides.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        script="scripts/apply_overrides.py",
        lib=LIB["apply_overrides"],
    output:
        segments="data/merging/category_segments/{category}.parquet",
        ledger="data/merging/override_ledger/{category}.parquet",
    log:
        "logs/apply_overrides/{category}.log",
    benchmark:
        "logs/benchmarks/apply_overrides/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    shell:
        "python {input.script:q} --category {wildcards.category} --merged {input.merged:q} "
        "--overrides {input.overrides:q} --store_sales {input.store_sales:q} --segments {output.segments:q} "
        "--ledger {output.ledger:q} --log {log:q}"


rule collect_segments:
    """Collect the segments of every category, the ledger of every stage, and the metrics."""
    input:
        split_ledgers=expand("data/internal/ledger/{category}.parquet", category=CATEGORIES),
        internal_k_scores=expand("data/internal/k_scores/{category}.parquet", category=CATEGORIES),
        merge_ledgers=expand("data/merging/category_ledger/{category}.parquet", category=CATEGORIES),
        override_ledgers=expand("data/merging/override_ledger/{category}.parquet", category=CATEGORIES),
        category_segments=expand("data/merging/category_segments/{category}.parquet", category=CATEGORIES),
        explained=expand("data/merging/explained/{category}.parquet", category=CATEGORIES),
        categories="data/internal/categories.parquet",
        ingest_ledger="data/internal/ingest_ledger.parquet",
        assign_ledger="data/internal/assign_ledger.parquet",
        select_ledger="data/internal/select_ledger.parquet",
        join_ledger="data/external/join_ledger.parquet",
        external_k_scores="data/external/k_scores.parquet",
        reference="data/merging/reference.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/collect_segments.py",
        lib=LIB["collect_segments"],
    output:
        segments="data/merging/segments.parquet",
        ledger="data/merging/ledger.parquet",
        segments_csv="reports/segments.csv",
        migrations="data/merging/migrations.parquet",
        migrations_csv="reports/migrations.csv",
        metrics="reports/metrics.json",
        scores="reports/k_scores.csv",
        recovery="reports/recovery.csv",
        figure=in_report("reports/figures/segments.png", "Segments", "sizes"),
        recovery_figure=in_report("reports/figures/recovery.png", "Segments", "known against found"),
    log:
        "logs/collect_segments.log",
    benchmark:
        "logs/benchmarks/collect_segments.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        **folders_of(
            "split_ledgers", "merge_ledgers", "override_ledgers", "category_segments", "explained", "internal_k_scores"
        ),
    shell:
        "python {input.script:q} --categories {input.categories:q} --ingest_ledger {input.ingest_ledger:q} "
        "--assign_ledger {input.assign_ledger:q} --select_ledger {input.select_ledger:q} "
        "--join_ledger {input.join_ledger:q} --split_ledgers {params.split_ledgers:q} "
        "--merge_ledgers {params.merge_ledgers:q} --override_ledgers {params.override_ledgers:q} "
        "--category_segments {params.category_segments:q} --explained {params.explained:q} "
        "--internal_k_scores {params.internal_k_scores:q} --external_k_scores {input.external_k_scores:q} "
        "--reference {input.reference:q} --baseline {input.baseline:q} --segments {output.segments:q} "
        "--ledger {output.ledger:q} --segments_csv {output.segments_csv:q} --migrations {output.migrations:q} "
        "--migrations_csv {output.migrations_csv:q} --metrics {output.metrics:q} "
        "--scores {output.scores:q} --recovery {output.recovery:q} --figure {output.figure:q} "
        "--recovery_figure {output.recovery_figure:q} --log {log:q}"


rule segment_chain:
    """Make one segmentation of the chain from those of its categories."""
    input:
        segments="data/merging/segments.parquet",
        script="scripts/segment_chain.py",
        lib=LIB["segment_chain"],
    output:
        chain_segments="data/merging/chain_segments.parquet",
        chain_csv="reports/chain_segments.csv",
    log:
        "logs/segment_chain.log",
    benchmark:
        "logs/benchmarks/segment_chain.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        flags=flags_of(config["chain"]),
    shell:
        "python {input.script:q} --segments {input.segments:q} --chain_segments {output.chain_segments:q} "
        "--chain_csv {output.chain_csv:q} {params.flags} --log {log:q}"
