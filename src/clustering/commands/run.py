"""`clustering run`: a job by Snakemake or by DVC; or what it would do."""

from pathlib import Path
from typing import Annotated

import typer

from clustering.arguments import Env, tags_of
from clustering.jobs import DESCRIPTIONS, PUBLISH, Engine, job_name
from clustering.projects import check_project, find_project
from clustering.shown import choose_mode, console, emit, say
from storelib.errors import nearest_name


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


def run(
    job: Annotated[
        str,
        typer.Argument(help="A job of `clustering list-jobs`, with or without `_job`.", autocompletion=complete_job),
    ],
    env: Env = None,
    cores: Annotated[
        int | None,
        typer.Option(min=1, help="Stages at a time (Snakemake): 2, or what the profile says.", show_default=False),
    ] = None,
    engine: Annotated[Engine, typer.Option(help="The runner.")] = Engine.snakemake,
    profile: Annotated[
        str | None, typer.Option(help="Settings of Snakemake: a folder of profiles/, such as slurm, or a path.")
    ] = None,
    tags: Annotated[list[str] | None, typer.Option(help="key=value, kept with the run; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and why; run nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run every stage of the job anew.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only errors, warnings and the final table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line: events and the result.")] = False,
) -> None:
    """Run a job; only stages whose inputs or parameters changed.

    Example: clustering run full_pipeline_job --cores 4 --tags version=2.0
    """
    from clustering.running import run_job
    from clustering.schedulers import profile_folder

    name, labels = job_of(job), tags_of(tags)
    if profile is not None and (engine is Engine.dvc or name == PUBLISH):
        raise typer.BadParameter("profiles are for Snakemake, and for jobs that it does", param_hint="--profile")
    root = find_project()
    folder = profile_folder(root, profile) if profile is not None else None
    if name == PUBLISH:
        from clustering.commands.publish import publish_targets

        if force:
            raise typer.BadParameter("what is there already is left alone", param_hint="--force")
        mode = choose_mode(quiet=quiet, as_json=as_json, terminal=False)
        publish_targets(root, None, env, tags=labels, dry_run=dry_run, mode=mode)
        return
    if dry_run:
        show_plan(root, name, env, engine, force=force, as_json=as_json)
        return
    mode = choose_mode(quiet=quiet, as_json=as_json, terminal=console.is_terminal and not console.is_dumb_terminal)
    run_job(root, name, env, cores, engine, profile=folder, tags=labels, force=force, mode=mode)


def show_plan(root: Path, job: str, env: str | None, engine: Engine, *, force: bool, as_json: bool) -> None:
    """The stages that would run, and why."""
    from clustering.inputs import differences, look_again, with_reasons
    from clustering.plans import dvc_plan, snakemake_plan
    from clustering.running import same_environment
    from clustering.surroundings import of_dvc

    params, _, env = check_project(root, env)
    if engine is Engine.dvc:
        same_environment(env, params.env)
        if obstacle := of_dvc(root, params.demo):
            raise obstacle.error("DVC cannot run here")
        look_again(root, env)
        plan = dvc_plan(root, job, force=force)
    else:
        other = ["--config", f"env={env}"] if env != params.env else []
        plan = snakemake_plan(root, job, [*(["--forceall"] if force else []), *other])
    if not force:
        plan = with_reasons(plan, differences(root, env, params, job))
    if as_json:
        for stage, why in plan.items():
            emit("planned", stage=stage, reason=why)
        emit("result", job=job, result="dry run", stages=len(plan))
        return
    for stage, why in plan.items():
        say(f"{stage}: {why}")
    console.print(f"{job}: {len(plan)} stages would run; nothing was run." if plan else f"{job}: nothing to do.")
