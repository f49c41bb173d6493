"""The ledger balances to the cent, or the stage fails."""

from decimal import Decimal
from pathlib import Path

import pytest

from storelib.accounts.ledger import Entry, balanced, check_balance, ledger_table, lost_stores, read_ledger
from storelib.errors import DataError
from storelib.tables import write_table


def entry(
    flow: str, stores: int, lines: int, sales: str, reason: str = "", stage: str = "s", category: str = ""
) -> Entry:
    return Entry(stage, category, flow, reason, stores, lines, Decimal(sales))


BALANCED = [
    entry("in", 3, 10, "10.00"), entry("out", 2, 6, "7.50"), entry("set_aside", 1, 3, "2.51", "a"),
    entry("set_aside", 0, 1, "-0.01", "b"),
]  # fmt: skip


def test_in_is_out_and_set_aside() -> None:
    # 3 = 2 + 1 + 0, 10 = 6 + 3 + 1, 10.00 = 7.50 + 2.51 - 0.01
    check_balance(BALANCED)


def test_notes_do_not_count() -> None:
    check_balance([*BALANCED, entry("noted", 99, 99, "99.99", "odd")])


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (entry("in", 1, 0, "0"), "1 stores, 0 lines"),
        (entry("in", 0, 1, "0"), "0 stores, 1 lines"),
        (entry("in", 0, 0, "0.01"), "0 lines, 0.01 of sales"),
        (entry("out", 0, 0, "0.01"), "0 lines, -0.01 of sales"),
    ],
)
def test_a_store_a_line_or_a_cent_that_is_lost_fails(lost: Entry, message: str) -> None:
    with pytest.raises(DataError, match=f"the ledger of s '' does not balance: .*{message}"):
        check_balance([*BALANCED, lost])


def test_each_stage_and_category_balances_for_itself() -> None:
    # what is missing in one category is too much in the other
    entries = [
        entry("in", 1, 1, "1.00", category="a"), entry("out", 1, 1, "2.00", category="a"),
        entry("in", 1, 1, "2.00", category="b"), entry("out", 1, 1, "1.00", category="b"),
    ]  # fmt: skip
    with pytest.raises(DataError, match="'a' does not balance"):
        check_balance(entries)


def test_a_cent_in_a_quadrillion_is_seen() -> None:
    with pytest.raises(DataError, match=r"0\.01 of sales"):
        check_balance([entry("in", 1, 1, "99999999999999999.99"), entry("out", 1, 1, "99999999999999999.98")])


def test_ledger_that_does_not_balance_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        write_table(balanced([entry("in", 1, 1, "1.00")]), tmp_path / "ledger.parquet")
    assert list(tmp_path.iterdir()) == []


def test_entries_survive_the_file_in_the_order_of_the_key(tmp_path: Path) -> None:
    notes = [entry("noted", 1, 1, "0.00", "z"), entry("noted", 1, 1, "0.00", "y")]
    other = [entry("in", 1, 1, "5.00", stage="r"), entry("out", 1, 1, "5.00", stage="r")]
    write_table(balanced([*notes, *reversed(BALANCED), *other]), tmp_path / "ledger.parquet")
    found = read_ledger(tmp_path / "ledger.parquet")
    keys = [(e.stage, e.flow, e.reason) for e in found]
    assert keys == [
        ("r", "in", ""), ("r", "out", ""), ("s", "in", ""), ("s", "out", ""), ("s", "set_aside", "a"), ("s", "set_aside", "b"),
        ("s", "noted", "y"), ("s", "noted", "z"),
    ]  # fmt: skip
    assert found[4].sales == Decimal("2.51")


def test_empty_ledger_has_a_header() -> None:
    assert ledger_table([]).num_rows == 0
    assert ledger_table([]).column_names == ["stage", "category", "flow", "reason", "stores", "lines", "sales"]


def test_stores_are_counted_once_under_the_first_reason() -> None:
    # Store 1 stays; store 2 is gone, and bad comes before late; of store 3 there is nothing but what is late.
    assert lost_stores({1}, {"late": {1, 2, 3}, "bad": {2}}) == {"bad": 1, "late": 1}
