"""`clustering status`: what is stale, and the last runs."""

from typing import Annotated

import typer

from clustering.arguments import tags_of
from clustering.projects import check_project, find_project
from clustering.shown import console, say, show_whole


def status(
    tags: Annotated[list[str] | None, typer.Option(help="key=value: only runs that have it; may be repeated.")] = None,
    runs: Annotated[int, typer.Option(min=0, help="How many of the last runs to list.")] = 5,
) -> None:
    """What is stale and why, in the eyes of both runners; and the last runs.

    Example: clustering status --tags version=2.0
    """
    from clustering.runs import damaged_records, load_runs, report_of, with_tags
    from clustering.status import runs_table, stale_stages, stale_table
    from clustering.surroundings import of_dvc

    labels, root = tags_of(tags), find_project()
    params, _, _ = check_project(root, None)
    obstacle = of_dvc(root, params.demo)
    rows = stale_stages(root, with_dvc=obstacle is None)
    if rows:
        show_whole(stale_table(rows))
    else:
        say(f"Everything is up to date, for Snakemake{'' if obstacle else ' and for DVC'}.")
    if obstacle:
        say(f"DVC cannot be asked: {obstacle.what}; {obstacle.advice}.")
    found = with_tags(load_runs(root), labels)
    for broken in damaged_records(root):
        say(f"Warning: {broken} cannot be read, and its run is left out: `clustering verify --repair` renames it")
    if runs and found:
        show_whole(runs_table(found[-runs:]))
        for path in [path for run in found[-runs:][::-1] if (path := report_of(root, run["id"]))][:1]:
            say(f"  report of the last of them: {path}")
    elif runs:
        console.print("No run is recorded" + (" with these tags." if labels else "."))
