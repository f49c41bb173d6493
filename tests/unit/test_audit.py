"""Locks without hashes, licences that are not allowed and unanswered questions are told; the bill of materials holds all."""

import json
from email.message import Message
from pathlib import Path

import pytest

pytest.importorskip("license_expression", reason="make audit installs what this needs")
pytest.importorskip("cyclonedx", reason="make audit installs what this needs")

import audit
import sbom
from locks import Locked, Rules, is_allowed, licence_of, read_line, read_lock, read_rules

ROOT = Path(__file__).resolve().parents[2]
HASH = "sha256:" + "0" * 64
RULES = Rules(
    frozenset({"MIT", "BSD-3-Clause"}), {"MIT License": "MIT"}, {"odd": {"licence": "MIT", "source": "its file"}}
)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"one==1.0 --hash={HASH}", None),
        (f"one==1.0 ; sys_platform == 'win32' --hash={HASH} --hash={HASH}", None),
        ("one==1.0", "it has no SHA-256"),
        ("one==1.0 --hash=md5:0", "it has no SHA-256"),
        (f"one>=1.0 --hash={HASH}", "it has no one version"),
        (f"one==1.* --hash={HASH}", "it has no one version"),
        (f"one @ file:///one.whl --hash={HASH}", "it is an address"),
    ],
)
def test_line_that_locks_nothing_is_told(line: str, problem: str | None) -> None:
    found = read_line(line, Path("lock"))
    assert (found.name, found.problem) == ("one", problem)
    assert found.is_here is ("win32" not in line)


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License-Expression": "MIT OR GPL-3.0-only"}, "MIT OR GPL-3.0-only"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"Classifier": "License :: OSI Approved", "License": "MIT"}, "MIT"),
        ({"License": "MIT"}, "MIT"),
        ({"License": "Do as you like"}, None),
        ({}, None),
    ],
)
def test_licence_is_read_wherever_a_package_says_it(fields: dict[str, str], licence: str | None) -> None:
    said = Message()
    for name, value in fields.items():
        said[name] = value
    assert licence_of("one", said, RULES) == licence  # type: ignore[arg-type]
    assert licence_of("odd", said, RULES) == "MIT"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR (MIT AND BSD-3-Clause)", True),
    ],
)
def test_of_a_choice_one_licence_has_to_be_allowed_and_of_parts_all(licence: str, *, allowed: bool) -> None:
    assert is_allowed(licence, RULES) is allowed


def test_package_that_is_not_allowed_not_known_or_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    free, closed, silent = Message(), Message(), Message()
    free["License"], closed["License"] = "MIT", "GPL-3.0-only"
    said = {"free": free, "closed": closed, "silent": silent}
    monkeypatch.setattr(audit, "installed", lambda one: said.get(one.name))
    packages = [Locked(name, "1.0", (HASH,), True, None) for name in (*said, "absent")]
    elsewhere = Locked("of-windows", "1.0", (HASH,), False, None)
    found, bad, unseen = audit.licences([*packages, elsewhere], RULES)
    assert found == {"free": "MIT", "closed": "GPL-3.0-only", "silent": "unknown"}
    assert [line.partition(" ")[0] for line in bad] == ["closed", "silent"]
    assert [line.partition(" ")[0] for line in unseen] == ["absent"]


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ((0, "No known vulnerabilities found"), 0, "known holes: No known"),
        ((1, "Found 1 known vulnerability in 1 package\\none 1.0 X-1"), 1, "WRONG: one 1.0 X-1"),
        (
            (1, "ConnectionError: no route"),
            2,
            "NOT DONE: known holes: pip-audit got no answer: ConnectionError: no route",
        ),
        ((2, ""), 2, "NOT DONE: known holes: pip-audit got no answer: exit code 2"),
    ],
)
def test_question_that_nobody_answers_is_no_good_answer(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answer: tuple[int, str],
    code: int,
    said: str,
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nprintf '{answer[1]}'\nexit {answer[0]}\n")
    program.chmod(0o700)
    monkeypatch.setattr(audit.sys, "executable", str(program))
    monkeypatch.setattr(audit, "licences", lambda *_: ({}, [], []))
    assert audit.main([]) == code
    assert said in capsys.readouterr().out


def test_this_project_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """But for packages that this environment has not: they are told, and nothing is wrong."""
    assert audit.main(["--offline"]) in {0, 2}
    said = capsys.readouterr().out
    assert "WRONG" not in said
    assert "known holes: NOT LOOKED FOR" in said


def test_rules_are_spdx() -> None:
    rules = read_rules()
    for licence in (*rules.allowed, *rules.words.values(), *(one["licence"] for one in rules.stated.values())):
        is_allowed(licence, rules)


def test_bill_of_materials_holds_every_package_and_is_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    for name in ("one", "two"):
        sbom.main([str(tmp_path / name)])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    bill = json.loads((tmp_path / "one").read_text())
    locked = {one.name: one for one in read_lock(ROOT / "envs" / "pipeline.txt")}
    assert (bill["bomFormat"], bill["specVersion"], bill["metadata"]["timestamp"]) == (
        "CycloneDX",
        "1.6",
        "1970-01-01T00:00:00+00:00",
    )
    assert {part["name"]: part["version"] for part in bill["components"]} == {
        one.name: one.version for one in locked.values()
    }
    for part in bill["components"]:
        assert part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}"
        assert {f"sha256:{digest['content']}" for digest in part["hashes"]} == set(locked[part["name"]].hashes)
        assert "licenses" in part or not locked[part["name"]].is_here
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    pandas, numpy = (f"{name}=={locked[name].version}" for name in ("pandas", "numpy"))
    assert numpy in needs[pandas]
    assert pandas in needs["clustering-pipeline"]
