"""The wheel: complete, one copy of everything, and enough to work with in an empty folder."""

import os
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
import yaml

from clustering import __version__
from clustering.templates import FILES, FOLDERS

ROOT = Path(__file__).resolve().parents[2]
INSIDE = "clustering/project/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def committed() -> set[str]:
    """Files that git knows, or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def test_wheel_holds_the_workflow_once_and_as_it_is_here(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names))
        inside = {name.removeprefix(INSIDE): archive.read(name) for name in names if name.startswith(INSIDE)}
    folders = (*FOLDERS, "examples")
    expected = {name for name in committed() if name in FILES or name.partition("/")[0] in folders}
    assert set(inside) == expected
    for name, content in inside.items():
        assert content == (ROOT / name).read_bytes(), name
    assert "clustering/py.typed" in names
    assert "snakemake_logger_plugin_clustering/__init__.py" in names, "where Snakemake looks for it: at the top"
    assert [name for name in names if name.endswith(".data/data/share/man/man1/clustering.1")]
    assert not [name for name in names if "__pycache__" in name]


# What lies in folders whose other files are packed, or beside them: keys, a cache of data, results, logs.
MARK = f"planted {2**61}"
PLANTED = (
    ".dvc/config.local", ".dvc/cache/files/md5/ab/cdef", ".dvc/tmp/exps/celery/worker.out", ".env", ".env.prod", "configs/.env.prod",
    "scripts/.env", "src/clustering/.env.local", "scripts/config.local", "examples/iowa/server.key", "configs/server.pem",
    ".clustering/runs/x/run.json", ".snakemake/log/x.log", "data/raw/prod/sales.csv", "data/merging/segments.parquet",
    "reports/segments.csv", "reports/published/x.json", "logs/x.log", "notes.txt", "envs/id_rsa", ".venv/lib/x.py", ".netrc",
)  # fmt: skip


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Wheel and source distribution, as `make build` makes them of a checkout in use."""
    root = tmp_path_factory.mktemp("in_use") / "project"
    for name in committed():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
    for name in PLANTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(MARK)
    subprocess.run([sys.executable, "-m", "hatchling", "build"], cwd=root, check=True, capture_output=True)
    return sorted((root / "dist").iterdir())


def members(archive: Path) -> dict[str, bytes]:
    """Every file of an archive; of a source distribution below its one folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as packed:
            return {name: packed.read(name) for name in packed.namelist()}
    with tarfile.open(archive) as packed:
        files = [member for member in packed.getmembers() if member.isfile()]
        return {member.name.partition("/")[2]: packed.extractfile(member).read() for member in files}  # type: ignore[union-attr]


def test_nothing_secret_leaves(archives: list[Path]) -> None:
    assert [path.suffix for path in archives] == [".whl", ".gz"]
    for archive in archives:
        found = members(archive)
        assert len(found) > 100
        assert [name for name, content in found.items() if MARK.encode() in content] == []


def test_same_files_give_the_same_archives(archives: list[Path], tmp_path: Path) -> None:
    """In another folder, a week later, and for a user whose files are closed to others."""
    root = tmp_path / "elsewhere"
    later = time.time() + 7 * 86_400
    for path in sorted(archives[0].parents[1].rglob("*"), reverse=True):
        name = path.relative_to(archives[0].parents[1])
        if path.is_file() and name.parts[0] != "dist":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, root / name)
            (root / name).chmod(0o600)
            os.utime(root / name, (later, later))
    subprocess.run([sys.executable, "-m", "hatchling", "build"], cwd=root, check=True, capture_output=True)
    assert [(path.name, path.read_bytes()) for path in sorted((root / "dist").iterdir())] == [
        (path.name, path.read_bytes()) for path in archives
    ]


def test_source_distribution_holds_what_git_holds_but_for_data(archives: list[Path]) -> None:
    found = members(archives[1])
    elsewhere = {name for name in committed() if name.startswith((".ci/", "data/"))}
    assert found.keys() - {"PKG-INFO"} == committed() - elsewhere
    assert all(content == (ROOT / name).read_bytes() for name, content in found.items() if name != "PKG-INFO")


def test_metadata_is_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Summary"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata.get_all("Project-URL") is None, "no address is known yet, and none is made up"


def test_citation_agrees_with_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert project["authors"][0]["name"] in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.integration
def test_wheel_works_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """As docs/howto/install.md says, with uv."""
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    if not Path(uv).is_file():
        pytest.skip("uv is not installed")
    page = (ROOT / "docs" / "howto" / "install.md").read_text(encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    python = tmp_path / "venv" / "bin" / "python"

    def run(*command: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    lock = ["pip", "install", "--require-hashes", "--requirement", "envs/pipeline.txt"]
    package = ["pip", "install", "--no-deps", "dist/*.whl"]
    assert " ".join(["uv", *lock]) in page
    assert " ".join(["uv", *package]) in page
    run(uv, *lock[:-1], str(ROOT / lock[-1]), "--python", str(python))
    run(uv, *package[:-1], str(wheel), "--python", str(python))
    environment["PATH"] = f"{python.parent}{os.pathsep}{os.defpath}"
    assert run("clustering", "--version").split()[-1] == __version__
    if shutil.which("man"):
        assert (
            run("man", "-M", str(tmp_path / "venv" / "share" / "man"), "-w", "clustering")
            .strip()
            .endswith("clustering.1")
        )
    run("clustering", "init", "my-stores", "--example", "minimal")
    project = tmp_path / "my-stores"
    assert "full_pipeline: done" in run("clustering", "run", "full_pipeline_job", folder=project)
    assert "nothing to do" in run("clustering", "run", "full_pipeline_job", "--dry-run", folder=project)
    assert "nothing to do" in run("clustering", "upgrade", folder=project)
    assert (project / "data" / "merging" / "segments.parquet").is_file()
    assert (project / "configs" / "schema" / "params.json").is_file()
