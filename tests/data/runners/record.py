"""Record anew what the installed runners tell: `python tests/data/runners/record.py`, when the lock names other versions.

In small workflows of a few lines, because only the form of events and lines counts.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
SNAKEFILE = """
wildcard_constraints:
    category="[^/]+",
    half="[^/]+",
rule full_pipeline:
    input: "c/a", "e/Health & Beauty=1, x=2/odd"
rule first:
    output: "b/{category}"
    params: flags=config["flags"]
    shell: "mkdir -p b && echo {params.flags:q} > {output:q}"
rule second:
    input: "b/{category}"
    output: "c/{category}"
    shell: "cp {input:q} {output:q}"
rule halves:
    input: "raw"
    output: "e/{category}/{half}"
    shell: "cp {input:q} {output:q}"
rule fails:
    output: "never"
    shell: "exit 3"
"""
DVC_YAML = """
stages:
  first:
    cmd: echo ${words} > first
    params: [words]
    outs: [first]
  second:
    foreach: {health_otc: {n: 1}, beauty: {n: 2}}
    do:
      cmd: cp first second_${key} && echo ${item.n} >> second_${key}
      deps: [first]
      outs: ["second_${key}"]
  fails:
    cmd: exit 3
    deps: [second_beauty]
    outs: [never]
"""


def run(folder: Path, *words: str) -> str:
    """What a runner says, whether it fails or not."""
    command = [sys.executable, "-m", *words]
    env = os.environ | {"DVC_NO_ANALYTICS": "1", "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=env, text=True, stdout=-1, stderr=subprocess.STDOUT, check=False)
    return done.stdout


def snakemake(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Events by what was asked for."""
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "raw").write_text("1")
    found = {}

    def events(name: str, target: str, flags: str, *more: str) -> None:
        path = folder / f"{name}.jsonl"
        config = ["--config", f"flags={flags}"]
        logger = ["--logger", "clustering", "--logger-clustering-events", str(path)]
        run(folder, "snakemake", *logger, "--cores", "1", "--quiet", "all", *more, *config, "--", target)
        found[name] = [json.loads(line) for line in path.read_text().splitlines()]

    old, new = "--size 8 --rule bic_tied --names a b", "--size 12 --rule bic_tied --names a"
    events("new_plan", "full_pipeline", old, "--dry-run")
    events("run", "full_pipeline", old)
    events("nothing_plan", "full_pipeline", old, "--dry-run")
    events("params_plan", "full_pipeline", new, "--dry-run")
    events("forced_plan", "full_pipeline", old, "--dry-run", "--forceall")
    (folder / "raw").write_text("22")
    events("input_plan", "full_pipeline", old, "--dry-run")
    (folder / "Snakefile").write_text(SNAKEFILE.replace('"cp {input:q} {output:q}"', '"cat {input:q} > {output:q}"'))
    events("code_plan", "c/a", old, "--dry-run")
    events("failed", "never", old)
    (folder / "Snakefile").write_text(SNAKEFILE + "rule broken\n")
    events("broken_plan", "full_pipeline", old, "--dry-run")
    return found


def dvc(folder: Path) -> dict[str, object]:
    """What `dvc repro` says, and what the status is, step by step."""
    run(folder, "dvc", "init", "--no-scm", "--quiet")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text("words: one\n")
    found: dict[str, object] = {"failed": run(folder, "dvc", "repro")}
    (folder / "params.yaml").write_text("words: two\n")
    found["status"] = json.loads(run(folder, "dvc", "status", "--json"))
    found["changed"] = run(folder, "dvc", "repro", "second")
    (folder / "params.yaml").write_text("words: one\n")
    found["cached"] = run(folder, "dvc", "repro", "second")
    found["unchanged"] = run(folder, "dvc", "repro", "second")
    return found


def main() -> None:
    """Write one file for each runner, named after its version, in place of the one there is."""
    for runner, record in (("snakemake", snakemake), ("dvc", dvc)):
        folder = Path(tempfile.mkdtemp())
        text = json.dumps(record(folder), indent=1, ensure_ascii=False).replace(str(folder), "/project")
        for old in HERE.glob(f"{runner}-*.json"):
            old.unlink()
        (HERE / f"{runner}-{version(runner)}.json").write_text(text + "\n", encoding="utf-8")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
