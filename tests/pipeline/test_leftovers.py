"""What belongs to a category that was dropped goes, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.graphs import ROOT
from storelib.leftovers import FOLDERS, prune

CATEGORIES = "${internal.categories}"


def stages_of_categories() -> Iterator[tuple[str, dict[str, Any]]]:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in stages.items():
        if stage.get("foreach") == CATEGORIES:
            yield name, stage["do"]


def output_folders() -> set[str]:
    """Parents of every output of every stage of a category."""
    folders = set()
    for _, stage in stages_of_categories():
        for out in stage["outs"]:
            path = Path(next(iter(out)) if isinstance(out, dict) else out)
            assert path.stem == "${key}", out
            folders.add(path.parent.as_posix())
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values():
        # One stage of all categories has whole folders.
        folders |= {out for out in stage.get("outs", []) if isinstance(out, str) and not Path(out).suffix}
    # One file for each script.
    return folders - {"data/code"}


def test_folders_are_those_of_outputs_logs_and_benchmarks() -> None:
    logs = {f"logs/{name}" for name, _ in stages_of_categories()}
    assert len(logs) > 4
    logs |= {f"logs/benchmarks/{name}" for name, _ in stages_of_categories()}
    assert set(FOLDERS) == output_folders() | logs
    assert len(set(FOLDERS)) == len(FOLDERS)


def fill(root: Path, *names: str) -> None:
    for folder in FOLDERS:
        suffix = {"data": ".parquet", "logs": ".log", "reports": ".png"}[folder.partition("/")[0]]
        suffix = {"reports/workbooks": ".xlsx", "logs/benchmarks": ".tsv"}.get("/".join(folder.split("/")[:2]), suffix)
        suffix = ".json" if folder == "data/internal/models" else suffix
        for name in names:
            path = root / folder / f"{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def test_only_files_of_dropped_categories_are_deleted(tmp_path: Path) -> None:
    fill(tmp_path, "beauty", "snacks", "external")
    kept = files(tmp_path)
    fill(tmp_path, "beauty_2", "dropped")
    stale = files(tmp_path) - kept

    assert prune(["beauty", "snacks"], tmp_path) == sorted(stale)
    assert files(tmp_path) == kept
    assert prune(["beauty", "snacks"], tmp_path) == []


def test_external_view_is_kept(tmp_path: Path) -> None:
    fill(tmp_path, "external")
    kept = files(tmp_path)
    assert prune([], tmp_path) == []
    assert files(tmp_path) == kept


@pytest.mark.parametrize(
    "name",
    [
        "data/internal/sales.parquet",  # beside the folders
        "data/external/profile.parquet",
        "data/merging/segments.parquet",
        "data/raw/dev/dropped.parquet",
        "logs/dropped.log",
        "logs/make_demo_data/dev.log",
        "logs/benchmarks/dropped.tsv",
        "reports/figures/segments.png",
        "data/internal/shares/.gitignore",  # DVC writes these
        "data/internal/shares/notes.txt",
        "data/internal/shares/.dropped.parquet.tmp",  # being written
        "data/internal/shares/deeper/dropped.parquet",
    ],
)
def test_other_files_are_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert prune(["beauty"], tmp_path) == []
    assert path.exists()


def test_nothing_there_is_nothing_to_delete(tmp_path: Path) -> None:
    assert prune(["beauty"], tmp_path) == []


def test_folder_with_the_name_of_a_file_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / FOLDERS[0] / "dropped.parquet"
    folder.mkdir(parents=True)
    assert prune(["beauty"], tmp_path) == []
    assert folder.is_dir()
