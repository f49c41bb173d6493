"""Write the reference pages into docs/generated, from the program itself, before Sphinx reads its sources."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer
from sphinx.application import Sphinx

from clustering.cli import app as command_line
from clustering.files import FILES, WIDE, File, contract_of, schema_of
from settings import FREE, Setting, default_of, model_in, settings, value_at
from storelib.configuration.params import Params
from storelib.configuration.place import Compute, Fetch, Place, Publish, Source, Sources
from storelib.configuration.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GENERATED = DOCS / "generated"
# Pages that lie elsewhere because they are read there, too.
ELSEWHERE = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "examples/minimal/README.md": "example_minimal.md",
    "examples/iowa/README.md": "example_iowa.md",
    "examples/iowa_raw/README.md": "example_iowa_raw.md",
}
# Runs each script as `python SCRIPT --help` does, and prints what they print as one list.
HELPS = """
import contextlib, io, json, runpy, sys
sys.path.insert(0, "scripts")
scripts, helps = sys.argv[1:], []
for script in scripts:
    sys.argv = [script, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        runpy.run_path(script, run_name="__main__")
    helps.append(said.getvalue())
print(json.dumps(helps))
"""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")


def table(*heads: str, rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


def code(text: object) -> str:
    """Text as code; nothing for nothing."""
    return f"`{text}`" if text not in (None, "") else ""


def params_page() -> str:
    """Every key of params.yaml."""
    shipped = read_yaml(ROOT / "params.yaml")
    page = (
        "# Keys of `params.yaml`\n\nThe method: the same in every environment, versioned by git and DVC, swept by "
        "`dvc exp run -S`. Keys are required but for `feature_weights` and a "
        "category's own settings, and an unknown one is an error; the last column is what the demo has. "
        "[Method](../method.md) says what the settings do. `configs/schema/params.json` is the same as a JSON schema.\n"
    )
    groups: dict[str, list[Setting]] = {}
    for setting in settings(Params):
        groups.setdefault(setting.key.rpartition(".")[0] or "top", []).append(setting)
    for group, found in groups.items():
        page += f"\n## {'At the top' if group == 'top' else code(group)}\n\n"
        rows = []
        for key, values, _, meaning in found:
            value = value_at(shipped, key)
            text = str(value).lower() if isinstance(value, bool) else value
            rows.append([code(key.rpartition(".")[2]), values, meaning, code(text)])
        page += table("key", "values", "meaning", "in the demo", rows=rows)
    return page


def config_page() -> str:
    """Every key of configs/<env>.yml."""
    page = (
        "# Keys of `configs/<env>.yml`\n\nThe place: which files there are, how they are read, and what a run may use. Paths are "
        "inside `data/raw/<env>/`. `${env:NAME,default}` takes an environment variable, anywhere but under `sources`: the runners "
        "would not see it change. [Your own data](../howto/own_data.md) shows how it is written. `configs/schema/config.json` "
        "is the same as a JSON schema.\n\n## `sources`\n\n"
    )
    rows = []
    for name, field in Sources.model_fields.items():
        key = f"{name}.<name>" if name == "external" else name
        rows.append([code(key), "none" if name == "external" else default_of(field), field.description or ""])
    page += table("key", "default", "meaning", rows=rows)
    page += "\n## Every source\n\n"
    page += setting_table(settings(Source))
    for name, field in Sources.model_fields.items():
        model = model_in(field.annotation)
        own = [s for s in (settings(model) if model else ()) if s.key.partition(".")[0] not in Source.model_fields]
        page += f"\n## Own keys of {code(name)}\n\n{setting_table(own)}"
    for name, model in (("fetch", Fetch), ("publish", Publish)):
        own = [s._replace(key=f"{name}.{FREE[name]}.{s.key}") for s in settings(model)]
        page += f"\n## {code(name)}\n\n{Place.model_fields[name].description}.\n\n{setting_table(own)}"
    page += f"\n## `compute`\n\n{setting_table(settings(Compute))}"
    return page


def setting_table(found: Iterable[Setting]) -> str:
    """Keys with defaults."""
    rows = [[code(key), values, default, meaning] for key, values, default, meaning in found]
    return table("key", "values", "default", "meaning", rows=rows)


def files_page() -> str:
    """Every file that the pipeline writes, with its columns."""
    page = (
        "# Files and columns\n\nWhat the pipeline writes, results first. `{category}` is the category's key. Types are those of Parquet; "
        "no value is missing unless it says so. The report is "
        "`reports/report.html`, a workbook of all categories `reports/segments.xlsx`, a workbook of each category "
        "`reports/workbooks/{category}.xlsx`; checks are in `reports/checks.json`; pictures are in `reports/figures/`, "
        "figures for DVC in `reports/metrics.json`.\n"
    )
    for file in FILES:
        schema = schema_of(file)
        page += f"\n## {code(file.path)}\n\n{file.holds[0].upper()}{file.holds[1:]}.\n\n"
        rows = [
            [code(name), *([str(schema.field(name).type)] if schema else []), text]
            for name, text in file.columns.items()
        ]
        page += table("column", *(["type"] if schema else []), "meaning", rows=rows)
        page += rules_of(file)
    return page


def rules_of(file: File) -> str:
    """What is checked of a file before it is written, as a list."""
    contract = contract_of(file)
    if contract is None:
        return ""
    columns = [*contract.columns.items(), *([(WIDE, contract.others)] if contract.others else [])]
    lines = [sentence(str(check.error)) for check in contract.rules]
    for name, column in columns:
        words = [str(check.error).removeprefix("is not ") for check in column.checks]
        words += ["may be missing"] if column.nullable else []
        lines += [f"{code(name)}: {', '.join(words)}"] if words else []
    lines += ["The table may be empty" if contract.may_be_empty else "A table without a row is an error"]
    return "\nChecked before it is written:\n\n" + "".join(f"- {line}\n" for line in lines)


def sentence(text: str) -> str:
    """A text with a capital."""
    return text[0].upper() + text[1:]


def literal(text: str) -> str:
    """Plain text with its angle brackets, which are not HTML."""
    return re.sub(r"<(?=\w)", r"\\<", text)


def help_of(command: Any, path: str) -> str:
    """What `--help` of one command says, as a table of its own.

    Typer carries a click of its own, whose classes are not those of the package: parameters are told by what they say of themselves.
    """
    text, _, example = " ".join((command.help or "").split()).partition("Example: ")
    text = literal(text)
    words, rows = [path], []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            words.append(str(parameter.human_readable_name))
            name = str(parameter.human_readable_name)
        else:
            name = ", ".join([*parameter.opts, *parameter.secondary_opts])
        choices = getattr(parameter.type, "choices", ())
        values = ", ".join(code(getattr(choice, "value", choice)) for choice in choices) or parameter.type.name
        if getattr(parameter, "is_flag", False):
            values = ""
        default = getattr(parameter.default, "value", parameter.default)
        shown = "" if default in (None, False) or callable(default) else code(str(default))
        rows.append(
            [code(name), {"str": "text"}.get(values, values), shown, literal(getattr(parameter, "help", "") or "")]
        )
    page = f"\n## {code(' '.join(words) if rows else path)}\n\n{text.strip()}\n\n"
    page += f"```text\n{example.strip()}\n```\n\n" if example else ""
    return page + (table("argument", "values", "default", "meaning", rows=rows) if rows else "")


def commands_page() -> str:
    """Every command of `clustering`."""
    root: Any = typer.main.get_command(command_line)
    page = (
        "# The `clustering` command\n\nAs `clustering COMMAND --help` says it. Exit codes: 0 done; 1 general; 2 wrong arguments; "
        "3 configuration; 4 pipeline or data.\n"
    )
    commands = {name: command for name, command in sorted(root.commands.items()) if not command.hidden}
    parts = [help_of(command, f"clustering {name}") for name, command in commands.items()]
    return page + help_of(root, "clustering") + "".join(parts)


def script_helps(scripts: Sequence[Path]) -> list[str]:
    """What each script's `--help` prints, at one width. One process runs them all, since loading their libraries takes most of the time."""
    done = subprocess.run(
        [sys.executable, "-c", HELPS, *(f"scripts/{script.name}" for script in scripts)],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    helps: list[str] = json.loads(done.stdout)
    return helps


def stages_page() -> str:
    """Every script's --help."""
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    helps = script_helps(scripts)
    page = (
        "# Scripts\n\nEach stage is one program that takes files and flags, so that it can be run by hand. `Snakefile` and `dvc.yaml` "
        "say with which files it is run; the other flags are the stage's block of `params.yaml`.\n"
    )
    for script, text in zip(scripts, helps, strict=True):
        page += f"\n## {code(script.name)}\n\n```text\n{text.rstrip()}\n```\n"
    return page


def modules_page() -> str:
    """Every module of storelib: what it is for, and what it offers."""
    page = (
        "# Modules\n\nWhat stages share: `scripts/storelib/`, a room for each purpose. A name is followed by the first line of "
        "its documentation.\n"
    )
    for path in sorted((ROOT / "scripts" / "storelib").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(ROOT / "scripts").with_suffix("").parts).removesuffix(".__init__")
        page += f"\n## {code(module)}\n\n{summary(tree)}\n\n"
        rows = []
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                rows.append([code(f"{node.name}({', '.join(a.arg for a in node.args.args)})"), summary(node)])
            elif isinstance(node, ast.ClassDef):
                rows.append([code(node.name), summary(node)])
        page += table("name", "what it is", rows=rows) if rows else ""
    return page


def summary(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


def page_from(source: str) -> str:
    """A page that lies elsewhere, with its links as seen from docs/generated."""
    folder = (ROOT / source).parent

    def moved(match: re.Match[str]) -> str:
        bang, text, target, anchor = match.groups()
        if "://" in target or not target:
            return match[0]
        aim = (folder / target).resolve()
        name = aim.relative_to(ROOT).as_posix()
        if name in ELSEWHERE:
            return f"[{text}]({ELSEWHERE[name]}{anchor or ''})"
        if bang or (aim.is_relative_to(DOCS) and aim.suffix == ".md"):
            return f"{bang}[{text}]({os.path.relpath(aim, GENERATED)}{anchor or ''})"
        return text

    return LINK.sub(moved, (ROOT / source).read_text(encoding="utf-8"))


def pages() -> dict[str, str]:
    """Every generated page, by file name."""
    return {
        "params.md": params_page(),
        "config.md": config_page(),
        "files.md": files_page(),
        "commands.md": commands_page(),
        "scripts.md": stages_page(),
        "modules.md": modules_page(),
        **{name: page_from(source) for source, name in ELSEWHERE.items()},
    }


def write_pages(_app: Sphinx) -> None:
    """Write what changed, so that Sphinx reads only that."""
    GENERATED.mkdir(exist_ok=True)
    written = pages()
    for name, text in written.items():
        path = GENERATED / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
    for path in GENERATED.glob("*.md"):
        if path.name not in written:
            path.unlink()


def links_within(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Links of a page in docs/ to a page that lies elsewhere lead to its copy."""
    for name, copy in ELSEWHERE.items():
        source[0] = re.sub(rf"\]\((\.\./)+{re.escape(name)}(#[^)]*)?\)", rf"](/generated/{copy}\2)", source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages first."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", links_within)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
