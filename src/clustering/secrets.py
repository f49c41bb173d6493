"""Environment files, and what must not be read in any log, error, receipt or record: the values they bring.

A value is secret where the name of its environment variable says so, where it is the password of an address, or an option of a
database's driver. `redact` takes every such value out of a text, and whatever is written as a password.
"""

import logging
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from dotenv import load_dotenv

from storelib.configuration.place import Model, strings_in, with_environment

HIDDEN = "***"
# Shorter values are in every text by chance.
SHORTEST = 4
SECRET_NAME = re.compile(
    r"PASS|PWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|SIGNATURE|(^|_)(KEY(_ID)?|SAS|PAT|PIN|AUTH)$", re.IGNORECASE
)
# The working folder and the one before.
NO_SECRETS = {"PWD", "OLDPWD"}
USER_INFO = re.compile(r"(?<=://)[^/@\s?#]*:[^@\s?#]*(?=@)")
NAMED = re.compile(
    r"\b((?:password|passwd|pwd|secret|token|access_key|secret_key)\s*=\s*)('[^']*'|[^\s&;,']+)", re.IGNORECASE
)
# What an address may say after `?` without giving anything away.
OPEN_PARAMETERS = {"endpoint_override", "scheme", "region", "sslmode", "schema", "warehouse", "database", "role"}
M = TypeVar("M", bound=Model)

_secrets: set[str] = set()


def environment_files(root: Path, env: str) -> list[Path]:
    """The files that bring variables, the first of which counts."""
    return [path for path in (root / f".env.{env}", root / ".env") if path.is_file()]


def load_environment(root: Path, env: str) -> None:
    """Load `.env.<env>` and `.env`; what is set already stays. Warns where others may read such a file."""
    for path in environment_files(root, env):
        if is_open(path):
            sys.stderr.write(f"Warning: {path.name} can be read by others: chmod 600 {path}\n")
        load_dotenv(path)
    for name, value in os.environ.items():
        if name not in NO_SECRETS and (SECRET_NAME.search(name) or "://" in value):
            remember(value)


def is_open(path: Path) -> bool:
    """Whether others than its owner may read or write a file."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def remember(value: str) -> None:
    """Take note of a secret, as it is and as it may be written in an address; of an address its password alone."""
    if "://" in value:
        for part in passwords_of(value):
            remember(part)
        return
    for form in {value, value.strip(), quote(value, safe=""), unquote(value)}:
        if len(form) >= SHORTEST:
            _secrets.add(form)


def passwords_of(address: str) -> Iterator[str]:
    """The password of an address, and its parameters that are not known to be open."""
    try:
        parts = urlsplit(address)
    except ValueError:
        yield address
        return
    if parts.password:
        yield parts.password
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if value and name not in OPEN_PARAMETERS:
            yield value


def redact(text: str) -> str:
    """A text without secrets."""
    text = NAMED.sub(rf"\1{HIDDEN}", USER_INFO.sub(HIDDEN, text))
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def redacted(node: Any) -> Any:
    """A tree of dictionaries and lists whose every text is redacted."""
    if isinstance(node, Mapping):
        return {key: redacted(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [redacted(value) for value in node]
    return redact(node) if isinstance(node, str) else node


def address_of(uri: str) -> str:
    """Where something is, without user, password, or parameters that are not known to be open."""
    parts = urlsplit(uri)
    if not parts.scheme or not parts.netloc:
        return redact(uri.partition("?")[0])
    host = parts.netloc.rpartition("@")[2]
    open_pairs = [pair for pair in parts.query.split("&") if pair.partition("=")[0] in OPEN_PARAMETERS]
    return redact(f"{parts.scheme}://{host}{parts.path}" + (f"?{'&'.join(open_pairs)}" if open_pairs else ""))


def filled_in(section: M, path: Path) -> M:
    """A section of what is fetched or published with its variables filled in. Raises ConfigError for one that is not set."""
    done = with_environment(section.model_dump(exclude_unset=True), path)
    for keys, text in strings_in(done):
        if "options" in keys or "://" in text:
            remember(text)
    return type(section).model_validate(done)


class Redacting(logging.Filter):
    """Takes secrets out of what is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass, redacted."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True
