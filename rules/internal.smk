# Internal data: what sells where.


use rule stage as select_categories with:
    """List the categories to cluster with their own settings, and delete the files of those that were dropped."""
    input:
        category_totals="data/internal/category_totals.parquet",
        overrides="data/merging/overrides.parquet",
    output:
        categories="data/internal/categories.parquet",
        ledger="data/internal/select_ledger.parquet",
    log:
        "logs/select_categories.log",
    benchmark:
        "logs/benchmarks/select_categories.tsv"
    params:
        **CODE["select_categories"],
        files=files_of(settings="data/internal/settings"),
        flags=flags_of(config["internal"]["categories"]),


use rule stage as assign_categories with:
    """Give each sale its category, and set aside the sales that have none."""
    input:
        sales="data/internal/sales.parquet",
        sku_sales="data/internal/sku_sales.parquet",
        product_map="data/internal/product_map.parquet",
        stores="data/external/stores.parquet",
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
    params:
        **CODE["assign_categories"],
        flags=flags_of(config["internal"]["assign_categories"]),


use rule stage as split_need_states with:
    """Split one category's sales over need states, and make each store's shares of them."""
    input:
        category_totals="data/internal/category_totals.parquet",
        category_sales="data/internal/category_sales.parquet",
        category_skus="data/internal/category_skus.parquet",
        map_entries="data/internal/map_entries.parquet",
    output:
        need_state_sales="data/internal/need_state_sales/{category}.parquet",
        shares="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        ledger="data/internal/ledger/{category}.parquet",
    log:
        "logs/split_need_states/{category}.log",
    benchmark:
        "logs/benchmarks/split_need_states/{category}.tsv"
    params:
        **CODE["split_need_states"],
        **of_category(config, "split_need_states", "category"),
        flags=flags_of(config["internal"]["split_need_states"]),


use rule stage as build_features with:
    """Turn one category's shares into the points that are clustered."""
    input:
        table="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
    output:
        features="data/internal/features/{category}.parquet",
        feature_report="data/internal/feature_reports/{category}.parquet",
    log:
        "logs/build_features/{category}.log",
    benchmark:
        "logs/benchmarks/build_features/{category}.tsv"
    params:
        **CODE["build_features"],
        **of_category(config, "build_features"),
        flags=flags_of(config["internal"]["build_features"]),


use rule stage as cluster_stores with:
    """Score every k for one category, choose one, and place every store."""
    input:
        features="data/internal/features/{category}.parquet",
        baseline="data/merging/baseline.parquet",
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
    params:
        **CODE["cluster_stores"],
        **of_category(config, "cluster_stores", "view"),
        flags=flags_of(config["internal"]["cluster_stores"]),


use rule stage as profile_clusters with:
    """Describe one category's clusters in figures and pictures."""
    input:
        table="data/internal/shares/{category}.parquet",
        store_sales="data/internal/store_sales/{category}.parquet",
        features="data/internal/features/{category}.parquet",
        clusters="data/internal/clusters/{category}.parquet",
        k_scores="data/internal/k_scores/{category}.parquet",
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
    # Nothing waits for pictures but the report: what others wait for goes first.
    priority: -1
    params:
        **CODE["profile_clusters"],
        **of_category(config, "profile_clusters", "view"),
