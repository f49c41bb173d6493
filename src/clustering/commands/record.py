"""`clustering record`: Snakemake's results, told to DVC."""

from clustering.projects import find_project
from clustering.shown import console
from storelib.errors import DataError


def record() -> None:
    """After `snakemake`: commit its outputs to DVC, so that DVC has nothing to do.

    Example: clustering record
    """
    from clustering import handover, runners

    root = find_project()
    with runners.only_run(root):
        runners.heal(root)
        late = handover.record(root)
    if late:
        raise DataError(
            f"{len(late)} files are not up to date, such as {late[0]}", solution="run `snakemake --cores 2` first"
        )
    console.print("DVC has recorded what Snakemake made.")
