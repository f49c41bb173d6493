# Merging: internal x external.


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
        lib=LIB["merge_segments"],
    output:
        segments="data/merging/category_segments/{category}.parquet",
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
        "--baseline {input.baseline:q} --segments {output.segments:q} --ledger {output.ledger:q} {params.flags} "
        "--log {log:q}"


rule describe_segments:
    """Say what each segment of one category is."""
    input:
        segments="data/merging/category_segments/{category}.parquet",
        shares="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        store_features="data/external/store_features.parquet",
        internal_features="data/internal/features/{category}.parquet",
        external_features="data/external/features.parquet",
        names="data/merging/segment_names.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/describe_segments.py",
        lib=LIB["describe_segments"],
    output:
        descriptions="data/merging/descriptions/{category}.parquet",
        traits="data/merging/traits/{category}.parquet",
        store_fit="data/merging/store_fit/{category}.parquet",
    log:
        "logs/describe_segments/{category}.log",
    benchmark:
        "logs/benchmarks/describe_segments/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        weights=flags_of({view: config["merging"][view] for view in ("internal_weight", "external_weight")}),
        flags=flags_of(config["describing"]["describe_segments"]),
    shell:
        "python {input.script:q} --category {wildcards.category} --segments {input.segments:q} "
        "--shares {input.shares:q} --store_sales {input.store_sales:q} --store_features {input.store_features:q} "
        "--internal_features {input.internal_features:q} --external_features {input.external_features:q} "
        "--names {input.names:q} --baseline {input.baseline:q} --descriptions {output.descriptions:q} "
        "--traits {output.traits:q} --store_fit {output.store_fit:q} {params.weights} {params.flags} --log {log:q}"


rule predict_clusters:
    """Say whether external data tell one category's clusters by what sells."""
    input:
        clusters="data/internal/clusters/{category}.parquet",
        store_features="data/external/store_features.parquet",
        script="scripts/predict_clusters.py",
        lib=LIB["predict_clusters"],
    output:
        predictions="data/merging/predictions/{category}.parquet",
        importance="data/merging/importance/{category}.parquet",
    log:
        "logs/predict_clusters/{category}.log",
    benchmark:
        "logs/benchmarks/predict_clusters/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        flags=flags_of(config["describing"]["predict_clusters"]),
    shell:
        "python {input.script:q} --category {wildcards.category} --clusters {input.clusters:q} "
        "--store_features {input.store_features:q} --predictions {output.predictions:q} "
        "--importance {output.importance:q} {params.flags} --log {log:q}"


rule collect_segments:
    """Collect the segments of every category, the ledger of every stage, and the metrics."""
    input:
        split_ledgers=expand("data/internal/ledger/{category}.parquet", category=CATEGORIES),
        internal_k_scores=expand("data/internal/k_scores/{category}.parquet", category=CATEGORIES),
        merge_ledgers=expand("data/merging/category_ledger/{category}.parquet", category=CATEGORIES),
        category_segments=expand("data/merging/category_segments/{category}.parquet", category=CATEGORIES),
        descriptions=expand("data/merging/descriptions/{category}.parquet", category=CATEGORIES),
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
        **folders_of("split_ledgers", "merge_ledgers", "category_segments", "descriptions", "internal_k_scores"),
    shell:
        "python {input.script:q} --categories {input.categories:q} --ingest_ledger {input.ingest_ledger:q} "
        "--assign_ledger {input.assign_ledger:q} --select_ledger {input.select_ledger:q} "
        "--join_ledger {input.join_ledger:q} --split_ledgers {params.split_ledgers:q} "
        "--merge_ledgers {params.merge_ledgers:q} --category_segments {params.category_segments:q} "
        "--descriptions {params.descriptions:q} "
        "--internal_k_scores {params.internal_k_scores:q} --external_k_scores {input.external_k_scores:q} "
        "--reference {input.reference:q} --baseline {input.baseline:q} --segments {output.segments:q} "
        "--ledger {output.ledger:q} --segments_csv {output.segments_csv:q} --metrics {output.metrics:q} "
        "--scores {output.scores:q} --recovery {output.recovery:q} --figure {output.figure:q} "
        "--recovery_figure {output.recovery_figure:q} --log {log:q}"
