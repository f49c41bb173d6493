"""Numbers, days, spellings and messages: what is written in any way is read as it was meant."""

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuzz.drawing import drawn, examples
from fuzz.strategies import SCALARS, any_text
from storelib.configuration.place import Compute, NumbersSource
from storelib.configuration.yaml_files import TWO_READINGS
from storelib.database import database
from storelib.errors import DataError, shown
from storelib.raw.days import day_of
from storelib.raw.formats import plain_number, without_currency
from storelib.raw.sources import decimal_marks, id_of
from storelib.raw.spellings import folded, id_text, joined, parts_of, respelt
from storelib.sql import literal

styles = st.tuples(
    st.sampled_from([".", ","]), st.sampled_from([None, ".", ",", " ", "'"]), st.sampled_from([[], ["$"], ["€", "EUR"]])
)


def evaluated(sql: str, text: str) -> Any:
    """What SQL makes of a text x."""
    with database(Compute()) as connection:
        (row,) = connection.execute(f"SELECT {sql} FROM (SELECT CAST(? AS VARCHAR) AS x)", [text]).fetchall()  # noqa: S608
    return row[0]


@examples(2000)
@given(
    number=st.decimals(-(10**12), 10**12, places=2),
    style=styles,
    symbol=st.booleans(),
    grouped=st.booleans(),
    after=st.booleans(),
)
def test_number_in_any_style_is_read_back(
    number: Decimal, style: Any, symbol: bool, grouped: bool, after: bool
) -> None:
    drawn("numbers in any style are read back")
    decimal, thousands, currency = style
    if thousands == decimal:
        thousands = None
    text = f"{abs(number):,.2f}" if grouped and thousands else f"{abs(number):.2f}"
    text = text.replace(",", "\0").replace(".", decimal).replace("\0", thousands or "")
    if symbol and currency:
        text = f"{text} {currency[-1]}" if after else f"{currency[0]}{text}"
    text = f"-{text}" if number < 0 else text
    sql = plain_number("x", SimpleNamespace(decimal=decimal, thousands=thousands, currency=currency))
    assert Decimal(evaluated(sql, text)) == number


@examples(1500)
@given(text=any_text, style=styles)
def test_any_text_is_a_number_or_none(text: str, style: Any) -> None:
    drawn("any text is a number or none")
    decimal, thousands, currency = style
    numbers = SimpleNamespace(decimal=decimal, thousands=None if thousands == decimal else thousands, currency=currency)
    found = evaluated(plain_number("x", numbers), text)
    if found is not None:
        Decimal(found)
        # Whatever it was read from holds the same digits.
        bare = evaluated(without_currency("x", numbers), text)
        assert [c for c in bare if c.isdigit()] == [c for c in found if c.isdigit()]


FORMATS = ["%m/%d/%Y", "%d.%m.%Y", "%Y%m%d", "%d %b %Y", "%Y-%m-%d", "%d/%m/%Y", "%B %d, %Y"]


@examples(1000)
@given(day=st.dates(dt.date(1000, 1, 1)), formats=st.lists(st.sampled_from(FORMATS), min_size=1, max_size=3))
def test_day_in_any_format_is_read_back_or_not_at_all(day: dt.date, formats: list[str]) -> None:
    drawn("days in any format are read back")
    text = evaluated(f"strftime(CAST(x AS DATE), {literal(formats[0])})", day.isoformat())
    found = evaluated(day_of("x", formats), text)
    assert found == day if len(set(formats)) == 1 else found in (day, None)


@examples(500)
@given(text=any_text)
def test_any_text_is_a_day_or_none(text: str) -> None:
    drawn("any text is a day or none")
    found = evaluated(day_of("x", []), text)
    assert found is None or isinstance(found, dt.date)
    found = evaluated(day_of("x", FORMATS), text)
    assert found is None or isinstance(found, dt.date)


@examples(1000)
@given(
    text=st.one_of(any_text, st.from_regex(r"\A[ \u00a0]?-?[0-9]{1,3}[.,]?0{0,3} ?\Z")), other=any_text, style=styles
)
def test_id_has_one_form(text: str, other: str, style: Any) -> None:
    drawn("ids have one form, in SQL as in Python")
    decimal, thousands, _ = style
    thousands = None if thousands == decimal else thousands
    source = NumbersSource(reader="csv", path="x", decimal=decimal, thousands=thousands)
    form = id_text(text, decimal_marks(source))
    assert evaluated(id_of("x", "VARCHAR", source), text) == (form or None)
    assert id_text(form, decimal_marks(source)) == form
    parts = [id_text(part) for part in (text, other)]
    assert parts_of(joined(parts)) == parts


@examples(1000)
@given(
    counts=st.dictionaries(
        st.one_of(st.sampled_from(["Dairy", "DAIRY", " dairy", "Snacks"]), any_text), st.integers(1, 9), max_size=6
    ),
)
def test_spellings_become_one_and_stay_so(counts: dict[str, int]) -> None:
    drawn("spellings become one and stay so")
    better = respelt(counts)
    left = {better.get(name, name) for name in counts}
    groups: dict[str, set[str]] = {}
    for name in left:
        groups.setdefault(folded(name), set()).add(name)
    assert all(len(names) == 1 for names in groups.values())
    assert respelt({better.get(name, name): n for name, n in counts.items()}) == {}
    assert respelt(dict(reversed(list(counts.items())))) == better


@examples(1000)
@given(text=st.text(st.characters(), max_size=3000), value=any_text)
def test_any_message_is_one_line(text: str, value: str) -> None:
    drawn("any message is one line")
    error = DataError(f"{text} {shown(value)}", solution=text)
    assert len(str(error).splitlines()) == 2
    assert len(str(error)) < 4000
    str(error).encode("utf-8")


@examples(1000)
@given(
    text=st.one_of(
        st.sampled_from(SCALARS), st.from_regex(r"\A[-+]?[0-9_.eExob:]{1,8}\Z"), st.text("yesnoflYNOtru~.", max_size=5)
    )
)
def test_scalars_that_two_dialects_read_differently_are_known(text: str) -> None:
    import yaml
    from ruamel.yaml import YAML, YAMLError

    drawn("plain scalars that two dialects of YAML read differently")
    try:
        old, new = yaml.safe_load(f"k: {text}"), YAML(typ="safe", pure=True).load(f"k: {text}")
    except (yaml.YAMLError, YAMLError, ValueError):
        return
    if repr(old) != repr(new):
        assert TWO_READINGS.fullmatch(text.strip())
