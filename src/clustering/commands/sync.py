"""`clustering sync`: DVC's results, told to Snakemake."""

from clustering.projects import find_project
from clustering.shown import console
from storelib.errors import DataError


def sync() -> None:
    """After `dvc repro`, `dvc checkout` or `dvc exp apply`: have Snakemake take note, so that it has nothing to do.

    Example: clustering sync
    """
    from clustering import handover, runners

    root = find_project()
    with runners.only_run(root):
        runners.heal(root)
        if not handover.sync(root):
            raise DataError(
                "DVC is not up to date", solution="run `dvc repro` first (`dvc status` says what is changed)"
            )
    console.print("Snakemake has taken note of what DVC made.")
