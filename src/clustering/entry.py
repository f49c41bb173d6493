"""Where the command begins: what is imported before it can tell an interruption in two lines takes a tenth of a second."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command."""
    if found := in_the_way():
        sys.stderr.write(
            f"Error: PYTHONPATH puts {', '.join(found)} before the installed package of the same name\n"
            "Solution: start the command without PYTHONPATH, as in `env -u PYTHONPATH clustering run`, or rename what is found there\n"
        )
        sys.exit(3)
    try:
        from clustering.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("Error: interrupted\nSolution: run the same command again\n")
        sys.exit(1)
    run()


def in_the_way() -> list[str]:
    """Modules of PYTHONPATH's folders that would be imported in the place of installed ones, by this program or one that it starts."""
    folders = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    if not folders:
        return []
    import sysconfig

    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    installed = {name for folder in ours for name in modules_in(folder)} | sys.stdlib_module_names
    return [
        path
        for folder in folders
        if os.path.realpath(folder) not in {os.path.realpath(one) for one in ours}
        for name, path in sorted(modules_in(folder).items())
        if name in installed
    ]


def modules_in(folder: str) -> dict[str, str]:
    """The names that can be imported from a folder, and where each is. A folder without `__init__.py` hides no other package."""
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        return {}
    found = {}
    for entry in entries:
        name, _, suffix = entry.name.partition(".")
        if suffix in {"py", "pyc"} or suffix.endswith(("so", "pyd")) or Path(entry.path, "__init__.py").exists():
            found[name] = entry.path
    return found
