"""One spelling for names that differ by case, spaces or characters that do not show: ` DAIRY` and `Dairy`.

Of several spellings one that is given counts (a category's in params.yaml), then the most frequent, then the first by code
point. Nothing depends on the order of rows.
"""

import unicodedata
from collections.abc import Collection, Mapping
from logging import Logger

from storelib.errors import DataError, shown

POLICIES = ("keep", "unify", "fail")


def folded(name: str) -> str:
    """What spellings of one name have in common."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join(visible.casefold().split())


def respelt(counts: Mapping[str, int], given: Collection[str] = ()) -> dict[str, str]:
    """The spelling to use for each name that has a better one.

    counts: how often each spelling occurs. given: spellings that stay as they are, and win.
    """
    best: dict[str, str] = {}
    for name in sorted({*counts, *given}, key=lambda name: (name not in given, -counts.get(name, 0), name)):
        best.setdefault(folded(name), name)
    return {name: best[folded(name)] for name in sorted(counts) if name not in given and name != best[folded(name)]}


def decide(
    policy: str, counts: Mapping[str, int], what: str, where: str, log: Logger, given: Collection[str] = ()
) -> dict[str, str]:
    """What to respell under a policy: nothing (`keep`), or every name that has a better spelling (`unify`).

    what: the kind of name, `need state` or `category`; where: the file or table they are in; the rest as in `respelt`.
    Raises DataError under `fail` where a name is spelt in two ways.
    """
    found = {} if policy == "keep" else respelt(counts, given)
    for name, better in found.items():
        if policy == "fail":
            raise DataError(
                f"{where}: {what} {shown(name)} ({counts[name]} times) is also spelt {shown(better)} ({counts.get(better, 0)} times), "
                f"and so are {len(found)} names in all",
                solution=f"give each {what} one spelling, or set `spelling: unify`, which takes {shown(better)}",
            )
        log.warning("%s %s is taken for %s (%d times)", what, shown(name), shown(better), counts[name])
    return found
