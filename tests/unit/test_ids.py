"""One store is one store: ids have one form in every table, whatever type, alphabet or number of columns they come in."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ingest_external
import ingest_labels
import ingest_product_map
import ingest_sales
import ingest_stores
import select_categories
from storelib.configuration.params import Category
from storelib.configuration.place import NumbersSource, Source
from storelib.errors import DataError
from storelib.raw.sources import decimal_marks, id_of, is_rewritten
from storelib.raw.spellings import id_text, joined, parts_of

HEADER = "STORE,SKU,CAT,AMOUNT,DAY"
NFC, NFD = "Café", "Cafe\u0301"
FORMS = {
    "101": "101", " 101\t": "101", "101.0": "101", "101.000": "101", " 101.0 ": "101", "-5.0": "-5", "\u00a0101\u200b": "101",
    # zeros before a number, exponents and other decimals tell ids apart
    "0101": "0101", "0101.0": "0101", "1e3": "1e3", "1.0e3": "1.0e3", "101.5": "101.5", "101.": "101.", ".0": ".0", "A.0": "A.0",
    "1.2.0": "1.2.0", "+5.0": "+5.0", "2026-01-05": "2026-01-05", "a  b": "a  b", NFD: NFC, NFC: NFC, f" {NFD} ": NFC,
    f"a\0{NFC}": f"a\0{NFC}",
}  # fmt: skip


@pytest.fixture
def ingest(bench: Any) -> Callable[..., None]:
    """`ingest_sales` on a map whose SKUs are `a` and 10."""

    def run(invalid_lines: str = "fail", cache: str = "", **place: Any) -> None:
        bench.run(
            ingest_sales, config=bench.place(**place), raw=bench.raw, product_map=bench / "product_map.parquet",
            sales=bench / "sales.parquet", sku_sales=bench / "sku_sales.parquet", period_sales=bench / "period_sales.parquet",
            files=bench / "files.parquet", ledger=bench / "ledger.parquet", period="all", negative_sales="keep",
            invalid_lines=invalid_lines, **({"cache": bench / cache} if cache else {}),
        )  # fmt: skip

    bench.product_map(("10", None, "ten"), ("a", None, "A"))
    return run


@pytest.fixture
def table(bench: Any) -> Callable[..., list[Any]]:
    """A stage that reads a small table; its rows."""

    def run(
        module: Any, output: str, columns: list[str], flags: dict[str, Any] | None = None, **sources: Any
    ) -> list[Any]:
        bench.run(
            module, config=bench.place(**sources), raw=bench.raw, files=bench / "files.parquet",
            **{output: bench / "out.parquet"}, **(flags or {}),
        )  # fmt: skip
        found: list[Any] = bench.rows("out.parquet", *columns)
        return found

    return run


def parquet(**columns: str | list[str]) -> dict[str, Any]:
    named = {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT"} | columns
    return {"reader": "parquet", "path": "sales", "columns": named}


def lines(bench: Any, name: str, stores: Any, **columns: Any) -> None:
    """A Parquet file of sales of 1.00, one for each store."""
    plain = {"STORE": stores, "SKU": ["a"] * len(stores), "CAT": ["B"] * len(stores), "AMOUNT": [1.0] * len(stores)}
    bench.parquet(f"raw/sales/{name}.parquet", plain | columns)


class TestForm:
    @pytest.mark.parametrize(("text", "form"), FORMS.items())
    def test_text(self, text: str, form: str) -> None:
        source = Source(reader="csv", path="x")
        form_of, flag = id_of("x", "VARCHAR", source), is_rewritten("x", "VARCHAR", id_of("x", "VARCHAR", source))
        query = f"SELECT {form_of}, {flag} FROM (SELECT $text AS x)"  # noqa: S608 (ours)
        assert duckdb.execute(query, {"text": text}).fetchone() == (form, text != form)
        assert id_text(text) == form

    def test_decimals_are_written_as_the_source_writes_them(self) -> None:
        german = NumbersSource(reader="csv", path="x", decimal=",", thousands=".")
        comma = NumbersSource(reader="csv", path="x", decimal=",")
        texts = ["101,0", "101.0", "1.000"]
        for source, forms in ((german, ["101", "101.0", "1.000"]), (comma, ["101", "101", "1"])):
            query = f"SELECT {id_of('x', 'VARCHAR', source)} FROM (SELECT unnest($texts) AS x)"  # noqa: S608 (ours)
            assert [row[0] for row in duckdb.execute(query, {"texts": texts}).fetchall()] == forms
            assert [id_text(text, decimal_marks(source)) for text in texts] == forms

    def test_several_columns_never_make_one_id_of_two(self) -> None:
        rows = [
            ("a", "b"),
            ("a |", "b"),
            ("a", "| b"),
            ("a | b", "c"),
            ("a", "b | c"),
            ("a||", "b"),
            ("|", "|"),
            ("", "a"),
        ]
        assert len({joined(row) for row in rows}) == len(rows)
        assert [tuple(parts_of(joined(row))) for row in rows] == rows
        assert joined(("Springfield", "Ohio")) == "Springfield | Ohio"


class TestSales:
    @pytest.mark.parametrize(
        ("stores", "rewritten"),
        [
            pytest.param(pa.array([101.0, 102.0]), 2, id="double"),
            pytest.param(pa.array([101, 102]), 0, id="whole"),
            pytest.param(pa.array([Decimal("101.00"), Decimal("102.00")]), 2, id="decimal"),
            pytest.param(pa.array([Decimal(101), Decimal(102)]), 0, id="decimal without decimals"),
            pytest.param(pa.array([b"101", b"102"]), 0, id="bytes"),
            pytest.param(pa.array([b"101", b"102.0"], pa.large_binary()), 1, id="large bytes"),
            pytest.param(pa.array(["101", "102.0"], pa.large_string()), 1, id="large text"),
            pytest.param(pa.array(["101", "102 "]).dictionary_encode(), 1, id="dictionary"),
        ],
    )
    def test_store_is_one_whatever_type_its_id_has_in_which_file(
        self, bench: Any, ingest: Callable[..., None], stores: pa.Array, rewritten: int
    ) -> None:
        lines(bench, "1", stores)
        lines(bench, "2", ["101", "103"])
        ingest(sales=parquet())
        assert bench.rows("sales.parquet", "store_id", "sales") == [
            ("101", Decimal("2.00")), ("102", Decimal("1.00")), ("103", Decimal("1.00")),
        ]  # fmt: skip
        noted = bench.ledger().get(("noted", "store_id_rewritten"), (0, 0, Decimal("0.00")))
        assert noted == (rewritten, rewritten, Decimal("0.00"))

    def test_what_was_rewritten_is_counted_by_line(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv(
            "raw/sales.csv", HEADER, f"{NFD},a,B,1,", f"{NFD},10.0,B,2,", f"{NFC},10,B{NFD},4,", "7.0,a,B,8,", "7,a,B,16,", "07,a,B,32,",
        )  # fmt: skip
        ingest()
        entries = bench.entries()
        assert bench.rows("sales.parquet", "category", "store_id", "entry", "sales") == [
            ("B", "07", entries["a"], Decimal("32.00")), ("B", "7", entries["a"], Decimal("24.00")),
            *sorted([("B", NFC, entries["a"], Decimal("1.00")), ("B", NFC, entries["10"], Decimal("2.00"))], key=lambda row: row[2]),
            (f"B{NFC}", NFC, entries["10"], Decimal("4.00")),
        ]  # fmt: skip
        notes = {reason: amounts[:2] for (flow, reason), amounts in bench.ledger().items() if flow == "noted"}
        # the café in two lines, and 7.0 in one
        assert notes == {"store_id_rewritten": (2, 3), "sku_rewritten": (1, 1), "category_rewritten": (1, 1)}
        lines(bench, "1", [NFD, NFD, NFC, "7.0", "7", "07"], SKU=["a", "10.0", "10", "a", "a", "a"],
              CAT=["B", "B", f"B{NFD}", "B", "B", "B"], AMOUNT=[1.0, 2.0, 4.0, 8.0, 16.0, 32.0])  # fmt: skip
        by_duckdb = bench.rows("sales.parquet"), bench.rows("ledger.parquet")
        ingest(sales=parquet())
        assert (bench.rows("sales.parquet"), bench.rows("ledger.parquet")) == by_duckdb

    def test_missing_value_is_missing_in_any_form(self, bench: Any, ingest: Callable[..., None]) -> None:
        rows = ["-1.0,a,B,1,", "-1,a,B,2,", "5,0.0,B,4,", "5,a,B,8,"]
        bench.csv("raw/sales.csv", HEADER, *rows)
        columns = {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT"}
        ingest(
            invalid_lines="drop", sales={"reader": "csv", "path": "sales.csv", "columns": columns, "missing": [-1, "0"]}
        )
        assert bench.rows("sales.parquet", "store_id", "sales") == [("5", Decimal("8.00"))]
        assert bench.ledger()["set_aside", "missing_store"] == (0, 2, Decimal("3.00"))
        assert bench.ledger()["set_aside", "missing_sku"] == (0, 1, Decimal("4.00"))

    @pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
    def test_bytes_that_are_no_text_are_refused(
        self, bench: Any, ingest: Callable[..., None], kind: pa.DataType
    ) -> None:
        lines(bench, "1", pa.array([b"101", "École".encode("latin-1")], kind))
        with pytest.raises(DataError, match=r"1\.parquet .*bytes that are no text in UTF-8, such as \\xC9cole"):
            ingest(sales=parquet())

    def test_text_column_that_holds_none_is_refused(self, bench: Any, ingest: Callable[..., None]) -> None:
        broken = pa.StringArray.from_buffers(
            2, pa.py_buffer(b"\0\0\0\0\3\0\0\0\10\0\0\0"), pa.py_buffer(b"101\xc9cole")
        )
        lines(bench, "1", broken)
        with pytest.raises(DataError, match=r"1\.parquet cannot be read as parquet"):
            ingest(sales=parquet())

    def test_large_whole_numbers_keep_their_digits(self, bench: Any, ingest: Callable[..., None]) -> None:
        lines(bench, "1", pa.array([1234567890123456.0, 9007199254740992.0]))
        ingest(sales=parquet())
        assert bench.rows("sales.parquet", "store_id") == ["1234567890123456", "9007199254740992"]


class TestCapitals:
    ROWS = ("s01,a,B,1,", "S01,a,B,2,", "s01,A,B,4,", "é,a,B,8,", "É,a,B,16,")

    def test_ids_that_differ_by_capitals_are_refused(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales.csv", HEADER, *self.ROWS)
        with pytest.raises(DataError) as error:
            ingest()
        assert error.value.args[0] == (
            "sales: store 'S01' and store 's01' differ by capitals alone (2 such ids in all)"
        )
        assert "id_case: upper" in error.value.solution

    def test_sku_is_compared_with_the_map(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales.csv", HEADER, "1,A,B,1,")
        with pytest.raises(DataError, match="sales and product map: SKU 'A' and SKU 'a' differ by capitals alone"):
            ingest()

    def test_keep_takes_them_for_two(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales.csv", HEADER, *self.ROWS)
        ingest(id_case="keep")
        assert set(bench.rows("sales.parquet", "store_id")) == {"S01", "s01", "É", "é"}

    def test_upper_makes_them_one_and_counts_anew(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales.csv", HEADER, *self.ROWS)
        bench.product_map(("A", None, "need"))
        ingest(id_case="keep", cache="cache")
        ingest(id_case="upper", cache="cache")
        # 1 + 2 + 4 and 8 + 16
        assert bench.rows("sales.parquet", "store_id", "sales") == [("S01", Decimal("7.00")), ("É", Decimal("24.00"))]
        assert bench.ledger()["noted", "store_id_rewritten"] == (2, 3, Decimal("0.00"))

    def test_every_table_is_written_in_capitals(self, bench: Any, table: Callable[..., list[Any]]) -> None:
        bench.csv("raw/stores.csv", "STORE,PLACE", "s01,é", "S01,É", "s02,b")
        stores = {"reader": "csv", "path": "stores.csv", "columns": {"store_id": "STORE", "place": "PLACE"}}
        with pytest.raises(DataError, match=r"stores\.csv: store 'S01' and store 's01' differ by capitals alone"):
            table(ingest_stores, "stores", [], stores=stores)
        rows = table(ingest_stores, "stores", ["store_id", "place"], stores=stores, id_case="upper")
        assert rows == [("S01", "É"), ("S02", "B")]
        bench.csv("raw/own.csv", "STORE,SIZE", "s01,1", "s02,2")
        own = {"reader": "csv", "path": "own.csv", "key": {"store_id": "STORE"}}
        assert table(ingest_external, "sources", ["key"], external={"own": own}, id_case="upper") == ["S01", "S02"]
        bench.csv("raw/labels.csv", "category,store_id,internal_cluster,external_cluster,segment", "b,s01,1.0,1,1")
        known = {"reader": "csv", "path": "labels.csv"}
        found = table(
            ingest_labels,
            "labels",
            ["category", "store_id", "internal_cluster"],
            {"source": "baseline"},
            baseline=known,
            id_case="upper",
        )
        assert found == [("b", "S01", 1)]
        bench.csv("raw/map.csv", "SKU,NEED,CAT", "a,dry,b", "A,dry,b")
        flags = {"spelling": "keep"}
        rows = table(ingest_product_map, "product_map", ["sku", "category", "need_state"], flags, id_case="upper")
        assert rows == [("A", "b", "dry")]
        with pytest.raises(DataError, match=r"map\.csv: SKU 'A' and SKU 'a' differ by capitals alone"):
            table(ingest_product_map, "product_map", [], flags)


class TestTables:
    def test_ids_have_one_form_in_each_and_it_is_said(self, bench: Any, table: Callable[..., list[Any]]) -> None:
        bench.csv("raw/stores.csv", "STORE,TOWN", f"101.0,{NFD}", f"101,{NFC}", f"102,{NFC}")
        stores = {"reader": "csv", "path": "stores.csv", "columns": {"store_id": "STORE", "town": "TOWN"}}
        assert table(ingest_stores, "stores", ["store_id", "town"], stores=stores) == [("101", NFC), ("102", NFC)]
        assert "1 values of 'STORE' are read in the form of ids, such as '101.0' as '101'" in bench.log(ingest_stores)
        bench.parquet("raw/towns.parquet", {"TOWN": [NFD.encode(), b"Bonn"], "AGE": [1, 2]})
        town = {"reader": "parquet", "path": "towns.parquet", "key": {"town": "TOWN"}}
        assert table(ingest_external, "sources", ["key"], stores=stores, external={"town": town}) == ["Bonn", NFC]
        bench.csv("raw/map.csv", "SKU,NEED,CAT", f"10.0,dry,{NFD}", f"10,dry,{NFC}", "10,2.0,3.0")
        flags = {"spelling": "keep"}
        rows = table(ingest_product_map, "product_map", ["sku", "category", "need_state"], flags)
        assert rows == [("10", "3", "2"), ("10", NFC, "dry")]
        labels = "category,store_id,internal_cluster,external_cluster,segment"
        bench.csv("raw/labels.csv", labels, "b,101.0,1,1,1", "b,102,1,1,1")
        known = {"reader": "csv", "path": "labels.csv"}
        assert table(ingest_labels, "labels", ["store_id"], {"source": "reference"}, reference=known) == ["101", "102"]

    def test_key_twice_in_two_forms_is_refused_where_it_stands(
        self, bench: Any, table: Callable[..., list[Any]]
    ) -> None:
        bench.csv("raw/own.csv", "STORE,SIZE", "7,1", "101,1", "101.0,2")
        own = {"reader": "csv", "path": "own.csv", "key": {"store_id": "STORE"}}
        with pytest.raises(DataError, match=r"own\.csv, line 3: "):
            table(ingest_external, "sources", [], external={"own": own})

    def test_selected_category_is_named_in_any_form(self) -> None:
        assert Category(name=f" {NFD}").name == NFC
        files = ("log", "category_totals", "overrides", "categories", "ledger", "settings")
        _, settings = select_categories.parse_args(
            [*(word for name in files for word in (f"--{name}", "x")), "--cafe.name", f" {NFD}"]
        )
        assert settings == {"cafe": {"name": [NFC]}}


class TestSeveralColumns:
    ROWS = (
        ("Salem", "Ohio", 1.0),
        ("Salem", "Texas", 2.0),
        ("Salem ", "Ohio", 4.0),
        ("Salem", None, 8.0),
        ("A|B", "7.0", 16.0),
    )

    @pytest.mark.parametrize("form", ["csv", "parquet"])
    def test_store_is_known_by_city_and_state(self, bench: Any, ingest: Callable[..., None], form: str) -> None:
        cities, states, amounts = (list(column) for column in zip(*self.ROWS, strict=True))
        if form == "parquet":
            lines(bench, "1", cities, STATE=states, AMOUNT=amounts)
        else:
            (bench.raw / "sales").mkdir()
            rows = [f"{city},{state or ''},a,B,{amount}" for city, state, amount in self.ROWS]
            bench.csv("raw/sales/1.csv", "STORE,STATE,SKU,CAT,AMOUNT", *rows)
        source = parquet(store_id=["STORE", "STATE"], sku=["SKU", "CAT"]) | {"reader": form}
        bench.product_map(("a | B", "B", "need"))
        ingest(invalid_lines="drop", sales=source)
        assert bench.rows("sales.parquet", "store_id", "entry", "sales") == [
            ("A||B | 7", 1, Decimal("16.00")), ("Salem | Ohio", 1, Decimal("5.00")), ("Salem | Texas", 1, Decimal("2.00")),
        ]  # fmt: skip
        assert bench.ledger()["set_aside", "missing_store"] == (0, 1, Decimal("8.00"))

    def test_mistake_names_the_line_by_its_columns(self, bench: Any, ingest: Callable[..., None]) -> None:
        (bench.raw / "sales").mkdir()
        bench.csv("raw/sales/1.csv", "STORE,STATE,SKU,CAT,AMOUNT", "Salem,Ohio,a,B,1", "Salem,Texas,a,B,x")
        with pytest.raises(DataError, match=r"1\.csv, line 3: a sales amount .* such as store 'Salem | Texas'"):
            ingest(sales=parquet(store_id=["STORE", "STATE"]) | {"reader": "csv"})
        with pytest.raises(DataError, match=r"no column 'COUNTRY'"):
            ingest(sales=parquet(store_id=["STORE", "COUNTRY"]) | {"reader": "csv"})

    def test_store_table_labels_and_sources_make_the_same_ids(
        self, bench: Any, table: Callable[..., list[Any]]
    ) -> None:
        bench.csv("raw/t.csv", "CITY,STATE,ZIP", "Salem,Ohio,1", "Salem,Texas,2")
        key = ["CITY", "STATE"]
        stores = {"reader": "csv", "path": "t.csv", "columns": {"store_id": key, "city": "CITY", "state": "STATE"}}
        rows = table(ingest_stores, "stores", ["store_id", "city"], stores=stores)
        assert rows == [("Salem | Ohio", "Salem"), ("Salem | Texas", "Salem")]
        source = {"reader": "csv", "path": "t.csv", "features": ["ZIP"]}
        named = ["column", "key", "value"]
        by_id = table(
            ingest_external, "sources", named, stores=stores, external={"t": source | {"key": {"store_id": key}}}
        )
        assert by_id == [("store_id", "Salem | Ohio", 1.0), ("store_id", "Salem | Texas", 2.0)]
        pairs = {"city": "CITY", "state": "STATE"}
        by_pairs = table(ingest_external, "sources", named, stores=stores, external={"t": source | {"key": pairs}})
        assert by_pairs == [("city | state", *row[1:]) for row in by_id]
        bench.csv(
            "raw/labels.csv", "category,CITY,STATE,internal_cluster,external_cluster,segment", "b,Salem,Ohio,1,1,1"
        )
        known = {"reader": "csv", "path": "labels.csv", "columns": {"store_id": key}}
        assert table(ingest_labels, "labels", ["store_id"], {"source": "baseline"}, baseline=known) == ["Salem | Ohio"]
        bench.csv("raw/t.csv", "CITY,STATE,ZIP", "Salem,Ohio,1", "Salem,Texas,2", "Salem,Ohio,3")
        with pytest.raises(DataError, match=r"t\.csv, line 2: "):
            table(ingest_external, "sources", named, stores=stores, external={"t": source | {"key": pairs}})


class TestCategorical:
    SOURCE: ClassVar = {"reader": "csv", "path": "own.csv", "key": {"store_id": "STORE"}}

    def test_each_word_is_a_feature_of_0_and_1(self, bench: Any, table: Callable[..., list[Any]]) -> None:
        bench.csv(
            "raw/own.csv",
            "STORE,FORMAT,PARKING,SIZE",
            "1,City,yes,5",
            "2,Hyper,no,6",
            "3,Rural,,7",
            "4,,yes,8",
            "5, City,no,9",
        )
        wanted = self.SOURCE | {"categorical": ["FORMAT", "PARKING"]}
        rows = table(ingest_external, "sources", ["feature", "key", "value"], external={"own": wanted})
        by_feature: dict[str, list[float | None]] = {}
        for feature, _, value in sorted(rows):
            by_feature.setdefault(feature, []).append(value)
        # of the two words of PARKING the later says all
        assert by_feature == {
            "FORMAT=City": [1, 0, 0, None, 1], "FORMAT=Hyper": [0, 1, 0, None, 0], "FORMAT=Rural": [0, 0, 1, None, 0],
            "PARKING=yes": [1, 0, None, 1, 0], "SIZE": [5, 6, 7, 8, 9],
        }  # fmt: skip

    def test_too_many_words_are_refused(self, bench: Any, table: Callable[..., list[Any]]) -> None:
        bench.csv("raw/own.csv", "STORE,NAME", *(f"{n},shop {n}" for n in range(13)))
        wanted = self.SOURCE | {"categorical": ["NAME"]}
        with pytest.raises(
            DataError,
            match=r"own\.csv: categorical column 'NAME' holds 13 words, such as 'shop 0' .*; at most 12",
        ):
            table(ingest_external, "sources", [], external={"own": wanted})
        assert len(table(ingest_external, "sources", ["key"], external={"own": wanted | {"max_levels": 13}})) == 13 * 13

    def test_words_that_are_not_asked_for_are_told(self, bench: Any, table: Callable[..., list[Any]]) -> None:
        bench.csv("raw/own.csv", "STORE,FORMAT,SIZE", "1,City,5", "2,Hyper,6")
        assert table(ingest_external, "sources", ["feature"], external={"own": self.SOURCE}) == ["SIZE", "SIZE"]
        assert (
            "own: column 'FORMAT' is left out: no number, but words such as 'City'; `categorical` takes it"
            in bench.log(ingest_external)
        )


def test_form_of_ids_is_in_the_files_of_every_type(bench: Any, ingest: Callable[..., None]) -> None:
    # a file that says nothing of its own has no note: ids of whole numbers and plain texts are in the form of ids
    lines(bench, "1", ["101", "0101", "1e3"])
    ingest(sales=parquet())
    assert bench.rows("sales.parquet", "store_id") == ["0101", "101", "1e3"]
    assert [reason for flow, reason in bench.ledger() if flow == "noted"] == []
    assert pq.read_schema(bench / "sales.parquet").field("store_id").type == pa.string()
