"""Who went where since the baseline, by hand."""

import pandas as pd
import pytest

from storelib.contracts.contract import checked
from storelib.contracts.segments import MIGRATIONS
from storelib.method.migrations import migrations, moved


def table(labels: dict[tuple[str, str], int]) -> pd.DataFrame:
    rows = [(category, store, segment) for (category, store), segment in labels.items()]
    return pd.DataFrame(rows, columns=["category", "store_id", "segment"])


def test_stores_are_counted_by_segment_before_and_now() -> None:
    before = table({("x", s): n for s, n in zip("abcdef", (1, 1, 1, 2, 2, 2), strict=True)} | {("gone", "a"): 1})
    now = table({("x", s): n for s, n in zip("abcdegh", (1, 1, 2, 2, 3, 3, 3), strict=True)} | {("new", "a"): 1})
    found = migrations(now, before)
    # 1: a, b stayed, c went to 2. 2: d stayed, e went to 3, f is gone. g and h are new. Categories of one side only say nothing.
    assert [tuple(None if pd.isna(v) else v for v in row) for row in found.itertuples(index=False)] == [
        ("x", 1, 1, 2, pytest.approx(2 / 3)), ("x", 1, 2, 1, pytest.approx(1 / 3)), ("x", 2, 2, 1, pytest.approx(1 / 3)),
        ("x", 2, 3, 1, pytest.approx(1 / 3)), ("x", 2, None, 1, pytest.approx(1 / 3)), ("x", None, 3, 2, None),
    ]  # fmt: skip
    # c and e of a to e
    assert moved(found, "x") == (2, 5)
    assert moved(found, "new") == (0, 0)
    assert checked(found, MIGRATIONS, "migrations").num_rows == 6


def test_without_a_baseline_nothing_moved() -> None:
    found = migrations(table({("x", "a"): 1}), table({}))
    assert found.empty
    assert checked(found, MIGRATIONS, "migrations").schema == MIGRATIONS.schema()
