"""The reader's language and form of numbers: in which words a page speaks, and how it writes figures and amounts.

Everything is written in English, where it is said. A file of words, `scripts/templates/words/<language>.yaml`, says each text in
another language; `%(name)s` in a text stands for a value. A text that the file does not have stays English.
"""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from storelib.configuration.yaml_files import read_yaml
from storelib.errors import ConfigError

# What stands between groups of three digits, by its name in the configuration; spaces do not break.
THOUSANDS = {"comma": ",", "point": ".", "space": "\u202f", "apostrophe": "’", "none": ""}
DECIMALS = {"point": ".", "comma": ","}


class Reader(NamedTuple):
    """For whom a page is. messages: English texts in the reader's language; a pair of one and several where it counts."""

    messages: Mapping[str, str | list[str]] = {}
    language: str = "en"
    decimal: str = "."
    thousands: str = ","
    currency: str = ""


ENGLISH = Reader()
READER = ContextVar("READER", default=ENGLISH)


def add_reader(parser: argparse.ArgumentParser) -> None:
    """Flags of a stage that writes for people: those of `report` in params.yaml, and the file of words."""
    parser.add_argument("--words", type=Path, help="texts in the reader's language; English by default")
    parser.add_argument("--language", default="en", help="what the page says that it is written in")
    parser.add_argument("--decimal", choices=DECIMALS, default="point", help="mark before decimals")
    parser.add_argument("--thousands", choices=THOUSANDS, default="comma", help="mark between groups of three digits")
    parser.add_argument("--currency", default="", help="of amounts: a symbol, or a code such as EUR")


def reader_of(args: argparse.Namespace) -> Reader:
    """The reader that the flags of `add_reader` tell of. Raises ConfigError."""
    messages = (read_yaml(args.words) or {}) if args.words else {}
    if not isinstance(messages, dict) or not all(map(is_text, messages.values())):
        raise ConfigError(
            f"{args.words} is no list of texts",
            solution="write `English text: text`, and [one, several] for what is counted",
        )
    return Reader(messages, args.language, DECIMALS[args.decimal], THOUSANDS[args.thousands], args.currency)


def is_text(value: object) -> bool:
    """A text, or the two forms of a noun."""
    return isinstance(value, str) or (isinstance(value, list) and len(value) == 2 and all(map(is_text, value)))


@contextmanager
def written_for(reader: Reader) -> Iterator[None]:
    """What is said inside is for this reader."""
    token = READER.set(reader)
    try:
        yield
    finally:
        READER.reset(token)


def say(text: str, /, **values: object) -> str:
    """A text in the reader's language, with values in their places."""
    # A text without values may have a per cent sign.
    return message(text) % values if values else message(text)


def say_number(one: str, several: str, number: int, /, **values: object) -> str:
    """One of two texts, as the number asks for: the first for 1."""
    return message_by_number(one, several, number) % {"num": number, **values}


def message(text: str) -> str:
    """A text of a template in the reader's language, whose values are put in later."""
    found = READER.get().messages.get(text, text)
    return found if isinstance(found, str) else found[0]


def message_by_number(one: str, several: str, number: int) -> str:
    """The same of one of two texts, as the number asks for."""
    found = READER.get().messages.get(one, [one, several])
    return found if isinstance(found, str) else found[0 if number == 1 else 1]


def number(value: object, form: str = ",") -> str:
    """A number by Python's form, with the reader's marks."""
    return with_marks(format(value, form))


def with_marks(written: str) -> str:
    """A number as Python writes it, with the reader's marks."""
    reader = READER.get()
    return written.translate({ord(","): reader.thousands, ord("."): reader.decimal})


def with_currency(amount: str) -> str:
    """An amount with the currency, where one is configured: a symbol where the language has it, a code behind."""
    currency = READER.get().currency
    if not currency:
        return amount
    if currency.isalpha():
        return f"{amount}\u00a0{currency}"
    return say("%(symbol)s%(amount)s", symbol=currency, amount=amount)
