"""Mistakes a user can mend, each with its exit code.

Exit codes: 0 success, 1 general, 2 arguments, 3 configuration, 4 pipeline or data.
"""

import difflib
from collections.abc import Iterable


class PipelineError(Exception):
    """What was found and expected, in one line; `solution` says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, solution: str) -> None:
        super().__init__(message)
        self.solution = solution

    def __str__(self) -> str:
        return f"Error: {self.args[0]}\nSolution: {self.solution}"


class ConfigError(PipelineError):
    """params.yaml, configs/<env>.yml or the environment is wrong."""

    exit_code = 3


class DataError(PipelineError):
    """The data cannot give a right answer."""

    exit_code = 4


def nearest_name(wanted: str, known: Iterable[str]) -> str:
    """A hint such as ` (nearest: 'BEAUTY')` for a misspelt name; empty where nothing is near."""
    matches = difflib.get_close_matches(wanted, sorted(known), n=1, cutoff=0.6)
    return f" (nearest: {matches[0]!r})" if matches else ""
