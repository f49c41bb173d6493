"""`clustering verify`: every file that is recorded, held against its record."""

from typing import Annotated

import typer

from clustering.projects import find_project
from clustering.shown import console, say
from storelib.errors import DataError

SHOWN = 20


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is damaged, as far as can be.")] = False,
) -> None:
    """Whether outputs, records and DVC's cache are what was recorded: every file is read and held against its hash.

    A run looks at its outputs by itself; this looks at all that is kept too. With --repair a damaged output is set aside, so that
    the next run makes it again, and a damaged file of the cache is deleted. Example: clustering verify --repair
    """
    from clustering.mending import Damage, cache_damages, damages
    from clustering.mending import repair as put_right
    from clustering.runners import only_run, refuse_while_at_work

    root = find_project()
    counts = {"outputs and records": 0, "files of DVC's cache": 0}
    bad: list[Damage] = []
    with only_run(root):
        refuse_while_at_work(root)
        found = {"outputs and records": damages(root)}
        if (root / ".dvc").is_dir():
            found["files of DVC's cache"] = cache_damages(root)
        for what, looked_at in found.items():
            for one in looked_at:
                counts[what] += 1
                if isinstance(one, Damage):
                    bad.append(one)
        for damage in bad if repair else bad[:SHOWN]:
            say(f"{damage.path}: {damage.what}{f': {put_right(root, damage)}' if repair else ''}")
    console.print("; ".join(f"{count:,} {what}" for what, count in counts.items()) + f"; {len(bad)} damaged.")
    if bad and not repair:
        raise DataError(
            f"{len(bad)} files are not what was recorded, first: {bad[0].path}",
            solution="run `clustering verify --repair`",
        )
