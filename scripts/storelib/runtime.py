"""What every stage does the same way: pinned threads, a log, and errors told in two lines.

Import this module before numpy: BLAS and OpenMP read their thread counts once, when they are loaded, and a sum over two
threads is not the same bytes as a sum over one. Snakemake exports its own counts by `--cores`; they are overruled here.
"""

import gc
import os

from storelib.names import KEY, LARGEST_SEED, LONGEST_KEY, MARK, RUN_LOCK, STATE, THREAD_COUNTS

# How many threads Snakemake gives this job, where it does: it exports the number of the rule's `threads`, or of --cores.
_ALLOWED = os.environ.get("OMP_NUM_THREADS", "")

for _variable in THREAD_COUNTS:
    os.environ[_variable] = "1"
# pydantic would read the metadata of every package that is installed, to see which of them is a plugin of it.
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
# Python looks for what refers to itself after every 700 objects that it makes; a stage makes tables, and ends soon.
gc.set_threshold(100_000)

import argparse
import fcntl
import logging
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from storelib.errors import DataError, PipelineError, one_line
from storelib.seals import Here

LOGGER = logging.getLogger("clustering")
# Numbers that Python has for tools which monitor it.
TOOLS = 6


class StageParser(argparse.ArgumentParser):
    """Tells a wrong argument in two lines, as any other mistake."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"Error: {one_line(message)}\nSolution: see `python scripts/{self.prog} --help`\n")


def stage_parser(docstring: str | None) -> argparse.ArgumentParser:
    """A parser whose --help is the script's docstring, and which refuses abbreviated flags."""
    parser = StageParser(
        description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--log", type=Path, required=True, help="log file; its folder is made")
    return parser


def view_key(text: str) -> str:
    """A flag's type: a category's key, or `external`."""
    if not re.fullmatch(KEY, text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a key: lower-case letters, digits and _, at most {LONGEST_KEY}"
        )
    return text


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A flag's type: a whole number from `least` to `most`."""

    def value_of(text: str) -> int:
        number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None
        if number is None or number < least or (most is not None and number > most):
            limit = f"from {least} to {most}" if most is not None else f"of at least {least}"
            raise argparse.ArgumentTypeError(f"a whole number {limit} is expected, not {text!r}")
        return number

    return value_of


def number(least: float, most: float = math.inf, *, above: bool = False) -> Callable[[str], float]:
    """A flag's type: a finite number from `least` to `most`; above: not `least` itself."""

    def value_of(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        # Not a number is in no range.
        if not (least <= value <= most and math.isfinite(value)) or (above and value == least):
            limit = f"{'above' if above else 'of at least'} {least:g}" + (
                f" and at most {most:g}" if most < math.inf else ""
            )
            raise argparse.ArgumentTypeError(f"a number {limit} is expected, not {text!r}")
        return value

    return value_of


seed = whole(0, LARGEST_SEED)


def threads(configured: int) -> int:
    """The threads that a stage may keep busy: those of `compute.threads`, and no more than its runner gives it."""
    return min(configured, int(_ALLOWED)) if _ALLOWED.isdigit() and int(_ALLOWED) else configured


def start_log(path: Path) -> logging.Logger:
    """Log to stderr and to `path`, which is begun anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    stage = path.stem if path.parent.name == "logs" else f"{path.parent.name}/{path.stem}"
    formatter = logging.Formatter(f"{stage}: %(message)s")
    for handler in (logging.StreamHandler(sys.stderr), logging.FileHandler(path, mode="w", encoding="utf-8")):
        handler.setFormatter(formatter)
        LOGGER.addHandler(handler)
    return LOGGER


def tell(error: PipelineError) -> None:
    """Log a mistake in two lines; on stderr where there is no log yet."""
    for line in str(error).split("\n"):
        if LOGGER.handlers:
            LOGGER.error(line)
        else:
            sys.stderr.write(f"{line}\n")


def refuse_beside(root: Path) -> None:
    """Raise PipelineError where a command is at work in the project that this stage was not started by: both would write the same.

    Whoever calls a script by itself, where no command is at work, is let be.
    """
    lock = root / STATE / RUN_LOCK
    try:
        with lock.open(encoding="utf-8") as file:
            holder = file.read()
            if not holder or holder in os.environ.get(MARK, "").split("\n"):
                return
            # One that was killed holds it no more.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise DataError(
            f"a `clustering` command is at work in {root}, and would write the same files",
            solution="wait until it has ended, and run the same command again",
        ) from None


def run_stage(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run a script's `main` and exit with the code of what went wrong.

    A stage that finds a damaged input sets it aside (`storelib.seals`). A user's mistake is told in two lines, and so is what
    the system refuses, such as a file that is not there or a full disk.
    Anything else is a defect and keeps its traceback, in the log file too. A process that was started for the stage ends at once.
    """
    outer, Here.is_stage = Here.is_stage, True
    try:
        refuse_beside(Path.cwd())
        main(None)
    except PipelineError as error:
        tell(error)
        sys.exit(error.exit_code)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        tell(DataError(what, solution="see that the file is there and may be used, and that the disk is not full"))
        sys.exit(DataError.exit_code)
    except MemoryError as error:
        tell(
            DataError(
                f"there is no memory left{f': {error}' if str(error) else ''}",
                solution="run fewer stages at once (--cores 1), or give the machine more memory",
            )
        )
        sys.exit(DataError.exit_code)
    except Exception:
        LOGGER.exception("unexpected failure")
        sys.exit(1)
    finally:
        Here.is_stage = outer
    if main.__module__ == "__main__" and not is_watched():
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        # Python would take down all that is loaded, piece by piece: 0.05 to 0.15 seconds of every stage.
        os._exit(0)


def is_watched() -> bool:
    """Whether something in this process waits for Python's own end: a profiler, a debugger, or who forked it (`stage_server`)."""
    processes = sys.modules.get("multiprocessing.process")
    is_forked = processes is not None and processes.parent_process() is not None
    # From Python 3.12 on.
    monitoring = getattr(sys, "monitoring", None)
    is_monitored = monitoring is not None and any(map(monitoring.get_tool, range(TOOLS)))
    return is_forked or is_monitored or sys.getprofile() is not None or sys.gettrace() is not None
