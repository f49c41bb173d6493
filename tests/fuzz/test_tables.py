"""Whatever is in raw files: it is summed to the cent or counted as set aside, or refused in one line."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import assume, given
from hypothesis import strategies as st

from bad_input.cases import as_excel, point_to
from bad_input.project import Project
from fuzz.drawing import Copy, drawn, examples
from fuzz.strategies import amounts, any_text, dates, ids, missing
from storelib.accounts.ledger import check_balance, read_ledger

COLUMNS = ("STORE", "SKU", "CAT", "AMOUNT", "DAY")
sales_row = st.tuples(ids, ids, st.one_of(st.sampled_from(["BEAUTY", "SNACKS"]), any_text), amounts, dates)
options = st.fixed_dictionaries(
    {},
    optional={
        "decimal": st.sampled_from([".", ","]),
        "thousands": st.sampled_from([".", ",", " ", "'"]),
        "currency": st.sampled_from(["$", ["$", "EUR"]]),
        "date_format": st.sampled_from(["%m/%d/%Y", ["%m/%d/%Y", "%Y-%m-%d"], ["%m/%d/%Y", "%d/%m/%Y"]]),
        "missing": missing,
    },
)
policies = st.fixed_dictionaries(
    {
        "period": st.sampled_from(["week", "month", "all"]),
        "negative_sales": st.sampled_from(["keep", "drop", "fail"]),
        "invalid_lines": st.sampled_from(["drop", "drop", "drop", "fail"]),
    }
)


def deliver(p: Project, reader: str, source: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """The rows in a file of a format, quoted as the format wants it."""
    if reader == "csv":
        text = io.StringIO(newline="")
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerows([header, *rows])
        p.write("data/raw/dev/table.csv", text.getvalue())
        point_to(p, source, "csv", "table.csv")
    elif reader == "json":
        p.write(
            "data/raw/dev/table.json", "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)
        )
        point_to(p, source, "json", "table.json")
    elif reader == "parquet":
        columns = [[row[n] for row in rows] for n in range(len(header))]
        pq.write_table(
            pa.table(dict(zip(header, [pa.array(c, pa.string()) for c in columns], strict=True))),
            p.raw("table.parquet"),
        )
        point_to(p, source, "parquet", "table.parquet")
    else:
        as_excel(p, source, [header, *rows])


@examples(1500)
@given(
    rows=st.lists(sales_row, max_size=8),
    reader=st.sampled_from(["csv", "csv", "json", "parquet", "excel"]),
    source=options,
    policy=policies,
)
def test_any_sales(
    copy: Copy, rows: list[tuple[str, ...]], reader: str, source: dict[str, Any], policy: dict[str, str]
) -> None:
    drawn("sales of any ids, amounts and dates, by every reader")
    assume(reader != "excel" or all("\0" not in cell and cell.isprintable() for row in rows for cell in row))
    project = copy.fresh()
    for key, value in source.items():
        project.place(f"sources.sales.{key}", value)
    for key, value in policy.items():
        project.params(f"internal.ingest_sales.{key}", value)
    deliver(project, reader, "sources.sales", COLUMNS, rows)
    told = project.check()
    copy.check_told(told)
    if told.code:
        return
    told = project.run("ingest_sales")
    copy.check_told(told)
    if told.code:
        return
    entries = read_ledger(project / "data/internal/ingest_ledger.parquet")
    check_balance(entries)
    lines = {entry.flow: entry.lines for entry in entries if not entry.reason}
    assert lines["in"] == len(rows)
    sums = project.rows("internal/sales.parquet", "lines", "sales")
    assert sum(n for n, _ in sums) == lines["out"]
    (out,) = (entry.sales for entry in entries if entry.flow == "out")
    assert sum((amount for _, amount in sums), Decimal(0)) == out


@examples(1500)
@given(data=st.data())
def test_any_bytes_of_a_csv_file(copy: Copy, data: st.DataObject) -> None:
    drawn("CSV files of sales with bytes changed, lost or added")
    project = copy.fresh()
    content = bytearray("\n".join(project.text("sales.csv").splitlines()[:12]).encode() + b"\n")
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["change", "insert", "cut", "text"]))
        if kind == "change":
            content[position] = data.draw(st.sampled_from(b'",\n\r\t #;\\\0\xff\xe9a0-.'))
        elif kind == "insert":
            content[position:position] = data.draw(
                st.sampled_from([b'"', b",", b"\n", b"\r\n", b"#", b"\xef\xbb\xbf", b"\n\n", b'""'])
            )
        elif kind == "cut":
            del content[position : position + data.draw(st.integers(1, 40))]
        else:
            content[position:position] = data.draw(any_text).encode()
        if not content:
            content = bytearray(b"\n")
    project.write("data/raw/dev/sales.csv", bytes(content))
    project.params("internal.ingest_sales.invalid_lines", "drop")
    told = project.run("ingest_sales")
    copy.check_told(told)
    if told.code:
        return
    entries = read_ledger(project / "data/internal/ingest_ledger.parquet")
    check_balance(entries)
    (lines,) = (entry.lines for entry in entries if entry.flow == "in")
    # No line is lost: Python sees as many.
    records = [r for r in csv.reader(io.StringIO(content.decode("utf-8"), newline="")) if r]
    assert lines == len(records) - 1


TABLES = {
    "ingest_product_map": ("sources.product_map", ("SKU", "NEED", "CAT")),
    "ingest_stores": ("sources.stores", ("STORE", "COUNTY")),
    "ingest_external": ("sources.external.county", ("FIPS", "income", "age")),
    "ingest_baseline": (
        "sources.baseline",
        ("category", "store_id", "internal_cluster", "external_cluster", "segment"),
    ),
}


@examples(1500)
@given(
    stage=st.sampled_from(sorted(TABLES)),
    cells=st.lists(
        st.lists(st.one_of(ids, amounts, st.sampled_from(["1", "2", "3"])), min_size=5, max_size=5), max_size=6
    ),
    reader=st.sampled_from(["csv", "json", "parquet"]),
    unknown=missing,
)
def test_any_small_table(copy: Copy, stage: str, cells: list[list[str]], reader: str, unknown: list[Any]) -> None:
    drawn("product maps, stores, external sources and labels of any content")
    project = copy.fresh()
    source, header = TABLES[stage]
    rows = [tuple(row[: len(header)]) for row in cells]
    deliver(project, reader, source, header, rows)
    project.place(f"{source}.missing", unknown)
    told = project.check()
    copy.check_told(told)
    if told.code:
        return
    told = project.run(stage)
    copy.check_told(told)
    if told.code:
        return
    if stage == "ingest_product_map":
        found = project.rows("internal/product_map.parquet")
        assert len(found) == len(set(found))
        assert {sku for sku, *_ in found} <= {row[0].strip() for row in rows} | {sku for sku, *_ in found if sku}
    elif stage == "ingest_stores":
        stores = project.rows("external/stores.parquet", "store_id")
        assert len(stores) == len(set(stores))
    elif stage == "ingest_external":
        keys = project.rows("external/sources.parquet", "key", "feature")
        assert len(keys) == len(set(keys))
    else:
        labels = project.rows("merging/baseline.parquet", "category", "store_id", "segment")
        assert len(labels) == len(rows)
        assert all(segment >= 1 for *_, segment in labels)
