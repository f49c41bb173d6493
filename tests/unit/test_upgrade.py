"""`clustering upgrade`: what is the workflow's follows it, what is the user's stays, and a cut-off upgrade is run again."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from clustering import __version__
from clustering.cli import app
from clustering.projects import find_project
from clustering.stamps import STAMP, Stamp, digest, other_version, read_stamp, write_stamp
from clustering.templates import copy_workflow, is_workflow, make_project, stamp_of
from clustering.upgrade import Act, plan_upgrade, step_of, upgrade
from storelib.errors import ConfigError

OLD = {
    "Snakefile": "old",
    "dvc.yaml": "same",
    "params.yaml": "method",
    "configs/dev.yml": "place",
    "configs/schema/params.json": "old schema",
    ".env.example": "old example",
    "rules/raw.smk": "old rules",
    "rules/gone.smk": "gone",
    "scripts/lib/one.py": "one",
    "scripts/lib/two.py": "two",
    "envs/stages.txt": "old lock",
}
NEW = {
    "Snakefile": "new",
    "dvc.yaml": "same",
    "params.yaml": "new method",
    "configs/dev.yml": "new place",
    "configs/schema/params.json": "new schema",
    ".env.example": "new example",
    "rules/raw.smk": "new rules",
    "scripts/storelib/one.py": "one",
    "envs/stages.txt": "new lock",
    "profiles/default/config.yaml": "new profile",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return write(tmp_path / "new", NEW)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    old = write(tmp_path / "old", OLD)
    copy_workflow(old, tmp_path / "project")
    write_stamp(tmp_path / "project", stamp_of(old, "0.1"))
    return tmp_path / "project"


def acts(project: Path, new: Path) -> dict[str, str]:
    return {step.name: step.act.value for step in plan_upgrade(project, new, "0.2").steps}


def test_what_the_user_did_not_change_becomes_the_new_version_and_only_that(project: Path, new: Path) -> None:
    (project / "data/raw").mkdir(parents=True)
    write(project, {"data/raw/x.csv": "mine", "scripts/own.py": "mine", ".env.dev": "secret"})
    write(project, {"scripts/lib/__pycache__/one.cpython-311.pyc": "compiled"})
    assert acts(project, new) == {
        "Snakefile": "replace",
        "configs/schema/params.json": "replace",
        "envs/stages.txt": "replace",
        "profiles/default/config.yaml": "add",
        "rules/gone.smk": "delete",
        "rules/raw.smk": "replace",
        "scripts/lib/one.py": "delete",
        "scripts/lib/two.py": "delete",
        "scripts/storelib/one.py": "add",
    }
    assert upgrade(project, new, plan_upgrade(project, new, "0.2")) == []
    stamp = read_stamp(project)
    assert stamp is not None
    assert stamp.version == "0.2"
    found = contents(project)
    del found[STAMP.name]
    theirs = {name: text for name, text in NEW.items() if is_workflow(name)}
    users = {name: OLD[name] for name in ("params.yaml", "configs/dev.yml", ".env.example")}
    assert found == theirs | users | {"data/raw/x.csv": "mine", "scripts/own.py": "mine", ".env.dev": "secret"}
    assert not (project / "scripts/lib").exists()


def test_second_upgrade_does_nothing(project: Path, new: Path) -> None:
    write(project, {"Snakefile": "mine"})
    upgrade(project, new, plan_upgrade(project, new, "0.2"))
    before = contents(project)
    plan = plan_upgrade(project, new, "0.2")
    assert [(step.act, step.name) for step in plan.steps] == [(Act.keep, "Snakefile")]
    assert upgrade(project, new, plan) == []
    assert contents(project) == before


def test_what_the_user_changed_stays_and_the_new_version_is_put_beside(project: Path, new: Path) -> None:
    write(
        project,
        {"Snakefile": "mine", "dvc.yaml": "mine", "rules/gone.smk": "mine", "profiles/default/config.yaml": "mine"},
    )
    (project / "envs/stages.txt").unlink()
    found = acts(project, new)
    assert {name: found[name] for name in ("Snakefile", "dvc.yaml", "rules/gone.smk", "profiles/default/config.yaml")} == {
        "Snakefile": "offer", "dvc.yaml": "keep", "rules/gone.smk": "keep", "profiles/default/config.yaml": "offer",
    }  # fmt: skip
    offered = upgrade(project, new, plan_upgrade(project, new, "0.2"))
    assert sorted(path.relative_to(project).as_posix() for path in offered) == [
        "Snakefile.new", "envs/stages.txt.new", "profiles/default/config.yaml.new",
    ]  # fmt: skip
    assert [(project / name).read_text() for name in ("Snakefile", "dvc.yaml", "rules/gone.smk")] == ["mine"] * 3
    assert (project / "Snakefile.new").read_text() == "new"
    assert not (project / "envs/stages.txt").exists(), "the user deleted it"


def test_offer_goes_over_no_file(project: Path, new: Path) -> None:
    write(project, {"Snakefile": "mine", "Snakefile.new": "half merged"})
    (offered,) = upgrade(project, new, plan_upgrade(project, new, "0.2"))
    assert (offered.name, offered.read_text()) == ("Snakefile.new2", "new")
    assert (project / "Snakefile.new").read_text() == "half merged"


def test_project_without_a_stamp_keeps_every_file_that_differs(project: Path, new: Path) -> None:
    (project / STAMP).unlink()
    before = contents(project)
    found = acts(project, new)
    assert set(found.values()) == {"add", "offer"}
    assert {name for name, act in found.items() if act == "add"} == {
        "profiles/default/config.yaml", "scripts/storelib/one.py",
    }  # fmt: skip
    upgrade(project, new, plan_upgrade(project, new, "0.2"))
    assert before.items() <= contents(project).items()


def test_link_is_the_users_and_a_folder_elsewhere_is_refused(project: Path, new: Path, tmp_path: Path) -> None:
    shared = write(tmp_path / "shared", {"raw.smk": "old rules"})
    (project / "rules/raw.smk").unlink()
    (project / "rules/raw.smk").symlink_to(shared / "raw.smk")
    assert acts(project, new)["rules/raw.smk"] == "offer"
    shutil.rmtree(project / "rules")
    (project / "rules").symlink_to(shared)
    with pytest.raises(ConfigError, match="lies outside of"):
        plan_upgrade(project, new, "0.2")


def test_stamp_names_no_file_of_the_user(project: Path, new: Path, tmp_path: Path) -> None:
    write(project, {"data/x": "mine"})
    write(tmp_path, {"outside": "mine"})
    names = ["data/x", "params.yaml", "configs/dev.yml", "../outside", str(tmp_path / "outside")]
    write_stamp(project, Stamp("0.1", {name: digest(project / name) or "" for name in names}))
    assert not {step.name for step in plan_upgrade(project, new, "0.2").steps} & set(names)


def test_stamp_that_cannot_be_read_is_a_mistake_with_a_way_out(project: Path, new: Path) -> None:
    for text in ("<<<<<<< ours", "[]", "{}", '{"version": "1", "files": []}'):
        (project / STAMP).write_text(text)
        with pytest.raises(ConfigError, match="cannot be read"):
            plan_upgrade(project, new, "0.2")


def test_workflow_does_not_upgrade_itself(new: Path) -> None:
    with pytest.raises(ConfigError, match="comes from"):
        plan_upgrade(new, new, "0.2")


@pytest.mark.parametrize("writes", [*range(6), None])
def test_upgrade_that_is_cut_off_is_run_again(
    writes: int | None, project: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six files are written before the stamp; None: it is cut off before the stamp."""
    write(project, {"Snakefile": "mine"})
    whole = Path(shutil.copytree(project, tmp_path / "whole"))
    upgrade(whole, new, plan_upgrade(whole, new, "0.2"))
    copyfile, done = shutil.copyfile, []

    def stopping(source: Path, target: Path) -> None:
        done.append(target)
        if len(done) - 1 == writes:
            target.write_text("half")
            raise KeyboardInterrupt
        copyfile(source, target)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", stopping)
        patch.setattr("clustering.upgrade.write_stamp", stop)
        with pytest.raises(KeyboardInterrupt):
            upgrade(project, new, plan_upgrade(project, new, "0.2"))
    assert len(done) == (6 if writes is None else writes + 1)
    upgrade(project, new, plan_upgrade(project, new, "0.2"))
    assert contents(project) == contents(whole)


TEXT = st.sampled_from(["a", "b", "c", None])


@settings(max_examples=64, deadline=None)
@given(old=TEXT, mine=TEXT, theirs=TEXT)
def test_no_text_of_the_user_is_lost(old: str | None, mine: str | None, theirs: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = {"old": old, "project": mine, "new": theirs}
        for place, text in texts.items():
            write(folder / place, {"dvc.yaml": "x"} | ({"rules/a.smk": text} if text else {}))
        project, new = folder / "project", folder / "new"
        write_stamp(project, stamp_of(folder / "old", "0.1"))
        upgrade(project, new, plan_upgrade(project, new, "0.2"))
        after = set(contents(project).values())
        if mine not in {None, old}:
            assert (project / "rules/a.smk").read_text() == mine
        if theirs not in {None, old}:
            assert theirs in after, "the new version is there, in the file or beside it"
        before = contents(project)
        upgrade(project, new, plan_upgrade(project, new, "0.2"))
        assert contents(project) == before


def test_user_who_took_the_new_version_by_hand_has_nothing_to_do() -> None:
    assert step_of("Snakefile", old="1", mine="2", new="2") is None
    assert step_of("Snakefile", old="1", mine=None, new=None) is None


def test_init_stamps_what_it_wrote_and_another_version_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    make_project(project, "minimal")
    stamp = read_stamp(project)
    assert stamp is not None
    assert stamp.version == __version__
    assert {"Snakefile", "dvc.yaml", "configs/schema/params.json", ".dvc/config"} <= stamp.files.keys()
    assert not {"params.yaml", "configs/dev.yml", ".env.example"} & stamp.files.keys()
    assert [name for name, known in stamp.files.items() if digest(project / name) != known] == []
    assert other_version(project) is None
    monkeypatch.chdir(project / "scripts")
    assert find_project() == project
    assert capsys.readouterr().err == ""
    write_stamp(project, stamp._replace(version="0.0.9"))
    assert find_project() == project
    said = capsys.readouterr().err
    assert said.startswith(
        f"Warning: this project's workflow is of clustering 0.0.9, and this command is {__version__}: "
    )
    assert "`clustering upgrade`" in said
    assert said.count("\n") == 1


def test_command_says_what_it_does_and_a_dry_run_does_nothing(
    project: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, {"Snakefile": "mine", "dvc.yaml": "mine"})
    monkeypatch.chdir(project)
    monkeypatch.setattr("clustering.commands.upgrade.TEMPLATE", new)
    before = contents(project)
    result = CliRunner().invoke(app, ["upgrade", "--dry-run"])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "keep: Snakefile: changed; the new version goes beside it, as Snakefile.new",
        "replace: configs/schema/params.json",
        "keep: dvc.yaml: changed, and the same in both versions",
        "replace: envs/stages.txt",
        "add: profiles/default/config.yaml",
        "delete: rules/gone.smk",
        "replace: rules/raw.smk",
        "delete: scripts/lib/one.py",
        "delete: scripts/lib/two.py",
        "add: scripts/storelib/one.py",
        f"0.1 -> {__version__}: add: 2, delete: 3, keep: 2, replace: 3. Nothing was done.",
    ]
    after = contents(project)
    assert {name for name in after if not name.startswith(".clustering/")} == before.keys()
    done = CliRunner().invoke(app, ["upgrade"]).stdout.splitlines()
    assert done[:10] == result.stdout.splitlines()[:10]
    assert done[-3:-1] == [
        "Merge these into the files beside them before the next run, and delete them:", f"  {project / 'Snakefile.new'}",
    ]  # fmt: skip
    again = CliRunner().invoke(app, ["upgrade"]).stdout.splitlines()
    assert again[-1] == f"{__version__} -> {__version__}: keep: 2."


def test_stamp_is_a_line_a_file(project: Path) -> None:
    text = (project / STAMP).read_text()
    files = json.loads(text)["files"]
    assert [name for name, known in files.items() if f'    "{name}": "{known}"' not in text] == []
