"""`clustering publish`: the last results, to where they are used."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.status import Status

from clustering.arguments import Env, tags_of
from clustering.jobs import PUBLISH
from clustering.journal import LOGGER
from clustering.projects import find_project, load_project
from clustering.shown import Mode, console, emit, say, tell
from storelib.errors import ConfigError, PipelineError, nearest_name

if TYPE_CHECKING:
    from storelib.configuration.params import Params
    from storelib.configuration.place import Place, Publish


def publish(
    target: Annotated[
        str | None, typer.Argument(help="A target under `publish` of configs/<env>.yml. By default every one.")
    ] = None,
    env: Env = None,
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
    from clustering.runners import only_run

    params, place, env = load_project(root, env)
    targets = chosen_targets(place, target, env)
    try:
        with only_run(root), Status("publishing", console=console, spinner="line") as line:
            publish_last_run(root, params, env, targets, tags, dry_run=dry_run, mode=mode, line=line)
    except PipelineError as error:
        if mode is Mode.json:
            emit("result", job=PUBLISH, result="failed", error=error.args[0], solution=error.solution)
        raise


def chosen_targets(place: "Place", target: str | None, env: str) -> "dict[str, Publish]":
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
    params: "Params",
    env: str,
    targets: "dict[str, Publish]",
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
            say(text)

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
