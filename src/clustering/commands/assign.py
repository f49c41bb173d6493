"""`clustering assign`: segments of stores that were not there when they were fitted."""

from pathlib import Path
from typing import Annotated

import typer

from clustering.arguments import Env
from clustering.projects import find_project
from clustering.shown import console, say


def assign(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Sales lines, or stores with external features; CSV or Parquet."),
    ],
    category: Annotated[str | None, typer.Option(help="Only this category, by its key.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the places to this CSV file.")] = None,
    env: Env = None,
) -> None:
    """Place stores in the segments that are fitted, without fitting anew: by sales, by place, or as the most like store.

    Example: clustering assign new_stores.csv --output places.csv
    """
    from clustering.assigning import assign as place
    from storelib.spreadsheets import for_spreadsheets

    found = place(find_project(), env, files, category)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        for_spreadsheets(found).to_csv(output, index=False, lineterminator="\n")
        console.print(f"  {len(found)} places in {output}", soft_wrap=True, highlight=False)
        return
    for row in found.itertuples():
        like = f", like store {row.like_store}" if isinstance(row.like_store, str) else ""
        say(
            f"{row.category}: store {row.store_id} is in segment {row.segment}, {row.confidence:.0%} sure; {row.reason}{like}"
        )
