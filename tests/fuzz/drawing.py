"""How many examples a property draws, how long one may take, and the project that each of them changes."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

from bad_input.project import Project, Told

F = TypeVar("F", bound=Callable[..., Any])
FULL = os.environ.get("HYPOTHESIS_PROFILE") == "full"
FORTIETH = 40
LONGEST_SECONDS = 60
DRAWN: Counter[str] = Counter()
# What each property asks for in the full run.
ASKED: list[int] = []

settings.register_profile(
    "short" if not FULL else "full",
    derandomize=not FULL,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("full" if FULL else "short")


def examples(number: int) -> Callable[[F], F]:
    """Draw so many examples in the full run."""
    ASKED.append(number)
    return settings(max_examples=number if FULL else max(number // FORTIETH, 10))


def drawn(name: str) -> None:
    """Count one example of a property, and stop it where it hangs."""
    DRAWN[name] += 1
    signal.setitimer(signal.ITIMER_REAL, LONGEST_SECONDS)


def hangs(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"one example takes more than {LONGEST_SECONDS} seconds")


class Copy:
    """A copy of the finished project that is made whole again before each example."""

    def __init__(self, finished: Project, root: Path) -> None:
        self.finished = finished
        self.project = finished.copy(root)
        self.kept = self.project.files()
        self.temporary = root.parent / "temporary"
        self.temporary.mkdir()

    def fresh(self) -> Project:
        self.project.become(self.finished, self.kept)
        return self.project

    def check_told(self, told: Told, codes: tuple[int, ...] = (0, 3, 4)) -> None:
        """A right end: done, or a message on one line; and no file where none belongs."""
        assert told.code in codes, told.said
        assert "Traceback" not in told.said
        if told.code:
            lines = told.said.splitlines()
            assert "Error: " in lines[-2], told.said
            assert "Solution: " in lines[-1], told.said
            assert told.error
            assert told.solution
        assert list(self.temporary.iterdir()) == []
        assert sorted(path.name for path in self.project.root.parent.iterdir()) == ["project", "temporary"]
        there = {name.partition("/")[0] for name in self.project.files().keys() - self.kept.keys()}
        assert there <= {".clustering", "data", "logs", "reports"}
        assert not [name for name in self.project.files() if name.endswith(".tmp")]
