"""The manual page, from the command's own help: `python -m clustering.manpage > man/clustering.1`."""

import sys
from typing import Any

from typer.main import get_command

from clustering import __version__
from clustering.cli import app

CODES = {
    0: "done",
    1: "general: another run is at work, a folder is not empty, interrupted",
    2: "wrong arguments",
    3: "environment or configuration",
    4: "pipeline or data",
}
FILES = {
    "params.yaml": "the method",
    "configs/<env>.yml": "the place: where data come from",
    ".env.<env>, .env": "environment variables of the configuration",
    "reports/published/<run id>.json": "what was published, and where",
    ".clustering-project.json": "the version that wrote the project's workflow, and the hash of each of its files",
    ".clustering/runs/<run id>/run.json": "what was run, and what came of it",
    "~/.clustering/logs/clustering.log": "the log of the command, or where `logging` in configs/<env>.yml or CLUSTERING_LOG_DIR says",
}


def plain(text: str) -> str:
    """Text as troff takes it literally, one sentence-line per paragraph line."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    lines = [" ".join(part.split()) for part in escaped.split("\n\n")]
    return "\n.PP\n".join("\\&" + line if line[:1] in {".", "'"} else line for line in lines if line)


def options_of(command: Any) -> list[str]:
    """A command's arguments and options, each with its help."""
    lines = []
    for parameter in command.params:
        is_option = parameter.param_type_name == "option"
        name = ", ".join(parameter.opts) if is_option else parameter.human_readable_name.upper()
        lines += [".TP", f"\\fB{plain(name)}\\fR", plain(parameter.help or "")]
    return lines


def page() -> str:
    """The whole page."""
    group: Any = get_command(app)
    lines = [
        f'.TH CLUSTERING 1 "" "clustering {__version__}" "User Commands"',
        ".SH NAME",
        "clustering \\- " + plain((group.help or "").split("\n")[0].rstrip(".").lower()),
        ".SH SYNOPSIS",
        "\\fBclustering\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]",
        ".SH COMMANDS",
    ]
    for name in sorted(group.commands):
        command = group.commands[name]
        lines += [f".SS {plain(name)}", plain(command.help or ""), *options_of(command)]
    lines.append(".SH EXIT STATUS")
    for code, meaning in CODES.items():
        lines += [".TP", f"\\fB{code}\\fR", plain(meaning)]
    lines.append(".SH FILES")
    for name, meaning in FILES.items():
        lines += [".TP", f"\\fI{plain(name)}\\fR", plain(meaning)]
    lines += [
        ".SH ENVIRONMENT",
        ".TP",
        "\\fBNO_COLOR\\fR",
        "no colour",
        ".TP",
        "\\fBCLUSTERING_LOG_DIR\\fR",
        "folder of the command's log",
    ]
    return "\n".join(line for line in lines if line) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
