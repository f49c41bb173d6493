# Reports: what was found, for people.


use rule stage as check_results with:
    """Hold the result against what is expected of it."""
    input:
        **each("internal", "clusters", "store_sales"),
        categories="data/internal/categories.parquet",
        external_clusters="data/external/clusters.parquet",
        stores="data/external/stores.parquet",
        sources="data/external/sources.parquet",
        segments="data/merging/segments.parquet",
        ledger="data/merging/ledger.parquet",
        migrations="data/merging/migrations.parquet",
    output:
        checks="reports/checks.json",
    log:
        "logs/check_results.log",
    benchmark:
        "logs/benchmarks/check_results.tsv"
    params:
        **CODE["check_results"],
        flags=flags_of(config["checks"]),


use rule stage as build_report with:
    """Write the report: one page that opens anywhere."""
    input:
        **each("internal", "shares", "store_sales", "clusters", "k_scores", "stability", "profiles"),
        **each("merging", "descriptions", "traits", "store_fit", "predictions", "importance", "explained"),
        raw_files=RAW_LISTS,
        categories="data/internal/categories.parquet",
        period_sales="data/internal/period_sales.parquet",
        stores="data/external/stores.parquet",
        store_features="data/external/store_features.parquet",
        external_clusters="data/external/clusters.parquet",
        external_k_scores="data/external/k_scores.parquet",
        external_stability="data/external/stability.parquet",
        external_profile="data/external/profile.parquet",
        segments="data/merging/segments.parquet",
        ledger="data/merging/ledger.parquet",
        overrides="data/merging/overrides.parquet",
        migrations="data/merging/migrations.parquet",
        baseline="data/merging/baseline.parquet",
        chain_segments="data/merging/chain_segments.parquet",
        reference="data/merging/reference.parquet",
        recovery="reports/recovery.csv",
        checks="reports/checks.json",
        template="scripts/templates/report.html.j2",
        words=WORDS,
        outlines="scripts/outlines/outlines.json",
    output:
        report=in_report("reports/report.html", "Segments", "report"),
    log:
        "logs/build_report.log",
    benchmark:
        "logs/benchmarks/build_report.tsv"
    params:
        **CODE["build_report"],
        flags=sections_of(config, "internal", "external", "merging", "describing", before="report"),


use rule stage as export_workbook with:
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
        descriptions="data/merging/descriptions/{category}.parquet",
        traits="data/merging/traits/{category}.parquet",
        store_fit="data/merging/store_fit/{category}.parquet",
        words=WORDS,
    output:
        workbook="reports/workbooks/{category}.xlsx",
    log:
        "logs/export_workbook/{category}.log",
    benchmark:
        "logs/benchmarks/export_workbook/{category}.tsv"
    # As profile_clusters.
    priority: -1
    params:
        **CODE["export_workbook"],
        **of_category(config, "export_workbook", "category"),
        flags=flags_of(config["report"]),


use rule stage as export_segments with:
    """Write the segments of all categories as one Excel workbook."""
    input:
        **each("internal", "shares", "clusters", "store_sales"),
        categories="data/internal/categories.parquet",
        segments="data/merging/segments.parquet",
        stores="data/external/stores.parquet",
        external_clusters="data/external/clusters.parquet",
        store_features="data/external/store_features.parquet",
        words=WORDS,
    output:
        workbook="reports/segments.xlsx",
    log:
        "logs/export_segments.log",
    benchmark:
        "logs/benchmarks/export_segments.tsv"
    params:
        **CODE["export_segments"],
        flags=flags_of(config["report"]),


use rule stage as require_checks with:
    """Fail where a check failed. Last, so that the report and the workbooks are there to look at."""
    input:
        expand("reports/workbooks/{category}.xlsx", category=CATEGORIES),
        "reports/segments.xlsx",
        checks="reports/checks.json",
        report="reports/report.html",
    output:
        passed="reports/checks_passed.txt",
    log:
        "logs/require_checks.log",
    benchmark:
        "logs/benchmarks/require_checks.tsv"
    params:
        **CODE["require_checks"],
