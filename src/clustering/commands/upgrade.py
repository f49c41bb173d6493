"""`clustering upgrade`: the workflow's files of a project, as this version has them."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from clustering import TEMPLATE, __version__
from clustering.projects import nearest_project
from clustering.shown import say
from clustering.stamps import STAMP

if TYPE_CHECKING:
    from clustering.upgrade import Act, Step


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")] = False,
) -> None:
    """Bring the project's workflow to this version. What you changed stays, with the new version beside it as FILE.new.

    Never params.yaml, configs/*.yml, data or .env files. Example: clustering upgrade --dry-run
    """
    from clustering import upgrade as files
    from clustering.runners import only_run, refuse_while_at_work

    root = nearest_project()
    with only_run(root):
        refuse_while_at_work(root)
        plan = files.plan_upgrade(root, TEMPLATE, __version__)
        offered = [] if dry_run else files.upgrade(root, TEMPLATE, plan)
    if plan.before is None:
        say(
            f"This project has no {STAMP}, so it is not known what you changed: every file that differs is kept as it is, "
            "and no file is deleted."
        )
    for step in plan.steps:
        say(told(step))
    change = f"{plan.before or 'a version not known'} -> {__version__}"
    counts = Counter(act_of(step).value for step in plan.steps)
    done = ", ".join(f"{act}: {count}" for act, count in sorted(counts.items())) or "nothing to do"
    say(f"{change}: {done}." + (" Nothing was done." if dry_run else ""))
    if offered:
        say("Merge these into the files beside them before the next run, and delete them:")
        for path in offered:
            say(f"  {path}")
    if not dry_run and counts.keys() - {files.Act.keep.value}:
        say("Next: clustering doctor, which says what params.yaml and configs/ lack")


def told(step: "Step") -> str:
    """A step in a line."""
    why = f": {step.why}" if step.why else ""
    beside = f"; the new version goes beside it, as {step.name}.new" if step.act.value == "offer" else ""
    return f"{act_of(step).value}: {step.name}{why}{beside}"


def act_of(step: "Step") -> "Act":
    """What becomes of the project's own file: it is kept, too, where the new version is put beside it."""
    return type(step.act).keep if step.act.value == "offer" else step.act
