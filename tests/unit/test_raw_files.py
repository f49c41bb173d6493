"""Which files are read: what a path says and nothing else, each content once, and what folder names say only where asked."""

import bz2
import gzip
import itertools
import json
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ingest_external
import ingest_sales
import ingest_stores
from storelib.configuration.place import Compute, Source, validated
from storelib.errors import ConfigError, DataError
from storelib.raw.files import source_files
from storelib.raw.patterns import matches
from storelib.raw.sources import read_texts

COLUMNS = {"store_id": "STORE", "sku": "SKU", "sales": "AMOUNT", "date": "DAY", "category": "CAT"}
HEADER = "STORE,SKU,CAT,AMOUNT,DAY"
ONE, TWO = "1,a,B,1.00,2024-01-01", "2,a,B,2.50,2024-01-02"
PARTS = {"reader": "csv", "path": "sales", "columns": COLUMNS}


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("sales/2026-*.csv", "sales/2026-01.csv", True),
        ("sales/2026-*.csv", "backup/sales/2026-01.csv", False),
        ("sales/2026-*.csv", "sales/old/2026-01.csv", False),
        ("sales/2026-*.csv", "sales/2026-01.csv.gz", False),
        ("*.csv", "sales.csv", True),
        ("*.csv", "old/sales.csv", False),
        ("sales/*.csv", "sales/a/b.csv", False),
        ("sales/**/*.csv", "sales/b.csv", True),
        ("sales/**/*.csv", "sales/a/b/c.csv", True),
        ("**/sales/*.csv", "sales/c.csv", True),
        ("**/sales/*.csv", "a/b/sales/c.csv", True),
        ("**/sales/*.csv", "a/sales/b/c.csv", False),
        ("sales/**", "sales/a/b.csv", True),
        ("sales/**", "sales", False),
        ("sales/?/[ab].csv", "sales/x/a.csv", True),
        ("sales/?/[ab].csv", "sales/xy/a.csv", False),
        ("Sales/*.csv", "sales/a.csv", False),
    ],
)
def test_pattern_is_matched_part_by_part_from_the_root(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern.split("/"), path.split("/")) is expected


def found(folder: Path, path: str, reader: str = "csv") -> list[str]:
    return [p.relative_to(folder).as_posix() for p in source_files(Source(reader=reader, path=path), folder)]


LEFT = [
    "_temporary/0/_temporary/attempt_1/part-0.csv", "_SUCCESS", ".part-0.csv.crc", "part-0.csv.crc", "~$sales.csv", ".hidden/a.csv",
    "_started_12", "_committed_12", "part-1.csv.tmp", ".ipynb_checkpoints/a.csv", "__MACOSX/a.csv", "a.csv.dvc", "_$folder$",
    "Thumbs.db", "b.csv.crdownload", "_metadata", "c.csv~", ".~lock.a.csv#",
]  # fmt: skip


@pytest.mark.parametrize("path", ["sales", "sales/*", "sales/**", "sales/**/*"])
def test_leftovers_of_other_programs_are_not_data(tmp_path: Path, path: str) -> None:
    for name in ["part-0.csv", *LEFT]:
        file = tmp_path / "sales" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEADER)
    assert found(tmp_path, path) == ["sales/part-0.csv"]


def test_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "_metadata").write_text(HEADER)
    (tmp_path / "sales [1].csv").write_text(HEADER)
    assert found(tmp_path, "_metadata") == ["_metadata"]
    assert found(tmp_path, "sales [1].csv") == ["sales [1].csv"]


def test_folder_on_another_disk_is_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "elsewhere/deep/a.csv").write_text(HEADER)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/sales").symlink_to(tmp_path / "elsewhere")
    assert found(tmp_path / "raw", "sales") == found(tmp_path / "raw", "sales/**/*.csv") == ["sales/deep/a.csv"]


def test_folders_below_that_are_links_are_read(tmp_path: Path) -> None:
    for name in ("share/deep", "raw/sales/2024"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.csv").write_text(HEADER)
    (tmp_path / "raw/sales/2025").symlink_to(tmp_path / "share")
    # A link to a folder above has no end.
    (tmp_path / "raw/sales/2024/all").symlink_to(tmp_path / "raw")
    expected = ["sales/2024/a.csv", "sales/2025/deep/a.csv"]
    assert found(tmp_path / "raw", "sales") == found(tmp_path / "raw", "sales/**/*.csv") == expected


@pytest.fixture
def ingest(bench: Any) -> Callable[..., None]:
    """Runs the stage of sales."""
    bench.product_map(("a", "B", "dry"))

    def run(**sales: Any) -> None:
        bench.run(
            ingest_sales, config=bench.place(sales=PARTS | sales), raw=bench.raw, product_map=bench / "product_map.parquet",
            **{name: bench / f"{name}.parquet" for name in ("sales", "sku_sales", "period_sales", "ledger", "files")},
            period="month", negative_sales="keep", invalid_lines="fail",
        )  # fmt: skip

    return run


def by_store(bench: Any) -> dict[str, Decimal]:
    return dict(bench.rows("sales.parquet", "store_id", "sales"))


def test_missing_file_is_not_looked_for_elsewhere(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/backup/sales.csv", HEADER, ONE)
    with pytest.raises(DataError, match=r"raw/sales\.csv does not exist") as caught:
        ingest(path="sales.csv")
    assert "backup/sales.csv has that name" in caught.value.solution


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("sales.csv", "sales.csv"),
        ("sales/02.csv", "sales"),
        ("sales/02.csv", "sales/*.csv"),
        ("sales/2025", "sales"),
        ("sales/2025", "sales/**/*.csv"),
        ("sales/2025", "sales/2*/*.csv"),
        ("far", "far/sales.csv"),
    ],
)
def test_link_to_nothing_is_told_and_not_left_out(
    bench: Any, ingest: Callable[..., None], link: str, path: str
) -> None:
    bench.csv("raw/sales/01.csv", HEADER, ONE)
    bench.csv("raw/sales/2024/01.csv", HEADER, TWO)
    (bench.raw / link).symlink_to(bench / "share" / "gone")
    with pytest.raises(DataError, match=rf"raw/{link} is a link to .*/share/gone, which is not there"):
        ingest(path=path)


def test_link_to_nothing_that_no_source_names_is_nothing(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales/01.csv", HEADER, ONE)
    for name in ("notes.csv", "sales/.~lock.01.csv", "sales/_temporary", "sales/readme.txt"):
        (bench.raw / name).symlink_to(bench / "gone")
    ingest(path="sales/*.csv")
    assert len(by_store(bench)) == 1


def delta(folder: Path) -> None:
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log/00000000000000000010.checkpoint.parquet").write_bytes(b"PAR1")


def iceberg(folder: Path) -> None:
    (folder.parent / "metadata").mkdir()
    (folder.parent / "metadata/v1.metadata.json").write_text("{}")


@pytest.mark.parametrize(
    ("mark", "kind"), [(delta, "Delta"), (lambda f: (f / ".hoodie").mkdir(), "Hudi"), (iceberg, "Iceberg")]
)
@pytest.mark.parametrize("path", ["tables/sales", "tables/sales/*/*.csv"])
def test_table_with_a_log_of_its_own_is_refused_with_advice(
    bench: Any, ingest: Callable[..., None], mark: Callable[[Path], None], kind: str, path: str
) -> None:
    bench.csv("raw/tables/sales/day=1/old.csv", HEADER, ONE)
    bench.csv("raw/tables/sales/day=1/new.csv", HEADER, TWO)
    mark(bench / "raw/tables/sales")
    with pytest.raises(DataError, match=f"is a {kind} table: files that it replaced") as caught:
        ingest(path=path)
    assert "plain Parquet" in caught.value.solution


class TestSameContent:
    """A file of one line, 1.00, and itself again."""

    @pytest.fixture(autouse=True)
    def first(self, bench: Any) -> bytes:
        bench.csv("raw/sales/a.csv", HEADER, ONE)
        content: bytes = (bench / "raw/sales/a.csv").read_bytes()
        return content

    AGAIN: ClassVar[dict[str, Callable[[bytes], bytes]]] = {
        "copy.csv": bytes,
        "a.csv.gz": gzip.compress,
        "a.csv.bz2": bz2.compress,
        "a.csv.zst": lambda content: pa.Codec("zstd").compress(content, asbytes=True),
    }

    @pytest.mark.parametrize("name", AGAIN)
    def test_is_refused_and_read_where_that_is_said(
        self, bench: Any, ingest: Callable[..., None], first: bytes, name: str
    ) -> None:
        (bench / "raw/sales" / name).write_bytes(self.AGAIN[name](first))
        with pytest.raises(DataError, match=r"has the same content as .*: 1 lines would count twice") as caught:
            ingest()
        assert "repeated_files: read" in caught.value.solution
        ingest(repeated_files="read")
        assert by_store(bench) == {"1": Decimal("2.00")}

    def test_two_packed_files_are_compared_by_what_they_hold(
        self, bench: Any, ingest: Callable[..., None], first: bytes
    ) -> None:
        (bench / "raw/sales/a.csv").unlink()
        (bench / "raw/sales/b.csv.gz").write_bytes(gzip.compress(first, 1))
        (bench / "raw/sales/c.csv.gz").write_bytes(gzip.compress(first.replace(b"2024-01-01", b"2024-01-03"), 9))
        ingest()
        assert by_store(bench) == {"1": Decimal("2.00")}
        (bench / "raw/sales/d.csv.bz2").write_bytes(bz2.compress(first))
        with pytest.raises(DataError, match=r"d\.csv\.bz2 has the same content as .*b\.csv\.gz"):
            ingest()

    def test_same_rows_in_other_bytes_are_a_warning(self, bench: Any, ingest: Callable[..., None]) -> None:
        lines = [ONE.replace("1.00", f"{n}.00") for n in range(20)]
        bench.csv("raw/sales/b.csv", HEADER, *lines)
        bench.csv("raw/sales/c.csv", HEADER, *lines[::-1])
        ingest()
        assert by_store(bench) == {"1": Decimal("381.00")}
        assert "sales/b.csv and sales/c.csv have as many lines, and the same sum" in bench.log(ingest_sales)

    def test_parts_without_a_line_say_nothing_twice(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales/part-1.csv", HEADER)
        bench.csv("raw/sales/part-2.csv", HEADER)
        ingest()
        assert by_store(bench) == {"1": Decimal("1.00")}

    def test_is_refused_in_small_tables_too(self, bench: Any) -> None:
        for name in ("old", "new"):
            bench.csv(f"raw/stores/{name}.csv", "STORE,FIPS", "1,2")
            bench.csv(f"raw/county/{name}.csv", "FIPS,INCOME", "2,30000")
        stores = {"reader": "csv", "path": "stores", "columns": {"store_id": "STORE", "county": "FIPS"}}
        county = {"reader": "csv", "path": "county", "key": {"county": "FIPS"}}
        place = bench.place(stores=stores, external={"county": county})
        for module, output in ((ingest_stores, "stores"), (ingest_external, "sources")):
            with pytest.raises(DataError, match=r"old\.csv has the same content as .*new\.csv: 1 lines"):
                bench.run(
                    module, config=place, raw=bench.raw, files=bench / "f.parquet", **{output: bench / "o.parquet"}
                )


def test_every_file_is_in_the_log_and_the_list_with_its_lines_and_sum(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales/a.csv", HEADER, ONE, TWO)
    bench.csv("raw/sales/b/c.csv", HEADER, TWO)
    bench.csv("raw/sales/december.xlsx", "not csv")
    ingest()
    assert bench.rows("files.parquet", "file", "lines", "sales") == [
        ("sales/a.csv", 2, Decimal("3.50")),
        ("sales/b/c.csv", 1, Decimal("2.50")),
    ]
    log = bench.log(ingest_sales)
    assert "read sales: 'sales/a.csv' (69 bytes, 2 lines, 3.50)" in log
    assert "read sales: 'sales/b/c.csv' (47 bytes, 1 lines, 2.50)" in log
    assert "not read: 'sales/december.xlsx', whose name is none of a csv file" in log


def write_lines(file: Path, rows: list[dict[str, Any]], reader: str) -> None:
    """Rows as a file of one kind."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if reader == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif reader == "json":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        file.write_text("\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n")


@pytest.mark.parametrize("reader", ["csv", "json", "parquet"])
class TestFolderKeys:
    """Names of folders such as `STORE=007`, for every reader."""

    ROW: ClassVar[dict[str, str]] = {"STORE": "1", "SKU": "a", "CAT": "B", "AMOUNT": "1.00", "DAY": "2024-01-01"}

    def test_say_nothing_by_themselves(self, bench: Any, ingest: Callable[..., None], reader: str) -> None:
        """Neither those of the source, in whatever case, nor those above."""
        write_lines(bench / f"raw/STORE=9/store=8/DAY=2025-12-31/x.{reader}", [self.ROW], reader)
        ingest(reader=reader, path="STORE=9")
        assert by_store(bench) == {"1": Decimal("1.00")}
        assert bench.rows("period_sales.parquet", "period") == ["2024-01"]

    def test_are_columns_where_they_are_named(self, bench: Any, ingest: Callable[..., None], reader: str) -> None:
        row = {name: value for name, value in self.ROW.items() if name != "STORE"}
        for number, value in enumerate(["007", "a%2Fb", "__HIVE_DEFAULT_PARTITION__"]):
            write_lines(bench / f"raw/sales/STORE={value}/x{number}.{reader}", [row | {"SKU": f"a{number}"}], reader)
        with pytest.raises(DataError, match="no column 'STORE'") as caught:
            ingest(reader=reader)
        assert 'add "STORE" to `partitions`' in caught.value.solution
        with pytest.raises(DataError, match="no store, on 1 lines of sales"):
            ingest(reader=reader, partitions=["STORE"])
        (bench / f"raw/sales/STORE=__HIVE_DEFAULT_PARTITION__/x2.{reader}").unlink()
        ingest(reader=reader, partitions=["STORE"])
        assert by_store(bench) == {"007": Decimal("1.00"), "a/b": Decimal("1.00")}

    @pytest.mark.parametrize("key", ["STORE", "store"])
    def test_never_replace_a_column(self, bench: Any, ingest: Callable[..., None], reader: str, key: str) -> None:
        write_lines(bench / f"raw/sales/{key}=9/x.{reader}", [self.ROW], reader)
        with pytest.raises(DataError, match=f"'STORE' is a column of the files, and {key}=... a key of their folders"):
            ingest(reader=reader, partitions=[key])

    def test_must_be_there_for_every_file(self, bench: Any, ingest: Callable[..., None], reader: str) -> None:
        write_lines(bench / f"raw/sales/YEAR=2024/x.{reader}", [self.ROW], reader)
        write_lines(bench / f"raw/sales/y.{reader}", [self.ROW | {"SKU": "b"}], reader)
        with pytest.raises(DataError, match=rf"y\.{reader} lies in no folder YEAR=\.\.\."):
            ingest(reader=reader, partitions=["YEAR"])


@pytest.mark.parametrize(("reader", "name"), [("excel", "a.xlsx"), ("csv", "a.csv.bz2")])
def test_folder_for_temporary_files_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str, name: str
) -> None:
    import xlsxwriter

    if reader == "excel":
        with xlsxwriter.Workbook(str(tmp_path / name)) as book:
            book.add_worksheet().write_column(0, 0, ["STORE", "1"])
    else:
        (tmp_path / name).write_bytes(bz2.compress(b"STORE\n1\n"))
    (tmp_path / "STORE=9").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "STORE=9"))
    frame = read_texts(Source(reader=reader, path=name), tmp_path, Compute(), {"store_id": "STORE"})
    assert frame["store_id"].tolist() == ["1"]


def test_partitions_are_different_whatever_the_case() -> None:
    with pytest.raises(ConfigError, match="different keys are expected"):
        validated(Source, {"reader": "csv", "path": "a", "partitions": ["day", "DAY"]}, Path("configs/dev.yml"))


ENDS = {"LF": "\n", "CR LF": "\r\n", "CR": "\r"}


@pytest.mark.parametrize("end", ENDS)
def test_file_with_one_kind_of_line_end_is_read(bench: Any, ingest: Callable[..., None], end: str) -> None:
    (bench / "raw/sales/a.csv").write_bytes(ENDS[end].join([HEADER, ONE, TWO, ""]).encode())
    ingest()
    assert by_store(bench) == {"1": Decimal("1.00"), "2": Decimal("2.50")}


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(ENDS, 2)))
def test_mixed_line_ends_are_told_with_file_and_line(
    bench: Any, ingest: Callable[..., None], before: str, after: str
) -> None:
    # A line end inside of quotes is no end of a line.
    inside = TWO.replace("a", '"a\nb\r\nc"')
    lines = [HEADER, ONE, inside, ONE, ONE, ONE]
    (bench / "raw/sales/a.csv").write_bytes(
        "".join(line + ENDS[before if number < 4 else after] for number, line in enumerate(lines)).encode()
    )
    # The third record has three lines.
    with pytest.raises(
        DataError, match=rf"a\.csv, line 7 ends in {after}, where the lines before it end in {before}\n"
    ):
        ingest()


def test_end_mark_of_dos_is_no_part_of_the_last_value(bench: Any, ingest: Callable[..., None]) -> None:
    (bench / "raw/sales/a.csv").write_bytes(f"{HEADER}\n{ONE}\n{TWO}\x1a".encode())
    ingest()
    assert bench.rows("period_sales.parquet", "period", "sales") == [("2024-01", Decimal("3.50"))]


def test_mistake_below_a_title_is_told_by_the_line_of_the_file(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales/a.csv", "Sales", "", HEADER, ONE, ONE.replace("1.00", "x"))
    with pytest.raises(DataError, match=r"a\.csv, line 5: a sales amount"):
        ingest(header_row=3)
    bench.csv("raw/sales/a.csv", "Sales", "", HEADER, ONE, "1,a,B")
    with pytest.raises(DataError, match=r"a\.csv, line 5: 3 values, where the header has 5 columns"):
        ingest(header_row=3)


class TestJson:
    def test_fields_of_objects_are_columns_by_their_paths(self, bench: Any, ingest: Callable[..., None]) -> None:
        rows = [
            {
                "store": {"id": "007", "city": {"name": "X"}},
                "SKU": "a",
                "CAT": "B",
                "price": {"net": 1.5},
                "DAY": "2024-01-01",
            },
            {"store": {"id": 8}, "SKU": "a", "CAT": "B", "price": {"net": "2"}, "DAY": "2024-01-01"},
        ]
        write_lines(bench / "raw/sales/a.json", rows, "json")
        ingest(reader="json", columns=COLUMNS | {"store_id": "store.id", "sales": "price.net"})
        assert by_store(bench) == {"007": Decimal("1.50"), "8": Decimal("2.00")}

    def test_receipts_with_their_lines_inside(self, bench: Any, ingest: Callable[..., None]) -> None:
        receipts = [
            {
                "shop": "1",
                "id": 5,
                "lines": [{"SKU": "a", "AMOUNT": 1.25, "id": 1}, {"SKU": "a", "AMOUNT": 2, "id": 2}],
            },
            {"shop": "2", "id": 6, "lines": [{"SKU": "a", "AMOUNT": "4.00", "id": 1}]},
            {"shop": "3", "id": 7, "lines": []},
        ]
        (bench / "raw/sales/a.json").write_text(json.dumps({"day": "2024-02-03", "receipts": receipts}))
        columns = {"store_id": ".receipts.shop", "sku": "SKU", "sales": "AMOUNT", "date": ".day"}
        bench.product_map(("a", "B", "dry"))
        ingest(reader="json", records="receipts.lines", columns=columns | {"category": ".day"})
        assert by_store(bench) == {"1": Decimal("3.25"), "2": Decimal("4.00")}
        assert bench.rows("period_sales.parquet", "period") == ["2024-02"]

    def test_field_in_other_capitals_is_told(self, bench: Any) -> None:
        write_lines(bench / "raw/sales/a.json", [{"STORE": "1"}], "json")
        write_lines(bench / "raw/sales/b.json", [{"Store": "1"}], "json")
        with pytest.raises(DataError, match=r"b\.json: a field is called 'Store', and 'STORE' in .*a\.json"):
            read_texts(Source(reader="json", path="sales"), bench.raw, Compute(), {"store_id": "STORE"})

    def test_hundreds_of_files_need_no_more_memory_than_one(self, tmp_path: Path) -> None:
        for number in range(300):
            (tmp_path / f"{number}.json").write_text(json.dumps({"STORE": str(number), f"x{number % 3}": 1}))
        source = Source(reader="json", path="*.json")
        frame = read_texts(source, tmp_path, Compute(memory_limit="128MB"), {"store_id": "STORE", "x": "x2"})
        assert frame["store_id"].astype(int).sum() == 44850
        assert frame["x"].notna().sum() == 100
