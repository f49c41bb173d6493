"""What the locks of envs/ hold, and what the packages that are installed by them say of their licences."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
SPDX = get_spdx_licensing()


@dataclass(frozen=True)
class Locked:
    """One line of a lock. is_here: whether it is for this system and Python; problem: why it locks nothing."""

    name: str
    version: str
    hashes: tuple[str, ...]
    is_here: bool
    problem: str | None


def read_lock(path: Path) -> list[Locked]:
    """Every package of a lock. Raises ValueError where a line is no requirement."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [read_line(line, path) for line in lines]


def read_line(line: str, path: Path) -> Locked:
    """One package."""
    words, *hashes = re.split(r"\s+--hash=", line)
    try:
        requirement = Requirement(words)
    except InvalidRequirement as error:
        raise ValueError(f"{path}: {line!r} is no requirement: {error}") from None
    pins = [pin for pin in requirement.specifier if pin.operator == "==" and not pin.version.endswith("*")]
    problem = None
    if requirement.url is not None:
        problem = "it is an address"
    elif len(pins) != 1:
        problem = "it has no one version"
    elif not hashes or not all(SHA256.fullmatch(digest) for digest in hashes):
        problem = "it has no SHA-256"
    version = pins[0].version if pins else ""
    is_here = requirement.marker is None or requirement.marker.evaluate()
    return Locked(canonicalize_name(requirement.name), version, tuple(hashes), is_here, problem)


@dataclass(frozen=True)
class Rules:
    """What audit/licences.toml says."""

    allowed: frozenset[str]
    words: Mapping[str, str]
    stated: Mapping[str, Mapping[str, str]]


def read_rules(path: Path = ROOT / "audit" / "licences.toml") -> Rules:
    """The rules of a file."""
    content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return Rules(frozenset(content["allowed"]), content["words"], content["stated"])


def licence_of(name: str, metadata: PackageMetadata, rules: Rules) -> str | None:
    """A package's licence in SPDX; None where it says nothing that is known."""
    if name in rules.stated:
        return rules.stated[name]["licence"]
    if expression := metadata.get("License-Expression"):
        return str(expression)
    said = [
        text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    field = (metadata.get("License") or "").strip().split("\n")[0]
    # A classifier that only says that there is a licence says nothing.
    found = [text for text in said if text != "OSI Approved"] or [field]
    known = [rules.words.get(text) or (text if is_spdx(text) else None) for text in found]
    if None in known:
        return None
    return str(known[0]) if len(known) == 1 else " AND ".join(f"({one})" for one in known)


def is_spdx(text: str) -> bool:
    """Whether a text is an expression of SPDX."""
    try:
        return bool(text) and not SPDX.validate(text).errors
    except ExpressionError:
        return False


def is_allowed(licence: str, rules: Rules) -> bool:
    """Whether a licence lets us: of those joined by AND all of them, of those joined by OR one."""
    tree = SPDX.parse(licence, validate=True)

    def holds(node: Any) -> bool:
        if node.__class__.__name__ == "AND":
            return all(map(holds, node.args))
        if node.__class__.__name__ == "OR":
            return any(map(holds, node.args))
        return str(node) in rules.allowed

    return holds(tree)


def installed(locked: Locked) -> PackageMetadata | None:
    """What a package says of itself, in the version that is locked; None where that is not installed."""
    try:
        found = distribution(locked.name)
    except PackageNotFoundError:
        return None
    return found.metadata if found.version == locked.version else None
