"""Which files a stage's code is, and what is in them: its script, and the modules of storelib that it imports, directly or not.

Both runners hold one small file for each script against the one before, instead of tens of modules each: `data/code/<script>.sha256`,
in the form of `sha256sum`, which can check it. DVC has them from its stage `hash_code`; Snakemake's rules take their hash as a parameter.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from storelib.seals import stands
from storelib.tables import write_text

FOLDER = Path("data", "code")
SCRIPTS = Path("scripts")
PACKAGE = "storelib"


def settle_code(root: Path = Path(), folder: Path = FOLDER) -> dict[str, str]:
    """See that the files in `folder` say what is in each script's code today; what each of them says, by the script's name."""
    code, found = Code(root), {}
    for script in sorted((root / SCRIPTS).glob("*.py")):
        path = listing_path(root / folder, script.stem)
        kept = read_text(path) if stands(path) else ""
        text = found[script.stem] = kept if code.is_listed(script, kept) else code.told(code.closure(script))
        # A file keeps its time as long as its content stands.
        if kept != text:
            write_text(text, path)
    for path in (root / folder).glob("*.sha256"):
        if path.stem not in found:
            path.unlink()
    return found


def listing_path(folder: Path, name: str) -> Path:
    """The file of a script."""
    return folder / f"{name}.sha256"


def read_text(path: Path) -> str:
    """What is in a file that may hold anything."""
    return path.read_bytes().decode(errors="replace")


class Code:
    """The files of Python of a project, each read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files = [*(root / SCRIPTS).glob("*.py"), *(root / SCRIPTS / PACKAGE).rglob("*.py")]
        self.hashes = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        self.imports: dict[Path, list[Path]] = {}

    def is_listed(self, script: Path, kept: str) -> bool:
        """Whether an earlier list of a script's code is that of today: each file in it has the hash that it had.

        What is imported stands in these files.
        """
        listed = [self.root / line.partition("  ")[2] for line in kept.splitlines()]
        return script in listed and kept == self.told(listed)

    def told(self, files: list[Path]) -> str:
        """A line for each file: its hash and its path; of a file that is gone, no hash."""
        return "".join(f"{self.hashes.get(path, '-')}  {path.relative_to(self.root).as_posix()}\n" for path in files)

    def closure(self, script: Path) -> list[Path]:
        """A script, and every module that is loaded with it, sorted."""
        found, queue = {script}, [script]
        while queue:
            new = {path for path in self.imported(queue.pop()) if path not in found}
            found |= new
            queue += new
        return sorted(found)

    def imported(self, path: Path) -> list[Path]:
        """The modules that one file names in an import, wherever it stands."""
        if path not in self.imports:
            self.imports[path] = [
                module for name in imported_names(path) if (module := self.module_of(name)) is not None
            ]
        return self.imports[path]

    def module_of(self, name: str) -> Path | None:
        """The file of a module, by its dotted name, or by that of something in it."""
        for dotted in (name, name.rpartition(".")[0]):
            path = self.root.joinpath(SCRIPTS, *dotted.split(".")).with_suffix(".py")
            if path in self.hashes:
                return path
        return None


def imported_names(path: Path) -> Iterator[str]:
    """What one file imports of storelib: dotted names of modules, or of what is in one.

    Nothing of one that is no Python: whoever runs it is told so, and others may go on while somebody writes it.
    """
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.startswith(f"{PACKAGE}."))
