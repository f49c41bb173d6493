"""One spelling for names that differ by case, spaces or characters that do not show: ` DAIRY` and `Dairy`.

Of several spellings the most frequent counts, then the first by code point. Nothing depends on the order of rows, nor on
which categories are selected: choosing another one must change nothing for the rest.
"""

import unicodedata
from collections.abc import Mapping
from logging import Logger

from storelib.errors import DataError, shown

POLICIES = ("keep", "unify", "fail")


def folded(name: str) -> str:
    """What spellings of one name have in common."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join(visible.casefold().split())


def respelt(counts: Mapping[str, int]) -> dict[str, str]:
    """The spelling to use for each name that has a better one. counts: how often each spelling occurs."""
    best: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(folded(name), name)
    return {name: best[folded(name)] for name in sorted(counts) if name != best[folded(name)]}


def decide(policy: str, counts: Mapping[str, int], what: str, where: str, log: Logger) -> dict[str, str]:
    """What to respell under a policy: nothing (`keep`), or every name that has a better spelling (`unify`).

    what: the kind of name, `need state` or `category`; where: the file or table they are in; counts: as in `respelt`.
    Raises DataError under `fail` where a name is spelt in two ways.
    """
    found = {} if policy == "keep" else respelt(counts)
    for name, better in found.items():
        if policy == "fail":
            raise DataError(
                f"{where}: {what} {shown(name)} ({counts[name]} times) is also spelt {shown(better)} ({counts[better]} times), "
                f"and so are {len(found)} names in all",
                solution=f"give each {what} one spelling, or set `spelling: unify`, which takes {shown(better)}",
            )
        log.warning("%s %s is taken for %s (%d times)", what, shown(name), shown(better), counts[name])
    return found
