"""The small tables: product map, stores, external sources, known labels."""

import os
import random
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ingest_external
import ingest_labels
import ingest_product_map
import ingest_segment_names
import ingest_stores
from storelib.errors import DataError

NO_CATEGORY = {"store_id": "STORE", "sku": "SKU", "sales": "AMOUNT"}
SALES_WITHOUT_CATEGORY = {"reader": "csv", "path": "sales.csv", "columns": NO_CATEGORY}
STORES = {"reader": "csv", "path": "stores.csv", "columns": {"store_id": "STORE", "county": "FIPS"}}


@pytest.fixture
def ingest(bench: Any) -> Callable[..., None]:
    def run(module: Any, output: str, flags: dict[str, Any] | None = None, **sources: Any) -> None:
        if module is ingest_product_map:
            flags = {"spelling": "unify"} | (flags or {})
        bench.run(
            module,
            config=bench.place(**sources),
            raw=bench.raw,
            files=bench / "files.parquet",
            **{output: bench / "out.parquet"},
            **(flags or {}),
        )

    return run


class TestDelivery:
    """A source that is replaced, or gets a part more, between its hash and the last look at it."""

    @pytest.fixture
    def deliver(self, bench: Any, ingest: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        def deliver_while_reading(change: Callable[[Path], None]) -> None:
            part = bench.csv("raw/map/1.csv", "SKU,NEED,CAT", "a,dry,B")
            read = ingest_product_map.read_texts

            def reads(*arguments: Any, **more: Any) -> Any:
                found = read(*arguments, **more)
                change(part)
                return found

            monkeypatch.setattr(ingest_product_map, "read_texts", reads)
            columns = {"sku": "SKU", "need_state": "NEED", "category": "CAT"}
            ingest(ingest_product_map, "product_map", product_map={"reader": "csv", "path": "map", "columns": columns})

        return deliver_while_reading

    def test_file_of_the_same_size_and_time_is_noticed(self, bench: Any, deliver: Callable[..., None]) -> None:
        def write_in_place(part: Path) -> None:
            before = part.stat()
            time.sleep(0.02)
            part.write_text(part.read_text().replace("dry", "wet"))
            os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))

        with pytest.raises(DataError, match=r"1\.csv was replaced or written to while it was read"):
            deliver(write_in_place)
        assert not (bench / "out.parquet").exists()

    def test_part_that_comes_is_noticed(self, bench: Any, deliver: Callable[..., None]) -> None:
        with pytest.raises(DataError, match=r"2\.csv came or went while .*map was read"):
            deliver(lambda part: part.with_name("2.csv").write_text("SKU,NEED,CAT\nb,dry,B\n"))
        assert not (bench / "out.parquet").exists()

    def test_configuration_that_changes_is_noticed(self, bench: Any, deliver: Callable[..., None]) -> None:
        def change(_: Path) -> None:
            path = bench / "configs/dev.yml"
            path.write_text(path.read_text().replace("NEED", "CAT"))

        with pytest.raises(DataError, match=r"dev\.yml was changed while sources were read"):
            deliver(change)


class TestProductMap:
    def test_distinct_pairs_in_the_order_of_the_key(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/map.csv", "SKU,NEED,CAT", "b,dry,B", "010, oily ,B", "010,dry,B", "b,dry,B", "010,oily,B")
        ingest(ingest_product_map, "product_map")
        assert bench.rows("out.parquet", "sku", "category", "need_state") == [
            ("010", "B", "dry"),
            ("010", "B", "oily"),
            ("b", "B", "dry"),
        ]

    def test_columns_of_a_need_state_are_joined_by_a_space(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/map.csv", "SKU,WHO,WHAT", "a,men,dry", "b,men,", "c,,dry")
        columns = {"sku": "SKU", "need_state": ["WHO", "WHAT"]}
        ingest(ingest_product_map, "product_map", product_map={"reader": "csv", "path": "map.csv", "columns": columns})
        # a part that is missing makes the whole missing
        assert bench.rows("out.parquet", "sku", "need_state") == [("a", "men dry"), ("b", None), ("c", None)]

    def test_missing_need_state_keeps_the_category(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/map.csv", "SKU,NEED,CAT", "a,,B", "b,NA,B", "b,dry,B", "c,dry,")
        source = {
            "reader": "csv",
            "path": "map.csv",
            "columns": {"sku": "SKU", "need_state": "NEED", "category": "CAT"},
        }
        ingest(ingest_product_map, "product_map", product_map=source | {"missing": ["NA"]})
        assert bench.rows("out.parquet", "sku", "category", "need_state") == [
            ("a", "B", None),
            ("b", "B", "dry"),
            ("c", None, "dry"),
        ]

    def test_category_of_a_row_without_need_state_is_not_lost(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/map.csv", "SKU,NEED,CAT", "a,,BEAUTY", "a,dry,")
        ingest(ingest_product_map, "product_map", sales=SALES_WITHOUT_CATEGORY)
        assert "BEAUTY" in bench.rows("out.parquet", "category")

    def test_every_category_of_a_sku_is_kept(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/map.csv", "SKU,NEED,CAT", "a,dry,BEAUTY", "a,dry,SNACKS")
        ingest(ingest_product_map, "product_map")
        assert bench.rows("out.parquet", "category") == ["BEAUTY", "SNACKS"]

    def test_row_without_a_sku_is_refused(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/map.csv", "SKU,NEED,CAT", "a,dry,B", ",dry,B", " ,oily,B")
        with pytest.raises(DataError, match=r"map\.csv, line 3: column 'sku' is empty on 2 rows"):
            ingest(ingest_product_map, "product_map")

    def test_map_without_rows_is_refused(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/map.csv", "SKU,NEED,CAT")
        with pytest.raises(DataError, match=r"map\.csv holds no row"):
            ingest(ingest_product_map, "product_map")

    def test_need_states_get_one_spelling_and_categories_stay_as_they_are(
        self, bench: Any, ingest: Callable[..., None]
    ) -> None:
        bench.csv(
            "raw/map.csv", "SKU,NEED,CAT",
            # milk: 2 SKUs, however often they are given; Milk: 2 too, and first by code point; cream: given with two spaces once
            "a,milk,Dairy", "a,milk,Dairy", "b,milk,Dairy", "c,Milk,dairy", "d, Milk ,dairy", "a,sour  cream,Dairy",
            "b,sour cream,Dairy", "c,sour cream,Dairy",
        )  # fmt: skip
        ingest(ingest_product_map, "product_map")
        assert bench.rows("out.parquet", "sku", "category", "need_state") == [
            ("a", "Dairy", "Milk"), ("a", "Dairy", "sour cream"), ("b", "Dairy", "Milk"), ("b", "Dairy", "sour cream"),
            ("c", "Dairy", "sour cream"), ("c", "dairy", "Milk"), ("d", "dairy", "Milk"),
        ]  # fmt: skip
        assert "need state 'milk' is taken for 'Milk' (2 times)" in bench.log(ingest_product_map)

    def test_sku_with_one_need_state_in_two_spellings_is_mapped_once(
        self, bench: Any, ingest: Callable[..., None]
    ) -> None:
        bench.csv("raw/map.csv", "SKU,NEED,CAT", "a,dry,B", "a,DRY,B", "b,dry,B")
        ingest(ingest_product_map, "product_map")
        assert bench.rows("out.parquet", "sku", "category", "need_state") == [("a", "B", "dry"), ("b", "B", "dry")]
        ingest(ingest_product_map, "product_map", {"spelling": "keep"})
        assert bench.rows("out.parquet", "sku", "need_state") == [("a", "DRY"), ("a", "dry"), ("b", "dry")]
        with pytest.raises(DataError, match=r"map\.csv: need state 'DRY' \(1 times\) is also spelt 'dry' \(2 times\)"):
            ingest(ingest_product_map, "product_map", {"spelling": "fail"})


class TestStores:
    def test_every_column_is_text_in_the_order_of_the_key(self, bench: Any, ingest: Callable[..., None]) -> None:
        columns = {"STORE": pa.array([12.0, 7.0, 904631.0]), "FIPS": ["01001", None, "01003"], "LAT": [1.5, 2.0, None]}
        bench.parquet("raw/stores.parquet", columns)
        names = {"county": "FIPS", "store_id": "STORE", "latitude": "LAT"}
        ingest(ingest_stores, "stores", stores={"reader": "parquet", "path": "stores.parquet", "columns": names})
        assert bench.rows("out.parquet", "store_id", "county", "latitude") == [
            ("12", "01001", "1.5"), ("7", None, "2"), ("904631", "01003", None),
        ]  # fmt: skip
        assert pq.read_schema(bench / "out.parquet").names[0] == "store_id"

    def test_without_a_store_table_there_is_a_header(self, bench: Any, ingest: Callable[..., None]) -> None:
        ingest(ingest_stores, "stores")
        assert (bench.rows("out.parquet"), pq.read_schema(bench / "out.parquet").names) == ([], ["store_id"])

    def test_rows_of_a_store_that_contradict_each_other_are_refused(
        self, bench: Any, ingest: Callable[..., None]
    ) -> None:
        bench.csv("raw/stores.csv", "STORE,FIPS", "1,a", "2,a", " 1,b")
        with pytest.raises(
            DataError,
            match=r"stores\.csv, line 2: store '1' has 'a' in column 'county', but 'b' in .*stores\.csv, line 4",
        ):
            ingest(ingest_stores, "stores", stores=STORES)

    def test_rows_of_a_store_that_complete_each_other_are_one(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/stores.csv", "STORE,FIPS", "1,", "2,a", " 1,b", "1,b", "3,")
        ingest(ingest_stores, "stores", stores=STORES)
        assert bench.rows("out.parquet", "store_id", "county") == [("1", "b"), ("2", "a"), ("3", None)]

    def test_store_without_an_id_is_refused(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/stores.csv", "STORE,FIPS", "1,a", ",a")
        with pytest.raises(DataError, match="column 'store_id' is empty on 1 rows"):
            ingest(ingest_stores, "stores", stores=STORES)


def external(**more: Any) -> dict[str, Any]:
    return {"county": {"reader": "csv", "path": "county.csv", "key": {"county": "FIPS"}, **more}}


class TestExternal:
    def test_one_row_per_key_and_numeric_feature(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/county.csv", "FIPS,income,name,age", "01003,55.5,Bald,", "01001,1e3,Auta,-1.0", "01005,2,Barb,7")
        ingest(ingest_external, "sources", stores=STORES, external=external(missing=[-1]))
        # name is no number; -1 (written -1.0) and nothing mean not known
        columns = bench.rows("out.parquet", "source", "column", "key", "feature")
        assert columns == [
            ("county", "county", key, f) for key in ("01001", "01003", "01005") for f in ("age", "income")
        ]
        assert bench.rows("out.parquet", "value")[1::2] == [1000.0, 55.5, 2.0]
        ages = np.array(bench.rows("out.parquet", "value")[::2], dtype="float64")
        np.testing.assert_array_equal(ages, [np.nan, np.nan, 7.0])

    def test_key_given_twice_is_refused(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/county.csv", "FIPS,income", "01001,1", "01001,2", "01003,3")
        with pytest.raises(DataError, match=r"county\.csv, line 2: .*key.*more than once on 2 rows.*'01001'"):
            ingest(ingest_external, "sources", stores=STORES, external=external())

    def test_named_feature_that_is_no_number_is_refused(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/county.csv", "FIPS,income", "01001,1", "01003,n/a")
        with pytest.raises(DataError, match=r"column 'income' holds 'n/a' where a number is expected \(1 rows of 2\)"):
            ingest(ingest_external, "sources", stores=STORES, external=external(features=["income"]))

    def test_named_features_alone_are_read(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/county.csv", "FIPS,income,age", "01001,1,2")
        ingest(ingest_external, "sources", stores=STORES, external=external(features=["age"]))
        assert bench.rows("out.parquet", "feature", "value") == [("age", 2.0)]

    def test_misspelt_feature_is_told(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/county.csv", "FIPS,income", "01001,1")
        with pytest.raises(DataError, match=r"no column 'incom' \(nearest: 'income'\)"):
            ingest(ingest_external, "sources", stores=STORES, external=external(features=["incom"]))

    @pytest.mark.parametrize("name", ["key", "value", "feature", "source", "column"])
    def test_feature_may_have_any_name(self, bench: Any, ingest: Callable[..., None], name: str) -> None:
        bench.csv("raw/county.csv", f"FIPS,{name}", "01001,5", "01003,7")
        ingest(ingest_external, "sources", stores=STORES, external=external())
        assert bench.rows("out.parquet", "key", "feature", "value") == [("01001", name, 5.0), ("01003", name, 7.0)]

    def test_numbers_keep_every_digit(self, bench: Any, ingest: Callable[..., None]) -> None:
        values = [0.1 + 0.2, 1 / 3, 1e-300, 12345678901234567.0, -0.7]
        bench.parquet("raw/county.parquet", {"FIPS": [f"{i}" for i in range(5)], "x": values})
        ingest(ingest_external, "sources", stores=STORES, external=external(reader="parquet", path="county.parquet"))
        assert bench.rows("out.parquet", "value") == values

    def test_columns_of_every_type_keep_their_names_and_rows(self, bench: Any, ingest: Callable[..., None]) -> None:
        """Columns of one type are read together: whole numbers, texts and fractions lie between each other here."""
        table = {
            "e": pa.array([1, None, 3], pa.int32()),
            "FIPS": pa.array(["01003", "01001", "01005"]),
            "d": pa.array(["1,5", "-9", None]),
            "c": pa.array([0.25, float("nan"), -9.0]),
            "b": pa.array(["7", "8,25", "9"]),
            "a": pa.array([10, 20, -9], pa.int32()),
            "f": pa.array([Decimal("1.10"), Decimal("2.20"), Decimal("-9.00")]),
        }
        bench.parquet("raw/county.parquet", table)
        external_one = external(reader="parquet", path="county.parquet", decimal=",", missing=[-9])
        ingest(ingest_external, "sources", stores=STORES, external=external_one)
        found = {(key, name): value for key, name, value in bench.rows("out.parquet", "key", "feature", "value")}
        expected = {
            "01001": {"a": 20.0, "b": 8.25, "c": None, "d": None, "e": None, "f": 2.2},
            "01003": {"a": 10.0, "b": 7.0, "c": 0.25, "d": 1.5, "e": 1.0, "f": 1.1},
            "01005": {"a": None, "b": 9.0, "c": None, "d": None, "e": 3.0, "f": None},
        }
        assert found == {(key, name): value for key, values in expected.items() for name, value in values.items()}

    def test_without_sources_there_is_a_header(self, bench: Any, ingest: Callable[..., None]) -> None:
        ingest(ingest_external, "sources")
        assert bench.rows("out.parquet") == []


class TestSegmentNames:
    def test_names_are_read_and_sorted(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv(
            "raw/names.csv",
            "category,segment,name",
            "snacks,10,Night Owls",
            "snacks,9, Early  Birds ",
            "beauty,1,Stars",
        )
        ingest(ingest_segment_names, "names", segment_names=NAMES)
        assert bench.rows("out.parquet") == [
            ("beauty", 1, "Stars"),
            ("snacks", 9, "Early  Birds"),
            ("snacks", 10, "Night Owls"),
        ]

    @pytest.mark.parametrize("sources", [{}, {"segment_names": {"reader": "csv", "path": "names.csv"}}])
    def test_without_names_there_is_a_header(self, bench: Any, ingest: Callable[..., None], sources: Any) -> None:
        bench.csv("raw/names.csv", "category,segment,name")
        ingest(ingest_segment_names, "names", **sources)
        assert bench.rows("out.parquet") == []

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ("beauty,one,Stars", "column 'segment' is no whole number from 1"),
            ("beauty,2,", "column 'name' is empty"),
            (f"beauty,2,{'x' * 81}", "column 'name' is longer than 80 characters"),
            ("beauty,1,Others", "column 'category' is part of a key that occurs more than once"),
            ("beauty,2,STARS", "2 segments share a name within their category, such as 'Stars' in 'beauty'"),
        ],
    )
    def test_wrong_name_is_told(self, bench: Any, ingest: Callable[..., None], row: str, message: str) -> None:
        bench.csv("raw/names.csv", "category,segment,name", "beauty,1,Stars", row)
        with pytest.raises(DataError, match=message):
            ingest(ingest_segment_names, "names", segment_names=NAMES)


NAMES = {"reader": "csv", "path": "names.csv"}
LABELS = {"reader": "csv", "path": "labels.csv"}
LABEL_HEADER = "category,store_id,internal_cluster,external_cluster,merged_cluster,segment"


class TestLabels:
    def test_earlier_segments_are_read_as_they_were_written(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv(
            "raw/labels.csv", LABEL_HEADER, "snacks,007,1,2,1x2,3", "beauty,007,2,2,2x2,1", "beauty,001,1,1,1x1,12"
        )
        ingest(ingest_labels, "labels", {"source": "baseline"}, baseline=LABELS)
        assert bench.rows("out.parquet") == [
            ("beauty", "001", 1, 1, 12, None, None), ("beauty", "007", 2, 2, 1, None, None), ("snacks", "007", 1, 2, 3, None, None),
        ]  # fmt: skip

    def test_segments_of_the_chain_are_read_where_the_file_has_them(
        self, bench: Any, ingest: Callable[..., None]
    ) -> None:
        header = f"{LABEL_HEADER},chain_segment"
        bench.csv("raw/labels.csv", header, "snacks,007,1,2,1x2,3,4", "snacks,008,1,2,1x2,3,")
        ingest(ingest_labels, "labels", {"source": "baseline"}, baseline=LABELS)
        assert bench.rows("out.parquet", "chain_segment") == [4, None]
        bench.csv("raw/labels.csv", header, "snacks,007,1,2,1x2,3,0")
        with pytest.raises(DataError, match=r"labels\.csv, line 2: column 'chain_segment' is no whole number from 1"):
            ingest(ingest_labels, "labels", {"source": "baseline"}, baseline=LABELS)

    def test_names_are_read_where_the_file_has_them_and_must_be_there_where_they_are_named(
        self, bench: Any, ingest: Callable[..., None]
    ) -> None:
        bench.csv(
            "raw/labels.csv", f"{LABEL_HEADER},segment_name", "snacks,007,1,2,1x2,3,Night Owls", "snacks,008,1,2,1x2,3,"
        )
        ingest(ingest_labels, "labels", {"source": "baseline"}, baseline=LABELS)
        assert bench.rows("out.parquet", "segment_name") == ["Night Owls", None]
        wanted = LABELS | {"columns": {"segment_name": "name"}}
        with pytest.raises(DataError, match="no column 'name'"):
            ingest(ingest_labels, "labels", {"source": "baseline"}, baseline=wanted)

    @pytest.mark.parametrize("source", ["baseline", "reference"])
    def test_without_known_labels_there_is_a_header(self, bench: Any, ingest: Callable[..., None], source: str) -> None:
        ingest(ingest_labels, "labels", {"source": source})
        assert bench.rows("out.parquet") == []

    @pytest.mark.parametrize("label", ["0", "-1", "x", "1.5", ""])
    def test_label_that_is_no_number_from_one_is_refused(
        self, bench: Any, ingest: Callable[..., None], label: str
    ) -> None:
        bench.csv("raw/labels.csv", LABEL_HEADER, f"beauty,1,1,1,1x1,{label}")
        with pytest.raises(DataError, match=r"labels\.csv, line 2: column 'segment' .* on 1 rows"):
            ingest(ingest_labels, "labels", {"source": "reference"}, reference=LABELS)

    def test_store_with_two_segments_in_a_category_is_refused(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/labels.csv", LABEL_HEADER, "beauty,1,1,1,1x1,1", "beauty,1,1,1,1x1,2")
        with pytest.raises(DataError, match="more than once on 2 rows"):
            ingest(ingest_labels, "labels", {"source": "reference"}, reference=LABELS)


@pytest.mark.parametrize(
    ("module", "output", "flags", "name", "header", "lines"),
    [
        (ingest_product_map, "product_map", {}, "map", "SKU,NEED,CAT", [f"{i % 9},n{i % 5},{'BS'[i % 2]}" for i in range(60)]),
        (ingest_stores, "stores", {}, "stores", "STORE,FIPS", [f"{i:02d},{i % 4}" for i in range(60)]),
        (ingest_external, "sources", {}, "county", "FIPS,x,y", [f"{i},{i / 7},{'' if i % 3 else i}" for i in range(60)]),
        (
            ingest_labels, "labels", {"source": "baseline"}, "labels", LABEL_HEADER,
            [f"c{i % 2},{i:02d},{i % 3 + 1},{i % 4 + 1},x,{i % 5 + 1}" for i in range(60)],
        ),
    ],
)  # fmt: skip
def test_order_of_rows_is_nothing(
    bench: Any, ingest: Callable[..., None], module: Any, output: str, flags: dict[str, str], name: str, header: str,
    lines: list[str],
) -> None:  # fmt: skip
    results = set()
    for seed in range(3):
        random.Random(seed).shuffle(lines)  # noqa: S311 (an order)
        bench.csv(f"raw/{name}.csv", header, *lines)
        ingest(module, output, flags, stores=STORES, external=external(), baseline=LABELS)
        results.add((bench / "out.parquet").read_bytes())
    assert len(results) == 1
