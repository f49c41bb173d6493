"""The files of a project as pages read them: each once until it changes, and what cannot be read as something to show.

A run may be at work, and a file may be missing, half made or damaged: that is told where the file would be shown, and nowhere else.
"""

import fcntl
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import pandas as pd
import pyarrow as pa

from clustering.journal import LOGGER
from storelib.configuration.params import Params, load_params
from storelib.configuration.place import Place, load_place
from storelib.errors import DataError, PipelineError, nearest_name, one_line
from storelib.names import RUN_LOCK, STATE
from storelib.pages import words
from storelib.seals import checked
from storelib.tables import read_frame, read_json, read_table

T = TypeVar("T")
Stamp = tuple[int, int, int]
# Values that are kept; a project of twenty categories has about six hundred tables.
KEPT = 3000
# What an error says of something that no run has made yet.
NOT_MADE = ("does not exist", "has no segments and metrics", "runs with results are recorded")
RUN_FIRST = "run `make run`, or `clustering run full_pipeline_job`"


class Problem(NamedTuple):
    """Why something cannot be shown. is_missing: it was not made yet, which is no fault."""

    what: str
    to_do: str
    is_missing: bool = False


@dataclass
class Part(Generic[T]):
    """What one part of a page shows, or why it cannot."""

    value: T | None = None
    problem: Problem | None = None


def attempt(make: Callable[..., T], *values: Any) -> Part[T]:
    """A part of a page; where its files cannot be read, the reason in its place, so that the other parts are shown.

    A file that lies there may be of another version or cut off in any way, so that anything may be missing in it; what was not
    foreseen is told as it is, and kept in the command's log.
    """
    try:
        return Part(make(*values))
    except PipelineError as error:
        return Part(problem=Problem(error.args[0], error.solution, error.args[0].endswith(NOT_MADE)))
    except Exception as error:
        LOGGER.exception("a part of a page cannot be shown")
        return Part(
            problem=Problem(
                one_line(f"this cannot be shown: {type(error).__name__}: {error}"),
                "its files may be half made or of another version: wait until a run has ended, or run the pipeline again",
            )
        )


def stamp_of(path: Path) -> Stamp | None:
    """What changes when a file is written anew; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Kept:
    """Values made of files, which are made anew when one of these files changes. For several threads."""

    def __init__(self, most: int = KEPT) -> None:
        self.most = most
        self.lock = threading.Lock()
        self.values: OrderedDict[Any, tuple[tuple[Stamp | None, ...], Any]] = OrderedDict()

    def get(self, key: Any, paths: Iterable[Path], make: Callable[[], T]) -> T:
        """The value of a key, from files. What cannot be made is not kept."""
        stamps = tuple(map(stamp_of, paths))
        with self.lock:
            found = self.values.get(key)
            if found is not None and found[0] == stamps:
                self.values.move_to_end(key)
                value: T = found[1]
                return value
        value = make()
        with self.lock:
            self.values[key] = stamps, value
            while len(self.values) > self.most:
                self.values.popitem(last=False)
        return value


@dataclass
class Project:
    """A project's folder for one environment, and what was read of it."""

    root: Path
    env: str
    kept: Kept = field(default_factory=Kept)

    def path(self, name: str) -> Path:
        """A file of the project, by a name that this program gives."""
        return self.root / name

    def table(self, name: str) -> pa.Table:
        """A Parquet file. Raises DataError where it is not there or none."""
        path = self.path(name)
        return self.kept.get(("table", name), [path], lambda: read_table(path))

    def frame(self, name: str) -> pd.DataFrame:
        """A Parquet file for pandas; never to be written to."""
        path = self.path(name)
        return self.kept.get(("frame", name), [path], lambda: read_frame(path))

    def json(self, name: str) -> Any:
        """A JSON file. Raises DataError where it is not there or none."""
        path = self.path(name)
        return self.kept.get(("json", name), [path], lambda: read_json(path))

    def csv(self, name: str) -> pd.DataFrame:
        """A CSV file as texts."""
        path = self.path(name)

        def read() -> pd.DataFrame:
            if not path.is_file():
                raise DataError(f"{path} does not exist", solution=RUN_FIRST)
            return pd.read_csv(checked(path), dtype="str", keep_default_na=False)

        return self.kept.get(("csv", name), [path], read)

    def derived(self, name: str, files: Iterable[str], make: Callable[[], T]) -> T:
        """What is made of several files, kept until one of them changes."""
        return self.kept.get(("derived", name), map(self.path, files), make)

    def params(self) -> Params:
        """The method. Raises ConfigError."""
        path = self.path("params.yaml")
        return self.kept.get("params", [path], lambda: load_params(path))

    def place(self) -> Place:
        """The place. Raises ConfigError."""
        path = self.path(f"configs/{self.env}.yml")
        return self.kept.get("place", [path], lambda: load_place(path))

    def categories(self) -> dict[str, str]:
        """The categories that were clustered: key and name. Raises DataError where there are none yet."""
        rows = self.table("data/internal/categories.parquet").to_pydict()
        return {key: words.printable(name) for key, name in zip(rows["key"], rows["name"], strict=True)}

    def category(self, wanted: str | None) -> str:
        """A category's key: the one asked for, else the first. Raises DataError for one that is not there."""
        known = self.categories()
        if not known:
            raise DataError(
                "no category was clustered", solution="name categories in params.yaml, and run the pipeline"
            )
        if not wanted:
            return next(iter(known))
        if wanted not in known:
            raise DataError(
                f"there is no category {wanted!r}{nearest_name(wanted, known)}", solution="choose one of the list"
            )
        return wanted

    def view(self, wanted: str | None) -> str:
        """A view: a category's key, or `external`."""
        return wanted if wanted == "external" else self.category(wanted)

    def of_view(self, kind: str, view: str) -> str:
        """The file of one kind of table of a view, such as `k_scores`."""
        if view == "external":
            return f"data/external/{'profile' if kind == 'profiles' else kind}.parquet"
        return f"data/internal/{kind}/{view}.parquet"

    def is_at_work(self) -> bool:
        """Whether a command holds the project, such as a run that is making its files."""
        try:
            with (self.root / STATE / RUN_LOCK).open("rb") as file:
                # Who holds it says so in it. Only one that was killed is asked for by a lock, which no run must find taken.
                if file.read():
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def checks(self) -> list[dict[str, Any]]:
        """What was expected and how far it holds. Raises DataError where that cannot be read."""
        found = self.json("reports/checks.json")
        if not isinstance(found, dict) or not isinstance(found.get("checks"), list):
            raise DataError("reports/checks.json holds no checks", solution="run the pipeline again")
        checks: list[dict[str, Any]] = found["checks"]
        return checks
