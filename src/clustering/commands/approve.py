"""`clustering approve`: the last run's segments become the baseline."""

from typing import Annotated

import typer

from clustering.arguments import Env
from clustering.projects import find_project, load_project
from clustering.shown import say


def approve(
    who: Annotated[str, typer.Option(help="Who approves.")],
    why: Annotated[str, typer.Option(help="What for, or on whose word.")] = "",
    env: Env = None,
) -> None:
    """Make the last run's segments the baseline: the next runs keep its numbers and say who moved.

    Refused where the segments are not up to date, or a check failed. Who, when, the git revision and hashes go to
    data/raw/<env>.approved.json. Example: clustering approve --who "A. Merchant"
    """
    from clustering import approve as approving
    from clustering.results import SEGMENTS, read_results
    from clustering.runners import only_run
    from storelib.errors import PipelineError
    from storelib.tables import read_table

    if not who.strip():
        raise typer.BadParameter("a name is expected", param_hint="--who")
    root = find_project()
    params, place, env = load_project(root, env)
    with only_run(root):
        try:
            results = read_results(root, params, env)
        except PipelineError:
            # One that was ended when all was done, before it could say so, is said again.
            standing = approving.standing(root, place, env, who.strip(), why.strip())
            if standing is None:
                raise
            entry = standing
        else:
            entry = approving.approve(root, place, env, results, who.strip(), why.strip())
        count = read_table(root / SEGMENTS, ["store_id"]).num_rows
    say(f"Run {entry['run']} is approved by {entry['who']}: {count:,} segments of stores are the baseline.")
    say(f"  baseline  data/raw/{env}/{approving.APPROVED}")
    say(f"  record    {approving.record_path(env)}")
    say("Next: clustering run full_pipeline_job, which keeps these numbers")
