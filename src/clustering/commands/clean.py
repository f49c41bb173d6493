"""`clustering clean`: delete what is left of earlier runs."""

from typing import Annotated

import typer

from clustering.jobs import KEPT
from clustering.projects import find_project
from clustering.shown import console, say


def clean(
    runs: Annotated[int, typer.Option(min=0, help="How many recorded runs are kept, beside the preferred one.")] = KEPT,
    cache: Annotated[
        bool, typer.Option("--cache", help="Also what DVC keeps and no branch, tag, experiment or file needs.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; delete nothing.")] = False,
) -> None:
    """Delete records of old runs, old logs of runners, damaged files that were set aside; and what DVC keeps of no use.

    Each run does so by itself, but for --cache, with 50 runs. Results stay. Example: clustering clean --runs 10 --cache
    """
    from clustering.runners import only_run, refuse_while_at_work
    from clustering.tidying import clear_cache, outdated, remove, size_of

    root = find_project()
    with only_run(root):
        refuse_while_at_work(root)
        old = sorted(outdated(root, runs))
        if dry_run:
            for path in old:
                say(str(path.relative_to(root)))
            console.print(f"{len(old)} files and runs of {megabytes(sum(map(size_of, old)))} would be deleted.")
            return
        count, size = remove(old)
        console.print(f"{count} files and runs of {megabytes(size)} are deleted.")
        if cache and (root / ".dvc").is_dir():
            count, size = clear_cache(root)
            console.print(f"{count} files of DVC's cache of {megabytes(size)} are deleted.")


def megabytes(size: int) -> str:
    """A size in words."""
    return f"{size / 1e6:,.1f} MB"
