"""Run a program as `python -m` does, and end as soon as its work is done.

To take down what Snakemake has loaded, module by module, takes Python a third of a second, of each of the two that a run waits for;
of DVC it is a tenth.

usage: python -P -m clustering.launch MODULE ARGUMENT...
"""

import atexit
import os
import runpy
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


def run(work: Callable[[], object]) -> NoReturn:
    """Do the work and end this process, with the exit code that the work asks for. An error of another kind is Python's to tell."""
    code: object = 0
    try:
        work()
    except SystemExit as end:
        code = end.code
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    # As multiprocessing ends a process: threads come to their end, and what was registered for the end is called.
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


def main() -> NoReturn:
    """Run the module that is named."""
    del sys.argv[0]
    # As `-m` has it: with -P this package is found where it is installed, and a folder of its name in the project is not taken for it.
    sys.path.insert(0, str(Path.cwd()))
    run(lambda: runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True))


if __name__ == "__main__":
    main()
