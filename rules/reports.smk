# Reports: what was found, for people.


rule check_results:
    """Hold the result against what is expected of it."""
    input:
        clusters=expand("data/internal/clusters/{category}.parquet", category=CATEGORIES),
        categories="data/internal/categories.parquet",
        external=expand("data/external/{table}.parquet", table=["clusters", "stores", "sources"]),
        segments="data/merging/segments.parquet",
        ledger="data/merging/ledger.parquet",
        migrations="data/merging/migrations.parquet",
        script="scripts/check_results.py",
        lib=LIB["check_results"],
    output:
        checks="reports/checks.json",
    log:
        "logs/check_results.log",
    benchmark:
        "logs/benchmarks/check_results.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        **folders_of("clusters"),
        flags=flags_of(config["checks"]),
    shell:
        "python {input.script:q} --categories {input.categories:q} --segments {input.segments:q} "
        "--ledger {input.ledger:q} --clusters {params.clusters:q} --external_clusters {input.external[0]:q} "
        "--stores {input.external[1]:q} --sources {input.external[2]:q} --migrations {input.migrations:q} --checks {output.checks:q} {params.flags} --log {log:q}"


rule build_report:
    """Write the report: one page that opens anywhere."""
    input:
        raw_files=RAW_LISTS,
        shares=expand("data/internal/shares/{category}.parquet", category=CATEGORIES),
        store_sales=expand("data/internal/store_sales/{category}.parquet", category=CATEGORIES),
        clusters=expand("data/internal/clusters/{category}.parquet", category=CATEGORIES),
        k_scores=expand("data/internal/k_scores/{category}.parquet", category=CATEGORIES),
        profiles=expand("data/internal/profiles/{category}.parquet", category=CATEGORIES),
        categories="data/internal/categories.parquet",
        period_sales="data/internal/period_sales.parquet",
        stores="data/external/stores.parquet",
        store_features="data/external/store_features.parquet",
        external_clusters="data/external/clusters.parquet",
        external_k_scores="data/external/k_scores.parquet",
        external_profile="data/external/profile.parquet",
        segments="data/merging/segments.parquet",
        ledger="data/merging/ledger.parquet",
        explained=expand("data/merging/explained/{category}.parquet", category=CATEGORIES),
        overrides="data/merging/overrides.parquet",
        migrations="data/merging/migrations.parquet",
        chain_segments="data/merging/chain_segments.parquet",
        reference="data/merging/reference.parquet",
        recovery="reports/recovery.csv",
        checks="reports/checks.json",
        template="scripts/templates/report.html.j2",
        outlines="scripts/outlines/outlines.json",
        script="scripts/build_report.py",
        lib=LIB["build_report"],
    output:
        report=in_report("reports/report.html", "Segments", "report"),
    log:
        "logs/build_report.log",
    benchmark:
        "logs/benchmarks/build_report.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        **folders_of("shares", "store_sales", "clusters", "k_scores", "profiles", "explained"),
        internal=flags_of(config["internal"]),
        external=flags_of(config["external"]),
        merging=flags_of(config["merging"]),
    shell:
        "python {input.script:q} --raw_files {input.raw_files:q} --categories {input.categories:q} "
        "--period_sales {input.period_sales:q} --stores {input.stores:q} "
        "--shares {params.shares:q} --store_sales {params.store_sales:q} --clusters {params.clusters:q} "
        "--k_scores {params.k_scores:q} --profiles {params.profiles:q} --store_features {input.store_features:q} "
        "--external_clusters {input.external_clusters:q} --external_k_scores {input.external_k_scores:q} "
        "--external_profile {input.external_profile:q} --segments {input.segments:q} --ledger {input.ledger:q} "
        "--explained {params.explained:q} --overrides {input.overrides:q} "
        "--migrations {input.migrations:q} --chain_segments {input.chain_segments:q} "
        "--reference {input.reference:q} --recovery {input.recovery:q} --checks {input.checks:q} "
        "--template {input.template:q} --outlines {input.outlines:q} --report {output.report:q} "
        "--internal {params.internal} --external {params.external} --merging {params.merging} --log {log:q}"


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
        lib=LIB["export_workbook"],
    output:
        workbook="reports/workbooks/{category}.xlsx",
    log:
        "logs/export_workbook/{category}.log",
    benchmark:
        "logs/benchmarks/export_workbook/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
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
        lib=LIB["require_checks"],
    output:
        passed="reports/checks_passed.txt",
    log:
        "logs/require_checks.log",
    benchmark:
        "logs/benchmarks/require_checks.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    shell:
        "python {input.script:q} --checks {input.checks:q} --report {input.report:q} --passed {output.passed:q} "
        "--log {log:q}"
