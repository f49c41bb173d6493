# External data: where stores are.


rule join_external:
    """Join external sources to stores, by key."""
    input:
        selling_stores="data/internal/selling_stores.parquet",
        stores="data/external/stores.parquet",
        sources="data/external/sources.parquet",
        script="scripts/join_external.py",
        lib=LIB["join_external"],
    output:
        store_features="data/external/store_features.parquet",
        ledger="data/external/join_ledger.parquet",
    log:
        "logs/join_external.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["external"]["join_external"]),
    shell:
        "python {input.script:q} --selling_stores {input.selling_stores:q} --stores {input.stores:q} "
        "--sources {input.sources:q} --store_features {output.store_features:q} --ledger {output.ledger:q} "
        "{params.flags} --log {log:q}"


rule build_external_features:
    """Turn store features into the points that are clustered."""
    input:
        table="data/external/store_features.parquet",
        script="scripts/build_features.py",
        lib=LIB["build_external_features"],
    output:
        features="data/external/features.parquet",
        feature_report="data/external/feature_report.parquet",
    log:
        "logs/build_external_features.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["external"]["build_features"]),
    shell:
        "python {input.script:q} --table {input.table:q} --features {output.features:q} "
        "--feature_report {output.feature_report:q} {params.flags} --log {log:q}"


rule cluster_external_stores:
    """Score every k for external data, choose one, and place every store."""
    input:
        features="data/external/features.parquet",
        baseline="data/merging/baseline.parquet",
        script="scripts/cluster_stores.py",
        lib=LIB["cluster_external_stores"],
    output:
        clusters="data/external/clusters.parquet",
        k_scores="data/external/k_scores.parquet",
    log:
        "logs/cluster_external_stores.log",
    conda:
        "envs/stages.yaml"
    params:
        flags=flags_of(config["external"]["cluster_stores"]),
    shell:
        "python {input.script:q} --view external --features {input.features:q} "
        "--baseline {input.baseline:q} --clusters {output.clusters:q} --k_scores {output.k_scores:q} "
        "{params.flags} --log {log:q}"


rule profile_external_clusters:
    """Describe the external clusters in figures and pictures."""
    input:
        table="data/external/store_features.parquet",
        store_sales="data/internal/selling_stores.parquet",
        features="data/external/features.parquet",
        clusters="data/external/clusters.parquet",
        k_scores="data/external/k_scores.parquet",
        script="scripts/profile_clusters.py",
        lib=LIB["profile_external_clusters"],
    output:
        profile="data/external/profile.parquet",
        k_figure=report(
            "reports/figures/k_scores/external.png",
            caption="scripts/captions/k_scores.rst",
            category="Where stores are",
            labels={"view": "external", "picture": "number of clusters"},
        ),
        silhouette_figure=report(
            "reports/figures/silhouettes/external.png",
            caption="scripts/captions/silhouettes.rst",
            category="Where stores are",
            labels={"view": "external", "picture": "silhouettes"},
        ),
        stores_figure=report(
            "reports/figures/stores/external.png",
            caption="scripts/captions/stores.rst",
            category="Where stores are",
            labels={"view": "external", "picture": "stores"},
        ),
        profile_figure=report(
            "reports/figures/profile/external.png",
            caption="scripts/captions/profile.rst",
            category="Where stores are",
            labels={"view": "external", "picture": "profile"},
        ),
    log:
        "logs/profile_external_clusters.log",
    conda:
        "envs/stages.yaml"
    shell:
        "python {input.script:q} --view external --table {input.table:q} "
        "--store_sales {input.store_sales:q} --features {input.features:q} --clusters {input.clusters:q} "
        "--k_scores {input.k_scores:q} --profile {output.profile:q} --k_figure {output.k_figure:q} "
        "--silhouette_figure {output.silhouette_figure:q} --stores_figure {output.stores_figure:q} --profile_figure {output.profile_figure:q} --log {log:q}"
