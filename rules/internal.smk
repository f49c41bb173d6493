# Internal data: what sells where.


rule select_categories:
    """List the categories to cluster, and delete the files of those that were dropped."""
    input:
        category_totals="data/internal/category_totals.parquet",
        overrides="data/merging/overrides.parquet",
        script="scripts/select_categories.py",
        lib=LIB["select_categories"],
    output:
        categories="data/internal/categories.parquet",
        ledger="data/internal/select_ledger.parquet",
    log:
        "logs/select_categories.log",
    benchmark:
        "logs/benchmarks/select_categories.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        flags=flags_of(config["internal"]["categories"]),
    shell:
        "python {input.script:q} --category_totals {input.category_totals:q} --overrides {input.overrides:q} "
        "--categories {output.categories:q} --ledger {output.ledger:q} {params.flags} --log {log:q}"


rule assign_categories:
    """Give each sale its category, and set aside the sales that have none."""
    input:
        sales="data/internal/sales.parquet",
        sku_sales="data/internal/sku_sales.parquet",
        product_map="data/internal/product_map.parquet",
        stores="data/external/stores.parquet",
        script="scripts/assign_categories.py",
        lib=LIB["assign_categories"],
    output:
        map_entries="data/internal/map_entries.parquet",
        category_totals="data/internal/category_totals.parquet",
        category_sales="data/internal/category_sales.parquet",
        category_skus="data/internal/category_skus.parquet",
        selling_stores="data/internal/selling_stores.parquet",
        ledger="data/internal/assign_ledger.parquet",
    log:
        "logs/assign_categories.log",
    benchmark:
        "logs/benchmarks/assign_categories.tsv"
    conda:
        "../envs/stages.yaml"
    threads: THREADS
    resources:
        mem_mb=DATABASE_MB,
    params:
        config=RAW.config,
        flags=flags_of(config["internal"]["assign_categories"]),
    shell:
        "python {input.script:q} --config {params.config:q} --sales {input.sales:q} --sku_sales {input.sku_sales:q} "
        "--product_map {input.product_map:q} --stores {input.stores:q} --map_entries {output.map_entries:q} "
        "--category_totals {output.category_totals:q} --category_sales {output.category_sales:q} --category_skus {output.category_skus:q} "
        "--selling_stores {output.selling_stores:q} --ledger {output.ledger:q} {params.flags} --log {log:q}"


rule split_need_states:
    """Split one category's sales over need states, and make each store's shares of them."""
    input:
        category_totals="data/internal/category_totals.parquet",
        category_sales="data/internal/category_sales.parquet",
        category_skus="data/internal/category_skus.parquet",
        map_entries="data/internal/map_entries.parquet",
        script="scripts/split_need_states.py",
        lib=LIB["split_need_states"],
    output:
        need_state_sales="data/internal/need_state_sales/{category}.parquet",
        shares="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        ledger="data/internal/ledger/{category}.parquet",
    log:
        "logs/split_need_states/{category}.log",
    benchmark:
        "logs/benchmarks/split_need_states/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        name=lambda wildcards: flags(config["internal"]["categories"][wildcards.category]),
        flags=flags_of(config["internal"]["split_need_states"]),
    shell:
        "python {input.script:q} --category {wildcards.category} {params.name} "
        "--category_totals {input.category_totals:q} --category_sales {input.category_sales:q} "
        "--category_skus {input.category_skus:q} --map_entries {input.map_entries:q} "
        "--need_state_sales {output.need_state_sales:q} --shares {output.shares:q} "
        "--store_sales {output.store_sales:q} --ledger {output.ledger:q} {params.flags} --log {log:q}"


rule build_features:
    """Turn one category's shares into the points that are clustered."""
    input:
        table="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        script="scripts/build_features.py",
        lib=LIB["build_features"],
    output:
        features="data/internal/features/{category}.parquet",
        feature_report="data/internal/feature_reports/{category}.parquet",
    log:
        "logs/build_features/{category}.log",
    benchmark:
        "logs/benchmarks/build_features/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        store_sales=lambda wildcards, input: flags({"store_sales": input.store_sales}),
        flags=flags_of(config["internal"]["build_features"]),
    shell:
        "python {input.script:q} --table {input.table:q} {params.store_sales} --features {output.features:q} "
        "--feature_report {output.feature_report:q} {params.flags} --log {log:q}"


rule cluster_stores:
    """Score every k for one category, choose one, and place every store."""
    input:
        features="data/internal/features/{category}.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/cluster_stores.py",
        lib=LIB["cluster_stores"],
    output:
        clusters="data/internal/clusters/{category}.parquet",
        k_scores="data/internal/k_scores/{category}.parquet",
        memberships="data/internal/memberships/{category}.parquet",
        stability="data/internal/stability/{category}.parquet",
        model="data/internal/models/{category}.json",
    log:
        "logs/cluster_stores/{category}.log",
    benchmark:
        "logs/benchmarks/cluster_stores/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        view="{category}",
        flags=flags_of(config["internal"]["cluster_stores"]),
    shell:
        "python {input.script:q} --view {params.view} --features {input.features:q} --baseline {input.baseline:q} "
        "--clusters {output.clusters:q} --k_scores {output.k_scores:q} --memberships {output.memberships:q} "
        "--stability {output.stability:q} --model {output.model:q} {params.flags} --log {log:q}"


rule profile_clusters:
    """Describe one category's clusters in figures and pictures."""
    input:
        table="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        features="data/internal/features/{category}.parquet",
        clusters="data/internal/clusters/{category}.parquet",
        k_scores="data/internal/k_scores/{category}.parquet",
        script="scripts/profile_clusters.py",
        lib=LIB["profile_clusters"],
    output:
        profile="data/internal/profiles/{category}.parquet",
        k_figure=in_report("reports/figures/k_scores/{category}.png", "What sells", "number of clusters"),
        silhouette_figure=in_report("reports/figures/silhouettes/{category}.png", "What sells", "silhouettes"),
        stores_figure=in_report("reports/figures/stores/{category}.png", "What sells", "stores"),
        profile_figure=in_report("reports/figures/profile/{category}.png", "What sells", "profile"),
    log:
        "logs/profile_clusters/{category}.log",
    benchmark:
        "logs/benchmarks/profile_clusters/{category}.tsv"
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
    params:
        view="{category}",
    shell:
        "python {input.script:q} --view {params.view} --table {input.table:q} --store_sales {input.store_sales:q} "
        "--features {input.features:q} --clusters {input.clusters:q} --k_scores {input.k_scores:q} "
        "--profile {output.profile:q} --k_figure {output.k_figure:q} "
        "--silhouette_figure {output.silhouette_figure:q} --stores_figure {output.stores_figure:q} "
        "--profile_figure {output.profile_figure:q} --log {log:q}"
