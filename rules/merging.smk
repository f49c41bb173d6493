# Merging: internal x external.


use rule stage as merge_segments with:
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
    params:
        files=files_of(),
        category="--category {category}",
        flags=flags_of(config["merging"]),


use rule stage as collect_segments with:
    """Collect the segments of every category, the ledger of every stage, and the metrics."""
    input:
        split_ledgers=expand("data/internal/ledger/{category}.parquet", category=CATEGORIES),
        internal_k_scores=expand("data/internal/k_scores/{category}.parquet", category=CATEGORIES),
        merge_ledgers=expand("data/merging/category_ledger/{category}.parquet", category=CATEGORIES),
        category_segments=expand("data/merging/category_segments/{category}.parquet", category=CATEGORIES),
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
    params:
        files=files_of("split_ledgers", "merge_ledgers", "category_segments", "internal_k_scores"),
