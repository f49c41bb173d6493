"""The command line. Exit codes: 0 success, 1 general, 2 arguments, 3 configuration, 4 pipeline or data."""

import json
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from clustering import __version__
from clustering.halves import REPORT, split_half
from clustering.jobs import DESCRIPTIONS, JOBS, job_name
from clustering.projects import check_project, examples, find_project, make_project
from clustering.runners import call, failure, heal, only_run, record, sync
from lib.errors import ConfigError, DataError, PipelineError, nearest_name
from lib.leftovers import prune

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()


class Engine(StrEnum):
    """Which runner does the work."""

    snakemake = "snakemake"
    dvc = "dvc"


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Store segments from raw sales and external data."""


@app.command()
def run(
    job: Annotated[str, typer.Argument(help="A job of `clustering list-jobs`, with or without `_job`.")],
    env: Annotated[
        str | None, typer.Option(help="Environment: configs/<env>.yml. By default `env` of params.yaml.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Stages at a time (Snakemake).")] = 2,
    engine: Annotated[Engine, typer.Option(help="The runner.")] = Engine.snakemake,
) -> None:
    """Run a job; only stages whose inputs or parameters changed.

    Example: clustering run full_pipeline_job --cores 4
    """
    name = job_name(job)
    if name is None:
        hint = nearest_name(job.removesuffix("_job"), JOBS)
        raise typer.BadParameter(f"there is no job {job!r}{hint}; see `clustering list-jobs`", param_hint="JOB")
    run_job(find_project(), name, env, cores, engine)


def run_job(root: Path, job: str, env: str | None, cores: int, engine: Engine) -> None:
    """Check, run, pass the state on, and say where the results are."""
    params, _, env = check_project(root, env)
    started, began = time.monotonic(), time.time()
    with only_run(root):
        heal(root)
        prune(params.internal.categories, root)
        if engine is Engine.dvc:
            if env != params.env:
                raise ConfigError(
                    f"DVC takes the environment from params.yaml, which says {params.env!r}, not {env!r}",
                    solution=f"set `env: {env}` in params.yaml, or use `dvc exp run -S env={env}`",
                )
            code = call(root, "dvc", ["repro", *JOBS[job]])
        else:
            other = ["--config", f"env={env}"] if env != params.env else []
            quiet = ["--quiet", "host", "reason", "rules"]
            code = call(root, "snakemake", ["--cores", str(cores), *quiet, *other, "--", job])
        if code:
            raise failure(root, job, began)
        if engine is Engine.dvc:
            sync(root)
        elif env == params.env:
            record(root)
        else:
            console.print(f"Not recorded for DVC: params.yaml says env: {params.env}, this run was for {env}.")
    console.print(f"{job}: done in {time.monotonic() - started:.0f} s.")
    if job in {"merging", "full_pipeline"}:
        show_segments(root)


def show_segments(root: Path) -> None:
    """A table of what was found, and where it lies."""
    metrics = json.loads((root / "reports" / "metrics.json").read_text(encoding="utf-8"))
    recovery = metrics.get("recovery", {})
    table = Table("category", "stores", "k", "segments", "smallest", *(["ARI with reference"] if recovery else []))
    for key, found in metrics["merging"].items():
        known = [f"{recovery[key]['segment_ari']:.3f}" if key in recovery else ""] if recovery else []
        counts = (found["stores"], metrics["internal"][key]["k"], found["segments"], found["smallest"])
        table.add_row(key, *map(str, counts), *known)
    console.print(table)
    amounts = metrics["ledger"]
    console.print(
        f"Sales: {amounts['sales_in']:,.2f} in, {amounts['sales_segmented']:,.2f} segmented, "
        f"{amounts['sales_set_aside']:,.2f} set aside (reasons: data/merging/ledger.parquet)"
    )
    for what, where in (
        ("report", "reports/report.html"),
        ("segments", "data/merging/segments.parquet"),
        ("as CSV", "reports/segments.csv"),
        ("pictures", "reports/figures/"),
        ("metrics", "reports/metrics.json"),
    ):
        console.print(f"  {what:<9} {root / where}", soft_wrap=True, highlight=False)


@app.command("list-jobs")
def list_jobs() -> None:
    """List the jobs."""
    table = Table("job", "makes", box=None)
    for name, description in DESCRIPTIONS.items():
        table.add_row(f"{name}_job", description)
    console.print(table)


@app.command()
def minimal(
    cores: Annotated[int, typer.Option(min=1, help="Stages at a time.")] = 2,
) -> None:
    """Run a small demo in a temporary folder, which is kept."""
    folder = Path(tempfile.mkdtemp(prefix="clustering-minimal-")) / "project"
    make_project(folder, "minimal")
    run_job(folder, "full_pipeline", None, cores, Engine.snakemake)


@app.command("split-half")
def split_half_command(
    env: Annotated[
        str | None, typer.Option(help="Environment: configs/<env>.yml. By default `env` of params.yaml.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Stages at a time.")] = 2,
    keep: Annotated[
        Path | None, typer.Option(help="A new folder for the projects of both halves, which are otherwise temporary.")
    ] = None,
) -> None:
    """Would the same stores be together, had we looked at the other half of the weeks?

    Runs the pipeline on the sales of odd and of even weeks, and compares: adjusted Rand index, 1 is the same partition, 0 is
    chance. Example: clustering split-half --cores 4
    """
    root = find_project()
    rows, counts = split_half(root, env, cores, keep)
    show_halves(rows)
    halves = [f"{counts[half]['lines']:,} lines in {counts[half]['weeks']} {half} weeks" for half in ("odd", "even")]
    without = f"{counts['lines_without_date']:,} lines without a date that can be read are in neither"
    console.print(f"{', '.join(halves)}; {without}.", soft_wrap=True, highlight=False)
    for what, where in (("report", root / REPORT), *((("projects", keep),) if keep else ())):
        console.print(f"  {what:<9} {where}", soft_wrap=True, highlight=False)


def show_halves(rows: list[dict[str, str]]) -> None:
    """A table of how far the halves agree; one line per view where the output is no terminal."""
    labels = {
        "internal": "internal_cluster_ari",
        "external": "external_cluster_ari",
        "segment": "segment_ari",
        "where trained": "trained_ari",
    }
    heads = ("k odd", "k even", "stores in both", *(f"ARI {word}" for word in labels))
    table = Table(Column("view", no_wrap=True), *heads)
    for row in rows:
        found = {word: f"{float(row[label]):.3f}" if row[label] else "" for word, label in labels.items()}
        counts = [row["view"], row["k_odd"], row["k_even"], row["stores_both"]]
        table.add_row(*counts, *found.values())
        if not console.is_terminal:
            agreed = ", ".join(f"{word} {ari}" for word, ari in found.items() if ari)
            line = "{}: k {} and {}, {} stores in both; ARI: ".format(*counts)
            console.print(line + (agreed or "none"), soft_wrap=True, highlight=False)
    if console.is_terminal:
        console.print(table)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    example: Annotated[str | None, typer.Option(help=f"One of: {', '.join(examples())}.")] = None,
) -> None:
    """Make a new project.

    Example: clustering init my-stores --example iowa
    """
    make_project(folder, example)
    console.print(f"Made {folder}. Next:", soft_wrap=True)
    console.print(f"  cd {folder}", soft_wrap=True, highlight=False)
    if example is not None and (folder / "README.md").is_file():
        console.print("  README.md says what this example is and needs", highlight=False)
    console.print("  clustering run full_pipeline_job", highlight=False)


@app.command("record")
def record_command() -> None:
    """After `snakemake`: commit its outputs to DVC, so that DVC has nothing to do."""
    root = find_project()
    with only_run(root):
        late = record(root)
    if late:
        raise DataError(
            f"{len(late)} files are not up to date, such as {late[0]}", solution="run `snakemake --cores 2` first"
        )
    console.print("DVC has recorded what Snakemake made.")


@app.command("sync")
def sync_command() -> None:
    """After `dvc repro`, `dvc checkout` or `dvc exp apply`: have Snakemake take note, so that it has nothing to do."""
    root = find_project()
    with only_run(root):
        if not sync(root):
            raise DataError(
                "DVC is not up to date", solution="run `dvc repro` first (`dvc status` says what is changed)"
            )
    console.print("Snakemake has taken note of what DVC made.")


def main() -> None:
    """Run the command and turn a user's mistake into two lines and an exit code."""
    try:
        app()
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("Error: interrupted\nSolution: run the same command again; it goes on from what is finished\n")
        sys.exit(1)
