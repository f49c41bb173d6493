"""Configuration means the same to every reader: Snakemake and the stages read YAML 1.1, DVC reads YAML 1.2."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from pipeline.graphs import ROOT
from storelib.configuration.params import load_params
from storelib.configuration.place import load_place

PARAMS = [ROOT / "params.yaml", *sorted(ROOT.glob("examples/*/params.yaml"))]
PLACES = [*sorted(ROOT.glob("configs/*.yml")), *sorted(ROOT.glob("examples/*/configs/*.yml"))]


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[path.relative_to(ROOT).as_posix() for path in paths])


def old(text: str) -> Any:
    return yaml.safe_load(text)


def new(text: str) -> Any:
    reader = YAML(typ="safe", pure=True)
    assert reader.version is None  # the default is 1.2
    return reader.load(text)


def typed(node: Any) -> Any:
    """The same tree with each value's type beside it; 1, 1.0 and true are then three things."""
    if isinstance(node, dict):
        return {(type(key), key): typed(value) for key, value in node.items()}
    if isinstance(node, list):
        return [typed(value) for value in node]
    return (type(node), node)


def sequences(node: yaml.Node) -> Iterator[yaml.SequenceNode]:
    if isinstance(node, yaml.SequenceNode):
        yield node
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        children = [child for pair in node.value for child in pair]
    else:
        children = []
    for child in children:
        yield from sequences(child)


def nulls(node: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if node is None:
        yield keys
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from nulls(value, (*keys, str(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from nulls(value, (*keys, str(index)))


def test_there_are_examples() -> None:
    assert {path.parent.name for path in PARAMS} > {ROOT.name}
    assert {path.stem for path in PLACES} >= {"dev", "iowa"}


@named([*PARAMS, *PLACES])
def test_both_dialects_read_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert typed(old(text)) == typed(new(text))


@pytest.mark.parametrize("text", ["a: 1e-5", "a: yes", "a: 010", "a: 12:30", "on: 1"])
def test_a_value_that_the_dialects_read_differently_is_seen(text: str) -> None:
    assert typed(old(text)) != typed(new(text))


@named(PARAMS)
def test_lists_of_params_are_in_block_style(path: Path) -> None:
    """As `dvc exp run -S` writes them."""
    for node in sequences(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)):
        assert not node.flow_style, f"{path}:{node.start_mark.line + 1}"


@named(PARAMS)
def test_params_hold_no_null(path: Path) -> None:
    """DVC would write `--flag None`."""
    assert list(nulls(old(path.read_text(encoding="utf-8")))) == []


@named(PARAMS)
def test_params_are_valid(path: Path) -> None:
    params = load_params(path)
    place = "configs" if path.parent == ROOT else f"{path.parent.relative_to(ROOT)}/configs"
    assert (ROOT / place / f"{params.env}.yml").is_file()


@named(PLACES)
def test_places_are_valid(path: Path) -> None:
    load_place(path)
