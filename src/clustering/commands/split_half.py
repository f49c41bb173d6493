"""`clustering split-half`: how far two halves of the weeks agree."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from clustering.arguments import Cores, Env
from clustering.projects import find_project
from clustering.shown import console


def split_half(
    env: Env = None,
    cores: Cores = 2,
    keep: Annotated[
        Path | None, typer.Option(help="A new folder for the projects of both halves, which are otherwise temporary.")
    ] = None,
) -> None:
    """Would the same stores be together, had we looked at the other half of the weeks?

    Runs the pipeline on the sales of odd and of even weeks, and compares: adjusted Rand index, 1 is the same partition, 0 is
    chance. Example: clustering split-half --cores 4
    """
    from clustering import halves

    root = find_project()
    rows, counts = halves.split_half(root, env, cores, keep)
    show_halves(rows)
    parts = [f"{counts[half]['lines']:,} lines in {counts[half]['weeks']} {half} weeks" for half in ("odd", "even")]
    without = f"{counts['lines_without_date']:,} lines without a date that can be read are in neither"
    console.print(f"{', '.join(parts)}; {without}.", soft_wrap=True, highlight=False)
    for what, where in (("report", root / halves.REPORT), *((("projects", keep),) if keep else ())):
        console.print(f"  {what:<9} {where}", soft_wrap=True, highlight=False)


def show_halves(rows: list[dict[str, str]]) -> None:
    """A table of how far the halves agree; one line per view where the output is no terminal."""
    labels = {
        "internal": "internal_cluster_ari",
        "external": "external_cluster_ari",
        "segment": "segment_ari",
        "where trained": "trained_ari",
    }
    heads = ("k odd", "k even", "stores in both", *(f"ARI {word}" for word in labels))
    table = Table(Column("view", no_wrap=True), *heads)
    for row in rows:
        found = {word: f"{float(row[label]):.3f}" if row[label] else "" for word, label in labels.items()}
        counts = [row["view"], row["k_odd"], row["k_even"], row["stores_both"]]
        table.add_row(*counts, *found.values())
        if not console.is_terminal:
            agreed = ", ".join(f"{word} {ari}" for word, ari in found.items() if ari)
            line = "{}: k {} and {}, {} stores in both; ARI: ".format(*counts)
            console.print(line + (agreed or "none"), soft_wrap=True, highlight=False)
    if console.is_terminal:
        console.print(table)
    for row in rows:
        if row["k_odd"] == row["k_even"] == "1":
            words = f"{row['view']}: one cluster in both halves: nothing to compare"
            console.print(words, soft_wrap=True, highlight=False)
