"""Comparing runs, keys of categories, checks of the doctor, and flags in words: worked by hand."""

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest

from clustering.categories import safe_key
from clustering.compare import Results, changes, figures
from clustering.doctor import configuration, disk, locks, machine, packages, secrets
from clustering.explain import in_words


def results(name: str, labels: dict[str, int], places: dict[str, int] | None = None) -> Results:
    """Segments of one category, of which clusters are the same; and external clusters."""
    columns = {"category": "beauty", "store_id": list(labels), "segment": list(labels.values())}
    near = [(places or labels)[store] for store in labels]
    rows = pd.DataFrame(columns | {"internal_cluster": columns["segment"], "external_cluster": near})
    return Results(name, {"internal": {"beauty": {"k": 2}}, "external": {"k": 3}}, rows)


def test_moves_are_counted_after_numbers_are_matched() -> None:
    first = results("a", {"s1": 1, "s2": 1, "s3": 2, "s4": 2, "s5": 2}, {"s1": 1, "s2": 2, "s3": 2, "s4": 2, "s5": 2})
    # The same partition under other numbers, but for s3, which moved; s6 is new. By place nothing changed but the numbers.
    near = {"s1": 2, "s2": 1, "s3": 1, "s4": 1, "s5": 1, "s6": 1}
    second = results("b", {"s1": 2, "s2": 2, "s3": 2, "s4": 1, "s5": 1, "s6": 1}, near)
    found, moves = changes(first, second)
    assert [(c.view, c.label, c.stores, c.moved) for c in found] == [
        ("beauty", "segment", 5, 1), ("beauty", "internal_cluster", 5, 1), ("external", "external_cluster", 5, 0),
    ]  # fmt: skip
    change, _, external = found
    assert change.sizes == ([2, 3], [3, 3])
    assert external.sizes == ([1, 4], [1, 5])
    # Pairs together in both: s1 s2, s4 s5; 4 in each partition of 10: (2 - 1.6) / (4 - 1.6)
    assert change.ari == pytest.approx(0.4 / 2.4, abs=1e-6)
    heads, rows = change.matrix()
    assert (heads[0], heads[-1]) == ("from \\ to", "stores")
    assert sum(int(row[-1]) for row in rows) == 5
    # one store is not on the diagonal
    off = [
        cell
        for at, row in enumerate(rows)
        for to, cell in zip(heads[1:-1], row[1:-1], strict=True)
        if cell and to != row[0]
    ]
    assert off == ["1"]
    assert change.line() == "beauty, segment: 1 of 5 stores moved, ARI 0.167, 1 only in B; sizes: 2 3 -> 3 3"
    assert moves.to_dict("records") == [
        {"view": "beauty", "label": label, "store_id": "s3", "before": 2, "after": 1, "after_as_numbered": 2}
        for label in ("internal_cluster", "segment")
    ]
    assert first.k == {"beauty": 2, "external": 3}
    assert figures({"a": {"k": 2, "name": "x"}, "b": 0.5}) == {"a.k": 2, "b": 0.5}


def test_category_that_only_one_run_has() -> None:
    first, second = results("a", {"s1": 1, "s2": 2}), results("b", {"s1": 1, "s2": 2})
    second.segments["category"] = "snacks"
    found, moves = changes(first, second)
    assert [(c.view, c.label, c.stores, c.others) for c in found] == [
        ("beauty", "segment", 0, (2, 0)), ("beauty", "internal_cluster", 0, (2, 0)), ("snacks", "segment", 0, (0, 2)),
        ("snacks", "internal_cluster", 0, (0, 2)), ("external", "external_cluster", 2, (0, 0)),
    ]  # fmt: skip
    assert moves.empty
    assert "none" in found[0].line()


def test_keys_are_safe_and_unique() -> None:
    assert safe_key("Health & Beauty/OTC", []) == "health_beauty_otc"
    assert safe_key("Crème Brûlée", ["creme_brulee"]) == "creme_brulee_2"
    assert safe_key("7 UP", []) == "category_7_up"
    assert safe_key("External", []) == "external_2"
    assert safe_key("../x", []) == "x"
    assert safe_key("日本", []) == "category"
    long = safe_key("a" * 60, ["a" * 41])
    assert long == "a" * 39 + "_2"


def test_flags_are_told_in_words() -> None:
    thin, outlier = in_words("internal:thin external:outlier")
    assert thin.startswith("internal: the store sells too little")
    assert outlier.startswith("external: the store is unlike all others")


def test_doctor_tells_what_the_machine_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {check.what: check for check in machine(tmp_path)}
    assert list(found) == ["Python", "cores", "free memory", "free disk"]
    monkeypatch.setattr(sys, "version_info", (3, 10, 2, "final", 0))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=500_000_000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10**8))
    found = {check.what: check for check in machine(tmp_path)}
    assert (found["Python"].state, found["Python"].advice) == ("mend", "use Python 3.11, 3.12 or 3.13")
    assert (found["free memory"].found, found["free memory"].advice) == ("0.5 GB", "run with --cores 1")
    assert (found["free disk"].state, "dvc gc" in found["free disk"].advice) == ("mend", True)


def test_doctor_finds_what_must_be_mended(tmp_path: Path) -> None:
    assert [disk(free).state for free in (10**8, 2 * 10**9, 10**10)] == ["mend", "note", "fine"]
    (tmp_path / ".env.prod").write_text("PASSWORD=x")
    (tmp_path / ".env.prod").chmod(0o644)
    (check,) = secrets(tmp_path)
    assert (check.state, check.advice) == ("mend", "chmod 600 .env.prod")
    (tmp_path / ".env.prod").chmod(0o600)
    assert [check.state for check in secrets(tmp_path)] == ["fine"]
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    assert [check.state for check in locks(tmp_path)] == ["fine"]
    (tmp_path / ".snakemake/locks/0.input.lock").write_text("x")
    assert [check.state for check in locks(tmp_path)] == ["mend"]
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs/pipeline.txt").write_text("numpy==0.1 \\\n    --hash=x\n")
    (check,) = packages(tmp_path)
    assert "numpy" in check.found
    assert "not 0.1" in check.found
    (tmp_path / "data").mkdir()
    found = {c.what: c for c in configuration(tmp_path, lambda _path, need: not need & os.W_OK)}
    assert found["params.yaml"].state == found["folders"].state == "mend"
    assert str(tmp_path / "data") in found["folders"].found
