"""Store segments from raw sales: the same stages as dvc.yaml, for Snakemake."""

import os
import sys
from functools import partial
from pathlib import Path

# This project's modules, whatever else of their name is on the path; stages must look beside themselves for them too.
sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))
os.environ.pop("PYTHONSAFEPATH", None)

from snakemake.exceptions import WorkflowError
from storelib.configuration.stages import RAW_LISTS, Made
from storelib.configuration.workflow import DEMO_FILES, RawFiles, check_params, database_mb, memory_mb
from storelib.configuration.workflow import code_params, files_of, flags, flags_of, in_report, inputs_of_each, minutes
from storelib.configuration.workflow import of_category, of_external, sections_of, settle_settings, start_at_once
from storelib.errors import PipelineError
from storelib.names import KEY


configfile: "params.yaml"


try:
    PARAMS = check_params(config)
    # Of each script its path, and what its code is: parameters of its rules.
    CODE = code_params()
    MADE = Made(Path("dvc.yaml"), PARAMS.internal.categories, PARAMS.env)
    RAW = RawFiles(PARAMS)
    settle_settings(config["internal"]["categories"])
except PipelineError as error:
    raise WorkflowError(str(error)) from None

EVERYTHING = MADE.by("profile_clusters", "profile_external_clusters", "require_checks")
RAW.settle_times(EVERYTHING)
SOURCES = RAW.place.sources
# Of the stages that use DuckDB, which keeps to both.
THREADS = RAW.place.compute.threads
DATABASE_MB = database_mb(RAW.place.compute)
CATEGORIES = sorted(PARAMS.internal.categories)
each = partial(inputs_of_each, CATEGORIES)
# What pages say, in the reader's language.
WORDS = f"scripts/templates/words/{PARAMS.report.language}.yaml"


wildcard_constraints:
    category=KEY,


onstart:
    start_at_once(workflow)


# Jobs: what a run can be asked for; all that is made on the way belongs to it, so what is missing is made ---


rule full_pipeline:
    """Everything: segments, profiles, pictures, metrics, the report, the workbooks, and that the checks hold."""
    default_target: True
    input:
        EVERYTHING,


# Parts of it, each with the stage whose files it ends with.
PARTS = {
    "internal_preprocessing": "split_need_states",
    "external_preprocessing": "join_external",
    "internal_ml": "profile_clusters",
    "external_ml": "profile_external_clusters",
    "merging": "collect_segments",
}
for part, last in PARTS.items():

    rule:
        name:
            part
        input:
            MADE.by(last),


include: "rules/stage.smk"
include: "rules/raw.smk"
include: "rules/internal.smk"
include: "rules/external.smk"
include: "rules/merging.smk"
include: "rules/reports.smk"
