"""`clustering categories`: what the raw data have, and what is selected."""

from typing import Annotated

import typer
from rich.table import Table

from clustering.arguments import Env
from clustering.projects import check_project, find_project
from clustering.shown import console, say


def categories(
    write: Annotated[bool, typer.Option("--write", help="Add those that are missing to params.yaml.")] = False,
    env: Env = None,
) -> None:
    """The categories of the raw data, and whether they are selected.

    Example: clustering categories --write
    """
    from clustering.categories import ALL_STORES, add_categories, found_categories, params_to_complete
    from storelib.configuration.views import view_words

    root = find_project()
    params, place, env = check_project(root, env, params_to_complete)
    if place.sources.sales is None:
        say(view_words(place))
        if write and not params.internal.categories:
            ((name, key),) = add_categories(root, [ALL_STORES], ()).items()
            console.print(f"Added {key}: {name}", highlight=False, markup=False)
        return
    rows, aside = found_categories(root, params, place, env)
    table = Table("category", "key", "stores", "SKUs", "need states", "sales", box=None)
    for row in rows:
        counts = (row["stores"], row["skus"], row["need_states"])
        table.add_row(row["name"], row["key"] or "not selected", *map(str, counts), f"{row['sales'] or 0:,.2f}")
    console.print(table)
    for reason, lines, sales in aside:
        console.print(
            f"{lines:,} lines are in no category of this table: {reason} (sales {sales:,.2f}).",
            highlight=False,
            markup=False,
        )
    missing = [row["name"] for row in rows if row["key"] is None]
    if write and missing:
        for name, key in add_categories(root, missing, params.internal.categories).items():
            console.print(f"Added {key}: {name}", highlight=False, markup=False)
    elif missing:
        console.print(f"{len(missing)} are not selected; `clustering categories --write` adds them.")
