"""Sales that are wrong, or look wrong: every format, every column."""

import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import Any

import pyarrow as pa

from bad_input.cases import Case, Edit, as_excel, as_gzip, as_json, as_parquet, as_zstd, both, fails, point_to, right
from bad_input.project import Project

STAGE = "ingest_sales"
HEADER = "STORE,SKU,CAT,AMOUNT,DAY"
FIRST = "000,Ba,BEAUTY"
SOURCE = "sources.sales"


def lines(*rows: str) -> Edit:
    """The sales are these lines alone."""
    return lambda p: p.lines("sales.csv", HEADER, *rows)


def line(row: str) -> Edit:
    """One more line at the end, which is line 533."""
    return lambda p: p.append("sales.csv", row)


def then(*edits: Edit) -> Edit:
    """Several changes."""

    def edit(project: Project) -> None:
        for change in edits:
            change(project)

    return edit


def dropping(p: Project) -> None:
    p.params("internal.ingest_sales.invalid_lines", "drop")


def option(key: str, value: object) -> Edit:
    return lambda p: p.place(f"{SOURCE}.{key}", value)


def content(value: bytes) -> Edit:
    return lambda p: p.write("data/raw/dev/sales.csv", value)


def without(column: str, other: str) -> Edit:
    """The header has another name in place of a column's."""
    return lambda p: p.replace("sales.csv", column, other, 1)


def sums(*expected: tuple[str, str, str]) -> Any:
    """Asserts store, SKU and amount of every sum: by store, and by SKU as far as the map does not place it."""

    def works(p: Project) -> None:
        stores: Counter[str] = Counter()
        skus: Counter[str] = Counter()
        for store, sku, amount in expected:
            stores[store] += Decimal(amount)  # type: ignore[assignment]
            skus[sku] += Decimal(amount)  # type: ignore[assignment]
        found: Counter[str] = Counter()
        for store, amount in p.rows("internal/sales.parquet", "store_id", "sales"):
            found[store] += amount
        assert found == stores
        loose: Counter[str] = Counter()
        for sku, amount in p.rows("internal/sku_sales.parquet", "sku", "sales"):
            loose[sku] += amount
        mapped = set(p.rows("internal/product_map.parquet", "sku"))
        assert loose == {sku: amount for sku, amount in skus.items() if sku not in mapped}

    return works


def notes(reason: str, *expected: object, flow: str = "noted") -> Any:
    """Asserts stores, lines and sales of one row of the ledger."""

    def works(p: Project) -> None:
        assert p.ledger("internal/ingest_ledger.parquet")[flow, reason] == expected

    return works


def table(**columns: Any) -> Edit:
    """The sales as Parquet: two lines of 1.00, with other columns in place of the usual ones."""
    plain = {
        "STORE": ["1", "2"],
        "SKU": ["a", "b"],
        "CAT": ["BEAUTY"] * 2,
        "AMOUNT": [1.0, 1.0],
        "DAY": ["2024-01-01"] * 2,
    }
    return lambda p: as_parquet(p, SOURCE, plain | columns)


def sheet(*rows: tuple[Any, ...], **options: Any) -> Edit:
    """The sales as a workbook of these rows below the header."""
    return lambda p: as_excel(p, SOURCE, [HEADER.split(","), *rows], **options)


def objects(*rows: str, **options: Any) -> Edit:
    """The sales as lines of JSON."""
    return lambda p: as_json(p, SOURCE, "".join(f"{row}\n" for row in rows), **options)


SHEET_ROW = ("1", "a", "BEAUTY", 1.5, dt.date(2024, 1, 1))
NAMES = {
    "leading zeros": ("007", "0010"),
    "letters and spaces": ("A 12", "x 904631"),
    "path separators": ("../../etc/passwd", "a/b\\c"),
    "a formula": ("=cmd()", "+1+1"),
    "an emoji": ("🛒7", "👩‍🍳"),
    "right-to-left text": ("חנות", "\u202e123"),
    "a hash": ("#12", "#"),
    "SQL": ("'; DROP TABLE sums; --", '"; SELECT 1'),
    "an apostrophe": ("O'Hare", "L'Oréal"),
    "shell": ("$(touch x)", "`touch x`"),
    "words that mean nothing": ("NULL", "None"),
    "words of numbers": ("nan", "inf"),
    "an exponent": ("1e5", "1E5"),
    "a date": ("2024-01-01", "01/02"),
    "a minus": ("-1", "-"),
    "10,000 characters": ("s" * 10_000, "k" * 10_000),
}

FILES = [
    fails(
        "sales: no file",
        STAGE,
        lambda p: p.raw("sales.csv").unlink(),
        "data/raw/dev/sales.csv does not exist or holds no csv file",
        advises=("mend `path`", "data/raw/dev holds: counties.csv, map.csv, stores.csv"),
    ),
    fails(
        "sales: a glob without a match",
        STAGE,
        option("path", "weeks/*.csv"),
        "weeks/*.csv does not exist or holds no csv file",
    ),
    fails(
        "sales: a folder without a file",
        STAGE,
        then(lambda p: p.raw("parts").mkdir(), option("path", "parts")),
        "parts does not exist or holds",
    ),
    fails(
        "sales: a folder with files of another kind",
        STAGE,
        then(lambda p: p.write("data/raw/dev/parts/a.xlsx", b"x"), option("path", "parts")),
        "parts does not exist or holds no csv file",
    ),
    fails("sales: a file of no byte", STAGE, content(b""), "sales.csv is empty: a header line is expected"),
    fails("sales: empty lines only", STAGE, content(b"\n\r\n\n"), "sales.csv is empty: a header line is expected"),
    fails("sales: a header only", STAGE, lines(), "sales.csv holds no sales line, only a header"),
    fails("sales: a header without a line end", STAGE, content(HEADER.encode()), "sales.csv holds no sales line"),
    fails(
        "sales: one of two parts is empty",
        STAGE,
        then(
            lambda p: p.lines("parts/1.csv", HEADER, f"{FIRST},1,2024-01-01"),
            lambda p: p.write("data/raw/dev/parts/2.csv", ""),
            option("path", "parts"),
        ),
        "parts/2.csv is empty",
    ),
    fails(
        "sales: one of two parts has other columns",
        STAGE,
        then(
            lambda p: p.lines("parts/1.csv", HEADER, f"{FIRST},1,2024-01-01"),
            lambda p: p.lines("parts/2.csv", "SHOP,SKU,CAT,AMOUNT,DAY", "7,a,BEAUTY,1,2024-01-01"),
            option("path", "parts"),
        ),
        "parts/2.csv: no column 'STORE'",
        "columns: SHOP, SKU",
    ),
    fails(
        "sales: truncated gzip",
        STAGE,
        lambda p: as_gzip(p, SOURCE, "sales.csv", 300),
        "sales.csv.gz cannot be unpacked to its end",
        advises="deliver the file again",
    ),
    fails(
        "sales: gzip without its last byte",
        STAGE,
        lambda p: as_gzip(p, SOURCE, "sales.csv", 1),
        "sales.csv.gz cannot be unpacked",
    ),
    fails(
        "sales: truncated zstd",
        STAGE,
        lambda p: as_zstd(p, SOURCE, "sales.csv", 300),
        "sales.csv.zst cannot be unpacked to its end",
    ),
    fails(
        "sales: zstd without its last byte",
        STAGE,
        lambda p: as_zstd(p, SOURCE, "sales.csv", 1),
        "sales.csv.zst cannot be unpacked",
    ),
    fails(
        "sales: no gzip in spite of its name",
        STAGE,
        then(lambda p: p.raw("sales.csv").rename(p.raw("sales.csv.gz")), option("path", "sales.csv.gz")),
        "sales.csv.gz cannot be unpacked",
    ),
    fails(
        "sales: gzip in spite of its name",
        STAGE,
        then(
            lambda p: as_gzip(p, SOURCE, "sales.csv"),
            lambda p: p.raw("sales.csv.gz").replace(p.raw("sales.csv")),
            option("path", "sales.csv"),
        ),
        "sales.csv",
        "is not text in utf-8",
    ),
    right(
        "sales: whole gzip",
        STAGE,
        then(lines("1,a,BEAUTY,1.10,2024-01-01"), lambda p: as_gzip(p, SOURCE, "sales.csv")),
        sums(("1", "a", "1.10")),
    ),
    right(
        "sales: whole zstd",
        STAGE,
        then(lines("1,a,BEAUTY,1.10,2024-01-01"), lambda p: as_zstd(p, SOURCE, "sales.csv")),
        sums(("1", "a", "1.10")),
    ),
]

COLUMNS = [
    *(
        fails(
            f"sales: {column} is called {other}",
            STAGE,
            without(column, other),
            f"sales.csv: no column {column!r} (nearest: {other!r})",
            f"columns: {HEADER.replace(column, other, 1).replace(',', ', ')}",
            advises="mend `columns`",
        )
        for column, other in (
            ("STORE", "STORES"),
            ("SKU", "SKU_"),
            ("CAT", "Cat"),
            ("AMOUNT", "AMOUNTS"),
            ("DAY", "DAYS"),
        )
        if other != "Cat"
    ),
    fails(
        "sales: a column in another case", STAGE, without("STORE", "Store"), "no column 'STORE'; columns: Store, SKU"
    ),
    fails(
        "sales: a column named twice",
        STAGE,
        without("CAT", "SKU"),
        "sales.csv, line 1",
        "'SKU' is there 2 times",
        advises="rename or delete",
    ),
    fails(
        "sales: a column named twice in two cases",
        STAGE,
        without("CAT", "sku"),
        "whatever the case",
        "is there 2 times",
    ),
    fails(
        "sales: a column of the pipeline's own name",
        STAGE,
        without("CAT", "_file"),
        "line 1: a column is called '_file'",
    ),
    fails(
        "sales: semicolons",
        STAGE,
        lambda p: p.write("data/raw/dev/sales.csv", p.text("sales.csv").replace(",", ";")),
        "no column 'STORE'",
        advises='set `delimiter: ";"`',
    ),
    fails(
        "sales: tabs",
        STAGE,
        lambda p: p.write("data/raw/dev/sales.csv", p.text("sales.csv").replace(",", "\t")),
        "no column 'STORE'",
        advises='set `delimiter: "\\t"`',
    ),
    fails(
        "sales: bars",
        STAGE,
        lambda p: p.write("data/raw/dev/sales.csv", p.text("sales.csv").replace(",", "|")),
        "no column 'STORE'",
        advises='set `delimiter: "|"`',
    ),
    fails(
        "sales: commas where semicolons are configured",
        STAGE,
        option("delimiter", ";"),
        "no column 'STORE'",
        advises='set `delimiter: ","`',
    ),
    fails(
        "sales: a title above the header",
        STAGE,
        lambda p: p.write("data/raw/dev/sales.csv", "Sales of 2024\n" + p.text("sales.csv")),
        "no column 'STORE'; columns: Sales of 2024",
    ),
    right(
        "sales: empty lines above the header",
        STAGE,
        content(f"\n\n{HEADER}\n1,a,BEAUTY,2,2024-01-01\n".encode()),
        sums(("1", "a", "2.00")),
    ),
    right(
        "sales: spaces around names of columns",
        STAGE,
        content(b" STORE , SKU,CAT ,AMOUNT,DAY\n1,a,BEAUTY,2,2024-01-01\n"),
        sums(("1", "a", "2.00")),
    ),
    right(
        "sales: a column without a name, as pandas writes its index",
        STAGE,
        content(f",{HEADER}\n0,1,a,BEAUTY,2,2024-01-01\n".encode()),
        sums(("1", "a", "2.00")),
    ),
    right(
        "sales: a byte order mark",
        STAGE,
        content(b"\xef\xbb\xbf" + f"{HEADER}\n1,a,BEAUTY,2,2024-01-01\n".encode()),
        sums(("1", "a", "2.00")),
    ),
    right(
        "sales: Windows line ends",
        STAGE,
        content(f"{HEADER}\r\n1,a,BEAUTY,2,2024-01-01\r\n".encode()),
        sums(("1", "a", "2.00")),
    ),
    right(
        "sales: empty lines in between and at the end",
        STAGE,
        content(f"{HEADER}\n1,a,BEAUTY,2,2024-01-01\n\n2,a,BEAUTY,3,2024-01-01\n\n\n".encode()),
        sums(("1", "a", "2.00"), ("2", "a", "3.00")),
    ),
    right(
        "sales: columns in another order in each part",
        STAGE,
        then(
            lambda p: p.lines("parts/1.csv", HEADER, "1,a,BEAUTY,1,2024-01-01"),
            lambda p: p.lines("parts/2.csv", "DAY,AMOUNT,SKU,STORE,CAT,MORE", "2024-01-01,2,a,1,BEAUTY,x"),
            option("path", "parts"),
        ),
        sums(("1", "a", "3.00")),
    ),
]

TEXT = [
    fails(
        "sales: latin-1 read as utf-8",
        STAGE,
        content(f"{HEADER}\n1,Crème,BEAUTY,2,2024-01-01\n".encode("latin-1")),
        "sales.csv, line 2: '1,Crème,BEAUTY,2,2024-01-01' is not text in utf-8",
        advises="set `encoding`",
    ),
    fails(
        "sales: utf-16 read as utf-8",
        STAGE,
        content(f"{HEADER}\n1,a,BEAUTY,2,2024-01-01\n".encode("utf-16")),
        "sales.csv, line 1",
        "is not text in utf-8",
    ),
    fails(
        "sales: utf-8 read as utf-16",
        STAGE,
        option("encoding", "utf-16"),
        "sales.csv",
        "utf-16",
        advises="set `encoding`",
    ),
    fails(
        "sales: bytes that cp1252 does not know",
        STAGE,
        then(content(f"{HEADER}\n1,".encode() + b"\x81\x8d,BEAUTY,2,2024-01-01\n"), option("encoding", "cp1252")),
        "is not text in cp1252",
    ),
    fails("sales: no text at all", STAGE, content(bytes(range(256)) * 4), "sales.csv", "is not text in utf-8"),
    fails(
        "sales: a line with a value too few",
        STAGE,
        line("007,Ba,BEAUTY,1.00"),
        "sales.csv, line 533: 4 values, where the header has 5 columns: '007,Ba,BEAUTY,1.00'",
        advises="double quotes",
    ),
    fails(
        "sales: a line with a value too many",
        STAGE,
        line("007,Ba,BEAUTY,1,00,2024-01-01"),
        "sales.csv, line 533: 6 values, where the header has 5 columns",
    ),
    fails(
        "sales: only the last line has a value too many",
        STAGE,
        lines(*[f"{FIRST},1,2024-01-01"] * 60, "1,2,3,4,5,6"),
        "line 62: 6 values",
    ),
    fails(
        "sales: a remark between the lines",
        STAGE,
        lines(f"{FIRST},1,2024-01-01", "# end of week 1"),
        "line 3: 1 values, where the header has 5 columns: '# end of week 1'",
    ),
    fails(
        "sales: quotes that do not end",
        STAGE,
        line('007,"Ba,BEAUTY,1.00,2024-01-01'),
        "sales.csv, line 533: a value begins with double quotes that do not end",
    ),
    fails(
        "sales: text after quotes",
        STAGE,
        line('007,"B"a,BEAUTY,1.00,2024-01-01'),
        "sales.csv, line 533: text stands between",
    ),
    right(
        "sales: lines that begin with a hash",
        STAGE,
        lines("#1,a,BEAUTY,1,2024-01-01", "#2,a,BEAUTY,2,2024-01-01", "3,a,BEAUTY,3,2024-01-01"),
        sums(("#1", "a", "1.00"), ("#2", "a", "2.00"), ("3", "a", "3.00")),
    ),
    right(
        "sales: quotes, commas and line ends in quotes",
        STAGE,
        content(f'{HEADER}\n"1","a ""b"", c\nd",BEAUTY,2,2024-01-01\n'.encode()),
        sums(("1", 'a "b", c\nd', "2.00")),
    ),
    right(
        "sales: an old encoding, as configured",
        STAGE,
        then(content(f"{HEADER}\n1,Crème €,BEAUTY,2,2024-01-01\n".encode("cp1252")), option("encoding", "cp1252")),
        sums(("1", "Crème €", "2.00")),
    ),
    right(
        "sales: spaces of every kind around values",
        STAGE,
        lines(" 1 ,\u00a0a\u3000,BEAUTY, 2 ,2024-01-01"),
        sums(("1", "a", "2.00")),
    ),
    right(
        "sales: a value of 3 MB in a column that is not used",
        STAGE,
        content(f"{HEADER},NOTE\n1,a,BEAUTY,2,2024-01-01,{'x' * 1_500_000}\n".encode()),
        sums(("1", "a", "2.00")),
    ),
]

BAD_AMOUNTS = {
    "a word": "four",
    "a comma for a point": '"12,50"',
    "thousands": '"1,000.00"',
    "a currency symbol": "$5",
    "a percent sign": "5%",
    "nan": "nan",
    "infinity": "inf",
    "1e308": "1e308",
    "1e400": "1e400",
    "underscores": "1_000",
    "hexadecimal": "0x10",
    "two signs": "--5",
    "brackets and a sign": "(-5.00)",
    "digits of another script": "١٢",
    "a date": "2024-01-01",
    "a formula": "=1+1",
    "more than 16 digits": "12345678901234567.00",
    "a letter O": "1O.00",
}
AMOUNTS = [
    *(
        fails(
            f"sales: an amount that is {what}",
            STAGE,
            line(f"007,Ba,BEAUTY,{amount},2024-01-01"),
            "sales.csv, line 533: a sales amount that is no number, or is too large, on 1 lines of sales",
            "store '007', SKU 'Ba'",
            advises=("`decimal`", "invalid_lines"),
        )
        for what, amount in BAD_AMOUNTS.items()
    ),
    fails(
        "sales: no amount",
        STAGE,
        line("007,Ba,BEAUTY,,2024-01-01"),
        "line 533: no sales amount, on 1 lines",
        "sales None",
    ),
    fails("sales: no store", STAGE, line(",Ba,BEAUTY,1,2024-01-01"), "line 533: no store, on 1 lines", "SKU 'Ba'"),
    fails("sales: no SKU", STAGE, line("007,  ,BEAUTY,1,2024-01-01"), "line 533: no SKU, on 1 lines", "store '007'"),
    fails(
        "sales: a store that is a sentinel",
        STAGE,
        then(line("-1,Ba,BEAUTY,1,2024-01-01"), option("missing", [-1])),
        "line 533: no store",
    ),
    fails(
        "sales: an amount that is a sentinel written another way",
        STAGE,
        then(line("7,Ba,BEAUTY,-1.00,2024-01-01"), option("missing", [-1])),
        "line 533: no sales amount",
    ),
    fails(
        "sales: a return where none is allowed",
        STAGE,
        lambda p: p.params("internal.ingest_sales.negative_sales", "fail"),
        "negative sales, on 1 lines",
        "store '000', SKU 'Ba', sales '-0.40'",
        advises="internal.ingest_sales.negative_sales",
    ),
    fails(
        "sales: points and commas where commas are decimal",
        STAGE,
        then(lines('1,a,BEAUTY,"12,50",2024-01-01', "1,a,BEAUTY,12.50,2024-01-01"), option("decimal", ",")),
        "line 3: a sales amount that is no number",
    ),
    fails(
        "sales: a point before two digits where points separate thousands",
        STAGE,
        then(lines("1,a,BEAUTY,12.50,2024-01-01"), option("decimal", ","), option("thousands", ".")),
        "line 2: a sales amount that is no number",
        "sales '12.50'",
    ),
    fails(
        "sales: another currency than the configured one",
        STAGE,
        then(lines("1,a,BEAUTY,£5,2024-01-01"), option("currency", "$")),
        "sales '£5'",
    ),
    fails(
        "sales: no line can be used",
        STAGE,
        then(lines("1,a,BEAUTY,x,2024-01-01", ",a,BEAUTY,1,2024-01-01"), dropping),
        "sales.csv holds no usable sales line: 1 lines invalid_sales, 1 lines missing_store",
    ),
    right(
        "sales: commas for points, as configured",
        STAGE,
        then(
            lines('1,a,BEAUTY,"1.234,50",2024-01-01', '1,a,BEAUTY,"0,25",2024-01-01', "2,a,BEAUTY,7,2024-01-01"),
            option("decimal", ","),
            option("thousands", "."),
        ),
        both(
            sums(("1", "a", "1234.75"), ("2", "a", "7.00")),
            notes("decimal_sign_replaced", 1, 2, "0.00"),
            notes("thousands_separator_removed", 1, 1, "0.00"),
        ),
    ),
    right(
        "sales: currency symbols, as configured",
        STAGE,
        then(
            lines("1,a,BEAUTY,$1.50,2024-01-01", "1,a,BEAUTY,-$0.25,2024-01-01", "2,a,BEAUTY,3 USD,2024-01-01"),
            option("currency", ["$", "USD"]),
        ),
        both(
            sums(("1", "a", "1.25"), ("2", "a", "3.00")),
            notes("currency_symbol_removed", 2, 3, "0.00"),
            notes("negative_sales", 1, 1, "-0.25"),
        ),
    ),
    right(
        "sales: thousands, as configured",
        STAGE,
        then(
            lines('1,a,BEAUTY,"1,000.50",2024-01-01', "1,a,BEAUTY,1 000,2024-01-01"), option("thousands", ","), dropping
        ),
        both(sums(("1", "a", "1000.50")), notes("invalid_sales", 0, 1, "0.00", flow="set_aside")),
    ),
    right(
        "sales: amounts with plus signs, exponents and bare points",
        STAGE,
        lines(
            "1,a,BEAUTY,+1.5,2024-01-01",
            "1,a,BEAUTY,1e1,2024-01-01",
            "1,a,BEAUTY,.25,2024-01-01",
            "1,a,BEAUTY,2.,2024-01-01",
        ),
        sums(("1", "a", "13.75")),
    ),
    right(
        "sales: fractions of a cent",
        STAGE,
        lines("1,a,BEAUTY,0.333,2024-01-01", "1,a,BEAUTY,0.333,2024-01-01"),
        both(sums(("1", "a", "0.66")), notes("rounded_to_cent", 1, 2, "0.01")),
    ),
    right(
        "sales: bad lines are dropped into the ledger",
        STAGE,
        then(
            lines(
                "1,a,BEAUTY,1,2024-01-01",
                "1,a,BEAUTY,x,2024-01-01",
                ",a,BEAUTY,2,2024-01-01",
                "2,a,BEAUTY,inf,2024-01-01",
            ),
            dropping,
        ),
        both(
            sums(("1", "a", "1.00")),
            notes("invalid_sales", 1, 2, "0.00", flow="set_aside"),
            notes("missing_store", 0, 1, "2.00", flow="set_aside"),
            notes("", 2, 4, "3.00", flow="in"),
        ),
    ),
]

DATES = [
    *(
        fails(
            f"sales: a date that is {what}",
            STAGE,
            line(f"007,Ba,BEAUTY,1.00,{day}"),
            "sales.csv, line 533: no date, or one that is not written YYYY-MM-DD, YYYY-MM or YYYY-Www, on 1 lines of sales",
            f"date {day or None!r}",
            advises="`date_format`",
        )
        for what, day in {
            "American": "01/02/2024",
            "German": "31.12.2024",
            "missing": "",
            "a word": "yesterday",
            "29 February of 2023": "2023-02-29",
            "of two-digit year": "24-01-05",
            "without separators": "20240105",
            "a number of Excel": "45292",
            "infinite": "infinity",
            "the epoch": "epoch",
            "in the year 1": "0001-01-01",
            "a month of 13": "2024-13-01",
        }.items()
    ),
    fails(
        "sales: dates in two formats, one configured",
        STAGE,
        then(lines("1,a,BEAUTY,1,01/31/2024", "1,a,BEAUTY,1,2024-01-31"), option("date_format", "%m/%d/%Y")),
        "line 3: no date, or one that is not written %m/%d/%Y",
        "date '2024-01-31'",
    ),
    fails(
        "sales: a date that two formats read differently",
        STAGE,
        then(
            lines("1,a,BEAUTY,1,31/01/2024", "1,a,BEAUTY,1,01/02/2024"), option("date_format", ["%m/%d/%Y", "%d/%m/%Y"])
        ),
        "line 3: a date that two formats read as two different days",
        "date '01/02/2024'",
    ),
    right(
        "sales: dates in two formats, as configured",
        STAGE,
        then(
            lines("1,a,BEAUTY,1,01/31/2024", "1,a,BEAUTY,2,2024-01-31", "2,a,BEAUTY,4,2/1/2024"),
            option("date_format", ["%m/%d/%Y", "%Y-%m-%d"]),
        ),
        both(sums(("1", "a", "3.00"), ("2", "a", "4.00")), notes("date_rewritten", 2, 2, "0.00")),
    ),
    right(
        "sales: dates that are not used",
        STAGE,
        then(
            lines("1,a,BEAUTY,1,whenever", "1,a,BEAUTY,2,"), lambda p: p.params("internal.ingest_sales.period", "all")
        ),
        sums(("1", "a", "3.00")),
    ),
    right(
        "sales: dates with a time",
        STAGE,
        lines("1,a,BEAUTY,1,2024-01-31 23:59:59", "1,a,BEAUTY,2,2024-01-05T10:00:00"),
        sums(("1", "a", "3.00")),
    ),
]

IDS = [
    right(
        f"sales: ids with {what}",
        STAGE,
        lambda p, store=store, sku=sku: as_parquet(
            p,
            SOURCE,
            {
                "STORE": [store, store],
                "SKU": [sku, sku],
                "CAT": ["BEAUTY"] * 2,
                "AMOUNT": [1.0, 2.0],
                "DAY": ["2024-01-01"] * 2,
            },
        ),
        sums((store, sku, "3.00")),
    )
    for what, (store, sku) in NAMES.items()
]

PARQUET = [
    fails(
        "sales: Parquet that is none",
        STAGE,
        lambda p: point_to(p, SOURCE, "parquet", "sales.csv"),
        "sales.csv cannot be read as parquet",
    ),
    fails(
        "sales: Parquet cut in half",
        STAGE,
        then(table(), lambda p: p.raw("table.parquet").write_bytes(p.raw("table.parquet").read_bytes()[:200])),
        "table.parquet cannot be read as parquet",
    ),
    fails(
        "sales: Parquet of no byte",
        STAGE,
        then(table(), lambda p: p.raw("table.parquet").write_bytes(b"")),
        "table.parquet cannot be read as parquet",
    ),
    fails(
        "sales: Parquet without rows",
        STAGE,
        table(**{name: pa.array([], pa.string()) for name in HEADER.split(",")}),
        "table.parquet holds no sales line",
    ),
    fails(
        "sales: Parquet without a column",
        STAGE,
        then(table(), option("columns.sales", "SALES")),
        "table.parquet: no column 'SALES'",
    ),
    fails(
        "sales: Parquet with a number that is infinite",
        STAGE,
        table(AMOUNT=[1.0, float("inf")]),
        "table.parquet: a sales amount that is no number, or is too large",
        "store '2'",
    ),
    fails(
        "sales: Parquet with 1e308",
        STAGE,
        table(AMOUNT=[1.0, 1e308]),
        "a sales amount that is no number, or is too large",
    ),
    fails(
        "sales: Parquet with an amount that is not a number",
        STAGE,
        table(AMOUNT=[1.0, float("nan")]),
        "no sales amount",
    ),
    fails("sales: Parquet with a null store", STAGE, table(STORE=["1", None]), "no store, on 1 lines"),
    fails(
        "sales: Parquet with a store that is not a number",
        STAGE,
        table(STORE=[1.0, float("nan")]),
        "no store, on 1 lines",
    ),
    fails("sales: Parquet with words for amounts", STAGE, table(AMOUNT=["1", "x"]), "sales 'x'"),
    fails("sales: Parquet with lists for amounts", STAGE, table(AMOUNT=[[1], [2]]), "a sales amount that is no number"),
    fails(
        "sales: Parquet with true for amounts",
        STAGE,
        table(AMOUNT=[True, False]),
        "a sales amount that is no number",
        "sales 'true'",
    ),
    fails(
        "sales: Parquet with a date before our time",
        STAGE,
        table(DAY=[dt.date(2024, 1, 1), dt.date(1, 1, 1)]),
        "no date, or one that is not written",
    ),
    fails("sales: Parquet with a text for a date", STAGE, table(DAY=["2024-01-01", "1/2/24"]), "date '1/2/24'"),
    right(
        "sales: Parquet with numbers for ids",
        STAGE,
        table(STORE=pa.array([7, 12]), SKU=pa.array([1.0, 2.5])),
        sums(("12", "2.5", "1.00"), ("7", "1", "1.00")),
    ),
    right(
        "sales: Parquet with text as a source writes it",
        STAGE,
        then(table(AMOUNT=["$1,000.50", "$2"]), option("currency", "$"), option("thousands", ",")),
        sums(("1", "a", "1000.50"), ("2", "b", "2.00")),
    ),
    right(
        "sales: Parquet with numbers in spite of a decimal comma",
        STAGE,
        then(table(AMOUNT=[1.5, 2.25]), option("decimal", ","), option("thousands", ".")),
        sums(("1", "a", "1.50"), ("2", "b", "2.25")),
    ),
    right(
        "sales: a file name that looks like a pattern",
        STAGE,
        then(
            lambda p: p.raw("sales.csv").rename(p.raw("sales [1].csv")),
            option("path", "sales [1].csv"),
            lambda p: p.lines("sales [1].csv", HEADER, "1,a,BEAUTY,2,2024-01-01"),
        ),
        sums(("1", "a", "2.00")),
    ),
]

EXCEL = [
    fails(
        "sales: a workbook that is none",
        STAGE,
        lambda p: point_to(p, SOURCE, "excel", "sales.csv"),
        "sales.csv cannot be read as excel",
    ),
    fails(
        "sales: a workbook without the sheet",
        STAGE,
        sheet(SHEET_ROW, sheet="Date"),
        "table.xlsx has no sheet 'Date' (nearest: 'Data'); sheets: Data",
        advises="mend `sheet`",
    ),
    fails(
        "sales: a workbook with an empty sheet",
        STAGE,
        lambda p: as_excel(p, SOURCE, []),
        "table.xlsx: the sheet is empty",
    ),
    fails("sales: a workbook with a header only", STAGE, sheet(), "table.xlsx holds no sales line"),
    fails(
        "sales: a workbook with a column twice",
        STAGE,
        lambda p: as_excel(p, SOURCE, [["STORE", "SKU", "SKU", "AMOUNT", "DAY"], SHEET_ROW]),
        "table.xlsx, row 1: the header must name each column once: STORE, SKU, SKU",
    ),
    fails(
        "sales: a workbook with a column without a name",
        STAGE,
        lambda p: as_excel(p, SOURCE, [["STORE", None, "CAT", "AMOUNT", "DAY"], SHEET_ROW]),
        "row 1: the header must name each column once: STORE, (empty), CAT",
    ),
    fails(
        "sales: a workbook without a column",
        STAGE,
        then(sheet(SHEET_ROW), option("columns.sku", "ITEM")),
        "table.xlsx: no column 'ITEM'",
    ),
    fails(
        "sales: a workbook with a word for an amount",
        STAGE,
        sheet(SHEET_ROW, ("2", "a", "BEAUTY", "x", dt.date(2024, 1, 1))),
        "table.xlsx, row 3: a sales amount that is no number",
        "sales 'x'",
    ),
    fails(
        "sales: a workbook with an error in a cell",
        STAGE,
        sheet(SHEET_ROW, ("2", "a", "BEAUTY", float("inf"), dt.date(2024, 1, 1))),
        "table.xlsx, row 3",
        "store '2'",
    ),
    fails(
        "sales: a workbook with a word for a date",
        STAGE,
        sheet(SHEET_ROW, ("2", "a", "BEAUTY", 1, "in May")),
        "table.xlsx, row 3: no date",
        "date 'in May'",
    ),
    fails(
        "sales: a workbook with a number for a date",
        STAGE,
        sheet(SHEET_ROW, ("2", "a", "BEAUTY", 1, 45292)),
        "row 3: no date",
        "date '45292'",
    ),
    fails(
        "sales: a workbook with an empty row between",
        STAGE,
        sheet(SHEET_ROW, (None,) * 5, SHEET_ROW),
        "row 3: no store",
    ),
    right(
        "sales: a workbook of numbers, dates and text",
        STAGE,
        sheet((7, 12.0, "BEAUTY", 1.5, dt.date(2024, 1, 1)), ("007", "0012", "BEAUTY", "2.25", "2024-01-01")),
        sums(("007", "0012", "2.25"), ("7", "12", "1.50")),
    ),
    right(
        "sales: a workbook of numbers and of text with commas",
        STAGE,
        sheet(
            (7, "a", "BEAUTY", 1234.5, dt.date(2024, 1, 31)),
            (7, "a", "BEAUTY", "1.234,50", "31.01.2024"),
            decimal=",",
            thousands=".",
            date_format="%d.%m.%Y",
        ),
        sums(("7", "a", "2469.00")),
    ),
]

ROW = '{"STORE": "1", "SKU": "a", "CAT": "BEAUTY", "AMOUNT": 1.5, "DAY": "2024-01-01"}'
JSON = [
    fails(
        "sales: JSON that is none",
        STAGE,
        lambda p: point_to(p, SOURCE, "json", "sales.csv"),
        "sales.csv cannot be read as json",
    ),
    fails("sales: JSON cut off", STAGE, objects(ROW, ROW[:30]), "table.json cannot be read as json", "line 3"),
    fails("sales: JSON of no byte", STAGE, lambda p: as_json(p, SOURCE, ""), "table.json"),
    fails("sales: JSON with an empty array", STAGE, lambda p: as_json(p, SOURCE, "[]"), "table.json"),
    fails("sales: JSON with numbers for objects", STAGE, lambda p: as_json(p, SOURCE, "[1, 2]"), "table.json"),
    fails(
        "sales: JSON in another encoding",
        STAGE,
        lambda p: (
            as_json(p, SOURCE, ""),
            p.raw("table.json").write_bytes(ROW.replace('"a"', '"é"').encode("latin-1")),
        ),
        "table.json",
        "UTF-8",
    ),
    fails(
        "sales: JSON without a column",
        STAGE,
        objects(ROW.replace("SKU", "ITEM")),
        "table.json: no column 'SKU'; columns: STORE, ITEM",
    ),
    fails(
        "sales: JSON with a null", STAGE, objects(ROW, ROW.replace('"1"', "null")), "table.json: no store, on 1 lines"
    ),
    fails(
        "sales: JSON with an object for an amount",
        STAGE,
        objects(ROW, ROW.replace("1.5", '{"value": 1}')),
        "a sales amount that is no number",
    ),
    fails("sales: JSON with not a number", STAGE, objects(ROW, ROW.replace("1.5", "NaN")), "table.json"),
    fails(
        "sales: truncated gzip of JSON",
        STAGE,
        then(objects(*[ROW] * 50), lambda p: as_gzip(p, SOURCE, "table.json", 20)),
        "table.json.gz cannot be unpacked to its end",
    ),
    fails(
        "sales: truncated zstd of JSON",
        STAGE,
        then(objects(*[ROW] * 50), lambda p: as_zstd(p, SOURCE, "table.json", 20)),
        "table.json.zst cannot be unpacked to its end",
    ),
    right(
        "sales: JSON with numbers and text",
        STAGE,
        objects(ROW, ROW.replace('"1"', "1").replace("1.5", '"2.25"')),
        sums(("1", "a", "3.75")),
    ),
    right(
        "sales: JSON with numbers and text with commas",
        STAGE,
        objects(ROW, ROW.replace("1.5", '"1.002,25"'), ROW.replace("1.5", "2"), decimal=",", thousands="."),
        sums(("1", "a", "1005.75")),
    ),
    right(
        "sales: JSON with a key that is not always there",
        STAGE,
        objects(ROW, ROW.replace(', "CAT": "BEAUTY"', "")),
        sums(("1", "a", "1.50"), ("1", "a", "1.50")),
    ),
]

CASES: list[Case] = [*FILES, *COLUMNS, *TEXT, *AMOUNTS, *DATES, *IDS, *PARQUET, *EXCEL, *JSON]
