"""One process that has the large libraries loaded and forks for each stage: loading them takes longer than most stages' work.

`clustering run` keeps one while a runner is at work. Stages stay what they are, commands that begin with `python`, for both
runners; the `python` that these find first hands its script over (see `stage_client`). What forks has loaded libraries only:
each stage reads its script and the project's modules from the files, as they are when it starts. Linux only: elsewhere it is
not safe to fork a process that has them loaded.
"""

import csv
import ctypes
import gc
import importlib
import json
import multiprocessing
import os
import resource
import runpy
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from clustering.surroundings import exported
from storelib.names import THREAD_COUNTS

# What stages import and what takes long: those of the first stages first.
LIBRARIES = (
    "duckdb",
    "pydantic",
    "yaml",
    "pandas",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pyarrow.csv",
    "sklearn.cluster",
    "sklearn.decomposition",
    "sklearn.impute",
    "sklearn.metrics",
    "sklearn.neighbors",
    "sklearn.preprocessing",
    "scipy.stats",
    "scipy.cluster.hierarchy",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "jinja2",
    "xlsxwriter",
)
# Where runners find the `python` that forks; see runners.environment.
FOLDER = "CLUSTERING_STAGES"
PR_SET_PDEATHSIG = 1
# Where there is one core, which a runner needs: how many libraries are loaded before a stage comes, and how many stages come
# before the others are: a run may have but one.
AT_ONCE, FEW = 4, 2


@contextmanager
def stages_forked(root: Path, libraries: Sequence[str] = LIBRARIES) -> Iterator[None]:
    """While this lasts, runners that get this process's environment fork their stages; on Linux only."""
    if not sys.platform.startswith("linux"):
        yield
        return
    began = time.time()
    folder = Path(tempfile.mkdtemp(prefix=f"clustering-stages-{os.getpid()}-"))
    client = [sys.executable, "-I", "-S", str(Path(__file__).with_name("stage_client.py")), str(folder), sys.executable]
    shim = folder / "python"
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(client)} "$@"\n', encoding="utf-8")
    shim.chmod(0o700)
    with listening(folder) as listener:
        words = [sys.executable, "-m", "clustering.stage_server", str(folder), str(listener.fileno()), *libraries]
        # As storelib.runtime has it for a stage of its own.
        environment = os.environ | dict.fromkeys(THREAD_COUNTS, "1")
        with no_interrupt():
            # Its standard input ends when this process does, however it ends; then it ends too, and its stages with it.
            server = subprocess.Popen(words, stdin=subprocess.PIPE, env=environment, pass_fds=[listener.fileno()])
    try:
        with exported(FOLDER, str(folder)):
            yield
    finally:
        usage = folder / "usage.jsonl"
        for line in usage.read_text(encoding="utf-8").splitlines() if usage.is_file() else []:
            correct_benchmark(root, json.loads(line), began)
        # Its work is done, or has failed: what still runs ends with it.
        server.terminate()
        server.communicate()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def no_interrupt() -> Iterator[None]:
    """While this lasts ^C waits; so it does in a process that is started meanwhile, until that says that it does not concern it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listening(folder: Path) -> socket.socket:
    """A socket at `stages` in a folder: before anybody looks for it, so that whoever comes early waits."""
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    # By its name alone: a socket's path has at most 107 bytes.
    os.chdir(folder)
    try:
        listener.bind("stages")
    finally:
        os.chdir(here)
    listener.listen(64)
    return listener


def correct_benchmark(root: Path, used: dict[str, Any], began: float) -> None:
    """Memory and CPU time of a stage, in the row that Snakemake measured of the process that only waited for it."""
    log = Path(used["log"])
    path = root / log.parts[0] / "benchmarks" / Path(*log.parts[1:]).with_suffix(".tsv")
    if not path.is_file() or (written := path.stat()).st_mtime < began:
        return
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    unknown = dict.fromkeys(("max_vms", "max_uss", "max_pss", "io_in", "io_out"), "NA")
    known = {"max_rss": f"{used['max_rss_mb']:.2f}", "cpu_time": f"{used['cpu_s']:.2f}"}
    for row in rows:
        load = 100 * used["cpu_s"] / max(float(row["s"]), 0.01)
        row.update(unknown | known | {"mean_load": f"{load:.2f}"})
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))


class Server:
    """Forks a process for each script that it is handed, and answers with the exit code."""

    def __init__(self, listener: socket.socket, usage: Path, libraries: Sequence[str]) -> None:
        self.listener = listener
        self.usage = usage
        self.to_load = list(libraries)
        self.stages = 0
        self.selector = selectors.DefaultSelector()
        self.clients: dict[int, tuple[socket.socket, BaseProcess]] = {}
        self.selector.register(listener, selectors.EVENT_READ, self.start)
        self.selector.register(sys.stdin.buffer, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Work until the command that started this process has ended; then end what still runs."""
        # A runner takes a second to begin, on one core.
        others = len(os.sched_getaffinity(0)) > 1
        self.load(AT_ONCE)
        while True:
            may_load = self.to_load and (others or self.stages >= FEW)
            events = self.selector.select(timeout=0 if may_load else None)
            if not events:
                self.load(1)
            for key, _ in events:
                if key.data is None:
                    for _, process in self.clients.values():
                        process.terminate()
                    return
                # An earlier one of this round may have ended what this one is about.
                if key.fd in self.selector.get_map():
                    key.data()

    def load(self, number: int) -> None:
        """Load some of the libraries that are not there yet; they stay in memory that all later stages share."""
        for name in self.to_load[:number]:
            try:
                importlib.import_module(name)
            except (ImportError, MemoryError):
                # As where memory is short. The stages that need it load it themselves, and tell what is wrong.
                self.to_load.clear()
                break
        del self.to_load[:number]
        gc.collect()
        gc.freeze()

    def start(self) -> None:
        """Read what is asked for and fork for it."""
        client, _ = self.listener.accept()
        text, files = received(client)
        if files and text:
            process = multiprocessing.get_context("fork").Process(target=self.run, args=(json.loads(text), files))
            process.start()
            self.stages += 1
            number = client.fileno()
            self.clients[number] = client, process
            self.selector.register(process.sentinel, selectors.EVENT_READ, lambda: self.answer(number))
            # Only a client that was ended says anything more: that it has gone. Its stage ends as it would have.
            self.selector.register(client, selectors.EVENT_READ, lambda: self.lost(number))
        for file in files:
            os.close(file)

    def lost(self, number: int) -> None:
        """End the stage of a client that has gone."""
        client, process = self.clients[number]
        self.selector.unregister(client)
        process.terminate()

    def answer(self, number: int) -> None:
        """Tell the client how its stage has ended."""
        client, process = self.clients.pop(number)
        self.selector.unregister(process.sentinel)
        process.join()
        code = process.exitcode or 0
        process.close()
        with client:
            if number in self.selector.get_map():
                self.selector.unregister(client)
                # As a shell tells of a process that a signal has ended. Who asked may have been killed at the same time.
                with suppress(OSError):
                    client.sendall(str(code if code >= 0 else 128 - code).encode())

    def run(self, wish: dict[str, Any], files: list[int]) -> None:
        """In the forked process: be the script, as if it had been started by its command."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGINT, signal.SIG_IGN if wish["ignores_interrupt"] else signal.default_int_handler)
        self.selector.close()
        self.listener.close()
        for client, _ in self.clients.values():
            client.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        # Multiprocessing has put an empty one in its place.
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        os.chdir(wish["folder"])
        os.environ.clear()
        os.environ.update(wish["environment"])
        sys.argv = wish["words"]
        sys.path[0] = str(Path(wish["folder"], wish["words"][0]).parent)
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        finally:
            self.keep_usage(wish["words"])

    def keep_usage(self, words: list[str]) -> None:
        """What this process took. log: by which the runner's own measurement is found."""
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = sum(used.ru_utime + used.ru_stime for used in (own, children))
        log = words[words.index("--log") + 1] if "--log" in words[:-1] else "logs/unknown.log"
        row = {"log": log, "max_rss_mb": own.ru_maxrss / 1024, "cpu_s": cpu}
        with self.usage.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")


def received(client: socket.socket) -> tuple[bytes, list[int]]:
    """What is asked for, and the files that come with it; no text where who asks was killed while it did."""
    files: list[int] = []
    with suppress(OSError):
        head, files, _, _ = socket.recv_fds(client, 8, 3)
        size = int.from_bytes(head, "big")
        with client.makefile("rb") as reader:
            text = reader.read(size)
        if len(text) == size:
            return text, files
    return b"", files


def main(folder: str, listener: str, *libraries: str) -> None:
    """Serve, until the command that started this process has ended."""
    # ^C reaches the stages from the terminal; this process ends after them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        Server(socket.socket(fileno=int(listener)), Path(folder) / "usage.jsonl", libraries).serve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # Nothing of what is loaded needs to be taken down.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
