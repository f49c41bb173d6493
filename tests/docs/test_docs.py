"""What the texts promise is there: links, pictures, keys, flags, columns, and commands that run."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
import yaml

from clustering.cli import app
from clustering.files import FILES
from clustering.jobs import DESCRIPTIONS
from clustering.runners import environment
from clustering.templates import examples, start_git
from docs.test_pages import PAGES
from reference import GENERATED, pages
from settings import sections, settings
from storelib.accounts.ledger import FLOWS
from storelib.configuration.own_settings import BLOCKS
from storelib.configuration.params import Params
from storelib.configuration.place import Place, Sources
from storelib.contracts.ledger import LEDGER
from storelib.contracts.segments import COLLECTED
from storelib.errors import ConfigError, DataError, PipelineError

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
METHOD = ROOT / "docs" / "method.md"
# Their commands are run here; those of the pages in docs/, by test_pages.
TEXTS = [README, ROOT / "CHANGELOG.md", *sorted(ROOT.glob("examples/*/README.md"))]
DOCS = [*TEXTS, *PAGES]
LARGEST_PICTURE = 300_000
RUN = "run"

# Every shell command of the texts, with the decision to run it in a small project, in this order, or why not.
COMMANDS = {
    "snakemake --cores 2": RUN,
    "clustering record": RUN,
    "git add -A": RUN,
    'git commit -m "Start"': RUN,
    "dvc repro": RUN,
    "dvc exp run -S merging.min_cluster_size=100": RUN,
    "dvc metrics diff": RUN,
    "dvc exp run --queue -S 'internal.cluster_stores.max_clusters=range(4,7)'": RUN,
    "dvc queue status": RUN,
    "dvc exp show": RUN,
    "dvc plots show": RUN,
    "clustering sync": RUN,
    "clustering run full_pipeline_job": RUN,
    "clustering run merging_job --env dev --cores 2 --engine dvc": RUN,
    "clustering list-jobs": RUN,
    "clustering init ../my-stores": RUN,
    "clustering init my-iowa --example iowa": RUN,
    "clustering init my-raw-iowa --example iowa_raw": RUN,
    "make run": "sets up an environment",
    "make test": "runs these tests",
    "source .venv/bin/activate": "changes the shell; the tests put the environment first in PATH",
    "clustering split-half": "runs the pipeline twice, which tests/integration does",
    "clustering minimal": "does what the commands above do",
    "dvc queue start -j 2": "works on in the background",
    "cd ../my-stores": "changes the shell",
    "cd my-iowa": "changes the shell",
    "cd my-raw-iowa": "changes the shell",
    "dvc add data/raw/iowa": "needs the real data",
    'git commit -m "Raw data"': "needs the real data",
    'git commit -m "Iowa"': "needs the real data",
}
# Flags of programs that are not ours.
OTHER_FLAGS = {"--default", "--queue", "--touch"}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def shell_commands(path: Path) -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```$", text_of(path), flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def rows_of(path: Path, *heads: str) -> Iterator[list[str]]:
    """Rows, as cells, of every table whose first column heads are `heads`."""
    inside = False
    for line in text_of(path).splitlines():
        # A row's empty last cell is dropped with the bars around it.
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif tuple(cells[: len(heads)]) == heads:
            inside = True
        elif inside and not set(cells[0]) <= {"-", ":"}:
            yield cells


def keys_of(tree: dict, prefix: str = "") -> Iterator[str]:
    """Dotted keys of the values of a mapping."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from keys_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", without_blocks(text_of(path)), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@cache
def generated_pages() -> set[str]:
    """Pages that are written when the documentation is built."""
    return set(pages())


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_pictures_exist(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text_of(path))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        aim = (path.parent / name).resolve() if name else path
        if aim.parent == GENERATED:
            assert aim.name in generated_pages(), target
            continue
        assert aim.exists(), target
        assert aim.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(aim), target


def test_every_guide_is_in_the_table_of_contents_and_in_the_list_of_guides() -> None:
    guides = sorted(path.stem for path in (ROOT / "docs" / "howto").glob("*.md") if path.stem != "index")
    listed = re.findall(r"^howto/(\w+)$", text_of(ROOT / "docs" / "index.md"), flags=re.MULTILINE)
    assert sorted(set(listed) - {"index"}) == guides
    linked = re.findall(r"^- \[[^]]+\]\((\w+)\.md\)", text_of(ROOT / "docs" / "howto" / "index.md"), flags=re.MULTILINE)
    assert sorted(linked) == guides


def test_pictures_are_small_and_used() -> None:
    texts = "".join(map(text_of, DOCS))
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < LARGEST_PICTURE, picture.name
        assert f"images/{picture.name})" in texts, f"{picture.name} is shown nowhere"


def test_files_that_are_named_exist() -> None:
    for path in DOCS:
        made = re.findall(r"Save this as `([^`]+)`", text_of(path))
        for name in codes(without_blocks(text_of(path))):
            if (
                re.fullmatch(r"(scripts|src|configs|tests|envs|profiles)/[\w/.]+\.\w+", name)
                and "prod" not in name
                and name not in made
            ):
                assert (ROOT / name).is_file() or (path.parent / name).is_file(), f"{path.name}: {name}"


def test_every_key_is_explained() -> None:
    every = [*settings(Params), *settings(Place)]
    assert len(every) > 80
    for setting in every:
        assert setting.meaning, setting.key
        assert setting.values, setting.key
    for key, field in [*sections(Sources), *sections(Place)]:
        assert field.description, key


def test_params_are_what_the_reference_says() -> None:
    given = {
        re.sub(r"^demo\.dev\.", "demo.<env>.", key) for key in keys_of(yaml.safe_load(text_of(ROOT / "params.yaml")))
    }
    given = {re.sub(r"^internal\.categories\.\w+\.", "internal.categories.<key>.", key) for key in given}
    # What may be left out: a category's own blocks, a list of weights where each feature counts alike, and a currency.
    optional = {f"internal.categories.<key>.{block}" for block in BLOCKS}
    optional |= {f"{view}.build_features.feature_weights" for view in ("internal", "external")} | {"report.currency"}
    assert given | optional == {setting.key for setting in settings(Params)}


def rules_text() -> str:
    return "\n".join(text_of(path) for path in sorted((ROOT / "rules").glob("*.smk")))


def test_reference_names_every_file_that_rules_make() -> None:
    # Files have an ending; a folder of them, such as that of the settings by category, has none.
    made = set(re.findall(r'="(data/(?:internal|external|merging)/[^"]+\.[a-z]+)"', rules_text()))
    assert made >= {"data/merging/segments.parquet"}
    assert made <= {file.path for file in FILES}


def test_reference_has_every_command_with_its_options() -> None:
    text = pages()["commands.md"]
    for name, command in typer.main.get_command(app).commands.items():
        part = re.search(rf"^## `clustering {name}\b.*?(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
        assert part, name
        assert f"clustering {name}" in part[0].partition("```text")[2], "an example"
        assert [flag for p in command.params for flag in p.opts if flag.startswith("-") and flag not in part[0]] == []
    assert "| `--engine` | `snakemake`, `dvc` | `snakemake` |" in text


def test_reference_reads_the_models_rightly() -> None:
    found = {setting.key: setting for setting in [*settings(Params), *settings(Place)]}
    assert found["internal.cluster_stores.all_rules"].values == "`true`, `false`"
    assert found["internal.build_features.outlier_share"].values == "number ≥ 0, ≤ 0.5"
    assert found["merging.min_cluster_size"].values == "whole number ≥ 1 or number > 0, < 1"
    assert found["merging.n_init"].values == "whole number ≥ 1, ≤ 10000"
    assert found["sources.sales.missing"].values == "list of text or whole number or number"
    assert found["compute.threads"].default == "`2`"
    assert found["sources.sales.reader"].default == "required"
    assert "sources.external.<name>.key.<column>" in found


def test_columns_of_the_results_are_explained() -> None:
    assert [codes(row[0])[0] for row in rows_of(README, "column", "meaning")] == COLLECTED.names
    words = codes(text_of(README))
    assert set(LEDGER.names) <= set(words)
    assert set(FLOWS) <= set(words)


def test_outputs_that_are_named_are_made() -> None:
    made = rules_text().replace("{category}", "<category>")
    for row in rows_of(README, "file", "what it holds"):
        for name in codes(row[0]):
            assert name in made, name


def test_exit_codes_are_right() -> None:
    listed = {int(row[0]): row[1] for row in rows_of(README, "code", "meaning")}
    assert sorted(listed) == [0, 1, 2, 3, 4]
    for error, word in ((PipelineError, "general"), (ConfigError, "configuration"), (DataError, "data")):
        assert word in listed[error.exit_code]


@pytest.mark.parametrize("path", [*TEXTS, METHOD], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_flags_exist(path: Path) -> None:
    command = typer.main.get_command(app)
    ours = {"--help", *(flag for sub in command.commands.values() for p in sub.params for flag in p.opts)}
    scripts = {flag for script in (ROOT / "scripts").glob("*.py") for flag in re.findall(r'"(--\w+)"', text_of(script))}
    scripts |= set(re.findall(r'"(--\w+)"', text_of(ROOT / "scripts" / "storelib" / "runtime.py")))
    # The grammar of flags is explained by examples.
    explained = {flag for row in rows_of(path, "value", "flags") for flag in re.findall(r"--[a-z]+", row[1])}
    found = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*", text_of(path)))
    assert found - {"--flag"} <= ours | scripts | OTHER_FLAGS | explained


def test_jobs_and_examples_exist() -> None:
    for path in DOCS:
        for job in re.findall(r"\b(\w+)_job\b", text_of(path)):
            assert job in DESCRIPTIONS, f"{path.name}: {job}"
        for name in re.findall(r"--example (\w+)", text_of(path)):
            assert name in examples(), f"{path.name}: {name}"
        for command in [*codes(text_of(path)), *shell_commands(path)]:
            for name in re.findall(r"^clustering ([a-z][a-z-]*)", command):
                assert name in typer.main.get_command(app).commands, f"{path.name}: {command}"


def test_params_in_commands_exist() -> None:
    known = {setting.key for setting in settings(Params)}
    for path in DOCS:
        for key in re.findall(r"-S '?([\w.]+)=", text_of(path)):
            assert key in known, f"{path.name}: {key}"


def test_ledger_reasons_exist() -> None:
    sources = {path.stem: text_of(path) for path in (ROOT / "scripts").glob("*.py")}
    for module in ("raw/formats.py", "raw/lines.py", "accounts/one_pass.py"):
        sources["ingest_sales"] += text_of(ROOT / "scripts" / "storelib" / module)
    for stage, *reasons in rows_of(METHOD, "stage", "may set aside"):
        for reason in codes(" ".join(reasons)):
            assert re.sub(r"<\w+>", "", reason).strip() in sources[codes(stage)[0]], reason


def test_every_shell_command_is_decided() -> None:
    assert {command for path in TEXTS for command in shell_commands(path)} == set(COMMANDS)


@pytest.mark.integration
def test_shell_commands_work(finished: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    # As someone has it who has run the pipeline and committed nothing.
    shutil.copytree(finished, project, symlinks=True)
    shutil.rmtree(project / ".git")
    start_git(project)
    author = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for command in (command for command, decision in COMMANDS.items() if decision == RUN):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=project,
            env=environment() | author,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        if command == "dvc repro":
            assert "Data and pipelines are up to date." in done.stdout, "record had told DVC"
    assert (project / "reports" / "figures" / "segments.png").is_file()
    assert (tmp_path / "my-stores" / "configs" / "dev.yml").is_file()


def test_every_fragment_of_the_changelog_gets_into_it() -> None:
    """A file whose name is not of the form that changes/README.md gives would be left out in silence."""
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9"]
    draft = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in (ROOT / "changes").iterdir():
        if path.name != "README.md":
            assert path.read_text(encoding="utf-8").strip().splitlines()[0] in draft, path.name
