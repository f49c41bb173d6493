"""Snakemake's flags of a block are DVC's."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from dvc.parsing.interpolate import to_str
from hypothesis import given, settings
from hypothesis import strategies as st

from storelib.configuration.own_settings import FOLDER, STAGES
from storelib.configuration.workflow import flags, settle_settings
from storelib.tables import read_table

METACHARACTERS = " \t\n'\"`$\\;&|<>(){}[]*?!#~%=-é美"
KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)
TEXTS = st.text(alphabet=METACHARACTERS + "ab1", max_size=12) | st.text(max_size=12)
SCALARS = st.integers() | st.floats() | TEXTS
BLOCKS = st.recursive(
    st.dictionaries(KEYS, SCALARS | st.booleans() | st.lists(SCALARS | st.booleans(), max_size=4), max_size=6),
    lambda blocks: st.dictionaries(KEYS, blocks | SCALARS, max_size=4),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({}, ""),
        ({"seed": 1, "share": 0.02, "rule": "silhouette"}, "--seed 1 --share 0.02 --rule silhouette"),
        ({"plot": True, "verbose": False}, "--plot"),
        ({"verbose": False}, ""),
        ({"indices": ["a", "b c", 3]}, "--indices a 'b c' 3"),
        ({"indices": []}, ""),
        ({"answers": [True, False]}, "--answers True False"),
        ({"name": "Health & Beauty/OTC; touch x"}, "--name 'Health & Beauty/OTC; touch x'"),
        ({"name": "it's"}, """--name 'it'"'"'s'"""),
        ({"name": ""}, "--name ''"),
        ({"name": "ends with a space "}, "--name 'ends with a space '"),
        ({"beauty": {"name": "BEAUTY"}, "a": {"b": {"c": 1}}}, "--beauty.name BEAUTY --a.b.c 1"),
        ({"a": {"on": True, "off": False}}, "--a.on"),
        ({"a": {}}, ""),
        (
            {"tolerance": 1e-05, "large": 10**20, "whole": 1.0},
            "--tolerance 1e-05 --large 100000000000000000000 --whole 1.0",
        ),
    ],
)
def test_flags_are_those_of_dvc(block: dict[str, Any], expected: str) -> None:
    assert to_str(block) == expected
    assert flags(block) == expected


@settings(deadline=None)
@given(block=BLOCKS)
def test_flags_of_any_block_are_those_of_dvc(block: dict[str, Any]) -> None:
    assert flags(block) == to_str(block)


@settings(deadline=None)
@given(name=TEXTS)
def test_shell_gives_a_text_back_as_it_was(name: str) -> None:
    assert shlex.split(flags({"name": name, "names": [name]})) == ["--name", name, "--names", name]


def test_files_of_own_settings_are_what_params_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a category was there for one look only: DVC would take the folder for changed."""
    monkeypatch.chdir(tmp_path)
    folder = Path(FOLDER)
    beauty = {"name": "BEAUTY", "cluster_stores": {"max_clusters": 3}}
    settle_settings({"beauty": beauty, "snacks": {"name": "SNACKS"}})
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}
    assert made == {f"{stage}/{key}.parquet" for stage in STAGES for key in ("beauty", "snacks")}
    path = folder / "cluster_stores" / "beauty.parquet"
    assert read_table(path).to_pylist() == [{"setting": "max_clusters", "number": 1, "value": "3"}]
    before = path.stat()
    settle_settings({"beauty": beauty})
    assert {path.stem for path in folder.rglob("*.parquet")} == {"beauty"}
    assert path.stat().st_mtime_ns == before.st_mtime_ns, "what is right is left alone"
    settle_settings({"beauty": {"name": "BEAUTY"}})
    assert read_table(path).num_rows == 0
