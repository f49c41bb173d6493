"""The command line. Exit codes: 0 success, 1 general, 2 arguments, 3 configuration, 4 pipeline or data."""

import functools
import json
import os
import sys
import tempfile
import time
import traceback
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Column, Table
from typer._completion_classes import completion_init

from clustering import __version__
from clustering.halves import REPORT, split_half
from clustering.jobs import DESCRIPTIONS, JOBS, PUBLISH, job_name
from clustering.journal import LOGGER, end_journal, start_journal
from clustering.plans import dvc_graph, dvc_plan, snakemake_plan
from clustering.progress import Mode, choose_mode, emit, follow
from clustering.projects import check_access, check_project, examples, find_project, load_project, make_project
from clustering.runners import failure, heal, only_run, record, sync
from clustering.runs import RUNS, load_runs, parse_tags, recorded, report_of, with_tags
from clustering.secrets import redact
from clustering.status import runs_table, stale_stages, stale_table
from storelib.configuration.params import Params
from storelib.configuration.place import Place, Publish, named_sources
from storelib.errors import ConfigError, DataError, PipelineError, nearest_name
from storelib.leftovers import prune

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()
# What Typer raises for wrong arguments; it has no public name of its own.
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
# What Typer makes of Ctrl-C.
INTERRUPTED = 130
# Columns of a table whose reader is a program.
WIDE = 400


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
    """Store segments from raw sales and external data.

    Example: clustering run full_pipeline_job
    """


def tags_of(texts: list[str] | None) -> dict[str, str]:
    """--tags as a dictionary; anything but key=value is a wrong argument."""
    try:
        return parse_tags(texts or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--tags") from None


def job_of(text: str) -> str:
    """A job's name; anything else is a wrong argument."""
    name = job_name(text)
    if name is None:
        hint = nearest_name(text.removesuffix("_job"), DESCRIPTIONS)
        raise typer.BadParameter(f"there is no job {text!r}{hint}; see `clustering list-jobs`", param_hint="JOB")
    return name


def complete_job(incomplete: str) -> list[str]:
    """Jobs for the shell's completion."""
    return [f"{name}_job" for name in DESCRIPTIONS if name.startswith(incomplete)]


@app.command()
def run(
    job: Annotated[
        str,
        typer.Argument(help="A job of `clustering list-jobs`, with or without `_job`.", autocompletion=complete_job),
    ],
    env: Annotated[
        str | None, typer.Option(help="Environment: configs/<env>.yml. By default `env` of params.yaml.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Stages at a time (Snakemake).")] = 2,
    engine: Annotated[Engine, typer.Option(help="The runner.")] = Engine.snakemake,
    tags: Annotated[list[str] | None, typer.Option(help="key=value, kept with the run; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and why; run nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run every stage of the job anew.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only errors, warnings and the final table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line: events and the result.")] = False,
) -> None:
    """Run a job; only stages whose inputs or parameters changed.

    Example: clustering run full_pipeline_job --cores 4 --tags version=2.0
    """
    name, labels = job_of(job), tags_of(tags)
    root = find_project()
    if name == PUBLISH:
        if force:
            raise typer.BadParameter("what is there already is left alone", param_hint="--force")
        mode = choose_mode(quiet=quiet, as_json=as_json, terminal=False)
        publish_targets(root, None, env, tags=labels, dry_run=dry_run, mode=mode)
        return
    if dry_run:
        show_plan(root, name, env, engine, force=force, as_json=as_json)
        return
    mode = choose_mode(quiet=quiet, as_json=as_json, terminal=console.is_terminal and not console.is_dumb_terminal)
    run_job(root, name, env, cores, engine, tags=labels, force=force, mode=mode)


def show_plan(root: Path, job: str, env: str | None, engine: Engine, *, force: bool, as_json: bool) -> None:
    """The stages that would run, and why."""
    params, _, env = check_project(root, env)
    if engine is Engine.dvc:
        same_environment(env, params.env)
        plan = dvc_plan(root, job, force=force)
    else:
        other = ["--config", f"env={env}"] if env != params.env else []
        plan = snakemake_plan(root, job, [*(["--forceall"] if force else []), *other])
    if as_json:
        for stage, why in plan.items():
            emit("planned", stage=stage, reason=why)
        emit("result", job=job, result="dry run", stages=len(plan))
        return
    for stage, why in plan.items():
        console.print(f"{stage}: {why}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"{job}: {len(plan)} stages would run; nothing was run." if plan else f"{job}: nothing to do.")


def same_environment(env: str, configured: str) -> None:
    """DVC takes the environment from params.yaml alone."""
    if env != configured:
        raise ConfigError(
            f"DVC takes the environment from params.yaml, which says {configured!r}, not {env!r}",
            solution=f"set `env: {env}` in params.yaml, or use `dvc exp run -S env={env}`",
        )


def run_job(
    root: Path,
    job: str,
    env: str | None,
    cores: int,
    engine: Engine,
    *,
    tags: dict[str, str] | None = None,
    force: bool = False,
    mode: Mode = Mode.plain,
) -> None:
    """Check, run, pass the state on, and say where the results are."""
    started = time.monotonic()
    run_id = None
    try:
        params, _, env = check_project(root, env)
        check_access(root, env)
        if engine is Engine.dvc:
            same_environment(env, params.env)
        with only_run(root):
            heal(root)
            prune(params.internal.categories, root)
            with recorded(root, job, env, engine, tags or {}, cores=cores, force=force) as run_id:
                LOGGER.info("run %s: %s for %s by %s in %s", run_id, job, env, engine, root)
                if mode is Mode.json:
                    emit("run", id=run_id, job=job, env=env, engine=engine, tags=tags or {})
                log = root / RUNS / run_id / "runner.log"
                other = env if env != params.env else None
                start_runner(root, job, other, cores, engine, force=force, mode=mode, log=log)
            with console.status("passing the state on to the other runner") if mode is Mode.live else nullcontext():
                pass_on(root, engine, env, params.env, mode)
    except PipelineError as error:
        if mode is Mode.json:
            emit("result", id=run_id, job=job, result="failed", error=error.args[0], solution=error.solution)
        raise
    took = time.monotonic() - started
    if mode is Mode.json:
        metrics = root / "reports" / "metrics.json"
        found = json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else None
        report = report_of(root, run_id)
        more = {"metrics": found, "report": str(report) if report else None}
        warned = warnings_of(root) if job == "full_pipeline" else []
        emit("result", id=run_id, job=job, result="done", duration_s=round(took, 1), warnings=warned, **more)
        return
    console.print(f"{job}: done in {took:.0f} s.")
    if job in {"merging", "full_pipeline"}:
        show_segments(root, report_of(root, run_id))
    for warning in warnings_of(root) if job == "full_pipeline" else []:
        console.print(f"Warning: {warning}", soft_wrap=True, highlight=False, markup=False)


def warnings_of(root: Path) -> list[str]:
    """What `check_results` found that is worth a warning, a line each."""
    from storelib.accounts.expectations import told

    checks = json.loads((root / "reports" / "checks.json").read_text(encoding="utf-8"))["checks"]
    return [told(check) for check in checks if check["state"] == "warn"]


def start_runner(
    root: Path, job: str, other: str | None, cores: int, engine: Engine, *, force: bool, mode: Mode, log: Path
) -> None:
    """Run the stages. Raises DataError, with the log's path, where one fails.

    other: the environment, where it is not that of params.yaml; log: takes the runner's words, where they are not shown.
    """
    began = time.time()
    if engine is Engine.dvc:
        total = None if mode in {Mode.plain, Mode.quiet} else len(dvc_graph(root, job)[0])
        words = ["repro", *(["--force"] if force else []), *JOBS[job]]
        code = follow(root, "dvc", words, mode, console, job=job, log=log, total=total)
    else:
        # What is read to follow the run needs the rules' names.
        quiet = ["--quiet", "host", "reason", *(["rules"] if mode is Mode.plain else [])]
        words = ["--cores", str(cores), *quiet, *(["--forceall"] if force else [])]
        config = ["--config", f"env={other}"] if other else []
        code = follow(root, "snakemake", [*words, *config, "--", job], mode, console, job=job, log=log)
    if code:
        raise failure(root, job, began, log)


def pass_on(root: Path, engine: Engine, env: str, configured: str, mode: Mode) -> None:
    """Tell the other runner what was made."""
    if engine is Engine.dvc:
        sync(root)
    elif env == configured:
        record(root)
    elif mode is not Mode.json:
        console.print(f"Not recorded for DVC: params.yaml says env: {configured}, this run was for {env}.")


@app.command()
def status(
    tags: Annotated[list[str] | None, typer.Option(help="key=value: only runs that have it; may be repeated.")] = None,
    runs: Annotated[int, typer.Option(min=0, help="How many of the last runs to list.")] = 5,
) -> None:
    """What is stale and why, in the eyes of both runners; and the last runs.

    Example: clustering status --tags version=2.0
    """
    labels, root = tags_of(tags), find_project()
    check_project(root, None)
    rows = stale_stages(root)
    if rows:
        show_whole(stale_table(rows))
    else:
        console.print("Everything is up to date, for Snakemake and for DVC.", soft_wrap=True)
    found = with_tags(load_runs(root), labels)
    if runs and found:
        show_whole(runs_table(found[-runs:]))
        for path in [path for run in found[-runs:][::-1] if (path := report_of(root, run["id"]))][:1]:
            console.print(f"  report of the last of them: {path}", soft_wrap=True, highlight=False, markup=False)
    elif runs:
        console.print("No run is recorded" + (" with these tags." if labels else "."))


def show_whole(table: Table) -> None:
    """A table as wide as the terminal; elsewhere a line a row, whatever its length, so that a program finds it."""
    shown = console if console.is_terminal else Console(width=WIDE)
    shown.print(table, highlight=False)


def show_segments(root: Path, own_report: Path | None) -> None:
    """A table of what was found, and where it lies. own_report: the report with the run in it, where there is one."""
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
        *([("report", "reports/report.html"), ("this run", str(own_report))] if own_report else []),
        ("segments", "data/merging/segments.parquet"),
        ("as CSV", "reports/segments.csv"),
        ("pictures", "reports/figures/"),
        ("metrics", "reports/metrics.json"),
    ):
        console.print(f"  {what:<9} {root / where}", soft_wrap=True, highlight=False)


@app.command("list-jobs")
def list_jobs() -> None:
    """List the jobs.

    Example: clustering list-jobs
    """
    table = Table("job", "makes", box=None)
    for name, description in DESCRIPTIONS.items():
        table.add_row(f"{name}_job", description)
    console.print(table)


@app.command()
def minimal(
    cores: Annotated[int, typer.Option(min=1, help="Stages at a time.")] = 2,
) -> None:
    """Run a small demo in a temporary folder, which is kept.

    Example: clustering minimal --cores 1
    """
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


@app.command()
def fetch(
    source: Annotated[
        str | None, typer.Argument(help="A source under `fetch` of configs/<env>.yml. By default every one.")
    ] = None,
    env: Annotated[
        str | None, typer.Option(help="Environment: configs/<env>.yml. By default `env` of params.yaml.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch anew what is there already.")] = False,
) -> None:
    """Bring sources from databases, object stores and shared folders to data/raw/<env>/.

    Example: clustering fetch sales --env prod --refresh
    """
    from clustering.fetch import fetch_source

    root = find_project()
    _, place, env = load_project(root, env)
    if not place.fetch:
        raise ConfigError(
            f"configs/{env}.yml has no section `fetch`",
            solution=f"put the files into data/raw/{env}/, or say where they are",
        )
    if source is not None and source not in place.fetch:
        hint = nearest_name(source, place.fetch)
        raise typer.BadParameter(f"nothing is said of {source!r} under `fetch`{hint}", param_hint="SOURCE")
    known = dict(named_sources(place.sources))
    with only_run(root), console.status("fetching", spinner="line") as line:
        for name in [source] if source is not None else sorted(place.fetch):
            say = functools.partial(tell, line, name)
            done = fetch_source(root, env, name, known[name], place.fetch[name], refresh=refresh, say=say)
            what = f"{done.fingerprint['rows']:,} rows from {done.fingerprint['from']}"
            kept = f", as of {done.fingerprint['fetched']}; --refresh fetches it anew" if done.state == "kept" else ""
            console.print(f"{name}: {done.state}: {what}{kept}", soft_wrap=True, highlight=False, markup=False)
            LOGGER.info("%s: %s: %s", name, done.state, what)


@app.command()
def publish(
    target: Annotated[
        str | None, typer.Argument(help="A target under `publish` of configs/<env>.yml. By default every one.")
    ] = None,
    env: Annotated[
        str | None, typer.Option(help="Environment: configs/<env>.yml. By default `env` of params.yaml.")
    ] = None,
    tags: Annotated[list[str] | None, typer.Option(help="key=value, kept in the receipt; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be published; publish nothing.")] = False,
) -> None:
    """Put segments and profiles into databases, object stores and folders, each whole or not at all.

    Refused where they are not up to date, do not agree with the ledger, or a check failed. The receipt is
    reports/published/<run id>.json. Example: clustering publish --env prod
    """
    publish_targets(find_project(), target, env, tags=tags_of(tags), dry_run=dry_run)


def publish_targets(
    root: Path,
    target: str | None,
    env: str | None,
    *,
    tags: dict[str, str],
    dry_run: bool = False,
    mode: Mode = Mode.plain,
) -> None:
    """Publish to one target or to all, and say what became of each."""
    params, place, env = load_project(root, env)
    targets = chosen_targets(place, target, env)
    try:
        with only_run(root), Status("publishing", console=console, spinner="line") as line:
            publish_last_run(root, params, env, targets, tags, dry_run=dry_run, mode=mode, line=line)
    except PipelineError as error:
        if mode is Mode.json:
            emit("result", job=PUBLISH, result="failed", error=error.args[0], solution=error.solution)
        raise


def chosen_targets(place: Place, target: str | None, env: str) -> dict[str, Publish]:
    """The targets by name: one, or all."""
    if not place.publish:
        raise ConfigError(
            f"configs/{env}.yml has no section `publish`", solution="name a target there, with what it is and where"
        )
    if target is not None and target not in place.publish:
        hint = nearest_name(target, place.publish)
        raise typer.BadParameter(f"nothing is said of {target!r} under `publish`{hint}", param_hint="TARGET")
    return place.publish if target is None else {target: place.publish[target]}


def publish_last_run(
    root: Path,
    params: Params,
    env: str,
    targets: dict[str, Publish],
    tags: dict[str, str],
    *,
    dry_run: bool,
    mode: Mode,
    line: Status,
) -> None:
    """Publish what lies there, if it may be, under the id of the run that made it."""
    from clustering.publish import RECEIPTS, publish_results
    from clustering.results import read_results

    def show(text: str, *, always: bool = False) -> None:
        if mode is not Mode.json and (always or mode is not Mode.quiet):
            console.print(text, soft_wrap=True, highlight=False, markup=False)

    results = read_results(root, params, env)
    run_id = results.run["id"]
    size = f"{results.segments.num_rows:,} segments, {results.profiles.num_rows:,} rows of profiles"
    if dry_run:
        show(f"Run {run_id} ({size}) would be published to: {', '.join(targets)}. Nothing was published.", always=True)
    LOGGER.info("publish %s of run %s to %s%s", size, run_id, ", ".join(targets), " (dry run)" if dry_run else "")
    for done in () if dry_run else publish_results(root, results, targets, tags, functools.partial(tell, line)):
        if mode is Mode.json:
            emit("published", target=done.target, **done.entry)
        show(f"{done.target}: {done.state}: {size} in {done.entry['to']}")
        for warning in done.warnings:
            show(f"Warning: {done.target}: {warning}", always=True)
        LOGGER.info("%s: %s: %s", done.target, done.state, done.entry["to"])
    if mode is Mode.json:
        emit("result", id=run_id, job=PUBLISH, result="dry run" if dry_run else "done", targets=list(targets))
    elif not dry_run:
        show(f"Run {run_id} is published. Receipt: {RECEIPTS / f'{run_id}.json'}", always=True)


def tell(line: Status, name: str, text: str) -> None:
    """How far the work on one source or target is, on a line that is written over; in the log, what was tried again."""
    line.update(escape(f"{name}: {redact(text)}"))
    if "trying again" in text:
        LOGGER.warning("%s: %s", name, text)


@app.command("record")
def record_command() -> None:
    """After `snakemake`: commit its outputs to DVC, so that DVC has nothing to do.

    Example: clustering record
    """
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
    """After `dvc repro`, `dvc checkout` or `dvc exp apply`: have Snakemake take note, so that it has nothing to do.

    Example: clustering sync
    """
    root = find_project()
    with only_run(root):
        if not sync(root):
            raise DataError(
                "DVC is not up to date", solution="run `dvc repro` first (`dvc status` says what is changed)"
            )
    console.print("Snakemake has taken note of what DVC made.")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Run id or prefix, last, last~1, workspace, revision.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same; its segments are matched to those of A.")],
    out: Annotated[Path | None, typer.Option(help="Write the stores that moved to this CSV file.")] = None,
) -> None:
    """Two runs side by side: figures, sizes of segments and clusters, and the stores that moved.

    Example: clustering compare last~1 last --out moved.csv
    """
    from clustering.compare import changes, figures, load_results

    root = find_project()
    a, b = load_results(root, first), load_results(root, second)
    found, moves = changes(a, b)
    table = Table("figure", first, second, box=None)
    numbers = figures(a.metrics), figures(b.metrics)
    for key in dict.fromkeys([*numbers[0], *numbers[1]]):
        pair = [f"{part[key]:.10g}" if key in part else "" for part in numbers]
        if pair[0] != pair[1] or key.endswith(".k"):
            table.add_row(key, *pair)
    console.print(table)
    for change in found:
        console.print(change.line(), soft_wrap=True, highlight=False, markup=False)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        moves.to_csv(out, index=False, lineterminator="\n")
        console.print(f"  {len(moves)} moves in {out}", soft_wrap=True, highlight=False)


@app.command()
def sweep(
    settings: Annotated[
        list[str], typer.Option("-S", "--set", help="key=value,value of params.yaml; may be repeated.")
    ],
    jobs: Annotated[int, typer.Option(min=1, help="Experiments at a time.")] = 1,
) -> None:
    """Run DVC experiments, one per combination of values, and show what they found.

    Example: clustering sweep -S internal.cluster_stores.rule=silhouette,bic_tied --jobs 2
    """
    from clustering.sweep import keys_of, run_sweep

    try:
        keys = keys_of(settings)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="-S") from None
    root = find_project()
    check_project(root, None)
    results = run_sweep(root, settings, keys, jobs, lambda text: console.print(text, soft_wrap=True, highlight=False))
    for result in results:
        console.print(result.line(), soft_wrap=True, highlight=False, markup=False)
    failed = [result for result in results if result.error]
    if failed:
        raise DataError(
            f"{len(failed)} of {len(results)} experiments failed, first {failed[0].name}: {failed[0].error}",
            solution=f"run `dvc queue logs {failed[0].name}` for the whole of it",
        )


@app.command("explain")
def explain_command(
    store: Annotated[str, typer.Argument(help="The store's id, leading zeros included.")],
    env: Annotated[str | None, typer.Option(help="Environment. By default `env` of params.yaml.")] = None,
) -> None:
    """How one store came to its segments, with the raw files that it came from.

    Example: clustering explain 0108
    """
    from clustering.explain import explain, in_words

    root = find_project()
    params, place, env = check_project(root, env)
    known = explain(root, params, place, env, store)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    def placed(row: dict[str, Any]) -> str:
        text = f"cluster {row['cluster']} at distance {row['distance']:.3f}"
        other = row["runner_up"]
        return f"{text}; runner-up {other} at {row['runner_up_distance']:.3f}" if other else f"{text}; no other cluster"

    say(f"Store {store}" + (f": {known['name']}" if known["name"] else ""))
    for part in known["categories"]:
        say(f"{part['category']} ({part['name']}): sales {part['sales']:,.2f} in {part['lines']:,} lines")
        for state, share, chain in part["shares"]:
            say(f"  {state}: {share:.1%} of its sales; the chain's mean is {chain:.1%}")
        say(f"  internal: {placed(part['cluster'])}")
        say(f"  segment {part['segment']}, from {part['merged_cluster']} (internal x external)")
        for sentence in in_words(part["flags"]):
            say(f"  {sentence}")
    say(f"external: {placed(known['external'])}" if known["external"] else "external: not placed")
    for source, path, digest in known["files"]:
        say(f"  {source}: {path} sha256 {digest}")
    for source, note in known["fetched"].items():
        say(
            f"  {source}: fetched {note['fetched']} from {note['from']}"
            + (f" by {note['query']}" if "query" in note else "")
        )


@app.command()
def categories(
    write: Annotated[bool, typer.Option("--write", help="Add those that are missing to params.yaml.")] = False,
    env: Annotated[str | None, typer.Option(help="Environment. By default `env` of params.yaml.")] = None,
) -> None:
    """The categories of the raw data, and whether they are selected.

    Example: clustering categories --write
    """
    from clustering.categories import add_categories, found_categories

    root = find_project()
    params, place, env = check_project(root, env)
    rows = found_categories(root, params, place, env)
    table = Table("category", "key", "stores", "SKUs", "need states", "sales", box=None)
    for row in rows:
        counts = (row["stores"], row["skus"], row["need_states"])
        table.add_row(row["name"], row["key"] or "not selected", *map(str, counts), f"{row['sales'] or 0:,.2f}")
    console.print(table)
    missing = [row["name"] for row in rows if row["key"] is None]
    if write and missing:
        for name, key in add_categories(root, missing, params.internal.categories).items():
            console.print(f"Added {key}: {name}", highlight=False, markup=False)
    elif missing:
        console.print(f"{len(missing)} are not selected; `clustering categories --write` adds them.")


@app.command()
def doctor() -> None:
    """Whether this machine and project are fit for a run, and what to do where they are not.

    Example: clustering doctor
    """
    from clustering.doctor import examine

    checks = examine(find_project())
    for check in checks:
        advice = f" -> {check.advice}" if check.advice else ""
        text = f"{check.state}: {check.what}: {check.found}{advice}"
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    bad = [check for check in checks if check.state == "mend"]
    if bad:
        raise ConfigError(f"{len(bad)} things must be mended, first: {bad[0].what}", solution=bad[0].advice)


class Shell(StrEnum):
    """A shell to complete commands in."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(help="The shell.")]) -> None:
    """Print a shell's completion script.

    Example: clustering completion bash > ~/.local/share/bash-completion/completions/clustering
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="clustering", complete_var="_CLUSTERING_COMPLETE", shell=shell.value)
    typer.echo(script)


def fail(message: str, solution: str, code: int) -> None:
    """Two lines on stderr, and the exit code."""
    LOGGER.error("%s (exit code %d)", message, code)
    sys.stderr.write(redact(f"Error: {message}\nSolution: {solution}\n"))
    sys.exit(code)


def main() -> None:
    """Run the command and turn a user's mistake into two lines and an exit code."""
    start_journal()
    if "_CLUSTERING_COMPLETE" in os.environ:
        completion_init()
    LOGGER.info("clustering %s", " ".join(sys.argv[1:]))
    again = "run the same command again; it goes on from what is finished"
    try:
        code = app(standalone_mode=False)
    except PipelineError as error:
        fail(error.args[0], error.solution, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted", again, 1)
    except USAGE_ERROR as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            return
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "clustering"
        message = " ".join(str(getattr(error, "format_message", error.__str__)()).split())
        fail(message, f"see `{command} --help`", 2)
    except OSError as error:
        fail(f"{error.filename or 'the system'}: {error.strerror or error}", "see that it is there and may be used", 1)
    except Exception:
        # A defect keeps its traceback, less what is secret in it.
        LOGGER.exception("unexpected failure")
        sys.stderr.write(redact(traceback.format_exc()))
        sys.exit(1)
    else:
        if isinstance(code, int) and code:
            if code == INTERRUPTED:
                fail("interrupted", again, 1)
            sys.exit(code)
    finally:
        end_journal()
