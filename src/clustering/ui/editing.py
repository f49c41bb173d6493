"""What people decide, written into the files that the pipeline reads it from: names of segments, stores placed by hand, parameters."""

import csv
import io
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from clustering.place_text import with_source
from clustering.runners import only_run
from clustering.ui.reading import Project
from storelib.configuration.params import load_params
from storelib.configuration.place import NameSource, OverrideSource, load_place
from storelib.errors import ConfigError, DataError, nearest_name
from storelib.tables import write_text

# As `ingest_segment_names` takes them.
LONGEST_NAME = 80
LONGEST_TEXT = 500
# The file that is made where none is named, by source; its columns are those of the configuration's models.
FILES = {"segment_names": "segment_names.csv", "overrides": "overrides.csv"}
GLOB = set("*?[")
Row = dict[str, str]


def required(text: str, what: str, longest: int) -> str:
    """A text that somebody gives. Raises DataError for one that is empty or too long."""
    if not text or len(text) > longest:
        raise DataError(
            f"{what} {'is missing' if not text else f'has {len(text)} characters'}",
            solution=f"give one of 1 to {longest} characters",
        )
    return text


def name_segment(project: Project, category: str, segment: int, name: str) -> None:
    """Give a segment a name from the next run on. Raises DataError for a name that another segment of the category has."""
    name = required(name, "the name", LONGEST_NAME)
    for row in project.frame(f"data/merging/descriptions/{category}.parquet").to_dict("records"):
        if int(row["segment"]) != segment and str(row["name"]).casefold() == name.casefold():
            raise DataError(
                f"segment {row['segment']} of {category} is called {name!r} already",
                solution="give each segment of a category a name of its own",
            )
    put_row(
        project, "segment_names", {"category": category, "segment": str(segment), "name": name}, ("category", "segment")
    )


def place_store(project: Project, category: str, store: str, segment: int, who: str, why: str) -> None:
    """Put a store into a segment from the next run on. Raises DataError where there is no such store or segment."""
    rows = project.frame(f"data/merging/category_segments/{category}.parquet")
    if not (rows["store_id"] == store).any():
        raise DataError(
            f"{category} has no store {store!r}{nearest_name(store, rows['store_id'])}",
            solution="give a store of the table",
        )
    known = sorted({int(number) for number in rows["segment"]})
    if segment not in known:
        raise DataError(
            f"{category} has no segment {segment}; its segments are {', '.join(map(str, known))}",
            solution="choose one of these",
        )
    row = {
        "category": category,
        "store_id": store,
        "segment": str(segment),
        "who": required(who, "who decides this", LONGEST_TEXT),
        "why": required(why, "the reason", LONGEST_TEXT),
    }
    put_row(project, "overrides", row, ("category", "store_id"))


def take_back(project: Project, category: str, store: str) -> None:
    """Leave a store to the pipeline again, from the next run on."""
    change_rows(
        project, "overrides", lambda rows: [r for r in rows if (r["category"], r["store_id"]) != (category, store)]
    )


def put_row(project: Project, kind: str, row: Row, key: tuple[str, ...]) -> None:
    """Add a row to the file of a source, in the place of one with the same key."""

    def put(rows: list[Row]) -> list[Row]:
        others = [known for known in rows if any(known[name] != row[name] for name in key)]
        return [*others, row]

    change_rows(project, kind, put)


def rows_of(project: Project, kind: str) -> list[Row]:
    """The rows of a source as the next run will read them; none where it is not configured."""
    source, path, columns = file_of(project, kind)
    return read_rows(path, source, columns)[0] if source is not None and path.is_file() else []


def file_of(project: Project, kind: str) -> tuple[NameSource | OverrideSource | None, Path, dict[str, str]]:
    """A source, the file that its rows are in, and its columns, ours and theirs. Raises ConfigError for one that is not to be written."""
    source: NameSource | OverrideSource | None = getattr(
        load_place(project.path(f"configs/{project.env}.yml")).sources, kind
    )
    folder = project.path(f"data/raw/{project.env}")
    if source is None:
        model = NameSource if kind == "segment_names" else OverrideSource
        return None, folder / FILES[kind], {name: name for name in model.model_fields["columns"].default.model_dump()}
    columns: dict[str, Any] = source.columns.model_dump()
    plain = (
        source.reader == "csv" and source.header_row is None and not source.partitions and len(source.delimiter) == 1
    )
    path = folder / source.path
    if (
        not plain
        or GLOB & set(source.path)
        or path.is_dir()
        or not all(isinstance(name, str) for name in columns.values())
    ):
        raise ConfigError(
            f"sources.{kind} is no single CSV file with a header first, so that it is not written to from here",
            solution=f"add the row to {path} by hand",
        )
    if source.encoding.lower().replace("_", "-") not in {"utf-8", "utf-8-sig", "utf8"}:
        raise ConfigError(
            f"{path} is {source.encoding}", solution="save it as UTF-8, and take `encoding` out of the configuration"
        )
    return source, path, columns


def read_rows(
    path: Path, source: NameSource | OverrideSource | None, columns: Mapping[str, str]
) -> tuple[list[Row], list[str]]:
    """The rows of a file with our columns beside its other ones, and its header. Raises DataError where it lacks a column."""
    delimiter = source.delimiter if source else ","
    text = path.read_text(encoding="utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = list(reader.fieldnames or [])
    missing = [name for name in columns.values() if name not in header]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r}", solution=f"write its header: {delimiter.join(columns.values())}"
        )
    back = {theirs: ours for ours, theirs in columns.items()}
    return [{back.get(name, name): value or "" for name, value in row.items() if name} for row in reader], header


def change_rows(project: Project, kind: str, change: Callable[[list[Row]], list[Row]]) -> None:
    """Change the rows of a source's file, and name it in the configuration where that does not."""
    with only_run(project.root):
        source, path, columns = file_of(project, kind)
        rows, header = read_rows(path, source, columns) if path.is_file() else ([], list(columns.values()))
        written = io.StringIO()
        writer = csv.DictWriter(
            written, header, restval="", delimiter=source.delimiter if source else ",", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows({columns.get(name, name): value for name, value in row.items()} for row in change(rows))
        config = project.path(f"configs/{project.env}.yml")
        settings = None if source else with_source(config, project.place(), kind, "csv", path.name)
        # The file first: a configuration that names it must find it.
        write_text(written.getvalue(), path)
        if settings is not None:
            write_text(settings, config)


# Parameters -----------------------------------------------------------------------------------------------


def parameters(project: Project) -> dict[str, str]:
    """Every value of params.yaml that one field can hold, by its dotted key."""
    with project.path("params.yaml").open(encoding="utf-8") as handle:
        tree = yaml.safe_load(handle)
    return {key: yaml_text(value) for key, value in leaves(tree) if key.partition(".")[0] != "demo"}


def leaves(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Every value that is no block, by its dotted key; lists stay whole."""
    if isinstance(node, dict):
        return [found for key, value in node.items() for found in leaves(value, f"{prefix}{key}.")]
    return [] if isinstance(node, list) else [(prefix.rstrip("."), node)]


def yaml_text(value: Any) -> str:
    """A value as it stands in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def set_parameter(project: Project, key: str, text: str) -> None:
    """Change one value of params.yaml, whose comments stay. Raises ConfigError for a key or value that it cannot have."""
    known = parameters(project)
    if key not in known:
        raise ConfigError(
            f"params.yaml has no key {key!r}{nearest_name(key, known)}", solution="choose one of the list"
        )
    try:
        value = yaml.safe_load(required(text, f"the value of {key}", LONGEST_TEXT))
    except yaml.YAMLError:
        raise ConfigError(f"{text!r} is no value", solution="give a number or a word as in params.yaml") from None
    if isinstance(value, dict | list):
        raise ConfigError(f"{text!r} is no single value", solution="give a number or a word as in params.yaml")
    # Heavy, and needed here alone.
    from dvc.utils.serialize import modify_yaml

    path = project.path("params.yaml")
    with only_run(project.root), tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "params.yaml"
        trial.write_bytes(path.read_bytes())
        with modify_yaml(str(trial)) as tree:
            *way, last = key.split(".")
            node = tree
            for part in way:
                node = node[part]
            node[last] = value
        load_params(trial)
        write_text(trial.read_text(encoding="utf-8"), path)
