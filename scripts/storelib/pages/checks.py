"""The checks of a result, as a page tells them."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from storelib.accounts.expectations import EXPECTATIONS, apart
from storelib.pages.language import number, say, with_marks
from storelib.pages.words import count, first_upper

# What is wanted of a figure, by its sense and by whether it has failed.
WANTED = {
    ("at least", False): "%(found)s; at least %(limit)s is expected",
    ("at least", True): "%(found)s; at least %(limit)s is required",
    ("at most", False): "%(found)s; at most %(limit)s is expected",
    ("at most", True): "%(found)s; at most %(limit)s is required",
}
STATES = {"fail": "fails", "warn": "warns", "pass": "holds"}
MEANINGLESS = "a share cannot be told: net sales are not above 0"


class Check(NamedTuple):
    """One check: its state and that in a word, what it is of, what was found, and what to do where it does not hold."""

    state: str
    word: str
    of: str
    sentence: str
    to_do: str


def check_views(checks: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[Check]:
    """Checks of reports/checks.json, those that failed first, then those that warn. names: of views."""
    order = list(STATES)
    return [
        Check(
            check["state"],
            say(STATES[check["state"]]),
            names.get(check["view"], check["view"]) or say("all sales"),
            first_upper(f"{sentence_of(check)}."),
            first_upper(f"{say(EXPECTATIONS[check['check']].to_do)}.") if check["to_do"] else "",
        )
        for check in sorted(checks, key=lambda check: order.index(check["state"]))
    ]


def sentence_of(check: Mapping[str, Any]) -> str:
    """The figure and the level that it is held against."""
    if check["value"] is None:
        return say(MEANINGLESS)
    expectation, failed = EXPECTATIONS[check["check"]], check["state"] == "fail"
    # As they are written, so that 0.1 is a tenth.
    value, level = (Fraction(repr(check[name])) for name in ("value", "fail" if failed else "warn"))
    if expectation.is_share:
        shown, limit = (with_marks(part) for part in apart(value, level))
    else:
        shown, limit = count(int(value), "store"), number(int(level))
    found = say(expectation.says).format(value=shown)
    return say(WANTED[expectation.sense, failed], found=found, limit=limit)
