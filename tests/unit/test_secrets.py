"""Secrets are taken out of every text, and what is no secret stays readable."""

import logging
from pathlib import Path

import pytest

from clustering import secrets
from clustering.secrets import address_of, environment_files, filled_in, load_environment, redact, redacted, remember
from storelib.configuration.place import Fetch
from storelib.errors import ConfigError


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_secrets", set())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://retail:hunter22@db.example.org/sales", "postgresql://***@db.example.org/sales"),
        ("cannot open s3://KEY:SECRET@bucket/x: denied", "cannot open s3://***@bucket/x: denied"),
        ("host=db password=hunter22 dbname=x", "host=db password=*** dbname=x"),
        ("host=db password='a b' dbname=x", "host=db password=*** dbname=x"),
        ("?user=me&PASSWORD=x&y=1", "?user=me&PASSWORD=***&y=1"),
        ("configs/prod.yml: sources.sales.path: 'sales'", "configs/prod.yml: sources.sales.path: 'sales'"),
        ("file:///data/a@b", "file:///data/a@b"),
    ],
)
def test_passwords_are_known_by_their_place(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_remembered_secret_goes_in_every_spelling() -> None:
    remember("p@ss/word")
    assert redact("p@ss/word p%40ss%2Fword pass") == "*** *** pass"


def test_of_an_address_only_the_password_is_secret() -> None:
    remember("postgresql://retail:hunter22@db.example.org/sales?sslmode=require&sslpassword=deep-one")
    assert redact("hunter22 at db.example.org for sales by require with deep-one") == (
        "*** at db.example.org for sales by require with ***"
    )


def test_longer_secret_is_taken_out_first() -> None:
    remember("canary")
    remember("canary-two")
    assert redact("canary-two canary") == "*** ***"


def test_trees_are_redacted() -> None:
    remember("canary")
    assert redacted({"a": ["x canary", 1, None], "b": {"c": "canary"}}) == {"a": ["x ***", 1, None], "b": {"c": "***"}}


def test_addresses_lose_users_and_unknown_parameters() -> None:
    assert (
        address_of("postgresql://me:pw@db:5432/x?sslmode=require&sslkey=k") == "postgresql://db:5432/x?sslmode=require"
    )
    assert address_of("s3://retail/a/*.csv") == "s3://retail/a/*.csv"
    assert address_of("../shop.db") == "../shop.db"


def test_environment_files_are_loaded_and_open_ones_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SHOP_PASSWORD", "SHOP_HOST"):
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name)
    (tmp_path / ".env.prod").write_text("SHOP_PASSWORD=canary-1\n")
    (tmp_path / ".env").write_text("SHOP_PASSWORD=canary-2\nSHOP_HOST=db.example.org\n")
    (tmp_path / ".env.prod").chmod(0o600)
    (tmp_path / ".env").chmod(0o644)
    load_environment(tmp_path, "prod")
    assert [path.name for path in environment_files(tmp_path, "prod")] == [".env.prod", ".env"]
    assert capsys.readouterr().err == f"Warning: .env can be read by others: chmod 600 {tmp_path / '.env'}\n"
    assert redact("canary-1 db.example.org") == "*** db.example.org"


def test_working_folder_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PWD", "OLDPWD", "RETAIL_PWD"):
        monkeypatch.setenv(name, f"/srv/{name.lower()}")
    load_environment(tmp_path, "prod")
    assert redact("/srv/pwd/configs /srv/oldpwd/x /srv/retail_pwd") == "/srv/pwd/configs /srv/oldpwd/x ***"


def test_variables_of_what_is_fetched_are_filled_in_and_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "canary-3")
    wanted = Fetch(
        database="postgresql", uri="postgresql://me:${env:SHOP}@db/x", query="SELECT 1", options={"token": "canary-4"}
    )
    assert filled_in(wanted, Path("configs/prod.yml")).uri == "postgresql://me:canary-3@db/x"
    assert redact("canary-3 canary-4 db") == "*** *** db"
    with pytest.raises(ConfigError, match="environment variable SHOPS is not set"):
        filled_in(Fetch(files="s3://${env:SHOPS}/x"), Path("configs/prod.yml"))


def test_log_lines_and_tracebacks_are_redacted(tmp_path: Path) -> None:
    remember("canary-5")
    logger = logging.getLogger("test_secrets")
    handler = logging.FileHandler(tmp_path / "log")
    handler.addFilter(secrets.Redacting())
    logger.addHandler(handler)
    try:
        int("about canary-5")
    except ValueError:
        logger.exception("with %s", "canary-5")
    logger.removeHandler(handler)
    handler.close()
    text = (tmp_path / "log").read_text()
    assert "canary" not in text
    assert "with ***" in text
    assert "ValueError: invalid literal for int() with base 10: 'about ***'" in text
