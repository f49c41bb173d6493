"""What would run and why, in the eyes of each runner; nothing is run."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from clustering.jobs import JOBS
from clustering.runners import ask, last_line
from storelib.errors import DataError

Plan = dict[str, str]
REASONS = {
    "Missing output files": "not made yet",
    "Params have changed": "parameters changed",
    "Code has changed": "command changed",
    "Updated input files": "input is newer",
    "Input files updated by another job": "follows a stage that runs",
    "Set of input files has changed": "other input files",
    "Forced execution": "forced",
    "Software environment": "software environment changed",
}


def snakemake_plan(root: Path, job: str, more: Sequence[str] = ()) -> Plan:
    """Stages that Snakemake would run for a job, such as `merge_segments/beauty`, with the reason."""
    result = ask(root, "snakemake", ["--dry-run", "--cores", "1", *more, "--", job])
    if result.returncode:
        raise DataError(
            f"snakemake cannot tell what would run: {last_line(result.stderr or result.stdout)}",
            solution="run `snakemake --dry-run --cores 1` to see why",
        )
    plan: Plan = {}
    text = result.stdout + result.stderr
    for block in re.split(r"(?m)^(?=(?:local)?(?:rule|checkpoint) \w+:$)", text)[1:]:
        rule = re.match(r"(?:local)?(?:rule|checkpoint) (\w+):", block)
        reason = re.search(r"(?m)^    reason: (.*)$", block)
        wildcard = re.search(r"(?m)^    wildcards: \w+=(\w+)", block)
        if rule is None or rule[1] in JOBS:
            continue
        plan[f"{rule[1]}/{wildcard[1]}" if wildcard else rule[1]] = short(reason[1] if reason else "")
    return plan


def short(reason: str) -> str:
    """Snakemake's reason in a few words, with what it is about."""
    for start, words in REASONS.items():
        if start in reason:
            before = re.search(r"before: (.*?) now: (.*?)\s*$", reason)
            if before and start.startswith("Params"):
                return f"{words}: {changed_flags(before[1], before[2])}"
            files = reason.partition(f"{start}: ")[2]
            first, *others = files.split("; ")[0].split(", ") if files else [""]
            if start.startswith(("Updated", "Missing")) and first:
                return f"{words}: {first}" + (f" and {len(others)} more" if others else "")
            return words
    return reason[:80] or "to be made"


def changed_flags(before: str, now: str) -> str:
    """The flags that differ, such as `min_cluster_size 8 -> 12`."""

    def flags(text: str) -> dict[str, str]:
        parts = re.split(r"(?:^|\s)--", text.strip().strip("'\""))[1:]
        return {part.partition(" ")[0]: part.partition(" ")[2].strip() for part in parts}

    old, new = flags(before), flags(now)
    changes = [
        f"{k} {old.get(k, 'unset')} -> {new.get(k, 'unset')}"
        for k in sorted(old.keys() | new.keys())
        if old.get(k) != new.get(k)
    ]
    return ", ".join(changes) or "see snakemake --dry-run"


def dvc_plan(root: Path, job: str, *, force: bool = False) -> Plan:
    """Stages that DVC would run for a job, with the reason: what changed, and what follows from it."""
    needed, follows = dvc_graph(root, job)
    if force:
        return dict.fromkeys(sorted(needed), "forced")
    result = ask(root, "dvc", ["status", "--json"])
    if result.returncode:
        raise DataError(
            f"dvc cannot tell what would run: {last_line(result.stderr)}", solution="run `dvc status` to see why"
        )
    found = json.loads(result.stdout or "{}")
    plan: Plan = {}
    queue = []
    for name, reasons in found.items():
        stage = name.replace("@", "/")
        if stage in needed:
            plan[stage] = "; ".join(dict.fromkeys(dvc_reasons(reasons)))
            queue.append(stage)
    while queue:
        stage = queue.pop()
        for after in sorted(follows.get(stage, set()) & needed):
            if after not in plan:
                plan[after] = f"follows {stage}"
                queue.append(after)
    return plan


def dvc_reasons(reasons: Sequence[object]) -> list[str]:
    """DVC's own words, shortened: `changed command`, `modified data/raw/dev`."""
    words: list[str] = []
    for reason in reasons:
        if isinstance(reason, dict):
            for changes in reason.values():
                for path, change in changes.items():
                    keys = ", ".join(change) if isinstance(change, dict) else change
                    words.append(f"{keys}: {path}")
        else:
            words.append(str(reason))
    return words[:3] + ([f"{len(words) - 3} more"] if len(words) > 3 else [])


def dvc_graph(root: Path, job: str) -> tuple[set[str], dict[str, set[str]]]:
    """The stages that a job needs, and for each stage those that read what it makes."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            graph = repo.index.graph
            edges = {
                stage.addressing.replace("@", "/"): {d.addressing.replace("@", "/") for d in graph.successors(stage)}
                for stage in graph
            }
    except DvcException as error:
        raise DataError(f"dvc cannot read the pipeline: {error}", solution="run `dvc status` to see why") from None
    needed: set[str] = set()
    queue = [name for name in edges if name.partition("/")[0] in JOBS[job]]
    while queue:
        name = queue.pop()
        if name not in needed:
            needed.add(name)
            queue.extend(edges[name])
    follows: dict[str, set[str]] = {}
    for name, dependencies in edges.items():
        for dependency in dependencies:
            follows.setdefault(dependency, set()).add(name)
    return needed, follows
