"""`clustering list-jobs`."""

from rich.table import Table

from clustering.jobs import DESCRIPTIONS
from clustering.shown import console


def list_jobs() -> None:
    """List the jobs.

    Example: clustering list-jobs
    """
    table = Table("job", "makes", box=None)
    for name, description in DESCRIPTIONS.items():
        table.add_row(f"{name}_job", description)
    console.print(table)
