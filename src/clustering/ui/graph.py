"""The pipeline as a picture: one box per stage, whatever the number of categories, and who reads whose files."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clustering.ui.reading import Project
from storelib.configuration.stages import Made, meets
from storelib.configuration.yaml_files import read_yaml

WIDE, HIGH, ACROSS, DOWN = 158.0, 40.0, 46.0, 14.0
MARGIN = 8.0
SWEEPS = 8


class Stage(NamedTuple):
    """A stage of dvc.yaml. instances: each with its outputs, by name such as `merge_segments/beauty`."""

    name: str
    after: list[str]
    instances: dict[str, list[str]]
    by_category: bool


class Box(NamedTuple):
    """Where a stage is drawn."""

    name: str
    x: float
    y: float


class Edge(NamedTuple):
    """A line between two stages."""

    start: str
    end: str
    path: str


class Drawn(NamedTuple):
    """The whole picture."""

    boxes: list[Box]
    edges: list[Edge]
    width: float
    height: float


def stages_of(project: Project) -> dict[str, Stage]:
    """Every stage, in the order of dvc.yaml. Raises PipelineError where its files cannot be read."""

    def make() -> dict[str, Stage]:
        params = project.params()
        keys = sorted(params.internal.categories)
        path = project.path("dvc.yaml")
        made = Made(path, keys, project.env).stages
        bodies = read_yaml(path)["stages"]
        # The demo's key is an environment.
        for name, (deps, outs) in made.items():
            if bodies[name].get("foreach") == "${demo}":
                made[name] = deps, [out.replace("${key}", project.env) for out in outs]
        found = {}
        for name, (deps, outs) in made.items():
            over = bodies[name].get("foreach")
            own = [key for key in params.demo if key == project.env] if over == "${demo}" else keys if over else None
            if own == []:
                # No demo, no stage.
                continue
            after = [
                other
                for other, (_, others) in made.items()
                if other != name and any(meets(a, b) for a in deps for b in others)
            ]
            instances = (
                {name: outs}
                if own is None
                else {f"{name}/{key}": [o.replace("${key}", key) for o in outs] for key in own}
            )
            found[name] = Stage(name, after, instances, over is not None and over != "${demo}")
        return {name: stage._replace(after=[a for a in stage.after if a in found]) for name, stage in found.items()}

    return project.derived("stages", ["dvc.yaml", "params.yaml"], make)


def reduced(after: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The same order with as few lines: none between stages that a longer way joins."""
    reach: dict[str, set[str]] = {}

    def before(name: str) -> set[str]:
        if name not in reach:
            reach[name] = set()
            reach[name] = {found for one in after[name] for found in (one, *before(one))}
        return reach[name]

    return {
        name: [one for one in own if not any(one in before(other) for other in own if other != one)]
        for name, own in after.items()
    }


def columns_of(
    names: Sequence[str], after: Mapping[str, Sequence[str]], then: Mapping[str, Sequence[str]]
) -> list[list[str]]:
    """The stages by how many come before. What nothing comes before stands beside what reads it."""
    depth: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in depth:
            depth[name] = 0
            depth[name] = 1 + max((layer(one) for one in after[name]), default=-1)
        return depth[name]

    for name in names:
        layer(name)
    for name in names:
        if not after[name] and then[name]:
            depth[name] = min(depth[one] for one in then[name]) - 1
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in names:
        columns[depth[name]].append(name)
    return columns


def untangle(columns: list[list[str]], after: Mapping[str, Sequence[str]], then: Mapping[str, Sequence[str]]) -> None:
    """Put each column into an order with few crossings: by the mean place of the neighbours, from either side in turn."""
    for sweep in range(SWEEPS):
        near = then if sweep % 2 else after
        for column in reversed(columns) if sweep % 2 else columns:
            at = {name: place for own in columns for place, name in enumerate(own)}
            means = {
                name: sum(at[one] for one in near[name]) / len(near[name]) if near[name] else at[name]
                for name in column
            }
            column.sort(key=means.__getitem__)


def draw(stages: Mapping[str, Stage]) -> Drawn:
    """Boxes in columns, and lines between them."""
    after = reduced({name: stage.after for name, stage in stages.items()})
    then: dict[str, list[str]] = {name: [] for name in stages}
    for name, before in after.items():
        for one in before:
            then[one].append(name)
    columns = columns_of(list(stages), after, then)
    untangle(columns, after, then)
    tallest = max(map(len, columns))
    boxes = {}
    for number, column in enumerate(columns):
        top = MARGIN + (tallest - len(column)) * (HIGH + DOWN) / 2
        for place, name in enumerate(column):
            boxes[name] = Box(name, MARGIN + number * (WIDE + ACROSS), top + place * (HIGH + DOWN))
    edges = [Edge(one, name, line(boxes[one], boxes[name])) for name, before in after.items() for one in before]
    width = MARGIN * 2 + len(columns) * (WIDE + ACROSS) - ACROSS
    return Drawn(list(boxes.values()), edges, width, MARGIN * 2 + tallest * (HIGH + DOWN) - DOWN)


def line(start: Box, end: Box) -> str:
    """SVG path from one box to another."""
    x0, y0, x1, y1 = start.x + WIDE, start.y + HIGH / 2, end.x, end.y + HIGH / 2
    bend = (x1 - x0) / 2
    return f"M{x0:g} {y0:g}C{x0 + bend:g} {y0:g} {x1 - bend:g} {y1:g} {x1:g} {y1:g}"
