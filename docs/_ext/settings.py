"""The keys of both configuration files, read off the models: names, values and meanings."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from storelib.configuration.params import Part
from storelib.names import KEY

# Free keys: what the documentation writes in their place.
FREE = {
    "fetch": "<source>",
    "publish": "<target>",
    "options": "<option>",
    "demo": "<env>",
    "categories": "<key>",
    "external": "<name>",
    "columns": "<column>",
    "key": "<column>",
}
NAMES = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}
PATTERNS = {
    f"^{KEY}$": "of lower-case letters, digits and `_`",
    r'^[^"\r\n\x00]*$': "without quotes or line ends",
    r"^[1-9]\d*(MB|GB)$": "such as `512MB` or `2GB`",
    r"^[^*]*\*[^*]*$": "with one `*`",
    r"^\d{4}-\d{2}-\d{2}$": 'such as `"2026-01-29"`',
}


class Setting(NamedTuple):
    """One key with its dots, what it may hold, and what it means."""

    key: str
    values: str
    default: str
    meaning: str


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """Every key that holds a value, in the order of the model."""
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        free = is_mapping(field.annotation)
        key = f"{prefix}{name}" + (f".{FREE[name]}" if free else "")
        if inner is None or issubclass(inner, Part):
            yield Setting(key, values_of(field), default_of(field), field.description or "")
        else:
            yield from settings(inner, f"{key}.")


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key that holds other keys and is explained."""
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is not None:
            key = f"{prefix}{name}" + (f".{FREE[name]}" if is_mapping(field.annotation) else "")
            if field.description:
                yield key, field
            yield from sections(inner, f"{key}.")


def bare(annotation: Any) -> Any:
    """An annotation without its constraints, and without `None` as a choice."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        left = [part for part in get_args(annotation) if part is not NoneType]
        return bare(left[0]) if len(left) == 1 else annotation
    return annotation


def is_mapping(annotation: Any) -> bool:
    """Whether a key holds others under names of the reader's."""
    return get_origin(bare(annotation)) is dict


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a key, or each of its free keys, holds; None where it holds a value."""
    kind = bare(annotation)
    if get_origin(kind) is dict:
        return model_in(get_args(kind)[1])
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def values_of(field: FieldInfo) -> str:
    """What a key may hold, in words."""
    return f"{kind_of(field.annotation)}{bounds_of(field.metadata)}"


def kind_of(annotation: Any) -> str:
    """A type, in words."""
    kind = bare(annotation)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) is dict:
        return kind_of(get_args(kind)[1])
    if get_origin(kind) is list:
        return f"list of {kind_of(get_args(kind)[0])}"
    if get_origin(kind) in {Union, UnionType}:
        return " or ".join(f"{kind_of(part)}{bounds_of(limits_in(part))}" for part in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Part):
        return "some keys of that block"
    return NAMES[kind]


def limits_in(annotation: Any) -> list[Any]:
    """The limits of one branch of a union, where it is a number."""
    if bare(annotation) not in {int, float} or get_origin(annotation) is not Annotated:
        return []
    return [limit for field in get_args(annotation)[1:] for limit in field.metadata]


def bounds_of(metadata: list[Any]) -> str:
    """Limits, such as ` ≥ 0, ≤ 1`."""
    found = []
    for limit in metadata:
        for kind, sign, attribute in ((Ge, "≥", "ge"), (Gt, ">", "gt"), (Le, "≤", "le"), (Lt, "<", "lt")):
            if isinstance(limit, kind):
                found.append(f"{sign} {getattr(limit, attribute)}")
        if isinstance(limit, MinLen) and not found:
            found.append("not empty")
        pattern = getattr(limit, "pattern", None)
        if pattern:
            found.append(PATTERNS.get(pattern, f"like `{pattern}`"))
    return f" {', '.join(found)}" if found else ""


def default_of(field: FieldInfo) -> str:
    """What holds where the key is not given."""
    if field.is_required():
        return "required"
    return "none" if field.default is None else f"`{field.default}`"


def value_at(tree: Any, key: str) -> Any:
    """The value of a key with dots, where `<free>` keys stand for the first there is; None where there is none."""
    for part in key.split("."):
        if not isinstance(tree, dict) or not tree:
            return None
        tree = next(iter(tree.values())) if part.startswith("<") else tree.get(part)
    return tree
