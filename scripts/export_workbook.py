"""Write one category's segments as an Excel workbook, in the reader's language.

Sheets: what is what; every store's clusters, segment and sales; each segment's name, rules and typical stores; its profile;
need-state sales by segment with totals. Totals are Excel's own sums, with their values kept beside the formula. Texts from data
are texts: never formulas, links or numbers. The same inputs give the same bytes.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from storelib.accounts.ledger import read_ledger
from storelib.configuration.own_settings import parse
from storelib.errors import DataError
from storelib.method.profiles import profile_by
from storelib.pages import describing, sheets, words
from storelib.pages.books import Book, write_number
from storelib.pages.language import add_reader, number, reader_of, say, written_for
from storelib.tables import read_frame, replacing

# What the sheets and columns are.
TERMS = {
    "Assignments": "One row per store: its segment, the two clusters that this comes from, remarks, and its net sales.",
    "Segments": "Name of each segment, what sets it apart from all other stores, with the distance in standard deviations, rules by "
    "which its stores can be told, and its most and least typical stores.",
    "Profile": "Size and traits of each segment. The index compares the mean of its stores with the chain’s: 100 is the same, 200 "
    "twice, 50 half. For need states it is of the share of a store’s sales. Stores that did not train are left out of means.",
    "Need-state sales": "Net sales of each need state in each segment; a SKU’s sales are split evenly over its need states.",
    "Segment": "What both clusters make of a store together, after small segments were dissolved into the nearest.",
    "Cluster by what sells": "Stores whose sales are spread over need states alike.",
    "Cluster by place": "Stores whose external data are alike; the same in every category.",
    "Remarks": "Why a store did not train: it was placed in the nearest cluster all the same, and counts everywhere. "
    "Or that a person placed it.",
    "Sales": "In the currency of the source, to the cent. All totals are those of the pipeline’s ledger.",
}
BLUE, WHITE, ORANGE = "#7fb0dc", "#ffffff", "#f2a26b"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    parser.add_argument("--name", required=True, help="the category as the source spells it")
    parser.add_argument("--segments", type=Path, required=True, help="this category's segments")
    parser.add_argument("--clusters", type=Path, required=True, help="this category's clusters")
    parser.add_argument("--shares", type=Path, required=True, help="this category's shares of need states")
    parser.add_argument("--store_sales", type=Path, required=True, help="net sales of each store")
    parser.add_argument("--need_state_sales", type=Path, required=True, help="sales by store and need state")
    parser.add_argument(
        "--ledger", type=Path, required=True, help="the merge's ledger, to which all sums must be equal"
    )
    parser.add_argument("--stores", type=Path, required=True, help="store table, for names")
    parser.add_argument("--external_clusters", type=Path, required=True)
    parser.add_argument("--store_features", type=Path, required=True, help="external data of each store")
    parser.add_argument("--descriptions", type=Path, required=True, help="what each segment is")
    parser.add_argument("--traits", type=Path, required=True, help="what sets each segment apart")
    parser.add_argument("--store_fit", type=Path, required=True, help="typical and odd stores")
    add_reader(parser)
    parser.add_argument("--workbook", type=Path, required=True, help="output: the workbook")
    return parse(parser, argv)


def write_sum(sheet: Worksheet, row: int, column: int, cells: tuple[str, str], value: Decimal, style: Format) -> None:
    """Excel's sum of a range, with its value for programs that do not compute."""
    sheet.write_formula(row, column, f"=SUM({cells[0]}:{cells[1]})", style, float(value))


def write_totals(book: Book, sheet: Worksheet, row: int, columns: int) -> None:
    """The word, and a line over the whole row."""
    for column in range(columns):
        sheet.write_blank(row, column, None, book.total)
    sheet.write_string(row, 0, say("Total"), book.total)


def add_assignments(
    book: Book, rows: list[sheets.Assignment], segments: dict[int, describing.Described], total: Decimal
) -> None:
    """One row per store."""
    heads = [
        (say("Store"), "left", 14), (say("Name"), "left", 34), (say("Segment"), "center", 11), (say("Segment name"), "left", 34),
        (say("Cluster by what sells"), "center", 13),
        (say("Cluster by place"), "center", 13), (say("Remarks"), "left", 52), (say("Sales"), "right", 16),
    ]  # fmt: skip
    sheet = book.sheet(say("Assignments"), heads, frozen=1)
    for at, row in enumerate(rows, start=1):
        sheet.write_string(at, 0, sheets.cell_text(row.store_id), book.text)
        sheet.write_string(at, 1, sheets.cell_text(row.name), book.text)
        sheet.write_number(at, 2, row.segment, book.label)
        sheet.write_string(at, 3, sheets.cell_text(segments[row.segment].name), book.text)
        for column, label in enumerate((row.internal_cluster, row.external_cluster), start=4):
            sheet.write_number(at, column, label, book.label)
        sheet.write_string(at, 6, row.remarks, book.text)
        sheet.write_number(at, 7, float(row.sales), book.money)
    last = len(rows)
    sheet.autofilter(0, 0, last, len(heads) - 1)
    # Ids are texts, whatever they look like.
    sheet.ignore_errors({"number_stored_as_text": f"A2:B{last + 1}"})
    write_totals(book, sheet, last + 1, len(heads))
    write_sum(sheet, last + 1, 7, ("H2", xl_rowcol_to_cell(last, 7)), total, book.total)


def add_segments(book: Book, segments: dict[int, describing.Described], profile: sheets.Profile) -> None:
    """One row per segment: what it is."""
    heads = [
        (say("Segment"), "center", 11), (say("Segment name"), "left", 34), (say("Stores"), "right", 9), (say("Sales"), "right", 16),
        (say("Sets it apart"), "left", 50), (say("Rule"), "left", 70), (say("Rule holds"), "left", 34),
        (say("Typical stores"), "left", 34), (say("Odd stores"), "left", 34),
    ]  # fmt: skip
    sheet = book.sheet(say("Segments"), heads, frozen=2)
    for at, (label, stores, sales) in enumerate(zip(profile.segments, profile.stores, profile.sales, strict=True), 1):
        told = segments[label]
        sheet.write_number(at, 0, label, book.label)
        sheet.write_number(at, 2, stores, book.whole)
        sheet.write_number(at, 3, float(sales), book.money)
        apart = ", ".join(f"{part.name} {part.effect}" for part in told.apart)
        texts = (apart, told.rules, told.rule_words, ", ".join(told.typical), ", ".join(told.odd))
        for column, text in ((1, told.name), *enumerate(texts, start=4)):
            sheet.write_string(at, column, sheets.cell_text(text), book.wrap)
    sheet.autofilter(0, 0, len(profile.segments), len(heads) - 1)


def add_profile(book: Book, profile: sheets.Profile) -> None:
    """Stores and sales of each segment; index of each need state's share and of each external feature's mean."""
    numbers = profile.segments
    heads = [(say("What"), "left", 16), (say("Need state or feature"), "left", 36), (say("Chain"), "right", 14)]
    named = [(say("Segment %(number)s", number=number), "right", 13) for number in numbers]
    sheet = book.sheet(say("Profile"), [*heads, *named], frozen=3)
    sizes: list[tuple[str, Sequence[int | Decimal], Format]] = [
        (say("Stores"), profile.stores, book.whole),
        (say("Sales"), profile.sales, book.money),
    ]
    for at, (name, amounts, style) in enumerate(sizes, start=1):
        sheet.write_string(at, 0, say("Size"))
        sheet.write_string(at, 1, name)
        for column, amount in enumerate((sum(amounts), *amounts), start=2):
            sheet.write_number(at, column, float(amount), style)
    at = 3
    scale = {
        "type": "3_color_scale", "min_color": ORANGE, "mid_color": WHITE, "max_color": BLUE,
        "min_type": "num", "mid_type": "num", "max_type": "num", "min_value": 0, "mid_value": 100, "max_value": 200,
    }  # fmt: skip
    for word, rows in ((say("Index of share"), profile.need_states), (say("Index of mean"), profile.features)):
        first = at
        for name, chain, values in rows:
            sheet.write_string(at, 0, word)
            sheet.write_string(at, 1, sheets.cell_text(name), book.text)
            write_number(sheet, at, 2, chain, book.percent if rows is profile.need_states else book.mean(chain))
            for column, value in enumerate(values, start=3):
                write_number(sheet, at, column, value, book.whole)
            at += 1
        if at > first:
            sheet.conditional_format(first, 3, at - 1, 2 + len(numbers), dict(scale))
    sheet.autofilter(0, 0, at - 1, 2 + len(numbers))


def add_need_states(book: Book, table: sheets.SalesTable) -> None:
    """Sales of each need state in each segment, with totals of both."""
    segments = [(say("Segment %(number)s", number=number), "right", 15.0) for number in table.segments]
    heads = [(say("Need state"), "left", 36), *segments, (say("Total"), "right", 17)]
    sheet = book.sheet(say("Need-state sales"), heads, frozen=1)
    width, last = len(table.segments), len(table.rows)
    for at, (name, amounts) in enumerate(table.rows, start=1):
        sheet.write_string(at, 0, sheets.cell_text(name), book.text)
        for column, amount in enumerate(amounts, start=1):
            sheet.write_number(at, column, float(amount), book.money)
        cells = (xl_rowcol_to_cell(at, 1), xl_rowcol_to_cell(at, width))
        write_sum(sheet, at, width + 1, cells, sum(amounts, Decimal(0)), book.money)
    sheet.autofilter(0, 0, last, width + 1)
    write_totals(book, sheet, last + 1, width + 2)
    for column in range(1, width + 2):
        side = [amounts[column - 1] if column <= width else sum(amounts, Decimal(0)) for _, amounts in table.rows]
        cells = (xl_rowcol_to_cell(1, column), xl_rowcol_to_cell(last, column))
        write_sum(sheet, last + 1, column, cells, sum(side, Decimal(0)), book.total)


def add_readme(book: Book, name: str, stores: int, segments: int, total: Decimal) -> None:
    """What is what."""
    holds = say(
        "%(stores)s in %(segments)s, %(sales)s of sales",
        stores=words.count(stores, "store"),
        segments=words.count(segments, "segment"),
        sales=number(total, ",.2f"),
    )
    lines = [
        (say("Category"), words.printable(name)),
        (say("Holds"), holds),
        *((say(k), say(v)) for k, v in TERMS.items()),
    ]
    book.read_me(f"{say('Store segments')}: {words.short(name)}", lines)


def write_workbook(path: Path, name: str, content: dict[str, Any]) -> None:
    """All sheets, whole or not at all."""
    with replacing(path) as temporary:
        book = Book(temporary)
        rows, total = content["assignments"], content["total"]
        add_readme(book, name, len(rows), len(content["profile"].segments), total)
        add_assignments(book, rows, content["segments"], total)
        add_segments(book, content["segments"], content["profile"])
        add_profile(book, content["profile"])
        add_need_states(book, content["need_states"])
        book.book.close()


def gathered(args: argparse.Namespace) -> dict[str, Any]:
    """What the sheets hold. Raises DataError where the sales are not those of the ledger."""
    segments = read_frame(args.segments).set_index("store_id")
    sales = read_frame(args.store_sales).set_index("store_id")["sales"].reindex(segments.index)
    names = sheets.names_of(read_frame(args.stores))
    rows = sheets.assignments(segments, sales, names)
    total = sum((row.sales for row in rows), Decimal(0))
    need_states = sheets.need_state_table(
        read_frame(args.need_state_sales), segments["segment"], sheets.sales_by_segment(rows)
    )
    ledger = sum((e.sales for e in read_ledger(args.ledger) if e.flow == "out"), Decimal(0))
    if total != ledger:
        raise DataError(
            f"the workbook's sales are {total}, those of the ledger {ledger}",
            solution="run the pipeline again from raw data; if it stays, this is a defect: report it with the logs",
        )
    by_mix, _ = profile_by(
        read_frame(args.shares).set_index("store_id"),
        read_frame(args.clusters).set_index("store_id")["exclusion"],
        segments["segment"],
        sales.astype("float64"),
    )
    by_place, _ = profile_by(
        read_frame(args.store_features).set_index("store_id"),
        read_frame(args.external_clusters).set_index("store_id")["exclusion"],
        segments["segment"],
        sales.astype("float64"),
    )
    return {
        "assignments": rows,
        "segments": describing.described(
            read_frame(args.descriptions), read_frame(args.traits), read_frame(args.store_fit), names
        ),
        "total": total,
        "profile": sheets.profile_of(by_mix, by_place, rows),
        "need_states": need_states,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Gather, check against the ledger, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    with written_for(reader_of(args)):
        content = gathered(args)
        write_workbook(args.workbook, args.name, content)
    log.info("%d stores, %s of sales", len(content["assignments"]), content["total"])


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
