"""Words of every language: nothing is left in English, and every value has its place."""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from pydantic import ValidationError

import build_report
import export_segments
import export_workbook
from storelib.accounts.expectations import EXPECTATIONS
from storelib.configuration.params import Report
from storelib.errors import ConfigError
from storelib.method import one_cluster
from storelib.pages import checks, describing, flows, naming, report, words
from storelib.pages.language import ENGLISH, READER, Reader, number, reader_of, say, say_number, written_for

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
WORDS = SCRIPTS / "templates" / "words"
OTHERS = sorted(path.stem for path in WORDS.glob("*.yaml") if path.stem != "en")
# Texts that are said by another name than their own.
TABLES: list[Any] = [
    flows.REASONS, flows.ENDS, [flows.OTHERS], words.SIDES, words.REASONS, words.MONTHS, checks.WANTED, checks.STATES,
    describing.NAMED_BY, describing.VERDICT_WORDS, report.RULE_WORDS, [naming.NOTHING],
    build_report.STAGES, build_report.FLOWS, build_report.HEADS, build_report.SAID, build_report.REMARKS,
    *[list(terms) for book in (export_segments, export_workbook) for terms in (book.TERMS, book.TERMS.values())],
    [one_cluster.NO_STRUCTURE, one_cluster.WEAK_STRUCTURE, checks.MEANINGLESS],
    ["stable", "a pattern, not stable", "not stable", "segment", "internal cluster", "external cluster"],
    ["%(amount)s million", "%(amount)s billion", "a quarter of", "a third of", "half"],
    ["what sells", "both views", "external data"],
    ["much higher %(name)s", "higher %(name)s", "much lower %(name)s", "lower %(name)s"],
    *[[expectation.says, expectation.to_do] for expectation in EXPECTATIONS.values()],
]  # fmt: skip


def said_in_code() -> Iterator[str]:
    """Texts that `say`, `say_number` and `count` are called with; of texts by number, the first."""
    for path in [*SCRIPTS.glob("*.py"), *SCRIPTS.glob("storelib/pages/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in {"say", "say_number"}:
                given = node.args[0]
                parts = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
                yield from (part.value for part in parts if isinstance(part, ast.Constant))
            elif name == "count" and len(node.args) == 2 and isinstance(node.args[1], ast.Constant):
                yield str(node.args[1].value)


def said_in_template() -> Iterator[str]:
    """Texts of the template, and the nouns that it counts."""
    source = (SCRIPTS / "templates" / "report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, extensions=["jinja2.ext.i18n"])
    for _, _, found in environment.extract_translations(source):  # type: ignore[attr-defined]
        texts = [found] if isinstance(found, str) else [text for text in found or [] if text]
        # What is said by a variable is in the tables above.
        yield from texts[:1]
    yield from re.findall(r"\|count\('([^']+)'\)", source)


def messages() -> set[str]:
    tables = (table.values() if isinstance(table, dict) else table for table in TABLES)
    return {text for texts in (said_in_code(), said_in_template(), *tables) for text in texts if text}


def places(text: str | list[str]) -> set[str]:
    """Where values go."""
    return set(re.findall(r"%\(\w+\)s|\{\w*\}|%%|</?\w+>", text if isinstance(text, str) else " ".join(text)))


def spoken(name: str) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = yaml.safe_load((WORDS / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_every_text_is_said_in_every_language(name: str) -> None:
    assert messages() - set(spoken(name)) == set()
    assert set(spoken(name)) - messages() == set()


@pytest.mark.parametrize("name", OTHERS)
def test_every_value_has_its_place_in_every_language(name: str) -> None:
    assert [text for text, said in spoken(name).items() if places(text) != places(said)] == []


GERMAN = Reader(
    {"store": ["Filiale", "Filialen"], "%(symbol)s%(amount)s": "%(amount)s %(symbol)s"}, "de", ",", ".", "€"
)


@pytest.mark.parametrize(
    ("reader", "figures"),
    [
        (ENGLISH, ["1,234.5", "1 store", "2,000 stores", "2.50 million", "0.5 %"]),
        (ENGLISH._replace(currency="$"), ["1,234.5", "1 store", "2,000 stores", "$2.50 million", "0.5 %"]),
        (ENGLISH._replace(currency="CHF", thousands="’"), ["1’234.5", "1 store", "2’000 stores", "2.50 million\u00a0CHF", "0.5 %"]),
        (GERMAN, ["1.234,5", "1 Filiale", "2.000 Filialen", "2,50 million €", "0,5 %"]),
    ],
)  # fmt: skip
def test_figures_are_written_for_the_reader(reader: Reader, figures: list[str]) -> None:
    with written_for(reader):
        told = [number(1234.5, ",.1f"), words.count(1, "store"), words.count(2000, "store")]
        assert [*told, words.money(2_500_000), words.percent(0.005)] == figures
    assert READER.get() is ENGLISH


def test_a_text_that_a_language_lacks_stays_english() -> None:
    with written_for(GERMAN):
        assert say("%(first)s to %(last)s", first=1, last=2) == "1 to 2"
        assert say_number("one of %(num)s", "%(num)s of them", 3) == "3 of them"


def test_a_file_that_is_no_list_of_texts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "xx.yaml").write_text("store: 7\n")
    flags = argparse.Namespace(
        words=tmp_path / "xx.yaml", language="xx", decimal="point", thousands="comma", currency=""
    )
    with pytest.raises(ConfigError, match=r"xx\.yaml is no list of texts"):
        reader_of(flags)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"language": "xx"}, "one of de, en is expected"),
        ({"thousands": "point"}, "two different marks"),
        ({"currency": "<b>"}, "currency"),
    ],
)
def test_what_no_page_can_be_written_in_is_refused(change: dict[str, str], wrong: str) -> None:
    block = {"language": "en", "decimal": "point", "thousands": "comma"} | change
    with pytest.raises(ValidationError, match=wrong):
        Report.model_validate(block)
