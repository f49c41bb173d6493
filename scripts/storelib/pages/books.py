"""Excel workbooks in one style, with the same bytes every time. Texts from data are texts: never formulas, links or numbers."""

import datetime as dt
import math
from collections.abc import Sequence
from pathlib import Path

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from storelib.pages import sheets
from storelib.pages.language import say

# Excel keeps the date of creation; this one never changes.
CREATED = dt.datetime(2000, 1, 1)  # noqa: DTZ001 (Excel knows no time zones)
MONEY = "#,##0.00;[Red]-#,##0.00"
A4 = 9
# A line's height in points.
LINE = 15.5
# Excel's own limit.
TALLEST = 409.0
# The column of explanations, in letters.
WIDE = 92


class Book:
    """A workbook's formats, and sheets with what they have in common."""

    def __init__(self, path: Path) -> None:
        options = {
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "nan_inf_to_errors": False,
        }
        self.book = xlsxwriter.Workbook(str(path), options)
        self.book.set_properties({"title": "Store segments", "created": CREATED})
        head = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom", "bg_color": "#eef2f7"}
        self.head = {side: self.book.add_format(head | {"align": side}) for side in ("left", "center", "right")}
        self.bold = self.book.add_format({"bold": True, "valign": "top"})
        self.title = self.book.add_format({"bold": True, "font_size": 15})
        self.wrap = self.book.add_format({"text_wrap": True, "valign": "top"})
        self.text = self.book.add_format({"num_format": "@"})
        self.label = self.book.add_format({"num_format": "0", "align": "center"})
        self.money = self.book.add_format({"num_format": MONEY})
        self.total = self.book.add_format({"num_format": MONEY, "bold": True, "top": 1})
        self.percent = self.book.add_format({"num_format": "0.0%"})
        self.whole = self.book.add_format({"num_format": "#,##0"})
        # Three digits or so say enough of a mean.
        self.means = {
            least: self.book.add_format({"num_format": style})
            for least, style in ((100, "#,##0"), (10, "#,##0.0"), (1, "#,##0.00"), (0, "#,##0.0###"))
        }

    def mean(self, value: float) -> Format:
        """How a mean of its size is written."""
        return next((style for least, style in self.means.items() if abs(value) >= least), self.means[0])

    def sheet(self, name: str, heads: Sequence[tuple[str, str, float]], frozen: int) -> Worksheet:
        """A sheet with a head row that stays in view, beside the first columns. heads: text, side and width of each."""
        sheet = self.book.add_worksheet(name)
        for column, (head, side, width) in enumerate(heads):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, sheets.cell_text(head), self.head[side])
        sheet.set_row(0, LINE * max(math.ceil(len(head) / width) for head, _, width in heads))
        sheet.freeze_panes(1, frozen)
        sheet.repeat_rows(0)
        self.lay_out(sheet)
        return sheet

    def lay_out(self, sheet: Worksheet) -> None:
        """On paper: one page wide, with the file's, the sheet's and the page's name below."""
        sheet.set_paper(A4)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&L&F&C&A&RPage &P of &N")

    def read_me(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        """The sheet that says what is what. lines: terms with their explanation."""
        sheet = self.book.add_worksheet(say("Read me"))
        sheet.set_column(0, 0, 26)
        sheet.set_column(1, 1, WIDE)
        sheet.hide_gridlines(2)
        self.lay_out(sheet)
        sheet.write_string(0, 0, sheets.cell_text(title), self.title)
        for row, (term, text) in enumerate(lines, start=2):
            sheet.set_row(row, min(TALLEST, LINE * math.ceil(len(text) / WIDE) + 3))
            sheet.write_string(row, 0, term, self.bold)
            sheet.write_string(row, 1, sheets.cell_text(text), self.wrap)


def write_number(sheet: Worksheet, row: int, column: int, value: float, style: Format) -> None:
    """A number, or an empty cell where there is none."""
    if math.isnan(value):
        sheet.write_blank(row, column, None, style)
    else:
        sheet.write_number(row, column, float(value), style)
