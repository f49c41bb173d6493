"""One spelling for ids and names.

The form of an id, and of any name, follows from its text alone, so that it is the same in every table: trimmed, in Unicode's
NFC, and a whole number without decimals.

Names of categories and need states may differ by case, spaces or characters that do not show, too: ` DAIRY` and `Dairy`. Of
several spellings the most frequent counts, then the first by code point. Nothing depends on the order of rows, nor on which
categories are selected: choosing another one must change nothing for the rest.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from logging import Logger

from storelib.errors import DataError, shown

POLICIES = ("keep", "unify", "fail")
# What is trimmed off both ends of a text: spaces of every width, line ends, and marks that do not show.
WHITE = (
    " \t\r\n\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
    "\x1a"  # the end of a file, as DOS wrote it
)
# Between the parts of an id of several columns; a bar in a part is doubled, so that no two ids are joined to one text.
JOINT = " | "


def id_text(text: str, marks: str = ".") -> str:
    """The form that an id or a name has in all tables: ` 101.0` is `101`, but `0101` and `1e3` stay what they are.

    marks: what may stand before decimals.
    """
    bare = text.strip(WHITE)
    # Nobody means to write a null character; SQL would not compose what is behind it.
    bare = bare if "\0" in bare else unicodedata.normalize("NFC", bare)
    whole = re.fullmatch(rf"(-?[0-9]+)[{marks}]0+", bare)
    return whole[1] if whole else bare


def joined(parts: Sequence[str]) -> str:
    """One id of several texts."""
    return JOINT.join(part.replace("|", "||") for part in parts)


def parts_of(text: str) -> list[str]:
    """The texts that were joined to one id."""
    return [part.replace("||", "|") for part in text.split(JOINT)]


def refuse_capitals(ids: Iterable[str], what: str, where: str) -> None:
    """Raise DataError where two ids differ by capitals alone. what: the kind of id, such as `store`; where: their tables."""
    known = sorted(set(ids))
    twins: dict[str, list[str]] = {}
    for text in known:
        twins.setdefault(text.upper(), []).append(text)
    several = [found for found in twins.values() if len(found) > 1]
    if several:
        first, second = several[0][:2]
        raise DataError(
            f"{where}: {what} {shown(first)} and {what} {shown(second)} differ by capitals alone ({len(several)} such ids in all)",
            solution="set `id_case: upper` for every source in configs/<env>.yml if they are one, which writes all ids in capitals, "
            "or `id_case: keep` if they are two",
        )


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
