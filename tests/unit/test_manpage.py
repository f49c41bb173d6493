"""The manual page is current, and names every command."""

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from clustering.cli import app
from clustering.manpage import page

PAGE = Path(__file__).parents[2] / "man" / "clustering.1"


def test_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m clustering.manpage > man/clustering.1"


def test_every_command_has_an_example_there() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    text = page().replace("\\-", "-")
    assert [name for name in commands if f"Example: clustering {name}" not in text] == []


def test_groff_takes_the_page() -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", str(PAGE)], capture_output=True, text=True, check=True)
    assert result.stderr == ""
