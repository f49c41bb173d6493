"""Runs: the pipeline's stages, what is stale and why, runs at work and ended; where that is allowed, start and stop them."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clustering.arguments import tags_of
from clustering.dvc_state import queue
from clustering.handover import is_recorded
from clustering.inputs import differences, with_reasons
from clustering.jobs import DESCRIPTIONS, JOBS
from clustering.plans import snakemake_plan
from clustering.run_report import facts_of
from clustering.runners import ask, why
from clustering.runs import has_results, load_runs, report_of
from clustering.surroundings import of_dvc
from clustering.ui import editing, working
from clustering.ui.graph import Stage, draw, stages_of
from clustering.ui.guard import Form, action
from clustering.ui.reading import Part, Project, attempt
from clustering.ui.rendering import query, show
from clustering.ui.working import Work, watch
from storelib.errors import ConfigError, DataError, PipelineError

MOST_CORES = 64
RUNS_SHOWN = 50
# What a stage's state in a run means for its box.
STATES = {"started": "running", "finished": "made", "failed": "failed", "stopped": "failed"}


class Instance(NamedTuple):
    """One stage of one category as its files say. made: when its first output was written; seconds, megabytes: of its last run."""

    name: str
    made: float | None
    seconds: float | None
    megabytes: float | None
    has_log: bool


class Row(NamedTuple):
    """A stage with its instances. state: `made` or `absent`, or what a run at work makes of it."""

    stage: Stage
    instances: list[Instance]
    state: str
    seconds: float | None
    megabytes: float | None


def benchmark(path: Path) -> tuple[float | None, float | None]:
    """Seconds and megabytes of a stage's last run, as Snakemake measured them; nothing where it did not."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
    except OSError:
        return None, None

    def figure(name: str) -> float | None:
        found = rows[-1].get(name) if rows else None
        return float(found) if found and re.fullmatch(r"\d+(\.\d+)?", found) else None

    return figure("s"), figure("max_rss")


def instance(project: Project, name: str, outputs: list[str]) -> Instance:
    """A stage of one category."""
    # The folder `settings` has a file for each category, which may be none.
    files = [project.path(output) for output in outputs]
    times = [path.stat().st_mtime for path in files if path.exists()]
    seconds, megabytes = benchmark(project.path(f"logs/benchmarks/{name}.tsv"))
    made = min(times) if len(times) == len(files) else None
    return Instance(name, made, seconds, megabytes, project.path(f"logs/{name}.log").is_file())


def rows_of(project: Project, states: Mapping[str, str]) -> list[Row]:
    """Every stage with its instances. states: of those of a run at work."""
    rows = []
    for stage in stages_of(project).values():
        found = [instance(project, name, outputs) for name, outputs in stage.instances.items()]
        own = {STATES[states[name]] for name in stage.instances if name in states}
        as_it_lies = "made" if all(one.made is not None for one in found) else "absent"
        state = next((one for one in ("failed", "running") if one in own), as_it_lies)
        seconds = [one.seconds for one in found if one.seconds is not None]
        memory = [one.megabytes for one in found if one.megabytes is not None]
        rows.append(Row(stage, found, state, sum(seconds) if seconds else None, max(memory, default=None)))
    return rows


def at_work(project: Project) -> working.Watched | None:
    """The run at work, else None."""
    running = [run for run in load_runs(project.root) if run.get("result") == "running"]
    return watch(project.root, running[-1]["id"]) if running else None


def history(project: Project) -> list[dict[str, Any]]:
    """The last runs, newest first, with what there is to see of each."""
    return [
        run
        | {
            "has_results": has_results(project.root, run["id"]),
            "has_report": report_of(project.root, run["id"]) is not None,
        }
        for run in load_runs(project.root)[: -RUNS_SHOWN - 1 : -1]
    ]


def stages_part(project: Project) -> dict[str, Any]:
    """The graph, and its stages in full."""
    watched = at_work(project)
    rows = rows_of(project, watched.stages if watched else {})
    return {"rows": {row.stage.name: row for row in rows}, "drawn": draw(stages_of(project))}


def page(request: Request) -> Response:
    """The whole page."""
    project: Project = request.app.state.project
    return show(
        request,
        "runs.html",
        title="Runs",
        stages=attempt(stages_part, project),
        history=attempt(history, project),
        jobs={name: DESCRIPTIONS[name] for name in reversed(JOBS)},
        parameters=attempt(editing.parameters, project),
        asked={name: request.query_params.get(name, "")[:200] for name in ("key", "value", "how")},
    )


def live(request: Request) -> Response:
    """What is at work by now, and what became of what was started here."""
    project: Project = request.app.state.project
    work: Work = request.app.state.work
    return show(
        request,
        "runs_live.html",
        watched=attempt(at_work, project),
        # What failed before something else was started is of before.
        started=[one for one in work.started[-1:] if one.failed or not one.is_over],
        last=attempt(lambda: history(project)[:1]),
    )


def past(request: Request) -> Response:
    """The table of runs."""
    return show(request, "runs_history.html", history=attempt(history, request.app.state.project))


def stale(project: Project) -> dict[str, str] | None:
    """The stages that a run would start, each with the reason; None while a run is at work."""
    if at_work(project) is not None:
        return None
    params = project.params()
    if project.env == params.env and is_recorded(project.root, params):
        return {}
    other = ["--config", f"env={project.env}"] if project.env != params.env else []
    # Whoever goes on to another page does not wait for it.
    plan = snakemake_plan(project.root, "full_pipeline", other, aside=True)
    return with_reasons(plan, differences(project.root, project.env, params))


def stale_part(request: Request) -> Response:
    """What is stale, which takes Snakemake some seconds to tell."""
    work: Work = request.app.state.work
    with work.questions:
        found = Part(None) if work.is_busy else attempt(stale, request.app.state.project)
    return show(request, "runs_stale.html", stale=found)


def experiments(project: Project) -> list[tuple[str, str]]:
    """The queue of experiments: name and state, newest first. Raises DataError where DVC cannot be asked."""
    if obstacle := of_dvc(project.root, project.params().demo):
        raise DataError(f"there are no experiments here: {obstacle.what}", solution=obstacle.advice)
    return [(name or revision[:8], state) for name, state, revision in queue(project.root).tasks][::-1]


def queue_part(request: Request) -> Response:
    """The queue of experiments, which takes DVC some seconds to tell."""
    work: Work = request.app.state.work
    with work.questions:
        found = attempt(experiments, request.app.state.project)
    return show(request, "runs_queue.html", queue=found)


def commands(project: Project) -> dict[str, str]:
    """The command line of each stage's last run, as DVC took note of it, by our name of the stage."""

    def make() -> dict[str, str]:
        path = project.path("dvc.lock")
        if not path.is_file():
            return {}
        found = yaml.load(path.read_bytes(), yaml.CSafeLoader) or {}
        return {name.replace("@", "/", 1): str(stage.get("cmd", "")) for name, stage in found.get("stages", {}).items()}

    return project.derived("commands", ["dvc.lock"], make)


def stage_page(request: Request) -> Response:
    """The log and the command line of one stage of one category."""
    project: Project = request.app.state.project
    wanted = request.query_params.get("name", "")
    # Looked up among the names that there are: what is asked for is never part of a path.
    known = {name: outputs for stage in stages_of(project).values() for name, outputs in stage.instances.items()}
    if wanted not in known:
        raise ConfigError("there is no such stage", solution="choose one of the page Runs")
    log = project.path(f"logs/{wanted}.log")
    return show(
        request,
        "stage.html",
        title=f"Stage {wanted}",
        name=wanted,
        found=instance(project, wanted, known[wanted]),
        outputs=known[wanted],
        log=working.tail(log) if log.is_file() else None,
        command=attempt(lambda: commands(project).get(wanted)),
    )


def run_page(request: Request) -> Response:
    """One run."""
    project: Project = request.app.state.project
    watched = watch(project.root, request.query_params.get("id", ""))
    return show(
        request,
        "run.html",
        title=f"Run {watched.run['id']}",
        watched=watched,
        facts=attempt(facts_of, watched.run),
        has_results=has_results(project.root, watched.run["id"]),
        has_report=report_of(project.root, watched.run["id"]) is not None,
    )


def report(request: Request) -> Response:
    """The report of a run as the pipeline wrote it, to be saved: it has styles of its own, which pages here do not allow."""
    project: Project = request.app.state.project
    watched = watch(project.root, request.query_params.get("id", ""))
    path = report_of(project.root, watched.run["id"])
    if path is None:
        raise ConfigError("this run left no report", solution="choose another one")
    headers = {"Content-Disposition": f'attachment; filename="report_{watched.run["id"]}.html"'}
    return Response(path.read_bytes(), media_type="text/html", headers=headers)


# Changes --------------------------------------------------------------------------------------------------


def start(request: Request, form: Form) -> Response:
    """Start a job; with a changed parameter where one is given, in params.yaml or as an experiment."""
    project: Project = request.app.state.project
    work: Work = request.app.state.work
    job, cores = form.get("job", ""), form.get("cores", "2")
    key, value = form.get("key", ""), form.get("value", "")
    if job not in JOBS:
        raise ConfigError(f"there is no job {job!r}", solution="choose one of the list")
    if not re.fullmatch(r"[1-9]\d?", cores) or int(cores) > MOST_CORES:
        raise ConfigError(f"{cores!r} stages at a time", solution=f"give a number from 1 to {MOST_CORES}")
    if form.get("how") == "experiment":
        known = editing.parameters(project)
        if key not in known:
            raise ConfigError(f"params.yaml has no key {key!r}", solution="choose one of the list")
        # DVC's own grammar of settings would take other signs for lists, ranges and further keys.
        if not re.fullmatch(r"[\w.+-]+(,[\w.+-]+)*", value):
            raise ConfigError(
                f"{value!r} is no value", solution="give a number or a word, or several with commas between them"
            )
        work.start(f"experiment {key}={value}", ["sweep", f"--set={key}={value}"])
        return RedirectResponse("/runs?" + query({"done": "started"}), 303)
    if key:
        editing.set_parameter(project, key, value)
    tags = tags_told(form.get("tags", ""))
    work.start(job, working.run_words(project.env, job, int(cores), tags, force="force" in form))
    return RedirectResponse("/runs?" + query({"done": "changed" if key else "started"}), 303)


def tags_told(text: str) -> dict[str, str]:
    """Tags as `key=value key=value`. Raises ConfigError for anything else."""
    import typer

    try:
        return tags_of(text.split())
    except typer.BadParameter as error:
        raise ConfigError(str(error), solution="write key=value, with a space between several") from None


def stop(request: Request, form: Form) -> Response:
    """Stop a run that a page started."""
    project: Project = request.app.state.project
    work: Work = request.app.state.work
    if "experiment" in form:
        for one in work.started:
            if not one.is_over and one.what.startswith("experiment"):
                work.stop(one.process.pid)
        done = ask(project.root, "dvc", ["queue", "stop", "--kill"])
        if done.returncode:
            raise PipelineError(f"the queue cannot be stopped: {why(done)}", solution="run `dvc queue stop --kill`")
    else:
        watched = watch(project.root, form.get("id", ""))
        if watched.run.get("result") != "running":
            raise ConfigError(f"run {watched.run['id']} is not at work", solution="load the page again")
        work.stop(int(watched.run["pid"]))
    return RedirectResponse("/runs?" + query({"done": "stopped"}), 303)


ROUTES = [
    Route("/runs", page),
    Route("/runs/live", live),
    Route("/runs/history", past),
    Route("/runs/stale", stale_part),
    Route("/runs/queue", queue_part),
    Route("/runs/stage", stage_page),
    Route("/runs/run", run_page),
    Route("/runs/report", report),
    Route("/runs/start", action(start), methods=["POST"]),
    Route("/runs/stop", action(stop), methods=["POST"]),
]
