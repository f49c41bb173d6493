"""The locks, the conda spec and the project's own dependencies say the same."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
ENVS = ROOT / "envs"
LOCKS = ["stages", "pipeline", "dev", "cluster", "audit", "bootstrap"]
# What conda-forge does not have.
OF_PIP = {"k-means-constrained"}
CONDA_NAMES = {"duckdb": "python-duckdb", "pandera": "pandera-pandas"}
ONLY_TO_BUILD = {"hatchling"}


def read_requirements(name: str) -> list[Requirement]:
    """The requirements that an .in file names itself, with those of the files it includes."""
    requirements = []
    for line in (ENVS / f"{name}.in").read_text().splitlines():
        if included := re.fullmatch(r"-r (\w+)\.in", line):
            requirements += read_requirements(included[1])
        elif line and not line.startswith("#"):
            requirements.append(Requirement(line))
    return requirements


def read_entries(name: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Each requirement of a lock, with its hashes."""
    text = (ENVS / f"{name}.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            yield Requirement(requirement), hashes


def read_versions(name: str) -> dict[str, str]:
    versions = {}
    for requirement, _ in read_entries(name):
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        assert requirement.name not in versions, "one version serves every Python and platform"
        versions[canonicalize_name(requirement.name)] = pin.version
    return versions


def read_project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_has_hashes(name: str) -> None:
    entries = list(read_entries(name))
    assert entries
    for requirement, hashes in entries:
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), requirement


@pytest.mark.parametrize("name", ["stages", "pipeline", "dev", "cluster", "audit"])
def test_lock_holds_what_is_required(name: str) -> None:
    versions = read_versions(name)
    for requirement in read_requirements(name):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize(("small", "large"), [("stages", "pipeline"), ("pipeline", "dev")])
def test_larger_lock_holds_the_smaller_one(small: str, large: str) -> None:
    assert read_versions(small).items() <= read_versions(large).items()


@pytest.mark.parametrize("name", ["cluster", "audit"])
def test_what_is_added_fits_the_rest_and_is_not_needed_by_it(name: str) -> None:
    """It is installed beside the others, so what both have is the same."""
    added, rest = read_versions(name), read_versions("dev")
    assert {key: rest[key] for key in added.keys() & rest.keys()}.items() <= added.items()
    assert not {requirement.name for requirement in read_requirements(name)} & rest.keys()


def test_environments_name_no_address() -> None:
    for path in ENVS.iterdir():
        text = path.read_text()
        assert "://" not in text, path
        assert not re.search(r"--(index-url|extra-index-url|find-links)", text), path


def test_conda_spec_has_the_locked_versions() -> None:
    spec = yaml.safe_load((ENVS / "stages.yaml").read_text())
    assert spec["channels"] == ["conda-forge", "nodefaults"]

    locked = read_versions("stages")
    names = [canonicalize_name(requirement.name) for requirement in read_requirements("stages")]
    # conda-forge has no post-releases: 1.9.0.post1 is 1.9.0 there.
    expected = [
        f"{CONDA_NAMES.get(name, name)}={Version(locked[name]).base_version}" for name in names if name not in OF_PIP
    ]
    of_pip = [f"{name}=={locked[name]}" for name in names if name in OF_PIP]
    python = f"python{read_project()['requires-python']}"
    assert spec["dependencies"] == [python, *expected, "pip", {"pip": of_pip}]


def test_project_depends_on_what_the_pipeline_requires() -> None:
    dependencies = [Requirement(line) for line in read_project()["dependencies"]]
    required = [requirement for requirement in read_requirements("pipeline") if requirement.name not in ONLY_TO_BUILD]
    assert sorted((item.name, item.extras) for item in dependencies) == sorted(
        (item.name, item.extras) for item in required
    )

    locked = read_versions("pipeline")
    for dependency in dependencies:
        assert dependency.specifier.contains(locked[canonicalize_name(dependency.name)]), dependency
