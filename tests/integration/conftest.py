"""One small project, run once with Snakemake for all test processes; tests work on copies of it."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from clustering.cli import main
from clustering.runners import environment
from clustering.stage_server import FOLDER, stages_forked


class Project:
    """A project's folder, and what tests do with it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def call(self, *command: str, check: bool = True, by: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment in the project: `snakemake`, `dvc`, `clustering`, `git`; by: what starts it."""
        words = list(command) if command[0] == "git" else [str(Path(sys.executable).parent / command[0]), *command[1:]]
        words = [*by, *words]
        result = subprocess.run(words, cwd=self.root, env=environment(), capture_output=True, text=True, check=False)
        if check and result.returncode:
            raise AssertionError(f"{command} gave {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result

    def snakemake(self, cores: int = 2) -> None:
        self.call("snakemake", "--cores", str(cores))

    def dvc(self) -> None:
        self.call("dvc", "repro")

    def commit(self) -> None:
        self.call("git", "add", "-A")
        self.call(
            "git",
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.org",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "state",
        )

    def change(self, keys: str, value: object) -> None:
        """Change one value of params.yaml, as a person would in an editor."""
        yaml = YAML()
        path = self.root / "params.yaml"
        params = yaml.load(path)
        node = params
        *way, last = keys.split(".")
        for key in way:
            node = node[key]
        if value is None:
            del node[last]
        else:
            node[last] = value
        yaml.dump(params, path)

    def add(self, name: str, text: str) -> None:
        """Add text to a file's end."""
        path = self.root / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    def tables(self) -> dict[str, bytes]:
        """Every Parquet file under data/, by relative path."""
        found = sorted((self.root / "data").rglob("*.parquet"))
        return {p.relative_to(self.root).as_posix(): p.read_bytes() for p in found}

    def stages_of(self, run: Callable[[], None]) -> set[str]:
        """Which stages a run starts, such as `merge_segments/beauty`: each begins its log file anew."""
        shutil.rmtree(self.root / "logs", ignore_errors=True)
        run()
        logs = (self.root / "logs").rglob("*.log")
        return {p.relative_to(self.root / "logs").with_suffix("").as_posix() for p in logs}


@pytest.fixture(scope="session", autouse=True)
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The command's own log goes to a temporary folder; and stages compile the modules of a project once, not each anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        folder = tmp_path_factory.mktemp("journal")
        patch.setenv("CLUSTERING_LOG_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Bare runners fork their stages as those of `clustering run` do: loading the libraries takes most of a small run's time."""
    with stages_forked(tmp_path_factory.mktemp("stages")):
        yield


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage is a process of its own, as a bare runner has it."""
    monkeypatch.delenv(FOLDER)


@contextmanager
def once(name: str, factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bool]]:
    """A folder that all test processes share, and whether this is the one that fills it; the others wait until it is full."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        full = folder.with_suffix(".full")
        if full.exists():
            yield folder, False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder, True
        full.touch()


# Read by every Python that starts: notes whom it looks for or connects to, but for sockets of this machine's files.
WATCH = """
import os, sys
def note(event, args):
    if event == "socket.getaddrinfo" or (event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple)):
        with open({log!r}, "a") as log:
            log.write(f"{{event}} {{args}} {{sys.argv}}\\n")
sys.addaudithook(note)
"""


def without_network() -> list[str]:
    """What starts a program where there is no network at all; nothing where this system or user may not."""
    for words in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        if (
            shutil.which("unshare")
            and not subprocess.run([*words, "true"], capture_output=True, check=False).returncode
        ):
            return words
    return []


@pytest.fixture(scope="session")
def minimal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What `clustering minimal` leaves and says: a project with three categories in its data, two of them selected."""
    with once("minimal", tmp_path_factory) as (folder, mine):
        said = folder / "said.txt"
        if mine:
            (folder / "tmp").mkdir()
            (folder / "watch").mkdir()
            (folder / "connections.log").touch()
            watch = WATCH.format(log=str(folder / "connections.log"))
            (folder / "watch" / "sitecustomize.py").write_text(watch, encoding="utf-8")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TMPDIR", str(folder / "tmp"))
                patch.setenv("PYTHONPATH", str(folder / "watch"), prepend=os.pathsep)
                said.write_text(Project(folder).call("clustering", "minimal", by=without_network()).stdout)
        (made,) = (folder / "tmp").glob("clustering-minimal-*/project")
        return made, said.read_text()


@pytest.fixture(scope="session")
def finished(minimal: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That project, made by Snakemake on two cores, told to DVC, and committed."""
    with once("finished", tmp_path_factory) as (folder, mine):
        project = Project(folder / "project")
        if mine:
            shutil.copytree(minimal[0], project.root, symlinks=True)
            shutil.rmtree(project.root / ".clustering" / "runs")
            project.commit()
        return project.root


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Project:
    """A copy of the finished project, times and both runners' records included."""
    shutil.copytree(finished, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(finished: Path, tmp_path: Path) -> Project:
    """A fresh clone of the project: nothing is made yet."""
    subprocess.run(["git", "clone", "-q", str(finished), str(tmp_path / "fresh")], check=True)
    return Project(tmp_path / "fresh")


Said = tuple[int, str, str]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command in this process, for what starts no runner: its exit code, and what it says on stdout and stderr."""

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["clustering", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        return code, *capsys.readouterr()

    return run
