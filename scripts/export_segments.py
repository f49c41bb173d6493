"""Write the segments of all categories as one Excel workbook, in the reader's language.

Sheets: what is what; every store with its segment, its name and how sure it is, category beside category; every segment with its
name, its size and a sentence. Texts from data are texts: never formulas, links or numbers. The same inputs give the same bytes.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from storelib.pages import sheets, words
from storelib.pages.books import LINE, Book, write_number
from storelib.pages.language import add_reader, number, reader_of, say, written_for
from storelib.pages.segment_profiles import View, segment_profiles
from storelib.tables import read_frame, replacing

# Letters of a category's name in the heads of its columns.
LONGEST_HEAD = 30
SENTENCE_WIDTH = 90
# What is what.
TERMS = {
    "Stores": "One row per store, and three columns for each category: number and name of its segment, and how sure it is.",
    "Segments": "One row per segment: its name, its size, and in a sentence what sells there and where its stores are.",
    "Confidence": "The probability that the store belongs where it is; empty where there is no other segment.",
    "An empty cell": "The store has no sales in that category.",
}


class Told(NamedTuple):
    """One segment, as a row says it."""

    category: str
    number: int
    name: str
    stores: int
    share_of_stores: float
    sales: float
    share_of_sales: float
    sentence: str


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--segments", type=Path, required=True, help="segments of every category, with their names")
    parser.add_argument("--categories", type=Path, required=True, help="keys and names of the selected categories")
    parser.add_argument("--stores", type=Path, required=True, help="store table, for names")
    parser.add_argument("--shares", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--clusters", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--store_sales", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--store_features", type=Path, required=True, help="external data of each store")
    parser.add_argument("--external_clusters", type=Path, required=True)
    add_reader(parser)
    parser.add_argument("--workbook", type=Path, required=True, help="output: the workbook")
    return parser.parse_args(argv)


def told_segments(args: argparse.Namespace, segments: pd.DataFrame, placed: View, key: str, name: str) -> list[Told]:
    """One category's segments. segments: those of the category, by store; name: the category's."""
    shares = read_frame(args.shares / f"{key}.parquet").set_index("store_id")
    exclusion = read_frame(args.clusters / f"{key}.parquet").set_index("store_id")["exclusion"]
    sales = read_frame(args.store_sales / f"{key}.parquet").set_index("store_id")["sales"].astype("float64")
    told = segment_profiles(segments["segment"], sales, View(shares, exclusion), placed)
    names = dict(zip(segments["segment"], segments["segment_name"], strict=True))
    return [
        Told(
            name, group.number, str(names[group.number]), group.stores, group.share_of_stores, group.sales,
            group.share_of_sales, group.sentence,
        )
        for group in told.groups({}, {}, told=True)
    ]  # fmt: skip


def add_stores(book: Book, segments: pd.DataFrame, categories: Sequence[tuple[str, str]], names: dict[str, str]) -> int:
    """One row per store, three columns per category. Returns how many stores there are."""
    stores = sorted({str(store) for store in segments["store_id"]})
    heads = [(say("Store"), "left", 14.0), (say("Name"), "left", 30.0)]
    for _, name in categories:
        shown = words.short(name, LONGEST_HEAD)
        heads.append((f"{shown}: {say('Segment')}", "center", 12.0))
        heads.append((f"{shown}: {say('Name')}", "left", 30.0))
        heads.append((f"{shown}: {say('Confidence')}", "right", 12.0))
    sheet = book.sheet(say("Stores"), heads, frozen=2)
    row_of = {store: at for at, store in enumerate(stores, start=1)}
    for store, at in row_of.items():
        sheet.write_string(at, 0, sheets.cell_text(store), book.text)
        sheet.write_string(at, 1, sheets.cell_text(names.get(store, "")), book.text)
    columns = ["store_id", "segment", "segment_name", "confidence"]
    for place, (key, _) in enumerate(categories):
        left = 2 + 3 * place
        own = segments.loc[segments["category"] == key, columns]
        for store, segment, name, confidence in own.itertuples(index=False):
            at = row_of[str(store)]
            sheet.write_number(at, left, int(segment), book.label)
            sheet.write_string(at, left + 1, sheets.cell_text(str(name)), book.text)
            if not pd.isna(confidence):
                sheet.write_number(at, left + 2, float(confidence), book.percent)
    sheet.autofilter(0, 0, len(stores), len(heads) - 1)
    # Ids are texts, whatever they look like.
    sheet.ignore_errors({"number_stored_as_text": f"A2:B{len(stores) + 1}"})
    return len(stores)


def add_segments(book: Book, told: Sequence[Told]) -> None:
    """One row per segment of any category."""
    heads = [
        (say("Category"), "left", 26.0), (say("Segment"), "center", 11.0), (say("Name"), "left", 36.0), (say("Stores"), "right", 10.0),
        (say("Share of stores"), "right", 10.0), (say("Sales"), "right", 16.0), (say("Share of sales"), "right", 10.0),
        (say("In a sentence"), "left", float(SENTENCE_WIDTH)),
    ]  # fmt: skip
    sheet = book.sheet(say("Segments"), heads, frozen=3)
    for at, row in enumerate(told, start=1):
        sheet.set_row(at, LINE * math.ceil(1.1 * len(row.sentence) / SENTENCE_WIDTH))
        for column, text in ((0, row.category), (2, row.name), (7, row.sentence)):
            sheet.write_string(at, column, sheets.cell_text(text), book.wrap)
        sheet.write_number(at, 1, row.number, book.label)
        sheet.write_number(at, 3, row.stores, book.whole)
        for column, value, style in (
            (4, row.share_of_stores, book.percent), (5, row.sales, book.money), (6, row.share_of_sales, book.percent),
        ):  # fmt: skip
            write_number(sheet, at, column, value, style)
    sheet.autofilter(0, 0, len(told), len(heads) - 1)


def write_workbook(args: argparse.Namespace) -> int:
    """All sheets, whole or not at all. Returns how many stores there are."""
    segments = read_frame(args.segments)
    table = read_frame(args.categories)
    categories = [(str(key), words.printable(str(name))) for key, name in zip(table["key"], table["name"], strict=True)]
    external = read_frame(args.external_clusters).set_index("store_id")
    placed = View(read_frame(args.store_features).set_index("store_id"), external["exclusion"])
    told = [
        row
        for key, name in categories
        for row in told_segments(args, segments[segments["category"] == key].set_index("store_id"), placed, key, name)
    ]
    with replacing(args.workbook) as temporary:
        book = Book(temporary)
        holds = [
            words.count(int(segments["store_id"].nunique()), "store"),
            words.count(len(categories), "category"),
            words.count(len(told), "segment"),
        ]
        book.read_me(
            say("Store segments"), [(say("Holds"), "; ".join(holds)), *((say(k), say(v)) for k, v in TERMS.items())]
        )
        stores = add_stores(book, segments, categories, sheets.names_of(read_frame(args.stores)))
        add_segments(book, told)
        book.book.close()
    return stores


def main(argv: Sequence[str] | None = None) -> None:
    """Gather and write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    with written_for(reader_of(args)):
        stores = write_workbook(args)
        log.info("%s stores", number(stores))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
