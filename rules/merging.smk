# Merging: internal and external clusters to segments.


use rule stage as merge_segments with:
    """Make one category's segments of both views, dissolve what is too small, and merge what is too many."""
    input:
        internal_clusters="data/internal/clusters/{category}.parquet",
        internal_features="data/internal/features/{category}.parquet",
        external_clusters="data/external/clusters.parquet",
        external_features="data/external/features.parquet",
        internal_memberships="data/internal/memberships/{category}.parquet",
        external_memberships="data/external/memberships.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        baseline="data/merging/baseline.parquet",
    output:
        segments="data/merging/merged_segments/{category}.parquet",
        explained="data/merging/explained/{category}.parquet",
        ledger="data/merging/category_ledger/{category}.parquet",
    log:
        "logs/merge_segments/{category}.log",
    benchmark:
        "logs/benchmarks/merge_segments/{category}.tsv"
    params:
        **CODE["merge_segments"],
        **of_category(config, "merge_segments", "category"),
        flags=flags_of(config["merging"]),


use rule stage as apply_overrides with:
    """Put one category's stores into the segments that a person has chosen for them."""
    input:
        merged="data/merging/merged_segments/{category}.parquet",
        overrides="data/merging/overrides.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
    output:
        segments="data/merging/category_segments/{category}.parquet",
        ledger="data/merging/override_ledger/{category}.parquet",
    log:
        "logs/apply_overrides/{category}.log",
    benchmark:
        "logs/benchmarks/apply_overrides/{category}.tsv"
    params:
        **CODE["apply_overrides"],
        files=files_of(category="{category}"),


use rule stage as describe_segments with:
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
        words=WORDS,
    output:
        descriptions="data/merging/descriptions/{category}.parquet",
        traits="data/merging/traits/{category}.parquet",
        store_fit="data/merging/store_fit/{category}.parquet",
    log:
        "logs/describe_segments/{category}.log",
    benchmark:
        "logs/benchmarks/describe_segments/{category}.tsv"
    params:
        **CODE["describe_segments"],
        **of_category(config, "describe_segments", "category"),
        flags=flags_of(
            {view: config["merging"][view] for view in ("internal_weight", "external_weight")}
            | config["describing"]["describe_segments"]
            | config["report"]
        ),


use rule stage as predict_clusters with:
    """Say whether external data tell one category's clusters by what sells."""
    input:
        clusters="data/internal/clusters/{category}.parquet",
        store_features="data/external/store_features.parquet",
    output:
        predictions="data/merging/predictions/{category}.parquet",
        importance="data/merging/importance/{category}.parquet",
    log:
        "logs/predict_clusters/{category}.log",
    benchmark:
        "logs/benchmarks/predict_clusters/{category}.tsv"
    params:
        **CODE["predict_clusters"],
        files=files_of(category="{category}"),
        flags=flags_of(config["describing"]["predict_clusters"]),


use rule stage as segment_chain with:
    """Make one segmentation of the chain from those of its categories."""
    input:
        **each("merging", "category_segments"),
        categories="data/internal/categories.parquet",
        baseline="data/merging/baseline.parquet",
    output:
        chain_segments="data/merging/chain_segments.parquet",
        chain_csv="reports/chain_segments.csv",
    log:
        "logs/segment_chain.log",
    benchmark:
        "logs/benchmarks/segment_chain.tsv"
    params:
        **CODE["segment_chain"],
        flags=flags_of(config["chain"]),


use rule stage as collect_segments with:
    """Collect the segments of every category, the ledger of every stage, and the metrics."""
    input:
        **each("merging", "category_segments", "descriptions", "explained"),
        split_ledgers=expand("data/internal/ledger/{category}.parquet", category=CATEGORIES),
        internal_k_scores=expand("data/internal/k_scores/{category}.parquet", category=CATEGORIES),
        merge_ledgers=expand("data/merging/category_ledger/{category}.parquet", category=CATEGORIES),
        override_ledgers=expand("data/merging/override_ledger/{category}.parquet", category=CATEGORIES),
        categories="data/internal/categories.parquet",
        ingest_ledger="data/internal/ingest_ledger.parquet",
        assign_ledger="data/internal/assign_ledger.parquet",
        select_ledger="data/internal/select_ledger.parquet",
        join_ledger="data/external/join_ledger.parquet",
        external_k_scores="data/external/k_scores.parquet",
        reference="data/merging/reference.parquet",
        baseline="data/merging/baseline.parquet",
        chain_segments="data/merging/chain_segments.parquet",
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
    params:
        **CODE["collect_segments"],
