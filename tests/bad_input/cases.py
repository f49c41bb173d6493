"""What one case of bad input is, and how raw files of every format are written for it."""

import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from bad_input.project import Project

Edit = Callable[[Project], object]


class Case(NamedTuple):
    """A change of a small correct project, what is run then, and what must come of it.

    stages: run in this order, the last is the one that the case is about; `check` is what a run checks before it starts.
    says, advises: what the message and the advice hold. works: asserts the right result where the code is 0.
    """

    name: str
    stages: tuple[str, ...]
    edit: Edit
    code: int = 4
    says: tuple[str, ...] = ()
    advises: tuple[str, ...] = ()
    works: Callable[[Project], None] | None = None
    flags: tuple[str, ...] = ()


def fails(name: str, stages: str, edit: Edit, *says: str, advises: str | Sequence[str] = (), code: int = 4) -> Case:
    """A case that ends with a message; stages are separated by spaces."""
    advice = (advises,) if isinstance(advises, str) else tuple(advises)
    return Case(name, tuple(stages.split()), edit, code, says, advice)


def refused(name: str, edit: Edit, *says: str, advises: str | Sequence[str] = ()) -> Case:
    """A case whose configuration is refused before anything is run."""
    return fails(name, "check", edit, *says, advises=advises, code=3)


def right(name: str, stages: str, edit: Edit, works: Callable[[Project], None]) -> Case:
    """A case in which what looks wrong is right, and gives the result that `works` asserts."""
    return Case(name, tuple(stages.split()), edit, 0, works=works)


def both(*checks: Callable[[Project], None]) -> Callable[[Project], None]:
    """What works where each of the checks does."""

    def works(p: Project) -> None:
        for check in checks:
            check(p)

    return works


def wrong_flags(name: str, stage: str, *flags: str, says: Sequence[str]) -> Case:
    """A case of wrong arguments."""
    return Case(name, (stage,), Project.check, 2, tuple(says), ("--help",), flags=flags)


# Raw files of every format ---------------------------------------------------------------------------------


def as_parquet(project: Project, source: str, columns: dict[str, Any], **options: Any) -> None:
    """A source of configs/dev.yml as a Parquet file of these columns."""
    pq.write_table(pa.table(columns), project.raw("table.parquet"))
    point_to(project, source, "parquet", "table.parquet", **options)


def as_excel(project: Project, source: str, rows: Sequence[Sequence[Any]], **options: Any) -> None:
    """A source as the first sheet of a workbook; the first row is its header."""
    with xlsxwriter.Workbook(
        str(project.raw("table.xlsx")), {"strings_to_formulas": False, "nan_inf_to_errors": True}
    ) as book:
        sheet = book.add_worksheet("Data")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if hasattr(cell, "isoformat"):
                    sheet.write_datetime(r, c, cell, day)
                elif isinstance(cell, str):
                    sheet.write_string(r, c, cell)
                elif cell is not None:
                    sheet.write(r, c, cell)
    point_to(project, source, "excel", "table.xlsx", **options)


def as_json(project: Project, source: str, content: str | list[dict[str, Any]], **options: Any) -> None:
    """A source as a JSON file of this content, or of one object a line."""
    text = content if isinstance(content, str) else "".join(f"{json.dumps(row)}\n" for row in content)
    project.write("data/raw/dev/table.json", text)
    point_to(project, source, "json", "table.json", **options)


def as_gzip(project: Project, source: str, name: str, cut: int = 0) -> None:
    """A source's CSV file, compressed and perhaps without its last bytes."""
    packed = gzip.compress(project.raw(name).read_bytes())
    project.write(f"data/raw/dev/{name}.gz", packed[: len(packed) - cut])
    project.place(f"{source}.path", f"{name}.gz")


def as_zstd(project: Project, source: str, name: str, cut: int = 0) -> None:
    """The same with the other compression."""
    path = project.raw(f"{name}.zst")
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(project.raw(name).read_bytes())
    packed = path.read_bytes()
    path.write_bytes(packed[: len(packed) - cut])
    project.place(f"{source}.path", f"{name}.zst")


def point_to(project: Project, source: str, reader: str, path: str, **options: Any) -> None:
    """Another reader and file for a source such as `sources.sales`."""
    for key, value in {"reader": reader, "path": path, **options}.items():
        project.place(f"{source}.{key}", value)
