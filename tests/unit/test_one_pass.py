"""The pass over raw sales: what it counts, what it keeps, and that no way of reading gives another result."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ingest_sales
from storelib.accounts import one_pass
from storelib.accounts.entries import entries_of, numbered
from storelib.accounts.sums import Cells, Grid
from storelib.configuration.place import Compute
from storelib.database import database, one_row
from storelib.errors import ConfigError, DataError
from storelib.money import cents_of, money_column
from storelib.names import MONTHS
from storelib.raw import hashes
from storelib.raw.files import sha256
from storelib.raw.lines import Codes, exact_cents

COLUMNS = {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT", "date": "DAY"}
PARTS = {"reader": "parquet", "path": "parts", "columns": COLUMNS}
TABLES = ("sales", "sku_sales", "period_sales", "ledger")


@pytest.fixture
def ingest(bench: Any) -> Callable[..., dict[str, bytes]]:
    """Runs the stage and returns the bytes of its tables."""

    def run(
        cache: Path | None = None,
        period: str = "month",
        *,
        largest_lines: bool = False,
        cap: float = 1,
        seasons: bool = False,
        **place: Any,
    ) -> dict[str, bytes]:
        bench.run(
            ingest_sales, config=bench.place(**place), raw=bench.raw, product_map=bench / "product_map.parquet",
            **{name: bench / f"{name}.parquet" for name in TABLES}, files=bench / "files.parquet", period=period,
            negative_sales="drop", invalid_lines="drop", **({"largest_lines": []} if largest_lines else {}),
            cap_quantile=cap, **({"cache": cache} if cache else {}), **({"seasons": []} if seasons else {}),
        )  # fmt: skip
        return {name: (bench / f"{name}.parquet").read_bytes() for name in TABLES}

    bench.product_map(("a", "BEAUTY", "dry"), ("a", "BEAUTY", "oily"), ("b", "SNACKS", "sweet"), ("c", None, "new"))
    return run


def write_part(bench: Any, name: str, seed: int, rows: int = 200) -> Path:
    """A file of lines with returns, thirds of cents, unknown SKUs and lines that cannot be used."""
    draw = random.Random(seed)  # noqa: S311 (made-up data)
    columns = {
        "STORE": [draw.choice(["1", "2", "03", " 3", None]) for _ in range(rows)],
        "SKU": [draw.choice(["a", "b", "c", "zz", "a ", None]) for _ in range(rows)],
        "CAT": [draw.choice(["BEAUTY", "SNACKS", None]) for _ in range(rows)],
        "AMOUNT": [draw.choice([1.125, 2.0, -0.5, 0.0, 1 / 3, float("nan"), 1e17]) for _ in range(rows)],
        "DAY": [draw.choice([date(2024, 1, 5), date(2024, 2, 9), None, date(999, 1, 1)]) for _ in range(rows)],
    }
    path: Path = bench.parquet(f"raw/parts/{name}.parquet", columns)
    return path


class TestCache:
    """Three files of 200 lines."""

    @pytest.fixture(autouse=True)
    def parts(self, bench: Any) -> None:
        for number in range(3):
            write_part(bench, f"part-{number}", number)

    @pytest.fixture
    def reads(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Names of the files that are read, as they are read."""
        names: list[str] = []
        read = one_pass.Pass.read

        def told(self: one_pass.Pass, files: Any, *others: Any) -> None:
            names.extend(path.name for path in files)
            read(self, files, *others)

        monkeypatch.setattr(one_pass.Pass, "read", told)
        return names

    def test_nothing_is_read_again_and_the_bytes_are_the_same(
        self, bench: Any, ingest: Callable[..., Any], reads: list[str]
    ) -> None:
        cold = ingest(sales=PARTS)
        assert ingest(bench / "cache", sales=PARTS) == cold
        del reads[:]
        assert ingest(bench / "cache", sales=PARTS) == cold
        assert reads == []

    def test_new_file_alone_is_read(self, bench: Any, ingest: Callable[..., Any], reads: list[str]) -> None:
        ingest(bench / "cache", sales=PARTS)
        del reads[:]
        write_part(bench, "part-3", 3)
        warm = ingest(bench / "cache", sales=PARTS)
        assert reads == ["part-3.parquet"]
        assert warm == ingest(sales=PARTS)
        lines = bench.rows("files.parquet", "file", "lines")
        assert lines == [(f"parts/part-{number}.parquet", 200) for number in range(4)]

    def test_new_file_alone_is_hashed(
        self, bench: Any, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hashes, "SETTLED_NS", -1)
        ingest(bench / "cache", sales=PARTS)
        write_part(bench, "part-3", 3)
        hashed: list[str] = []
        monkeypatch.setattr(hashes, "sha256", lambda path: hashed.append(path.name) or sha256(path))
        warm = ingest(bench / "cache", sales=PARTS)
        assert hashed == ["part-3.parquet"]
        assert warm == ingest(sales=PARTS)

    def test_file_that_is_read_is_hashed_whatever_is_remembered(
        self, bench: Any, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hashes, "SETTLED_NS", -1)
        cold = ingest(bench / "cache", sales=PARTS)
        # Nothing is left of what was counted: the files are read, and so hashed.
        for path in (bench / "cache").glob("*.sums"):
            path.unlink()
        hashed: list[str] = []
        monkeypatch.setattr(hashes, "sha256", lambda path: hashed.append(path.name) or sha256(path))
        assert ingest(bench / "cache", sales=PARTS) == cold
        assert sorted(hashed) == [f"part-{number}.parquet" for number in range(3)]

    def test_renamed_file_is_the_same_content(self, bench: Any, ingest: Callable[..., Any], reads: list[str]) -> None:
        ingest(bench / "cache", sales=PARTS)
        del reads[:]
        (bench / "raw/parts/part-0.parquet").rename(bench / "raw/parts/week-1.parquet")
        ingest(bench / "cache", sales=PARTS)
        assert reads == []
        assert "parts/week-1.parquet" in bench.rows("files.parquet", "file")

    def test_replaced_file_counts_and_the_old_one_does_not(self, bench: Any, ingest: Callable[..., Any]) -> None:
        ingest(bench / "cache", sales=PARTS)
        write_part(bench, "part-1", 77)
        assert ingest(bench / "cache", sales=PARTS) == ingest(sales=PARTS)

    def test_same_content_twice_counts_twice(self, bench: Any, ingest: Callable[..., Any]) -> None:
        once = bench / "raw/parts/part-0.parquet"
        (bench / "raw/parts/copy.parquet").write_bytes(once.read_bytes())
        both = {**PARTS, "repeated_files": "read"}
        cold = ingest(sales=both)
        assert ingest(bench / "cache", sales=both) == cold
        assert ingest(bench / "cache", sales=both) == cold
        for cache in (None, bench / "other", bench / "other"):
            with pytest.raises(DataError, match=r"part-0\.parquet has the same content as .*copy\.parquet: 200 lines"):
                ingest(cache, sales=PARTS)

    def test_same_bytes_in_two_folders_that_hold_a_column_are_two_contents(
        self, bench: Any, ingest: Callable[..., Any]
    ) -> None:
        for path in (bench / "raw/parts").glob("*.parquet"):
            path.unlink()
        rows = {"STORE": ["1"], "SKU": ["a"], "AMOUNT": [2.0], "DAY": [date(2024, 1, 1)]}
        for category in ("BEAUTY", "SNACKS"):
            bench.parquet(f"raw/parts/CAT={category}/all.parquet", rows)
        by_folder = {**PARTS, "partitions": ["CAT"]}
        cold = ingest(sales=by_folder)
        assert bench.rows("sales.parquet", "category", "sales") == [
            ("BEAUTY", Decimal("2.00")),
            ("SNACKS", Decimal("2.00")),
        ]
        assert ingest(bench / "cache", sales=by_folder) == cold
        assert ingest(bench / "cache", sales=by_folder) == cold

    def test_same_bytes_under_a_packed_name_are_read_as_that_says(self, bench: Any, ingest: Callable[..., Any]) -> None:
        source = {**PARTS, "reader": "csv", "path": "all.csv"}
        bench.csv("raw/all.csv", "STORE,SKU,CAT,AMOUNT,DAY", "1,a,BEAUTY,1.00,2024-01-01")
        ingest(bench / "cache", sales=source)
        (bench / "raw/all.csv").rename(bench / "raw/all.csv.gz")
        with pytest.raises(DataError, match=r"all\.csv\.gz cannot be unpacked"):
            ingest(bench / "cache", sales={**source, "path": "all.csv.gz"})

    @pytest.mark.parametrize("change", ["map", "settings", "rules"])
    def test_what_the_sums_depend_on_counts_anew(
        self, bench: Any, ingest: Callable[..., Any], reads: list[str], change: str
    ) -> None:
        ingest(bench / "cache", sales=PARTS)
        del reads[:]
        source, period = dict(PARTS), "month"
        if change == "map":
            bench.product_map(("a", "BEAUTY", "dry"), ("zz", None, "new"))
        elif change == "settings":
            source["missing"] = ["03"]
        else:
            period = "all"
        warm = ingest(bench / "cache", period, sales=source)
        assert len(reads) == 3
        assert warm == ingest(None, period, sales=source)

    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda content: content[: len(content) // 2], id="cut off"),
            pytest.param(lambda _: b"", id="empty"),
            pytest.param(lambda content: content[:-40] + b"\x01" + content[-39:], id="one byte"),
            pytest.param(lambda content: content.replace(b'"counts"', b'"bounds"'), id="its first line"),
            pytest.param(lambda content: b"{}\n" + content, id="another first line"),
        ],
    )
    def test_damaged_entry_is_noticed_and_made_again(
        self, bench: Any, ingest: Callable[..., Any], damage: Callable[[bytes], bytes]
    ) -> None:
        cold = ingest(bench / "cache", sales=PARTS)
        entries = sorted((bench / "cache").glob("*.sums"))
        assert entries
        for path in entries:
            path.write_bytes(damage(path.read_bytes()))
        assert ingest(bench / "cache", sales=PARTS) == cold
        assert "is damaged" in bench.log(ingest_sales)
        ingest(bench / "cache", sales=PARTS)
        assert "is damaged" not in bench.log(ingest_sales)

    def test_folder_stays_within_its_limit(self, bench: Any, ingest: Callable[..., Any]) -> None:
        for number in range(4):
            write_part(bench, "part-2", 100 + number)
            ingest(bench / "cache", sales=PARTS, compute={"cache_limit": "0MB"})
            assert list((bench / "cache").glob("*.sums")) == []

    def test_folder_that_cannot_be_written_to_is_told_and_costs_nothing_else(
        self, bench: Any, ingest: Callable[..., Any]
    ) -> None:
        (bench / "cache").write_text("a file")
        assert ingest(bench / "cache", sales=PARTS) == ingest(sales=PARTS)

    def test_file_that_changes_while_it_is_read_is_refused(
        self, bench: Any, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = one_pass.LineReader.by_arrow

        def replaced(self: one_pass.LineReader, share: Any) -> Any:
            yield from read(self, share)
            write_part(bench, share.file.stem, 55)

        monkeypatch.setattr(one_pass.LineReader, "by_arrow", replaced)
        with pytest.raises(DataError, match="was replaced or written to while it was read"):
            ingest(sales=PARTS)


def test_every_way_of_reading_gives_the_same_bytes(bench: Any, ingest: Callable[..., Any]) -> None:
    """As numbers, by SQL over Arrow (a timestamp is no plain day), by DuckDB (a folder's name holds `=`), and as CSV."""
    path = write_part(bench, "all", 1, rows=500)
    table = pq.read_table(path)
    plain = ingest(sales=PARTS)
    ledger = bench.ledger()
    days = table["DAY"].cast(pa.timestamp("us"))
    pq.write_table(table.set_column(table.schema.get_field_index("DAY"), "DAY", days), path)
    again = ingest(sales=PARTS)
    assert bench.ledger() == ledger
    assert again == plain
    folder = bench / "raw/parts/kind=all/all.parquet"
    folder.parent.mkdir(exist_ok=True)
    pq.write_table(table, folder)
    path.unlink()
    again = ingest(sales=PARTS)
    assert bench.ledger() == ledger
    assert again == plain
    folder.unlink()
    lines = [",".join("" if cell is None else str(cell) for cell in row.values()) for row in table.to_pylist()]
    bench.csv("raw/parts/all.csv", "STORE,SKU,CAT,AMOUNT,DAY", *lines)
    as_text = ingest(sales={**PARTS, "reader": "csv"})
    assert as_text["sales"] == plain["sales"]


@pytest.mark.parametrize("row_group", [7, 100, 1000])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_cut_into_row_groups_and_threads_is_nothing(
    bench: Any, ingest: Callable[..., Any], row_group: int, threads: int
) -> None:
    path = write_part(bench, "all", 4, rows=600)
    plain = ingest(sales=PARTS)
    pq.write_table(pq.read_table(path), path, row_group_size=row_group)
    assert ingest(sales=PARTS, compute={"threads": threads}) == plain


def test_table_that_does_not_fit_goes_on_in_duckdb(
    bench: Any, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        write_part(bench, f"part-{number}", number)
    plain = ingest(sales=PARTS)
    # 5 stores x 12 combinations of 16 bytes
    monkeypatch.setattr(one_pass, "TABLE_SHARE", 1e-7)
    monkeypatch.setattr(ingest_sales, "TABLE_SHARE", 1e-7)
    spilled: list[str] = []
    spill = Grid.spill
    monkeypatch.setattr(Grid, "spill", lambda grid: (spilled.append(grid.name), spill(grid)))
    assert ingest(sales=PARTS) == plain
    assert {"cells", "marks"} <= set(spilled)


def test_memory_that_does_not_do_is_told_as_it_is_configured() -> None:
    # a part of 128 MB was not enough: the setting is 512 MB, and 512 MB would change nothing
    with (
        pytest.raises(DataError, match="more than its 512MB of memory") as caught,
        database(Compute(memory_limit="512MB"), parts=4),
    ):
        raise duckdb.OutOfMemoryException("no room")
    assert "compute.memory_limit in configs/<env>.yml to 1024MB" in caught.value.solution


@pytest.mark.parametrize(("memory", "expected"), [("128MB", 1), ("256MB", 2), ("1GB", 4)])
def test_no_more_threads_than_the_memory_feeds(memory: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storelib.database.threads", lambda number: number)
    with database(Compute(memory_limit=memory, threads=4)) as connection:
        assert one_row(connection, "SELECT current_setting('threads')") == (expected,)


class TestLinesColumn:
    """A table that is summed already: each row stands for several lines."""

    SUMMED: ClassVar = {**PARTS, "columns": {**COLUMNS, "lines": "N"}}

    def test_lines_are_counted_and_not_rows(self, bench: Any, ingest: Callable[..., Any]) -> None:
        rows = {"STORE": ["1", "1", "2"], "SKU": ["a"] * 3, "CAT": ["BEAUTY"] * 3, "DAY": [date(2024, 1, 1)] * 3}
        bench.parquet("raw/parts/all.parquet", rows | {"AMOUNT": [10.0, 5.0, -3.0], "N": [4, 2, 3]})
        ingest(sales=self.SUMMED)
        # store 1: 15.00 in 4 + 2 lines; the 3 lines of store 2 are negative and dropped
        assert bench.rows("sales.parquet", "store_id", "sales", "lines") == [("1", Decimal("15.00"), 6)]
        assert bench.ledger() == {
            ("in", ""): (2, 9, Decimal("12.00")),
            ("out", ""): (1, 6, Decimal("15.00")),
            ("set_aside", "negative_sales"): (1, 3, Decimal("-3.00")),
        }

    @pytest.mark.parametrize("kind", ["number", "text"])
    @pytest.mark.parametrize("count", [0, -1, 2.5, None])
    def test_count_that_is_none_is_set_aside(
        self, bench: Any, ingest: Callable[..., Any], count: float | None, kind: str
    ) -> None:
        counts: list[Any] = [3.0, count]
        if kind == "text":
            counts = [None if value is None else str(value) for value in counts]
        rows = {"STORE": ["1", "2"], "SKU": ["a"] * 2, "CAT": ["BEAUTY"] * 2, "DAY": [date(2024, 1, 1)] * 2}
        bench.parquet("raw/parts/all.parquet", rows | {"AMOUNT": [10.0, 5.0], "N": counts})
        ingest(sales=self.SUMMED)
        ledger = bench.ledger()
        assert ledger["out", ""] == (1, 3, Decimal("10.00"))
        assert ledger["set_aside", "invalid_count"][::2] == (1, Decimal("5.00"))

    def test_bad_count_is_told_with_its_line(self, bench: Any) -> None:
        bench.csv("raw/parts/all.csv", "STORE,SKU,CAT,AMOUNT,DAY,N", "1,a,B,1,2024-01-01,2", "2,a,B,1,2024-01-01,many")
        bench.product_map(("a", None, "dry"))
        with pytest.raises(DataError, match=r"all\.csv, line 3: a number of lines that is not whole.*lines 'many'"):
            bench.run(
                ingest_sales, config=bench.place(sales={**self.SUMMED, "reader": "csv"}), raw=bench.raw,
                product_map=bench / "product_map.parquet", **{name: bench / f"{name}.parquet" for name in TABLES},
                files=bench / "files.parquet", period="month", negative_sales="keep", invalid_lines="fail",
            )  # fmt: skip


def test_date_that_means_not_known_is_set_aside_whatever_its_type(bench: Any, ingest: Callable[..., Any]) -> None:
    rows = {"STORE": ["1", "2"], "SKU": ["a"] * 2, "CAT": ["BEAUTY"] * 2, "AMOUNT": [1.0, 2.0]}
    bench.parquet("raw/parts/all.parquet", rows | {"DAY": [date(2024, 1, 1), date(1900, 1, 1)]})
    ingest(sales={**PARTS, "missing": ["1900-01-01"]})
    assert bench.ledger()["set_aside", "invalid_date"] == (1, 1, Decimal("2.00"))


def test_sales_without_a_date_have_one_period_whatever_is_asked_for(bench: Any, ingest: Callable[..., Any]) -> None:
    columns = {ours: theirs for ours, theirs in COLUMNS.items() if ours != "date"}
    rows = {"STORE": ["1", "2"], "SKU": ["a"] * 2, "CAT": ["BEAUTY"] * 2, "AMOUNT": [1.0, 2.0]}
    bench.parquet("raw/parts/all.parquet", rows)
    ingest(period="month", sales={**PARTS, "columns": columns})
    assert bench.rows("period_sales.parquet") == [("BEAUTY", "", Decimal("3.00"), 2)]


@pytest.mark.parametrize("cut", [4, 600])
def test_broken_part_is_told_by_its_name(bench: Any, ingest: Callable[..., Any], cut: int) -> None:
    write_part(bench, "good", 1)
    broken = write_part(bench, "broken", 2)
    # without its end, and with its first pages overwritten
    content = broken.read_bytes()
    broken.write_bytes(content[:-cut] if cut == 4 else b"PAR1" + b"\xff" * cut + content[4 + cut :])
    with pytest.raises(DataError, match=r"broken\.parquet cannot be read as parquet"):
        ingest(sales=PARTS)


def test_one_column_may_be_two_of_ours(bench: Any, ingest: Callable[..., Any]) -> None:
    rows = {"STORE": ["1", "2"], "SKU": ["a"] * 2, "AMOUNT": [1.0, 2.0], "DAY": [date(2024, 1, 1)] * 2}
    bench.parquet("raw/parts/all.parquet", rows)
    ingest(sales={**PARTS, "columns": COLUMNS | {"category": "SKU"}})
    assert bench.rows("sales.parquet", "category", "store_id") == [("a", "1"), ("a", "2")]


def test_sums_beyond_whole_numbers_of_64_bits_are_refused(bench: Any, ingest: Callable[..., Any]) -> None:
    # 10 times 9.99e15 is 9.99e16; in cents beyond 2**63 - 1 = 9.22e18
    rows = {"STORE": ["1"] * 10, "SKU": ["a"] * 10, "CAT": ["B"] * 10, "DAY": [date(2024, 1, 1)] * 10}
    bench.parquet("raw/parts/all.parquet", rows | {"AMOUNT": [9.99e15] * 10})
    with pytest.raises(DataError, match="cannot be exact"):
        ingest(sales=PARTS)


def test_numbers_are_rounded_as_sql_rounds_them() -> None:
    draw = np.random.default_rng(7)
    values = np.concatenate(
        [
            draw.normal(0, 50, 20_000),
            np.round(draw.normal(0, 50, 20_000), 3),
            draw.integers(-(10**6), 10**6, 20_000) / 200,
            draw.normal(0, 1e15, 20_000),
            [0.125, -0.125, 0.005, 1.005, 2.675, 0.49999999999999994 / 100, 1e16, -1e16, np.inf, -np.inf, np.nan, -0.0],
        ]
    )
    with database(Compute()) as connection:
        connection.register("numbers", pa.table({"place": np.arange(len(values)), "x": values}))
        found = connection.sql(
            "SELECT TRY_CAST(x AS DECIMAL(18, 2)) AS amount FROM numbers ORDER BY place"
        ).to_arrow_table()
    amounts = found["amount"].combine_chunks()
    ours = exact_cents(pa.array(values), [])
    assert np.array_equal(ours.cents, cents_of(amounts))
    assert np.array_equal(~ours.faults["invalid_sales"], amounts.is_valid().to_numpy(zero_copy_only=False))


def test_cents_become_amounts_and_back() -> None:
    cents = np.array([0, 1, -1, 123456, -123456, 2**62, -(2**62)], np.int64)
    amounts = money_column(cents)
    assert amounts.to_pylist()[:5] == [Decimal(text) for text in ("0.00", "0.01", "-0.01", "1234.56", "-1234.56")]
    assert np.array_equal(cents_of(amounts), cents)
    assert np.array_equal(cents_of(amounts.slice(2, 3)), cents[2:5])


def test_skus_of_which_the_map_says_the_same_share_an_entry() -> None:
    rows = [
        ("a", "B", "dry"),
        ("a", "B", "oily"),
        ("b", "B", "oily"),
        ("b", "B", "dry"),
        ("c", "B", "dry"),
        ("d", None, None),
    ]
    found = numbered(rows)
    # in the order of what they say: B dry; B dry and B oily; nothing
    assert found == {"c": 1, "a": 2, "b": 2, "d": 3}
    assert numbered(reversed(rows)) == found


def test_entry_places_a_sale_where_it_has_a_category_and_needs_of_its_own(bench: Any) -> None:
    bench.product_map(
        ("a", "B", "dry"), ("s", "S", "sweet"), ("n", None, "new"), ("e", "B", None), ("t", "B", "x"), ("t", "S", "y")
    )
    entries = entries_of(pq.read_table(bench / "product_map.parquet"))
    number = entries.of_sku
    expected = {
        ("B", "a"): True, (None, "a"): True, ("S", "a"): False, ("B", "n"): True, (None, "n"): False, ("B", "e"): False,
        ("B", "t"): True, (None, "t"): False,
    }  # fmt: skip
    assert {key: entries.places(key[0], number[key[1]]) for key in expected} == expected
    assert not entries.places("B", 0)


def test_sales_without_a_category_column_by_every_way_of_reading(bench: Any, ingest: Callable[..., Any]) -> None:
    columns = {ours: theirs for ours, theirs in COLUMNS.items() if ours != "category"}
    source = {**PARTS, "columns": columns}
    rows = {"STORE": ["1", "2"], "SKU": ["a", "b"], "AMOUNT": [1.0, 2.0], "DAY": [date(2024, 1, 1)] * 2}
    bench.parquet("raw/parts/all.parquet", rows)
    plain = ingest(sales=source)
    assert bench.rows("sales.parquet", "category", "store_id") == [(None, "1"), (None, "2")]
    bench.parquet("raw/parts/all.parquet", rows | {"AMOUNT": ["1.00", "2.00"]})
    assert ingest(sales=source) == plain
    (bench / "raw/parts/all.parquet").unlink()
    bench.csv("raw/parts/all.csv", "STORE,SKU,AMOUNT,DAY", "1,a,1.00,2024-01-01", "2,b,2.00,2024-01-01")
    assert ingest(sales={**source, "reader": "csv"}) == plain


@pytest.mark.parametrize("memory", [1e9, 200.0, 0.0])
def test_tables_of_sums_are_added_to_each_other_whatever_their_shapes(memory: float) -> None:
    """memory: both are dense, the larger one goes on in DuckDB, both do."""

    def sums(grid: Grid) -> dict[tuple[int, int], tuple[int, int]]:
        found = [column.tolist() for column in grid.take()]
        return {(row, column): (cents, lines) for row, column, cents, lines in zip(*found, strict=True)}

    def add(grid: Grid, places: list[tuple[int, int]], shape: tuple[int, int], cents: list[int]) -> None:
        rows, columns = np.array(places, np.int32).T
        grid.add(rows, columns, shape, np.array(cents, np.int64), 1)

    with database(Compute()) as connection:
        one, other = Grid(memory, connection, "one"), Grid(memory, connection, "other")
        add(one, [(0, 0), (1, 1), (1, 1)], (2, 2), [5, 7, 8])
        add(other, [(1, 1), (2, 3)], (3, 4), [-20, 9])
        one.absorb(other, (3, 4))
        assert sums(other) == {}
        assert sums(one) == {(0, 0): (5, 1), (1, 1): (-5, 3), (2, 3): (9, 1)}
        assert sums(one) == {}


@pytest.mark.parametrize("memory", [1e9, 200.0, 0.0])
def test_largest_amounts_stay_the_largest_whatever_their_tables(memory: float) -> None:
    with database(Compute()) as connection:
        one, other = (Grid(memory, connection, name, largest=True) for name in ("one", "other"))
        places = np.array([0, 1, 1], np.int32)
        one.add(places, places, (2, 2), np.array([5, 7, 3]), 1)
        other.add(np.array([1, 2], np.int32), np.array([1, 3], np.int32), (3, 4), np.array([6, 9]), 2)
        one.absorb(other, (3, 4))
        assert [column.tolist() for column in one.take()] == [[0, 1, 2], [0, 1, 3], [5, 7, 9], [1, 4, 2]]


def test_tables_beside_sales_share_the_memory_of_theirs() -> None:
    with database(Compute()) as connection:
        ledgers = one_pass.Ledgers(entries_of(pa.table({"sku": pa.array([], pa.string()), "category": pa.array([], pa.string()),
            "need_state": pa.array([], pa.string()), "entry": pa.array([], pa.int32())})), one_pass.MORE)  # fmt: skip
        counter = one_pass.Counter(ledgers, 400.0, connection)
        assert [grid.memory for grid in (counter.cells, *counter.more.values())] == [25.0] * 16


class TestBesideSales:
    """Units, and the largest line, of each store and entry; by numbers, by text, and from the cache."""

    SOURCE: ClassVar[dict[str, Any]] = {**PARTS, "columns": PARTS["columns"] | {"units": "PIECES"}}

    @pytest.mark.parametrize("kind", ["number", "text"])
    def test_they_are_of_the_lines_that_are_kept(self, bench: Any, ingest: Callable[..., Any], kind: str) -> None:
        pieces: list[Any] = [2.0, 0.5, 1.0, -1.0, 4.0]
        rows = {"STORE": list("11112"), "SKU": list("aaaba"), "CAT": ["BEAUTY"] * 5, "DAY": [date(2024, 1, 1)] * 5}
        rows |= {
            "AMOUNT": [10.0, 25.0, 5.0, 7.0, 1.5],
            "PIECES": pieces if kind == "number" else [str(n) for n in pieces],
        }
        bench.parquet("raw/parts/all.parquet", rows)
        ingest(sales=self.SOURCE, largest_lines=True)
        # store 1: 2 + 0.5 + 1 of a, of which a line of 25.00 is the largest; -1 of b
        assert bench.rows("sales.parquet", "store_id", "units", "largest") == [
            ("1", Decimal("3.50"), Decimal("25.00")), ("1", Decimal("-1.00"), Decimal("7.00")), ("2", Decimal("4.00"), Decimal("1.50")),
        ]  # fmt: skip

    @pytest.mark.parametrize("kind", ["number", "text"])
    def test_units_that_are_none_are_set_aside(self, bench: Any, ingest: Callable[..., Any], kind: str) -> None:
        pieces: list[Any] = [1.0, None] if kind == "number" else ["1", "many"]
        rows = {"STORE": ["1", "2"], "SKU": ["a"] * 2, "CAT": ["BEAUTY"] * 2, "DAY": [date(2024, 1, 1)] * 2}
        bench.parquet("raw/parts/all.parquet", rows | {"AMOUNT": [10.0, 5.0], "PIECES": pieces})
        ingest(sales=self.SOURCE)
        assert bench.ledger()["set_aside", "invalid_units"] == (1, 1, Decimal("5.00"))
        assert bench.rows("sales.parquet", "units") == [Decimal("1.00")]
        # Nothing is there that was not asked for.
        assert "largest" not in pq.read_schema(bench / "sales.parquet").names

    @pytest.mark.parametrize("kind", ["number", "text"])
    def test_lines_above_a_quantile_of_their_category_count_as_much_as_that(
        self, bench: Any, ingest: Callable[..., Any], kind: str
    ) -> None:
        # Of BEAUTY's lines above 0 (1 to 9, and 100) the 0.8 quantile is 8. The last, of `a`, has its category from the map; a
        # return stays. Of SNACKS's one line, 50, it is 50.
        amounts = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 50.0, 100.0]
        rows = {
            "STORE": ["1"] * 8 + ["2"] * 3, "SKU": ["a"] * 9 + ["b", "a"], "CAT": ["BEAUTY"] * 9 + ["SNACKS", None],
            "DAY": [date(2024, 1, 1)] * 11, "AMOUNT": amounts if kind == "number" else [str(amount) for amount in amounts],
        }  # fmt: skip
        bench.parquet("raw/parts/all.parquet", rows)
        ingest(sales=PARTS, cap=0.8)
        found = bench.rows("sales.parquet", "category", "store_id", "sales", "capped")
        assert found == [
            ("BEAUTY", "1", Decimal("36.00"), Decimal("36.00")), ("BEAUTY", "2", Decimal("9.00"), Decimal("8.00")),
            ("SNACKS", "2", Decimal("50.00"), Decimal("50.00")), (None, "2", Decimal("100.00"), Decimal("8.00")),
        ]  # fmt: skip

    def test_cold_and_warm_are_the_same(self, bench: Any, ingest: Callable[..., Any]) -> None:
        for number in range(3):
            rows = {
                "STORE": ["1", "2"] * 50,
                "SKU": ["a"] * 100,
                "CAT": ["BEAUTY"] * 100,
                "DAY": [date(2024, 1, 1)] * 100,
            }
            amounts = [float(n + number) for n in range(100)]
            bench.parquet(f"raw/parts/p{number}.parquet", rows | {"AMOUNT": amounts, "PIECES": [1.0] * 100})
        cold = ingest(sales=self.SOURCE, largest_lines=True)
        assert ingest(bench / "cache", sales=self.SOURCE, largest_lines=True) == cold
        assert ingest(bench / "cache", sales=self.SOURCE, largest_lines=True) == cold
        # stores 1 and 2 have amounts to 98 and 99, and 2 more in the last file
        assert bench.rows("sales.parquet", "units", "largest") == [
            (Decimal("150.00"), Decimal("100.00")), (Decimal("150.00"), Decimal("101.00")),
        ]  # fmt: skip


@pytest.mark.parametrize("far", [9, 2**30])
def test_rows_are_ordered_by_their_keys_however_many_places_there_are(far: int) -> None:
    """Two categories or none, two stores or none, and entries: with the last one 9 x 2^30 places, for which 32 bits are too few."""
    stores, categories = Codes(), Codes()
    store = stores.of(pa.array(["b", "a", "b", "b"]))
    category = categories.of(pa.array(["y", "x", None, "y"]))
    entry = np.array([far, 0, 3, 1], np.int32)
    cells = Cells(store, category, np.array([1, 2, 3, 4]), np.array([1, 1, 1, 1]))
    table = ingest_sales.sums_table("store_id", stores, categories, category, store, entry, cells)
    assert table["category"].to_pylist() == ["x", "y", "y", None]
    assert table["store_id"].to_pylist() == ["a", "b", "b", "b"]
    assert table["entry"].to_pylist() == [0, 1, far, 3]
    assert cents_of(table["sales"].combine_chunks()).tolist() == [2, 4, 1, 3]


def test_sales_in_parquet_are_counted_without_pandas(
    bench: Any, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading it takes a tenth of the time of a pass over 18 million lines."""

    def main(argv: list[str]) -> None:
        script = Path(ingest_sales.__file__)
        done = subprocess.run(
            [sys.executable, "-X", "importtime", str(script), *argv], check=True, capture_output=True, text=True
        )
        assert "pyarrow.lib" in done.stderr
        assert "pandas" not in done.stderr

    columns = {"STORE": ["1", "2", "1"], "SKU": ["a", "b", "x"], "CAT": ["BEAUTY", "SNACKS", None]}
    columns |= {"DAY": [date(2024, 1, 1)] * 3, "AMOUNT": [1.0, -2.0, 3.5]}
    bench.parquet("raw/sales.parquet", columns)
    source = {"reader": "parquet", "path": "sales.parquet", "columns": COLUMNS}
    in_process = ingest(sales=source)
    monkeypatch.setattr(ingest_sales, "main", main)
    assert ingest(bench / "cache", sales=source) == in_process


def test_files_that_are_worth_keeping_are_kept_beside_those_that_are_not(
    bench: Any, ingest: Callable[..., Any]
) -> None:
    """Long files have four lines for each sum at the least, short ones do not: these are counted into one table."""
    for number, rows in enumerate([900, 5, 900, 5, 5, 900]):
        write_part(bench, f"part-{number}", number, rows=rows)
    cold = ingest(sales=PARTS)
    assert ingest(bench / "cache", sales=PARTS) == cold
    held = [json.loads(path.read_bytes().partition(b"\n")[0]) for path in (bench / "cache").glob("*.sums")]
    alone = [sum(lines for lines, _ in head["counts"].values()) for head in held if len(head["contents"]) == 1]
    assert 900 in alone
    assert 5 not in alone
    # A long file is replaced: the others' sums, kept apart or in no entry of their own, come to the same.
    write_part(bench, "part-2", 77, rows=900)
    assert ingest(bench / "cache", sales=PARTS) == ingest(sales=PARTS)
    assert bench.rows("files.parquet", "lines") == [900, 5, 900, 5, 5, 900]


class TestSeasons:
    """Sales by month of the year, of all years together."""

    LINES = (
        ("1", "a", 5.0, date(2024, 1, 31)),
        ("1", "a", 2.5, date(2025, 1, 1)),
        ("1", "a", -1.0, date(2024, 12, 31)),
        ("1", "b", 4.0, date(1969, 12, 31)),
        ("2", "a", 3.0, date(2024, 2, 29)),
        ("2", "a", 8.0, None),
    )

    def write(self, bench: Any) -> None:
        for number, lines in enumerate((self.LINES[:3], self.LINES[3:])):
            stores, skus, amounts, days = zip(*lines, strict=True)
            columns = {"STORE": stores, "SKU": skus, "CAT": ["BEAUTY"] * 3, "AMOUNT": amounts, "DAY": days}
            bench.parquet(f"raw/parts/{number}.parquet", {name: list(column) for name, column in columns.items()})

    @pytest.mark.parametrize("period", ["month", "week", "all"])
    def test_months_add_up_to_the_sales(self, bench: Any, ingest: Callable[..., Any], period: str) -> None:
        self.write(bench)
        ingest(period=period, seasons=True, sales=PARTS)
        columns = ("store_id", "sales", *MONTHS)
        found = {row[:2]: row[2:] for row in bench.rows("sales.parquet", *columns)}
        none = [Decimal("0.00")] * 12
        # The return is set aside, and so is the line without a date, whose store has another one.
        assert found == {
            ("1", Decimal("7.50")): (Decimal("7.50"), *none[1:]),
            ("1", Decimal("4.00")): (*none[1:], Decimal("4.00")),
            ("2", Decimal("3.00")): (none[0], Decimal("3.00"), *none[2:]),
        }
        assert bench.ledger()["set_aside", "invalid_date"] == (0, 1, Decimal("8.00"))

    def test_kept_sums_have_them_too(self, bench: Any, ingest: Callable[..., Any]) -> None:
        self.write(bench)
        cold = ingest(bench / "cache", seasons=True, sales=PARTS)
        (bench / "raw/parts/1.parquet").rename(bench / "raw/parts/again.parquet")
        assert ingest(bench / "cache", seasons=True, sales=PARTS) == cold
        # Nothing is kept of them where they are not asked for.
        ingest(bench / "cache", sales=PARTS)
        assert not {*MONTHS} & {*pq.read_schema(bench / "sales.parquet").names}

    def test_they_need_a_date(self, bench: Any, ingest: Callable[..., Any]) -> None:
        self.write(bench)
        columns = {ours: theirs for ours, theirs in COLUMNS.items() if ours != "date"}
        with pytest.raises(ConfigError, match=r"sources\.sales\.columns names no `date`") as caught:
            ingest(seasons=True, sales={**PARTS, "columns": columns})
        assert "seasons to false" in caught.value.solution


def test_parquet_file_whose_column_names_are_no_text_is_named(bench: Any, ingest: Callable[..., Any]) -> None:
    """One bit of the footer is enough."""
    path = write_part(bench, "part-0", 0)
    content = path.read_bytes()
    end = content.rindex(b"AMOUNT")
    assert content.count(b"AMOUNT") > 1
    path.write_bytes(content.replace(b"AMOUNT", b"AM\xd2UNT"))
    assert path.read_bytes()[end : end + 6] == b"AM\xd2UNT"
    with pytest.raises(DataError, match=r"part-0\.parquet cannot be read as parquet: 'utf-8' codec"):
        ingest(sales=PARTS)
