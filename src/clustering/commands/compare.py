"""`clustering compare`: two runs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from clustering.projects import find_project
from clustering.shown import console, say, show_rows


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Run id or prefix, last, last~1, workspace, revision.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same; its segments are matched to those of A.")],
    prefer: Annotated[
        str | None, typer.Option(help="Mark this recorded run as preferred; `preferred` is its name from then on.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the stores that moved to this CSV file.")] = None,
) -> None:
    """Two runs side by side: figures, sizes of segments and clusters, and the stores that moved.

    Figures are k, segments, the variance that they explain, and whatever differs. Of segments a table says how many stores went
    from which to which. Example: clustering compare last~1 last --prefer last
    """
    from clustering.compare import changes, figure_rows, figure_text, load_results
    from clustering.runs import mark_preferred
    from storelib.spreadsheets import for_spreadsheets

    root = find_project()
    a, b = load_results(root, first), load_results(root, second)
    found, moves = changes(a, b)
    rows = [[key, figure_text(before), figure_text(after)] for key, before, after in figure_rows(a, b)]
    show_rows(["figure", first, second], rows)
    for change in found:
        say(change.line())
        if change.label == "segment" and change.moved:
            show_rows(*change.matrix())
    if prefer is not None:
        say(f"Run {mark_preferred(root, prefer)} is preferred.")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        for_spreadsheets(moves).to_csv(out, index=False, lineterminator="\n")
        console.print(f"  {len(moves)} moves in {out}", soft_wrap=True, highlight=False)
