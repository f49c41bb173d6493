"""Whatever is in params.yaml and configs/dev.yml: they are used as written, or refused in one line."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from bad_input.project import Project
from fuzz.drawing import Copy, drawn, examples
from fuzz.strategies import SCALARS, any_text, values
from pipeline.test_dialects import new, old, typed

PARAMS, PLACE = "params.yaml", "configs/dev.yml"
STAGES = ("ingest_sales", "ingest_product_map", "ingest_stores", "ingest_external", "ingest_baseline")


def places_in(node: Any, keys: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The way to every value below a mapping."""
    if not isinstance(node, dict):
        return []
    return [way for key, value in node.items() for way in ((*keys, key), *places_in(value, (*keys, key)))]


def mutated(tree: Any, data: st.DataObject) -> Any:
    """A tree with one to three changes: a value, a key that is not known, a key that is gone."""
    for _ in range(data.draw(st.integers(1, 3))):
        ways = places_in(tree)
        *above, last = data.draw(st.sampled_from(ways))
        node = tree
        for key in above:
            node = node[key]
        kind = data.draw(st.sampled_from(["value", "value", "value", "new", "gone"]))
        if kind == "value":
            node[last] = data.draw(values)
        elif kind == "new":
            node[data.draw(any_text)] = data.draw(values)
        else:
            del node[last]
        if not tree:
            break
    return tree


def check_dialects(project: Project) -> None:
    """A file that passes means the same to YAML 1.2."""
    for name in (PARAMS, PLACE):
        text = (project / name).read_text(encoding="utf-8")
        assert typed(old(text)) == typed(new(text))


def dumped(tree: Any) -> str:
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


@examples(2000)
@given(data=st.data())
def test_any_value_in_params(copy: Copy, data: st.DataObject) -> None:
    drawn("params.yaml with other values and keys")
    project = copy.fresh()
    project.write(PARAMS, dumped(mutated(yaml.safe_load((project / PARAMS).read_text()), data)))
    told = project.check()
    copy.check_told(told)
    if told.code == 0:
        check_dialects(project)
        assert project.stages()


@examples(2000)
@given(data=st.data())
def test_any_value_in_a_place(copy: Copy, data: st.DataObject) -> None:
    drawn("configs/dev.yml with other values and keys")
    project = copy.fresh()
    project.write(PLACE, dumped(mutated(yaml.safe_load((project / PLACE).read_text()), data)))
    told = project.check()
    copy.check_told(told)
    if told.code == 0:
        check_dialects(project)
        for stage in STAGES:
            copy.check_told(project.run(stage))


@examples(2500)
@given(data=st.data(), name=st.sampled_from([PARAMS, PLACE]))
def test_any_text_in_a_file_of_settings(copy: Copy, data: st.DataObject, name: str) -> None:
    drawn("lines of YAML that were changed, lost or doubled")
    project = copy.fresh()
    lines = (project / name).read_text(encoding="utf-8").splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["scalar", "scalar", "text", "gone", "twice", "indent"]))
        key, colon, _ = lines[number].partition(":")
        if kind == "scalar":
            lines[number] = f"{key}{colon} {data.draw(st.sampled_from(SCALARS))}"
        elif kind == "text":
            lines[number] = f"{key}{colon} {data.draw(any_text)}"
        elif kind == "gone":
            del lines[number]
        elif kind == "twice":
            lines.insert(number, lines[number])
        else:
            lines[number] = data.draw(st.sampled_from(["", " ", "  ", "\t", "- "])) + lines[number].lstrip()
    project.write(name, "\n".join(lines) + "\n")
    told = project.check()
    copy.check_told(told)
    if told.code == 0:
        check_dialects(project)
