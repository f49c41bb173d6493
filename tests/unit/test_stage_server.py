"""The process that forks stages: a script runs as it would by its command, and nothing is left when the command ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from clustering.runners import environment
from clustering.stage_server import FOLDER, LIBRARIES, correct_benchmark, stages_forked
from storelib.names import THREAD_COUNTS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="stages are forked on Linux only")
SCRIPT = """
import os, sys
from neighbour import WORD
print(WORD, sys.argv, os.getcwd(), os.environ["OMP_NUM_THREADS"], __name__, "json" in sys.modules, sys.stdin.read())
how = sys.argv[1]
if how == "wait":
    import time
    open("started", "w").write(str(os.getpid()))
    time.sleep(60)
if how == "fault":
    raise KeyError("a defect")
if how == "signal":
    os.kill(os.getpid(), 9)
if how == "interrupt":
    os.kill(os.getpid(), 2)
    sys.exit(3)
sys.exit(int(how))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one script and a module beside it, under a name that is as long and as odd as they come."""
    root = tmp_path_factory.mktemp("ein Ordner, lang " + "x" * 120)
    (root / "scripts").mkdir()
    (root / "scripts" / "stage.py").write_text(SCRIPT)
    (root / "scripts" / "neighbour.py").write_text("WORD = 'found'\n")
    return root


@pytest.fixture(scope="module")
def served(project: Path) -> Iterator[dict[str, str]]:
    """The environment of a runner while stages are forked."""
    before = os.environ.get(FOLDER)
    with stages_forked(project, ["json"]):
        yield environment()
    assert os.environ.get(FOLDER) == before


def python(project: Path, words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A stage's command, as a runner gives it to a shell."""
    command = ["bash", "-c", 'python "$@"', "bash", *words]
    more = {"OMP_NUM_THREADS": "2"}
    return subprocess.run(
        command, cwd=project, env=environment | more, input="in", capture_output=True, text=True, check=False
    )


def until(condition: object, seconds: float = 20) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_script_runs_as_by_its_own_command(project: Path, served: dict[str, str]) -> None:
    """Words, folder, environment, input, output, the module beside it, and the exit code."""
    plain = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for how, code in (("0", 0), ("4", 4), ("fault", 1)):
        words = ["scripts/stage.py", how, "a b", "é;$(x)"]
        forked, own = python(project, words, served), python(project, words, plain)
        assert forked.returncode == own.returncode == code
        assert f"found {words} {project} 2 __main__" in forked.stdout
        assert forked.stdout.endswith(" in\n")
        assert forked.stdout.replace("True in", "False in") == own.stdout.replace("True in", "False in")
        assert ("KeyError: 'a defect'" in forked.stderr) == (how == "fault")
    assert python(project, ["scripts/stage.py", "signal"], served).returncode == 128 + 9


def test_a_library_that_cannot_be_loaded_ends_no_stage(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As where memory is short: the stage that needs it tells."""
    with stages_forked(project, ["json", "no_such_library", "csv"]):
        ended = python(project, ["scripts/stage.py", "4"], environment())
    assert ended.returncode == 4
    assert ended.stdout.startswith("found ")
    assert "Traceback" not in "".join(capfd.readouterr())


def test_an_interrupt_while_it_starts_is_none_of_its_concern(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """^C reaches it from the terminal before it can say so: it would end with a traceback, on the user's screen."""
    start = subprocess.Popen

    def interrupted(words: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        process = start(words, **options)
        process.send_signal(signal.SIGINT)
        return process

    with ExitStack() as stack:
        with monkeypatch.context() as patched:
            patched.setattr(subprocess, "Popen", interrupted)
            stack.enter_context(stages_forked(project, ["json"]))
        ended = python(project, ["scripts/stage.py", "4"], environment())
    assert ended.returncode == 4
    # The library is there: it was forked.
    assert "__main__ True in" in ended.stdout
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_script_is_read_when_it_starts(project: Path, served: dict[str, str]) -> None:
    """What forks has loaded libraries, none of the project's modules."""
    (project / "scripts" / "neighbour.py").write_text("WORD = 'changed'\n")
    try:
        assert python(project, ["scripts/stage.py", "0"], served).stdout.startswith("changed ")
    finally:
        (project / "scripts" / "neighbour.py").write_text("WORD = 'found'\n")


def test_other_commands_and_other_machines_have_a_python_of_their_own(
    project: Path, served: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -c` is no stage; where nobody listens a script runs by itself."""
    monkeypatch.delenv(FOLDER)
    assert python(project, ["-c", "import sys; print(sys.executable)"], served).stdout == f"{sys.executable}\n"
    with stages_forked(project, ["json"]):
        early = environment()
        folder = Path(os.environ[FOLDER])
        shim = (folder / "python").read_text()
    assert not folder.exists()
    folder.mkdir()
    (folder / "python").write_text(shim)
    (folder / "python").chmod(0o700)
    answer = python(project, ["scripts/stage.py", "3"], early)
    assert (answer.returncode, answer.stdout.split()[0]) == (3, "found")
    (folder / "python").unlink()
    folder.rmdir()


def started(project: Path) -> psutil.Process:
    """The process of a script that waits."""
    mark = project / "started"
    until(lambda: mark.is_file() and mark.read_text())
    process = psutil.Process(int(mark.read_text()))
    mark.unlink()
    return process


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended, be it without its parent having taken note."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(("before", "code"), [("trap '' INT;", 3), ("", None)])
def test_an_interrupt_that_is_ignored_where_a_stage_is_started_is_ignored_in_it(
    project: Path, served: dict[str, str], before: str, code: int | None
) -> None:
    """As under `nohup`, or in the background of a shell script."""
    ended = subprocess.run(
        ["bash", "-c", f"{before} python scripts/stage.py interrupt"],
        cwd=project, env=served, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stdout.startswith("found ")
    assert ended.returncode == code if code else ended.returncode != 3


def test_whoever_ends_the_command_of_a_stage_ends_the_stage(project: Path, served: dict[str, str]) -> None:
    """As with a process of its own."""
    command = subprocess.Popen(
        ["python", "scripts/stage.py", "wait"],
        cwd=project,
        env=served,
        executable=f"{served['PATH'].split(':')[0]}/python",
    )
    stage = started(project)
    command.kill()
    until(lambda: gone(stage))
    assert command.wait() == -signal.SIGKILL
    assert python(project, ["scripts/stage.py", "0"], served).returncode == 0


def test_a_command_that_is_killed_with_its_stage_concerns_no_other(
    project: Path, served: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """The process that forks finds out about both at once, or that a wish was cut off."""
    folder = Path(served[FOLDER])
    (project / "started").unlink(missing_ok=True)
    command = subprocess.Popen(
        ["python", "scripts/stage.py", "wait"], cwd=project, env=served, executable=str(folder / "python")
    )
    stage = started(project)
    server = psutil.Process(stage.pid).parent()
    assert server
    server.suspend()
    stage.kill()
    # In this order the process that forks answers a command that is gone.
    until(lambda: gone(stage))
    command.kill()
    command.wait()
    server.resume()
    until(lambda: gone(stage))
    for said in (b"", b"{"):
        with socket.socket(socket.AF_UNIX) as client:
            before = Path.cwd()
            os.chdir(folder)
            client.connect("stages")
            os.chdir(before)
            socket.send_fds(client, [(100).to_bytes(8, "big") + said], [0, 1, 2])
    assert python(project, ["scripts/stage.py", "0"], served).returncode == 0
    assert server.is_running()
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("whom", ["command", "server"])
def test_nothing_is_left_when_the_command_or_the_server_is_killed(project: Path, whom: str) -> None:
    """Neither stages, nor the process that forks; and the runner is told."""
    code = (
        "import subprocess, sys; from pathlib import Path; from clustering.runners import environment\n"
        "from clustering.stage_server import stages_forked\n"
        "with stages_forked(Path.cwd(), ['json']):\n"
        "    sys.exit(subprocess.run(['bash', '-c', 'python scripts/stage.py wait'], env=environment()).returncode)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=project, stderr=subprocess.PIPE, text=True) as command:
        see_what_is_left(project, command, whom)


def see_what_is_left(project: Path, command: subprocess.Popen[str], whom: str) -> None:
    """Kill the command or its server once the stage is at work, and wait for the others to end."""
    stage = started(project)
    server = stage.parent()
    assert server is not None
    folder = Path(server.cmdline()[3])
    assert folder.is_dir()
    if whom == "command":
        command.kill()
        command.wait()
        until(lambda: gone(stage) and gone(server))
        assert not folder.exists()
    else:
        server.kill()
        _, said = command.communicate()
        assert command.returncode == 1
        assert "was ended before it was done" in said
        until(lambda: gone(stage))


def test_what_forks_has_one_thread() -> None:
    """A lock that another thread holds would never be freed. Arrow's allocator has one, and looks after it in a fork."""
    code = (
        f"import importlib; from pathlib import Path\nfor name in {LIBRARIES}: importlib.import_module(name)\n"
        "names = [path.read_text() for path in Path('/proc/self/task').glob('*/comm')]\n"
        "print(len(names) - names.count('jemalloc_bg_thd\\n'))"
    )
    environment = os.environ | dict.fromkeys(THREAD_COUNTS, "1")
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "1\n"


def test_a_benchmark_tells_what_the_stage_took(tmp_path: Path) -> None:
    """By hand: 3 s of CPU in 2 s are a load of 150 %. A row of an earlier run stays."""
    path = tmp_path / "logs" / "benchmarks" / "merge_segments" / "a.tsv"
    path.parent.mkdir(parents=True)
    names = ["s", "h:m:s", "max_rss", "max_vms", "max_uss", "max_pss", "io_in", "io_out", "mean_load", "cpu_time"]
    measured = ["2.0000", "0:00:02", "9.00", "10.00", "8.00", "8.00", "0.10", "0.20", "1.00", "0.02"]
    text = "\t".join(names) + "\n" + "\t".join(measured) + "\n"
    path.write_text(text)
    used = {"log": "logs/merge_segments/a.log", "max_rss_mb": 256.5, "cpu_s": 3.0}
    correct_benchmark(tmp_path, used, began=path.stat().st_mtime + 1)
    assert path.read_text() == text
    before = path.stat().st_mtime_ns
    correct_benchmark(tmp_path, used, began=0)
    right = "2.0000\t0:00:02\t256.50\tNA\tNA\tNA\tNA\tNA\t150.00\t3.00\n"
    assert path.read_text() == "\t".join(names) + "\n" + right
    assert path.stat().st_mtime_ns == before
