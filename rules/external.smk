# External data: where stores are.


use rule stage as join_external with:
    """Join external sources to stores, by key."""
    input:
        selling_stores="data/internal/selling_stores.parquet",
        stores="data/external/stores.parquet",
        sources="data/external/sources.parquet",
    output:
        store_features="data/external/store_features.parquet",
        ledger="data/external/join_ledger.parquet",
    log:
        "logs/join_external.log",
    benchmark:
        "logs/benchmarks/join_external.tsv"
    params:
        **CODE["join_external"],
        flags=flags_of(config["external"]["join_external"]),


use rule build_features as build_external_features with:
    """Turn store features into the points that are clustered."""
    input:
        table="data/external/store_features.parquet",
    output:
        features="data/external/features.parquet",
        feature_report="data/external/feature_report.parquet",
    log:
        "logs/build_external_features.log",
    benchmark:
        "logs/benchmarks/build_external_features.tsv"
    params:
        **of_external(),
        flags=flags_of(config["external"]["build_features"]),


use rule cluster_stores as cluster_external_stores with:
    """Score every k for external data, choose one, and place every store."""
    input:
        features="data/external/features.parquet",
        baseline="data/merging/baseline.parquet",
    output:
        clusters="data/external/clusters.parquet",
        k_scores="data/external/k_scores.parquet",
        memberships="data/external/memberships.parquet",
        stability="data/external/stability.parquet",
        model="data/external/model.json",
    log:
        "logs/cluster_external_stores.log",
    benchmark:
        "logs/benchmarks/cluster_external_stores.tsv"
    params:
        **of_external(view="external"),
        flags=flags_of(config["external"]["cluster_stores"]),


use rule profile_clusters as profile_external_clusters with:
    """Describe the external clusters in figures and pictures."""
    input:
        table="data/external/store_features.parquet",
        store_sales="data/internal/selling_stores.parquet",
        features="data/external/features.parquet",
        clusters="data/external/clusters.parquet",
        k_scores="data/external/k_scores.parquet",
    output:
        profile="data/external/profile.parquet",
        k_figure=in_report("reports/figures/k_scores/external.png", "Where stores are", "number of clusters"),
        silhouette_figure=in_report("reports/figures/silhouettes/external.png", "Where stores are", "silhouettes"),
        stores_figure=in_report("reports/figures/stores/external.png", "Where stores are", "stores"),
        profile_figure=in_report("reports/figures/profile/external.png", "Where stores are", "profile"),
    log:
        "logs/profile_external_clusters.log",
    benchmark:
        "logs/benchmarks/profile_external_clusters.tsv"
    params:
        **of_external(view="external"),
