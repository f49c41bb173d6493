"""`clustering init`: a new project."""

from pathlib import Path
from typing import Annotated

import typer

from clustering.shown import console, say
from clustering.templates import examples, make_project


def init(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    example: Annotated[str | None, typer.Option(help=f"One of: {', '.join(examples())}.")] = None,
) -> None:
    """Make a new project.

    Example: clustering init my-stores --example iowa
    """
    obstacle = make_project(folder, example)
    console.print(f"Made {folder}. Next:", soft_wrap=True)
    console.print(f"  cd {folder}", soft_wrap=True, highlight=False)
    if example is not None and (folder / "README.md").is_file():
        console.print("  README.md says what this example is and needs", highlight=False)
    console.print("  clustering run full_pipeline_job", highlight=False)
    if obstacle:
        say(f"It has no versions and no experiments yet: {obstacle.what}; {obstacle.advice}.")
