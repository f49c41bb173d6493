"""Store segments from raw sales: the same stages as dvc.yaml, for Snakemake."""

import os
import sys
from pathlib import Path

# This project's modules, whatever else of their name is on the path; stages must look beside themselves for them too.
sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))
os.environ.pop("PYTHONSAFEPATH", None)

from snakemake.exceptions import WorkflowError
from storelib.configuration.workflow import DEMO_FILES, RAW_TABLES, RawFiles, check_params, database_mb, memory_mb
from storelib.configuration.workflow import flags, flags_of, folders_of, in_report, modules_by_stage
from storelib.errors import PipelineError
from storelib.names import KEY


configfile: "params.yaml"


try:
    PARAMS = check_params(config)
    # What each stage imports: the one list of it is in dvc.yaml.
    LIB = modules_by_stage(Path("dvc.yaml"))
    RAW = RawFiles(PARAMS)
except PipelineError as error:
    raise WorkflowError(str(error)) from None

SOURCES = RAW.place.sources
# Of the stages that use DuckDB, which keeps to both.
THREADS = RAW.place.compute.threads
DATABASE_MB = database_mb(RAW.place.compute)
CATEGORIES = sorted(PARAMS.internal.categories)


wildcard_constraints:
    category=KEY,


# Jobs: what a run can be asked for -----------------------------------------------------------------------


rule full_pipeline:
    """Everything: segments, profiles, pictures, metrics, the report, the workbooks, and that the checks hold."""
    default_target: True
    input:
        "reports/checks_passed.txt",
        "reports/report.html",
        expand("reports/workbooks/{category}.xlsx", category=CATEGORIES),
        "data/merging/segments.parquet",
        "data/external/profile.parquet",
        expand("data/internal/profiles/{category}.parquet", category=CATEGORIES),


rule internal_preprocessing:
    """Raw sales to shares of need states."""
    input:
        expand("data/internal/shares/{category}.parquet", category=CATEGORIES),


rule external_preprocessing:
    """Raw external data to store features."""
    input:
        "data/external/store_features.parquet",


rule internal_ml:
    """Clusters of each category, with their profiles."""
    input:
        expand("data/internal/profiles/{category}.parquet", category=CATEGORIES),


rule external_ml:
    """Clusters by external data, with their profile."""
    input:
        "data/external/profile.parquet",


rule merging:
    """Segments of every category, the ledger and the metrics."""
    input:
        "data/merging/segments.parquet",


include: "rules/raw.smk"
include: "rules/internal.smk"
include: "rules/external.smk"
include: "rules/merging.smk"
include: "rules/reports.smk"
