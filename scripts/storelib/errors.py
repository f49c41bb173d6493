"""Mistakes a user can mend, each with its exit code.

Exit codes: 0 success, 1 general, 2 arguments, 3 configuration, 4 pipeline or data.
"""

import difflib
import re
from collections.abc import Iterable

LONGEST_MESSAGE = 1500
LONGEST_VALUE = 80
# Names longer than this are not compared with each other.
LONGEST_NAME = 200
# What ends a line, does not show, changes the direction of the text after it, or is no character at all.
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


class PipelineError(Exception):
    """What was found and expected, in one line; `solution` says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, solution: str) -> None:
        super().__init__(one_line(message))
        self.solution = one_line(solution)

    def __str__(self) -> str:
        return f"Error: {self.args[0]}\nSolution: {self.solution}"


class ConfigError(PipelineError):
    """params.yaml, configs/<env>.yml or the environment is wrong."""

    exit_code = 3


class DataError(PipelineError):
    """The data cannot give a right answer."""

    exit_code = 4


def one_line(text: str) -> str:
    """A text on one line of bearable length; characters that do not show are written as escapes."""
    plain = HIDDEN.sub(lambda match: ascii(match.group())[1:-1], text)
    if len(plain) <= LONGEST_MESSAGE:
        return plain
    return f"{plain[: LONGEST_MESSAGE - 300]} ... {plain[-290:]}"


def shown(value: object, longest: int = LONGEST_VALUE) -> str:
    """A value from data in quotes, cut where it is long."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def nearest_name(wanted: str, known: Iterable[str]) -> str:
    """A hint such as ` (nearest: 'BEAUTY')` for a misspelt name; empty where nothing is near."""
    candidates = sorted(name for name in known if len(name) <= LONGEST_NAME)
    matches = difflib.get_close_matches(wanted, candidates, n=1, cutoff=0.6) if len(wanted) <= LONGEST_NAME else []
    return f" (nearest: {shown(matches[0])})" if matches else ""
