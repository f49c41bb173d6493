"""The product map, the store table, external sources and known labels: wrong, or only looking so."""

import math
from typing import Any

import pyarrow as pa

from bad_input.cases import Case, Edit, as_excel, as_gzip, as_json, as_parquet, as_zstd, both, fails, point_to, right
from bad_input.project import Project
from bad_input.sales import then

MAP, STORES, EXTERNAL = "ingest_product_map", "ingest_stores", "ingest_external"
ASSIGNED = "ingest_product_map ingest_sales assign_categories"
BASELINE, REFERENCE = "ingest_baseline", "ingest_reference"
OVERRIDES = "ingest_overrides"
COUNTY = "sources.external.county"
LABELS = "category,store_id,internal_cluster,external_cluster,segment"
PLACED = "category,store_id,segment,who,why"
# stage, source in configs/dev.yml, raw file, its header, a good row, and one of its columns with a misspelling.
TABLES: list[tuple[str, str, str, str, str, str, str]] = [
    (MAP, "sources.product_map", "map.csv", "SKU,NEED,CAT", "Ba,dry,BEAUTY", "NEED", "NEEDS"),
    (STORES, "sources.stores", "stores.csv", "STORE,COUNTY", "000,00001", "COUNTY", "COUNTRY"),
    (EXTERNAL, COUNTY, "counties.csv", "FIPS,income,age", "00001,1,2", "FIPS", "FIP"),
    (BASELINE, "sources.baseline", "labels.csv", LABELS, "beauty,000,1,1,1", "segment", "segments"),
    (REFERENCE, "sources.reference", "labels.csv", LABELS, "beauty,000,1,1,1", "store_id", "storeid"),
    (OVERRIDES, "sources.overrides", "overrides.csv", PLACED, "beauty,000,1,Ann,new", "segment", "segments"),
]


def there(source: str, name: str, header: str, row: str) -> Edit:
    """The table is configured and has one good row."""

    def edit(p: Project) -> None:
        if source.endswith(("baseline", "reference", "overrides")):
            p.place(source, {"reader": "csv", "path": name})
        p.lines(name, header, row)

    return edit


def each() -> list[Case]:
    """What can be wrong with any table, in any format."""
    cases = []
    for stage, source, name, header, row, column, misspelt in TABLES:
        what = source.rpartition(".")[2]
        good = there(source, name, header, row)
        cells = [dict(zip(header.split(","), row.split(","), strict=True))]
        lists = {key: [value] for key, value in cells[0].items()}

        def to(edit: Edit, good: Edit = good) -> Edit:
            return then(good, edit)

        cases += [
            fails(
                f"{what}: no file",
                stage,
                to(lambda p, n=name: p.raw(n).unlink()),
                f"{name} does not exist or holds no csv file",
            ),
            fails(
                f"{what}: a file of no byte",
                stage,
                to(lambda p, n=name: p.write(f"data/raw/dev/{n}", "")),
                f"{name} is empty: a header line is expected",
            ),
            fails(
                f"{what}: a header only",
                stage,
                to(lambda p, n=name, h=header: p.lines(n, h)),
                f"{name} holds no row",
                advises="put",
            ),
            fails(
                f"{what}: a column is misspelt",
                stage,
                to(lambda p, n=name, c=column, m=misspelt: p.replace(n, c, m, 1)),
                f"{name}: no column {column!r} (nearest: {misspelt!r})",
                advises="`columns`",
            ),
            fails(
                f"{what}: a column twice",
                stage,
                to(lambda p, n=name, h=header, r=row: p.lines(n, f"{h},{h.split(',')[0]}", f"{r},x")),
                f"{name}, line 1: the header must name each column once",
            ),
            fails(
                f"{what}: a value too few",
                stage,
                to(lambda p, n=name, r=row: p.append(n, r.rpartition(",")[0])),
                f"{name}, line 3",
                "values, where the header has",
            ),
            fails(
                f"{what}: latin-1 for utf-8",
                stage,
                to(
                    lambda p, n=name, r=row: p.write(
                        f"data/raw/dev/{n}", p.text(n).encode() + f"é{r}\n".encode("latin-1")
                    )
                ),
                f"{name}, line 3",
                "is not text in utf-8",
            ),
            fails(
                f"{what}: truncated gzip",
                stage,
                to(lambda p, s=source, n=name: as_gzip(p, s, n, 6)),
                f"{name}.gz cannot be unpacked to its end",
            ),
            fails(
                f"{what}: truncated zstd",
                stage,
                to(lambda p, s=source, n=name: as_zstd(p, s, n, 2)),
                f"{name}.zst cannot be unpacked to its end",
            ),
            fails(
                f"{what}: another delimiter",
                stage,
                to(lambda p, n=name: p.write(f"data/raw/dev/{n}", p.text(n).replace(",", ";"))),
                f"{name}: no column",
                advises='set `delimiter: ";"`',
            ),
            fails(
                f"{what}: Parquet that is none",
                stage,
                to(lambda p, s=source, n=name: point_to(p, s, "parquet", n)),
                f"{name} cannot be read as parquet",
            ),
            fails(
                f"{what}: Parquet without a column",
                stage,
                to(lambda p, s=source, c=column, v=lists: as_parquet(p, s, {k: x for k, x in v.items() if k != c})),
                f"table.parquet: no column {column!r}",
            ),
            fails(
                f"{what}: a workbook that is none",
                stage,
                to(lambda p, s=source, n=name: point_to(p, s, "excel", n)),
                f"{name} cannot be read as excel",
            ),
            fails(
                f"{what}: a workbook without rows",
                stage,
                to(lambda p, s=source, h=header: as_excel(p, s, [h.split(",")])),
                "table.xlsx holds no row",
            ),
            fails(
                f"{what}: JSON cut off",
                stage,
                to(lambda p, s=source: as_json(p, s, '[{"a": 1')),
                "table.json cannot be read as json",
            ),
            fails(
                f"{what}: JSON without a column",
                stage,
                to(lambda p, s=source, c=column, v=cells: as_json(p, s, [{k: x for k, x in v[0].items() if k != c}])),
                f"table.json: no column {column!r}",
            ),
        ]
    # Overrides begin with a header, and end with one.
    empty = {f"overrides: {what}" for what in ("a header only", "a workbook without rows")}
    return [case._replace(code=0, works=no_override) if case.name in empty else case for case in cases]


def no_override(p: Project) -> None:
    """Nobody has placed a store."""
    assert p.rows("merging/overrides.parquet") == []


def pairs(*expected: tuple[str, str | None, str | None]) -> Any:
    """Asserts SKU, category and need state of every row of the map."""

    def works(p: Project) -> None:
        assert p.rows("internal/product_map.parquet", "sku", "category", "need_state") == list(expected)

    return works


def entries(*expected: tuple[int, str | None, str | None]) -> Any:
    """Asserts entry, category and need state of all that the map says, categories in one spelling."""
    return lambda p: _equal(p.rows("internal/map_entries.parquet"), list(expected))


def mapped(*rows: str, spelling: str = "unify") -> Edit:
    """The product map is these lines alone."""

    def edit(p: Project) -> None:
        p.lines("map.csv", "SKU,NEED,CAT", *rows)
        p.params("internal.ingest_product_map.spelling", spelling)

    return edit


PRODUCT_MAP = [
    fails(
        "map: a SKU is missing",
        MAP,
        mapped("a,dry,BEAUTY", ",dry,BEAUTY"),
        "map.csv, line 3: column 'sku' is empty on 1 rows",
        "need_state 'dry'",
    ),
    fails(
        "map: a SKU is a sentinel",
        MAP,
        then(mapped("a,dry,BEAUTY", "-1,dry,BEAUTY"), lambda p: p.place("sources.product_map.missing", [-1])),
        "map.csv, line 3: column 'sku' is empty on 1 rows",
    ),
    fails(
        "map: a need state in two spellings, refused",
        MAP,
        mapped("a,Dry,BEAUTY", "b,Dry,BEAUTY", "c,DRY,BEAUTY", spelling="fail"),
        "map.csv: need state 'DRY' (1 times) is also spelt 'Dry' (2 times)",
        advises="`spelling: unify`",
    ),
    fails(
        "map: a category in another spelling than the sales, refused",
        ASSIGNED,
        then(mapped("a,dry,Beauty"), lambda p: p.params("internal.assign_categories.spelling", "fail")),
        # 24 stores x (3 SKUs x 3 weeks + 2) lines, and two more
        "the sales and the product map: category 'Beauty' (1 times) is also spelt 'BEAUTY' (266 times)",
    ),
    fails(
        "map: a need state with a space too many, refused",
        MAP,
        mapped("a,very dry,BEAUTY", "b,very  dry,BEAUTY", spelling="fail"),
        "need state 'very dry' (1 times) is also spelt 'very  dry' (1 times)",
    ),
    fails(
        "map: a SKU in two categories where sales have none",
        ASSIGNED,
        then(mapped("a,dry,BEAUTY", "a,dry,SNACKS"), lambda p: p.place("sources.sales.columns.category", ...)),
        "1 SKUs lie in more than one category, such as 'a' in ['BEAUTY', 'SNACKS']",
    ),
    right(
        "map: a SKU twice with one need state",
        MAP,
        mapped("a,dry,BEAUTY", "a,dry,BEAUTY", "a,oily,BEAUTY"),
        pairs(("a", "BEAUTY", "dry"), ("a", "BEAUTY", "oily")),
    ),
    right(
        "map: a SKU twice with one need state in two spellings",
        MAP,
        mapped("a,Dairy,BEAUTY", "a, DAIRY,BEAUTY", "b,Dairy,BEAUTY"),
        pairs(("a", "BEAUTY", "Dairy"), ("b", "BEAUTY", "Dairy")),
    ),
    right(
        "map: spellings are kept",
        MAP,
        mapped("a,Dairy,BEAUTY", "a,DAIRY,BEAUTY", spelling="keep"),
        pairs(("a", "BEAUTY", "DAIRY"), ("a", "BEAUTY", "Dairy")),
    ),
    right(
        "map: of two spellings as frequent the first by code point",
        MAP,
        mapped("a,dairy,BEAUTY", "b,Dairy,BEAUTY"),
        pairs(("a", "BEAUTY", "Dairy"), ("b", "BEAUTY", "Dairy")),
    ),
    right(
        "map: a category in another spelling than the sales",
        ASSIGNED,
        mapped("a,dry,Beauty", "b,dry,Beauty"),
        both(pairs(("a", "Beauty", "dry"), ("b", "Beauty", "dry")), entries((1, "BEAUTY", "dry"))),
    ),
    right(
        "map: a need state with a right-to-left mark",
        MAP,
        mapped("a,Dairy,BEAUTY", "b,\u200fDairy,BEAUTY", "c,Dairy,BEAUTY"),
        pairs(("a", "BEAUTY", "Dairy"), ("b", "BEAUTY", "Dairy"), ("c", "BEAUTY", "Dairy")),
    ),
    right(
        "map: a need state is missing",
        MAP,
        mapped("a,,BEAUTY", "b,dry,BEAUTY"),
        pairs(("a", "BEAUTY", None), ("b", "BEAUTY", "dry")),
    ),
    right(
        "map: names that could be anything",
        MAP,
        mapped("a,\"=cmd()|'../x'\",BEAUTY", "b,🛒 emoji,BEAUTY", 'c,"two\nlines",BEAUTY', "d,NULL,BEAUTY"),
        pairs(
            ("a", "BEAUTY", "=cmd()|'../x'"),
            ("b", "BEAUTY", "🛒 emoji"),
            ("c", "BEAUTY", "two\nlines"),
            ("d", "BEAUTY", "NULL"),
        ),
    ),
    right(
        "map: a need state of 10,000 characters",
        MAP,
        mapped(f"a,{'n' * 10_000},BEAUTY"),
        pairs(("a", "BEAUTY", "n" * 10_000)),
    ),
    right(
        "map: leading zeros",
        MAP,
        mapped("0010,dry,BEAUTY", "10,dry,BEAUTY"),
        pairs(("0010", "BEAUTY", "dry"), ("10", "BEAUTY", "dry")),
    ),
    right(
        "map: numbers in Parquet",
        MAP,
        lambda p: as_parquet(p, "sources.product_map", {"SKU": [10.0, 7.0], "NEED": ["a", "b"], "CAT": ["BEAUTY"] * 2}),
        pairs(("10", "BEAUTY", "a"), ("7", "BEAUTY", "b")),
    ),
]


def stores(*rows: str, header: str = "STORE,COUNTY") -> Edit:
    return lambda p: p.lines("stores.csv", header, *rows)


def counties_of(*expected: tuple[str, str | None]) -> Any:
    def works(p: Project) -> None:
        assert p.rows("external/stores.parquet", "store_id", "county") == list(expected)

    return works


STORE_TABLE = [
    fails(
        "stores: a store without an id",
        STORES,
        stores("1,a", ",b"),
        "stores.csv, line 3: column 'store_id' is empty on 1 rows",
        "county 'b'",
    ),
    fails(
        "stores: two rows contradict each other",
        STORES,
        stores("1,a", "2,a", "1,b"),
        "stores.csv, line 2: store '1' has 'a' in column 'county', but 'b' in data/raw/dev/stores.csv, line 4 (1 stores",
        advises="give each store one row",
    ),
    fails(
        "stores: rows in a workbook contradict each other",
        STORES,
        lambda p: as_excel(p, "sources.stores", [["STORE", "COUNTY"], ["1", "a"], ["1", "b"]]),
        "table.xlsx, row 2: store '1' has 'a' in column 'county', but 'b' in data/raw/dev/table.xlsx, row 3",
    ),
    fails(
        "stores: rows in Parquet contradict each other",
        STORES,
        lambda p: as_parquet(p, "sources.stores", {"STORE": [1, 1], "COUNTY": ["a", "b"]}),
        "table.parquet: store '1' has 'a' in column 'county', but 'b'",
    ),
    fails(
        "stores: one store with and without spaces",
        STORES,
        stores("1,a", " 1 ,b"),
        "store '1' has 'a' in column 'county', but 'b'",
    ),
    right("stores: a store twice, the same", STORES, stores("1,a", "2,b", "1,a"), counties_of(("1", "a"), ("2", "b"))),
    right(
        "stores: rows that complete each other", STORES, stores("1,", "1,a", "2,"), counties_of(("1", "a"), ("2", None))
    ),
    right(
        "stores: leading zeros are other stores",
        STORES,
        stores("007,00001", "7,1"),
        counties_of(("007", "00001"), ("7", "1")),
    ),
    right(
        "stores: a county that is a sentinel",
        STORES,
        then(stores("1,-1", "2,00002"), lambda p: p.place("sources.stores.missing", [-1, "00000"])),
        counties_of(("1", None), ("2", "00002")),
    ),
    right("stores: an id of 10,000 characters", STORES, stores(f"{'9' * 10_000},a"), counties_of(("9" * 10_000, "a"))),
    right(
        "stores: no store table",
        STORES,
        lambda p: (p.place("sources.stores", ...), p.place(f"{COUNTY}.key", {"store_id": "FIPS"})),
        lambda p: _equal(p.rows("external/stores.parquet"), []),
    ),
    right(
        "stores: coordinates with decimal commas",
        STORES,
        then(
            stores('1,a,"41,5","-93,25"', header="STORE,COUNTY,LAT,LON"),
            lambda p: (
                p.place("sources.stores.decimal", ","),
                p.place("sources.stores.columns.latitude", "LAT"),
                p.place("sources.stores.columns.longitude", "LON"),
            ),
        ),
        lambda p: _equal(
            p.rows("external/stores.parquet", "store_id", "latitude", "longitude"), [("1", "41.5", "-93.25")]
        ),
    ),
]


def _equal(found: object, expected: object) -> None:
    assert found == expected


def counties(*rows: str, header: str = "FIPS,income,age") -> Edit:
    return lambda p: p.lines("counties.csv", header, *rows)


def place(key: str, value: object) -> Edit:
    return lambda p: p.place(f"{COUNTY}.{key}", value)


def values(*expected: tuple[str, str, float]) -> Any:
    """Asserts key, feature and value of every row; nan is missing."""

    def works(p: Project) -> None:
        rows = p.rows("external/sources.parquet", "key", "feature", "value")
        # As text, in which nan is equal to nan.
        assert [(k, f, str(math.nan if v is None else v)) for k, f, v in rows] == [
            (k, f, str(float(v))) for k, f, v in expected
        ]

    return works


EXTERNAL_SOURCES = [
    fails(
        "external: a key twice",
        EXTERNAL,
        counties("1,5,6", "2,7,8", "1,9,9"),
        "counties.csv, line 2: column 'key' is part of a key that occurs more than once on 2 rows, such as key '1'",
    ),
    fails(
        "external: ZIP codes that fan out to counties",
        EXTERNAL,
        then(counties("52240,19103,1", "52240,19113,2", "50010,19169,3", header="FIPS,county,share")),
        "counties.csv, line 2",
        "'52240'",
        "more than once on 2 rows",
    ),
    fails(
        "external: a key is missing",
        EXTERNAL,
        counties("1,5,6", ",7,8"),
        "counties.csv, line 3: column 'key' is empty on 1 rows",
    ),
    fails(
        "external: a text in a column of numbers",
        EXTERNAL,
        counties("1,5,6", "2,n/a,8", "3,7,9"),
        "counties.csv, line 3: column 'income' holds 'n/a' where a number is expected (1 rows of 3)",
        advises="add 'n/a' to `missing`",
    ),
    fails(
        "external: a text in a column of numbers of Parquet",
        EXTERNAL,
        lambda p: as_parquet(p, COUNTY, {"FIPS": ["1", "2"], "income": ["5", "x"]}),
        "table.parquet: column 'income' holds 'x'",
    ),
    fails(
        "external: a text in a column of numbers of a workbook",
        EXTERNAL,
        lambda p: as_excel(p, COUNTY, [["FIPS", "income"], ["1", 5], ["2", "x"]]),
        "table.xlsx, row 3: column 'income' holds 'x'",
    ),
    fails(
        "external: decimal commas",
        EXTERNAL,
        then(counties('1,"5,5",6', '2,"7,5",8', "3,1,2"), place("features", ["income", "age"])),
        "counties.csv, line 2: column 'income' holds '5,5' where a number is expected (2 rows of 3)",
        advises="`decimal`",
    ),
    fails(
        "external: infinity",
        EXTERNAL,
        counties("1,5,6", "2,inf,8"),
        "counties.csv, line 3: column 'income' holds 'inf'",
    ),
    fails(
        "external: infinity in Parquet",
        EXTERNAL,
        lambda p: as_parquet(p, COUNTY, {"FIPS": ["1", "2"], "income": [1.0, float("inf")]}),
        "table.parquet: column 'income' holds 'inf'",
    ),
    fails("external: 1e400", EXTERNAL, counties("1,5,6", "2,1e400,8"), "column 'income' holds '1e400'"),
    fails(
        "external: no number at all",
        EXTERNAL,
        counties("1,a,b", "2,c,d"),
        "counties.csv has no numeric column",
        advises="`features`",
    ),
    fails(
        "external: a feature that is not there",
        EXTERNAL,
        place("features", ["incom"]),
        "counties.csv: no column 'incom' (nearest: 'income'); columns: FIPS, income, age",
    ),
    fails(
        "external: a feature that is text",
        EXTERNAL,
        then(counties("1,5,x", "2,6,y"), place("features", ["age"])),
        "counties.csv, line 2: column 'age' holds 'x' where a number is expected (2 rows of 2)",
    ),
    fails(
        "external: a key column that is not there",
        EXTERNAL,
        place("key", {"county": "FIPS5"}),
        "counties.csv: no column 'FIPS5' (nearest: 'FIPS')",
    ),
    fails(
        "external: true and false",
        EXTERNAL,
        then(lambda p: as_parquet(p, COUNTY, {"FIPS": ["1", "2"], "open": [True, False]}), place("features", ["open"])),
        "column 'open' holds 'true'",
    ),
    right(
        "external: sentinels",
        EXTERNAL,
        then(counties("1,-1,6", "2,-1.0,-99", "3,7,9"), place("missing", [-1, -99])),
        values(
            ("1", "age", 6),
            ("1", "income", math.nan),
            ("2", "age", math.nan),
            ("2", "income", math.nan),
            ("3", "age", 9),
            ("3", "income", 7),
        ),
    ),
    right(
        "external: words for missing",
        EXTERNAL,
        then(counties("1,n/a,6", "2,NULL,7"), place("missing", ["n/a", "NULL"]), place("features", ["income", "age"])),
        values(("1", "age", 6), ("1", "income", math.nan), ("2", "age", 7), ("2", "income", math.nan)),
    ),
    right(
        "external: currency, thousands and decimal commas, as configured",
        EXTERNAL,
        then(
            counties('1,"€ 1.234,50",6', '2,"€ 7",8'),
            place("decimal", ","),
            place("thousands", "."),
            place("currency", "€"),
        ),
        values(("1", "age", 6), ("1", "income", 1234.5), ("2", "age", 8), ("2", "income", 7)),
    ),
    right(
        "external: not a number in Parquet is missing",
        EXTERNAL,
        lambda p: as_parquet(p, COUNTY, {"FIPS": ["1", "2"], "income": [1.5, float("nan")]}),
        values(("1", "income", 1.5), ("2", "income", math.nan)),
    ),
    right(
        "external: a column of names is left out",
        EXTERNAL,
        counties("1,5,Polk", "2,6,Linn"),
        values(("1", "income", 5), ("2", "income", 6)),
    ),
    right(
        "external: a column without a value is left out",
        EXTERNAL,
        counties("1,5,", "2,6,"),
        values(("1", "income", 5), ("2", "income", 6)),
    ),
    right(
        "external: keys keep their zeros",
        EXTERNAL,
        counties("01001,5,6", "1001,7,8"),
        values(("01001", "age", 6), ("01001", "income", 5), ("1001", "age", 8), ("1001", "income", 7)),
    ),
    right(
        "external: numbers of every size",
        EXTERNAL,
        counties("1,1e308,1e-308", "2,-0,12345678901234567890"),
        values(
            ("1", "age", 1e-308), ("1", "income", 1e308), ("2", "age", 12345678901234567890.0), ("2", "income", -0.0)
        ),
    ),
    right(
        "external: features with names of the pipeline's own columns",
        EXTERNAL,
        counties("1,5,6", header="FIPS,key,value"),
        values(("1", "key", 5), ("1", "value", 6)),
    ),
    right(
        "external: keys that are numbers in Parquet",
        EXTERNAL,
        lambda p: as_parquet(p, COUNTY, {"FIPS": pa.array([19001, 19003]), "income": [1.0, 2.0]}),
        values(("19001", "income", 1), ("19003", "income", 2)),
    ),
]


def labelled(source: str, *rows: str) -> Edit:
    def edit(p: Project) -> None:
        p.place(f"sources.{source}", {"reader": "csv", "path": "labels.csv"})
        p.lines("labels.csv", LABELS, *rows)

    return edit


KNOWN = [
    *(
        fails(
            f"labels: a segment that is {what}",
            BASELINE,
            labelled("baseline", "beauty,1,1,1,1", f"beauty,2,1,1,{label}"),
            "labels.csv, line 3: column 'segment'",
            "on 1 rows",
            "store_id '2'",
        )
        for what, label in {
            "0": "0",
            "negative": "-1",
            "a word": "x",
            "a fraction": "1.5",
            "missing": "",
            "a number of ten digits": "1234567890",
        }.items()
    ),
    fails(
        "labels: a store twice",
        REFERENCE,
        labelled("reference", "beauty,1,1,1,1", "beauty,1,1,1,2"),
        "labels.csv, line 2",
        "more than once on 2 rows",
    ),
    fails(
        "labels: a store without an id",
        REFERENCE,
        labelled("reference", "beauty,,1,1,1"),
        "labels.csv, line 2: column 'store_id' is empty on 1 rows",
    ),
    fails(
        "labels: a column under another name",
        BASELINE,
        then(
            labelled("baseline", "beauty,1,1,1,1"),
            lambda p: p.place("sources.baseline.columns", {"segment": "cluster"}),
        ),
        "labels.csv: no column 'cluster'",
    ),
]

CASES: list[Case] = [*each(), *PRODUCT_MAP, *STORE_TABLE, *EXTERNAL_SOURCES, *KNOWN]
