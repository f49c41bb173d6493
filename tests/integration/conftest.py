"""One small project, run once with Snakemake; tests work on copies of it."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from clustering.projects import make_project
from clustering.runners import environment


class Project:
    """A project's folder, and what tests do with it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def call(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment in the project: `snakemake`, `dvc`, `clustering`, `git`."""
        words = list(command) if command[0] == "git" else [str(Path(sys.executable).parent / command[0]), *command[1:]]
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
    """The command's own log goes to a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("journal")
        patch.setenv("CLUSTERING_LOG_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with three categories in its data, two of them selected, made by Snakemake on two cores."""
    project = Project(tmp_path_factory.mktemp("finished") / "project")
    make_project(project.root, "minimal")
    project.change("demo.dev.categories", 3)
    project.commit()
    project.snakemake()
    project.call("clustering", "record")
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
