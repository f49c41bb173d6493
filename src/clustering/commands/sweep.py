"""`clustering sweep`: an experiment for each combination of values."""

from typing import Annotated

import typer

from clustering.projects import check_project, find_project
from clustering.shown import console, say, show_rows
from storelib.errors import DataError


def sweep(
    settings: Annotated[
        list[str], typer.Option("-S", "--set", help="key=value,value of params.yaml; may be repeated.")
    ],
    jobs: Annotated[int, typer.Option(min=1, help="Experiments at a time.")] = 1,
) -> None:
    """Run DVC experiments, one per combination of values, and show what they found.

    Example: clustering sweep -S internal.cluster_stores.rule=silhouette,bic_tied --jobs 2
    """
    from clustering.sweep import check_experiments, keys_of, run_sweep, table_of

    try:
        keys = keys_of(settings)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="-S") from None
    root = find_project()
    params, _, _ = check_project(root, None)
    check_experiments(root, params, settings)
    results = run_sweep(root, settings, keys, jobs, lambda text: console.print(text, soft_wrap=True, highlight=False))
    show_rows(*table_of(results))
    failed = [result for result in results if result.error]
    for result in failed:
        say(f"{result.name} failed: {result.error}")
    if failed:
        raise DataError(
            f"{len(failed)} of {len(results)} experiments failed, first {failed[0].name}: {failed[0].error}",
            solution=f"run `dvc queue logs {failed[0].name}` for the whole of it",
        )
