"""One run of a job: check, run, pass the state on to the other runner, and say where the results are."""

import csv
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from clustering.dvc_state import graph
from clustering.handover import is_recorded, record, sync
from clustering.inputs import have_read_again, refuse_differences, written_since
from clustering.jobs import JOBS, Engine
from clustering.journal import LOGGER
from clustering.mending import mend_outputs, mend_records
from clustering.plans import dvc_plan, snakemake_plan, stages_needed
from clustering.progress import follow
from clustering.projects import check_access, check_project
from clustering.runners import failure, heal, only_run, without_dvc
from clustering.runs import RUNS, recorded, report_of
from clustering.schedulers import LOCAL, executor_of, jobs_ended, own_profile
from clustering.shown import Mode, console, emit, say, show_rows
from clustering.stage_server import stages_forked
from clustering.surroundings import Obstacle, of_dvc
from clustering.tidying import tidy
from storelib.accounts.expectations import told
from storelib.configuration.params import Params
from storelib.configuration.place import Place
from storelib.configuration.stages import Made
from storelib.configuration.views import view_words
from storelib.errors import ConfigError, DataError, PipelineError
from storelib.leftovers import prune
from storelib.method.one_cluster import alternative, one_cluster
from storelib.seals import DAMAGED, checked
from storelib.tables import read_json

# Stages at a time, where nothing else is said.
CORES = 2


class Means(NamedTuple):
    """By what a run is made: the runner, and what Snakemake is told. cores: None where the profile says how many."""

    engine: Engine
    cores: int | None
    profile: Path | None = None
    executor: str = LOCAL


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
    cores: int | None,
    engine: Engine,
    *,
    profile: Path | None = None,
    tags: dict[str, str] | None = None,
    force: bool = False,
    mode: Mode = Mode.plain,
) -> None:
    """Check, run, pass the state on, and say where the results are.

    profile: a folder with Snakemake's settings, where it is not the user's own; cores: where they are not two, or the profile's.
    """
    started = time.monotonic()
    run_id = None
    try:
        params, place, env = check_project(root, env)
        check_access(root, env)
        obstacle = of_dvc(root, params.demo)
        means = Means(engine, cores or (None if profile else CORES), profile, executor_of(profile or own_profile(root)))
        if engine is Engine.dvc:
            same_environment(env, params.env)
            if obstacle:
                raise obstacle.error("DVC cannot run here")
        with only_run(root):
            heal(root)
            tidy(root)
            prune(params.internal.categories, root)
            mend_records(root)
            mend_outputs(root, with_dvc=obstacle is None)
            with recorded(root, job, env, engine, tags or {}, cores=means.cores, force=force) as run_id:
                LOGGER.info("run %s: %s for %s by %s in %s", run_id, job, env, engine, root)
                if mode is Mode.json:
                    emit("run", id=run_id, job=job, env=env, engine=engine, tags=tags or {})
                say_views(place, mode)
                log = root / RUNS / run_id / "runner.log"
                other = env if env != params.env else None
                apart = None
                if force or engine is Engine.dvc or other or not is_recorded(root, params):
                    apart = make(root, job, env, params, means, obstacle, force=force, mode=mode, log=log)
                elif mode is not Mode.json:
                    console.print("Nothing to do: everything is as the last run left it.")
    except PipelineError as error:
        if mode is Mode.json:
            emit("result", id=run_id, job=job, result="failed", error=error.args[0], solution=error.solution)
        raise
    took = time.monotonic() - started
    if mode is Mode.json:
        metrics = root / "reports" / "metrics.json"
        found = read_json(metrics) if metrics.is_file() else None
        report = report_of(root, run_id)
        more = {"metrics": found, "report": str(report) if report else None}
        warned = warnings_of(root) if job == "full_pipeline" else []
        emit(
            "result",
            id=run_id,
            job=job,
            result="done",
            duration_s=round(took, 1),
            warnings=warned,
            not_passed_on=apart,
            **more,
        )
        return
    if apart:
        say(f"Not recorded for {'Snakemake' if engine is Engine.dvc else 'DVC'}: {apart}.")
    console.print(f"{job}: done in {took:.0f} s.")
    if job in {"merging", "full_pipeline"}:
        show_segments(root, report_of(root, run_id))
    for warning in warnings_of(root) if job == "full_pipeline" else []:
        say(f"Warning: {warning}")


def say_views(place: Place, mode: Mode) -> None:
    """What segments will be made of, where one view is missing."""
    if mode is not Mode.json and (words := view_words(place)):
        say(words)


def make(
    root: Path,
    job: str,
    env: str,
    params: Params,
    means: Means,
    obstacle: Obstacle | None,
    *,
    force: bool,
    mode: Mode,
    log: Path,
) -> str | None:
    """Run what is not up to date, see that it follows from today's files, and pass the state on; why not, where that cannot be."""
    other, engine = env if env != params.env else None, means.engine
    began = time.time_ns()
    have_read_again(root, env, params, job, engine)
    # What forks here is of no use on other machines.
    with stages_forked(root) if means.executor == LOCAL else nullcontext():
        damaged = set_aside_by_stages(root)
        try:
            start_runner(root, job, other, means, force=force, mode=mode, log=log)
        except DataError as error:
            # A stage has found an input damaged since the look before: what is missing now is made again.
            if set_aside_by_stages(root) == damaged:
                raise
            say(f"{error.args[0]}: once more, which makes it again")
            start_runner(root, job, other, means, force=force, mode=mode, log=log)
    with console.status("looking at what was made") if mode is Mode.live else nullcontext():
        refuse_differences(root, env, params, job)
        # `record` asks Snakemake the same, of the whole pipeline.
        if engine is Engine.dvc or other or obstacle:
            refuse_left(root, job, engine, env, params, began)
        return obstacle.what if obstacle else pass_on(root, engine, env, params, job, began)


def set_aside_by_stages(root: Path) -> dict[str, int]:
    """The damaged files that lie aside, and since when."""
    found = [path for path in (root / DAMAGED).rglob("*") if path.is_file()]
    return {str(path): path.stat().st_ctime_ns for path in found}


def warnings_of(root: Path) -> list[str]:
    """What `check_results` found that is worth a warning, and views of weak structure, a line each."""
    checks = read_json(root / "reports" / "checks.json")["checks"]
    return [told(check) for check in checks if check["state"] == "warn"] + weak_structures(root)


def weak_structures(root: Path) -> list[str]:
    """Views whose stores are all in one cluster though a rule that could have chosen one chooses more."""
    choices: dict[str, dict[str, int | None]] = {}
    single = set()
    with checked(root / "reports" / "k_scores.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            choices.setdefault(row["view"], {}).update(dict.fromkeys(row["chosen_by"].split(), int(row["k"])))
            if row["chosen"] == "True" and row["k"] == "1":
                single.add(row["view"])
    return [f"{view}: {one_cluster(found)}" for view, found in choices.items() if view in single and alternative(found)]


def start_runner(root: Path, job: str, other: str | None, means: Means, *, force: bool, mode: Mode, log: Path) -> None:
    """Run the stages. Raises DataError, with the log's path, where one fails.

    other: the environment, where it is not that of params.yaml; log: takes the runner's words, where they are not shown.
    """
    began = time.time()
    if mode is Mode.plain:
        say(f"{job}: the runner's own words go to {log.relative_to(root)}")
    if means.engine is Engine.dvc:
        total = None if mode is Mode.quiet else len(stages_needed(graph(root).needs, job))
        words = ["repro", *(["--force"] if force else []), *JOBS[job]]
        if code := follow(root, "dvc", words, mode, console, job=job, log=log, total=total):
            raise failure(root, job, began, log, code)
    else:
        words = ["--quiet", "host", "reason", *(["--forceall"] if force else [])]
        words += ["--cores", str(means.cores)] if means.cores else []
        words += ["--profile", str(means.profile)] if means.profile else []
        config = ["--config", f"env={other}"] if other else []
        with without_dvc(root), jobs_ended(root, means.executor):
            if code := follow(root, "snakemake", [*words, *config, "--", job], mode, console, job=job, log=log):
                raise failure(root, job, began, log, code)


def refuse_left(root: Path, job: str, engine: Engine, env: str, params: Params, began: int) -> None:
    """Raise DataError where the runner of a job, which has ended well, would start a stage again: its inputs are others by now."""
    config = ["--config", f"env={env}"] if env != params.env else []
    left = dvc_plan(root, job) if engine is Engine.dvc else snakemake_plan(root, job, config)
    for stage, why in left.items():
        raise not_done(root, env, params, f"{stage} ({why})", began)


def not_done(root: Path, env: str, params: Params, what: str, began: int) -> DataError:
    """A run whose runner has ended well, and which is no success, with the raw files that were written since it began.

    Those of a demo are of its own making.
    """
    written = "" if env in params.demo else written_since(root, env, began)
    return DataError(
        f"not up to date after the run: {what}; {written or 'what it reads'} changed while the run was at work",
        solution="run again when nothing writes to the project any more",
    )


def pass_on(root: Path, engine: Engine, env: str, params: Params, job: str, began: int) -> str | None:
    """Tell the other runner what was made. Returns why that was not done; None where it was.

    Raises DataError where Snakemake finds out of date what it has made for the job.
    """
    if engine is Engine.dvc:
        return None if sync(root) else "other stages are not up to date; the next full_pipeline_job passes all on"
    if env != params.env:
        return f"params.yaml says env: {params.env}, this run was for {env}"
    late = record(root, part=job != "full_pipeline")
    if not late:
        return None
    made = Made(root / "dvc.yaml", params.internal.categories, env).by(*JOBS[job])
    # After a part of the pipeline the rest may well be of before.
    if job == "full_pipeline" or not set(late).isdisjoint(made):
        path = next((path for path in late if path in made), late[0])
        raise not_done(root, env, params, path, began)
    return f"{len(late)} other files are not up to date, such as {late[0]}; the next full_pipeline_job passes all on"


def show_segments(root: Path, own_report: Path | None) -> None:
    """A table of what was found, and where it lies. own_report: the report with the run in it, where there is one."""
    metrics = read_json(root / "reports" / "metrics.json")
    recovery = metrics.get("recovery", {})
    heads = ["category", "stores", "k", "segments", "smallest", *(["ARI with reference"] if recovery else [])]
    rows = []
    for key, found in metrics["merging"].items():
        known = [f"{recovery[key]['segment_ari']:.3f}" if key in recovery else ""] if recovery else []
        counts = (found["stores"], metrics["internal"][key]["k"], found["segments"], found["smallest"])
        rows.append([key, *map(str, counts), *known])
    show_rows(heads, rows)
    amounts = metrics["ledger"]
    console.print(
        f"Sales: {amounts['sales_in']:,.2f} in, {amounts['sales_segmented']:,.2f} segmented, "
        f"{amounts['sales_set_aside']:,.2f} set aside (reasons: data/merging/ledger.parquet)"
    )
    if amounts["sales_not_selected"]:
        console.print(f"Categories that are not selected: sales {amounts['sales_not_selected']:,.2f}")
    for what, where in (
        *([("report", "reports/report.html"), ("this run", str(own_report))] if own_report else []),
        ("segments", "data/merging/segments.parquet"),
        ("as CSV", "reports/segments.csv"),
        ("as Excel", "reports/segments.xlsx"),
        ("pictures", "reports/figures/"),
        ("metrics", "reports/metrics.json"),
    ):
        console.print(f"  {what:<9} {root / where}", soft_wrap=True, highlight=False)
