"""Both runners' graphs of one project, in the same words, so that tests can compare them.

Snakemake offers its graph of jobs through private API alone; all use of it stays in this file.
"""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from dvc.stage import PipelineStage
from snakemake.api import SnakemakeApi
from snakemake.io import is_flagged
from snakemake.jobs import Job
from snakemake.settings.types import (
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
    WorkflowSettings,
)

# Imported here, so that a Snakefile of a copied project finds this checkout's modules already loaded.
import storelib.configuration.workflow  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("Snakefile", "rules", "dvc.yaml", "params.yaml", "configs", "scripts", "envs", ".dvc/config", ".dvcignore")


@dataclass(frozen=True)
class Stage:
    """One stage as one runner resolved it."""

    name: str  # as DVC spells it: `cluster_stores@beauty`
    command: str
    inputs: frozenset[str]
    outputs: frozenset[str]
    # DVC: file to keys. Snakemake: name to value.
    params: Mapping[str, Any] = field(default_factory=dict)
    wildcards: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[str, ...] = ()
    # Snakemake's alone.
    benchmark: str | None = None
    environment: Path | None = None
    captions: tuple[Path, ...] = ()
    # The values whose change it sees, and the command before they were filled in.
    recorded: tuple[str, ...] = ()
    template: str = ""
    # What a job may use changes no result.
    threads: int = field(default=0, compare=False)
    memory: Any = field(default=None, compare=False)  # in MB, or that it is not known yet

    @property
    def group(self) -> str:
        """The rule, or the `foreach` it unfolds from."""
        return self.name.partition("@")[0]


def copy_project(root: Path) -> Path:
    """A copy of what the runners read, where they may write; it is a git repository of its own."""
    for name in COPIED:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root


@contextmanager
def dvc_repo(root: Path) -> Iterator[Repo]:
    """The project for DVC, which writes nothing outside it."""
    kept = dict(os.environ)
    os.environ |= {
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(root / ".dvc" / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(root / ".dvc" / "system"),
        "DVC_SITE_CACHE_DIR": str(root / ".dvc" / "site"),
    }
    try:
        # DVC names stages relative to where it is called.
        with chdir(root), Repo(str(root)) as repo:
            yield repo
    finally:
        os.environ.clear()
        os.environ.update(kept)


def dvc_stages(root: Path) -> dict[str, Stage]:
    """Every stage of dvc.yaml, by name."""
    with dvc_repo(root) as repo:
        stages = [dvc_stage(stage) for stage in repo.index.stages if isinstance(stage, PipelineStage)]
    return by_name(stages)


def dvc_stage(stage: PipelineStage) -> Stage:
    params = {dep.def_path: tuple(dep.params) for dep in stage.params}
    return Stage(
        name=stage.addressing,
        command=stage.cmd,
        inputs=frozenset(dep.def_path for dep in stage.deps if dep.def_path not in params),
        outputs=frozenset(out.def_path for out in stage.outs),
        params=params,
    )


def dvc_upstream(root: Path, jobs: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """What `dvc repro` may run for the targets of each job: stages or groups of stages, and all that they need."""
    with dvc_repo(root) as repo, warnings.catch_warnings():
        # DVC asks pygtrie for a value that is not there.
        warnings.filterwarnings("ignore", message="_NoneStep.value", category=DeprecationWarning)
        return {
            job: {stage.addressing for target in targets for stage in repo.stage.collect(target, with_deps=True)}
            for job, targets in jobs.items()
        }


def snakemake_stages(root: Path, target: str = "full_pipeline") -> dict[str, Stage]:
    """Every job that `snakemake --forceall <target>` would run, by name, but for rules that only gather."""
    path, folder = list(sys.path), Path.cwd()
    settings = WorkflowSettings(runtime_source_cache_path=root / ".snakemake" / "sources")
    try:
        with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
            workflow_api = api.workflow(
                resource_settings=ResourceSettings(cores=4),
                workflow_settings=settings,
                snakefile=root / "Snakefile",
                workdir=root,
            )
            workflow_api.dag(DAGSettings(targets={target}, forceall=True))
            workflow = workflow_api._workflow
            workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
            workflow._build_dag()
            stages = [snakemake_stage(job) for job in workflow.dag.jobs if job.shellcmd is not None]
    finally:
        sys.path[:] = path
        os.chdir(folder)
    return by_name(stages)


def snakemake_stage(job: Job) -> Stage:
    wildcards = dict(job.wildcards_dict)
    return Stage(
        name="@".join([job.rule.name, *wildcards.values()]),
        command=job.shellcmd,
        inputs=frozenset(map(str, job.input)),
        outputs=frozenset(map(str, job.output)),
        params=dict(job.params.items()),
        wildcards=wildcards,
        logs=tuple(map(str, job.log)),
        benchmark=job.benchmark and str(job.benchmark),
        environment=Path(job.rule.expand_conda_env(job.wildcards_dict).file.get_path_or_uri(secret_free=True)),
        captions=tuple(
            Path(out.flags["report"].caption.get_path_or_uri(secret_free=True))
            for out in job.output
            if is_flagged(out, "report")
        ),
        recorded=tuple(map(str, job.non_derived_params)),
        template=job.rule.shellcmd,
        threads=job.threads,
        memory=job.resources["mem_mb"],
    )


def by_name(stages: list[Stage]) -> dict[str, Stage]:
    found = {stage.name: stage for stage in stages}
    assert len(found) == len(stages), "two jobs have one name"
    return found
