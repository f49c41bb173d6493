"""YAML files whose every value means the same to YAML 1.1 (Snakemake, the stages) and to YAML 1.2 (DVC).

Plain YAML keeps the last of two equal keys, reads `yes` in two ways and follows a structure that contains itself; all of these
are refused, with the line.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from storelib.errors import ConfigError, shown

# Plain scalars that the two dialects read as different values.
TWO_READINGS = re.compile(
    r"(yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"  # true or false, or a word
    r"|[-+]?0[0-9_]+|[-+]?0o[0-7_]+"  # octal, or decimal
    r"|[-+]_+[0-9][0-9_]*|[-+]?\._+[0-9][0-9_]*"  # a word, or a number
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"  # in sixties, or a word
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?[0-9_]*\.[0-9_]*[eE][0-9]+|[-+]\.[0-9_]+([eE][-+]?[0-9]+)?)"  # a word, or a number
)
# Values that a file may have in all, with what its aliases stand for.
MOST_VALUES = 100_000


class StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse duplicates, then do as the parent does."""
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key that is no text", key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """One YAML file, or a ConfigError that names the line."""
    try:
        return loaded(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yml"))) or "none"
        hint = f"configurations there: {known}" if path.suffix == ".yml" else "run inside a project's folder"
        raise ConfigError(f"{path} does not exist", solution=hint) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", solution="see that it is a file that may be read"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {text}", solution="mend the line that is named") from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply", solution="see that every bracket is closed") from None


def loaded(text: str, path: Path) -> Any:
    """The value of a YAML text; path: for messages."""
    loader = StrictLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        refuse_two_readings(node, path, {}, set())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def refuse_two_readings(node: yaml.Node, path: Path, sizes: dict[int, int], above: set[int]) -> int:
    """How many values a node stands for. Raises ConfigError where one is ambiguous, contains itself, or there are too many.

    sizes: of nodes that were seen already, which aliases name again; above: the nodes that this one is in.
    """
    line = f"{path}, line {node.start_mark.line + 1}"
    if id(node) in above:
        raise ConfigError(f"{line}: a value contains itself", solution="take the alias (*) out")
    if id(node) in sizes:
        return sizes[id(node)]
    if isinstance(node, yaml.ScalarNode):
        if node.style is None and TWO_READINGS.fullmatch(node.value):
            raise ConfigError(
                f"{line}: {node.value} is read in two ways, by YAML 1.1 in one and by YAML 1.2 in another",
                solution="write true or false, a number without leading zeros or exponent (0.00001), or a text in quotes: "
                f"{shown(node.value)}",
            )
        size = 1
    else:
        children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        size = 1 + sum(refuse_two_readings(child, path, sizes, above | {id(node)}) for child in children)
        if size > MOST_VALUES:
            raise ConfigError(f"{line}: more than {MOST_VALUES} values", solution="take aliases (*) of aliases out")
    sizes[id(node)] = size
    return size
