"""Rows that lie deeper in a JSON file, such as `{"result": {"items": [...]}}`, written as one object a line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storelib.errors import DataError, shown
from storelib.raw.text_files import opened

# Before the path of a field that is not the record's own, but of an object around it.
OUTER = "."
# Characters of a file that is read as a whole.
LARGEST = 500_000_000


def records_to_lines(file: Path, path: str, wanted: Sequence[str], target: Path) -> None:
    """Write the rows of a JSON file as lines.

    path: keys that lead to the rows, joined by dots; an array on the way is taken item by item. wanted: columns that are asked
    for; `.store` is the field `store` of the object at the top, `.day.date` that of the object under `day`.
    Raises DataError where the file is no JSON, or nothing lies there.
    """
    steps, outer = path.split("."), [name for name in wanted if name.startswith(OUTER)]
    is_there = False
    with target.open("w", encoding="utf-8") as lines:
        for document in documents(file):
            for record, around in records_at(document, steps, {}, ""):
                is_there = True
                if record is None:
                    continue
                if not isinstance(record, dict):
                    raise DataError(
                        f"{file}: an object is expected under {path!r}, not {shown(record)}",
                        solution="mend `records` of this source",
                    )
                lines.write(json.dumps(record | {name: around[name] for name in outer if name in around}) + "\n")
    if not is_there:
        keys = ", ".join(map(shown, next((d for d in documents(file) if isinstance(d, dict)), {}))) or "none"
        raise DataError(
            f"{file} has nothing under {path!r}; keys at the top: {keys}", solution="mend `records` of this source"
        )


def documents(file: Path) -> Iterator[Any]:
    """The values in a file: mostly one, or one a line. Raises DataError where it is no JSON."""
    decoder = json.JSONDecoder()
    try:
        with opened(file, "utf-8-sig") as stream:
            text = stream.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise DataError(
                f"{file} has more than {LARGEST:,} characters, which is the most that is read where `records` is set",
                solution="deliver it in parts, or as one object a line without `records`",
            )
        position = 0
        while position < len(text):
            if text[position].isspace():
                position += 1
                continue
            value, position = decoder.raw_decode(text, position)
            yield value
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read as json: {error}", solution="mend or replace the file") from None


def records_at(
    node: Any, steps: Sequence[str], around: Mapping[str, Any], prefix: str
) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """What lies under `steps`, item by item, with the fields of the objects around it by their paths; None for an empty array."""
    if isinstance(node, list):
        for item in node:
            yield from records_at(item, steps, around, prefix)
        if not node:
            yield None, around
    elif not steps:
        yield node, around
    elif isinstance(node, dict) and steps[0] in node:
        fields = {f"{prefix}{OUTER}{name}": value for name, value in node.items() if name != steps[0]}
        yield from records_at(node[steps[0]], steps[1:], {**around, **fields}, f"{prefix}{OUTER}{steps[0]}")
