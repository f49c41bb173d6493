"""Columns and values that Arrow would make by way of pandas."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from storelib.arrow import array_of, column_of, texts_of, value_of
from storelib.money import amounts_of, occurring
from storelib.tables import MONEY

ROOT = Path(__file__).parents[2]
TEXTS = ["", None, "Größe", "a" * 70_000, "\x00"]
AMOUNTS = [Decimal("0.01"), None, Decimal("-12345678901234567890.10"), Decimal(7), Decimal("1E+3")]


@pytest.mark.parametrize("kind", ["int8", "int32", "int64", "uint16", "float32", "float64", "bool"])
@pytest.mark.parametrize("count", [0, 1, 9])
def test_numbers_are_as_arrow_makes_them_and_come_back(kind: str, count: int) -> None:
    values = (np.arange(2 * count) % 3).astype(kind)[::2]
    column = column_of(values)
    assert column.equals(pa.array(values))
    assert column.null_count == 0
    for part in (column, column.slice(count // 2)):
        found = array_of(part)
        assert found.dtype == values.dtype
        assert found.tolist() == part.to_pylist()


def test_numbers_may_be_missing() -> None:
    known = np.array([True, False, True])
    column = column_of(np.array([4, 5, 6], np.int32), known)
    assert column.equals(pa.array([4, None, 6], pa.int32()))
    assert array_of(column).tolist()[::2] == [4.0, 6.0]
    assert np.isnan(array_of(column)[1])


@pytest.mark.parametrize("values", [TEXTS, TEXTS[2:], []])
def test_texts_are_as_arrow_makes_them(values: list[str | None]) -> None:
    assert texts_of(values).equals(pa.array(values, pa.string()))
    assert texts_of(values).type == pa.string()


@pytest.mark.parametrize("values", [AMOUNTS, AMOUNTS[2:], []])
def test_amounts_are_as_arrow_makes_them(values: list[Decimal | None]) -> None:
    assert amounts_of(values).equals(pa.array(values, MONEY))


def test_an_amount_of_more_than_two_places_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid, match=r"1\.005 has more than two places"):
        amounts_of([Decimal("1.005")])


@pytest.mark.parametrize("value", [True, 3, -2.5, float("inf"), "", "text"])
def test_values_are_as_arrow_makes_them(value: float | str) -> None:
    assert value_of(value).equals(pa.scalar(value))


def test_places_that_occur() -> None:
    assert occurring(np.array([5, 0, 5, 2], np.int32)).tolist() == [0, 2, 5]
    assert occurring(np.array([], np.int64)).tolist() == []


@pytest.mark.parametrize(
    "words",
    [
        "import clustering.running",
        "from storelib.arrow import *; array_of(column_of(np.array([True, False])[:0])); array_of(column_of(np.arange(3)))",
        "import pyarrow.compute as pc; from storelib.arrow import *; pc.less(column_of(np.arange(3)), value_of(1))",
    ],
)
def test_what_is_to_do_without_pandas_does(words: str) -> None:
    """Loading it takes a fifth of a second of every command."""
    program = (
        f"import sys; sys.path.insert(0, 'scripts'); import numpy as np; {words}; sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_comparisons_of_contracts_are_those_of_arrow() -> None:
    column = pa.chunked_array([column_of(np.array([1, 2, 3]))])
    assert pc.greater_equal(column, value_of(2)).equals(pc.greater_equal(column, 2))
