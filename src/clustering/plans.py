"""What would run and why, in the eyes of each runner; nothing is run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from clustering import dvc_state
from clustering.events import Event, planned, stage_of
from clustering.jobs import JOBS
from clustering.reasons import dvc_reasons, followed, short

Plan = dict[str, str]
LIST_OF_CODE = "hash_code"


def snakemake_plan(root: Path, job: str, more: Sequence[str] = (), *, aside: bool = False) -> Plan:
    """Stages that Snakemake would run for a job, such as `merge_segments/beauty`, with the reason. aside: as in `runners.ask`."""
    events = planned(root, job, more, aside=aside)
    makers = {name: stage_of(event) for event in events for name in event["output"]}
    return {stage_of(event): reason_of(event, makers) for event in events}


def reason_of(event: Event, makers: Mapping[str, str]) -> str:
    """Why Snakemake would run a stage. makers: the stage that makes each file, of those that would run."""
    reason = event["reason"]
    if reason.startswith("Input files updated by another job"):
        return followed(event["input"], makers)
    return short(reason, [*event["input"], *event["output"]])


def dvc_plan(root: Path, job: str, *, force: bool = False) -> Plan:
    """Stages that DVC would run for a job, with the reason: what changed, and what follows from it."""
    state = dvc_state.graph(root) if force else dvc_state.status(root)
    needed = stages_needed(state.needs, job)
    if force:
        return dict.fromkeys(sorted(needed), "forced")
    follows: dict[str, set[str]] = {}
    for stage in needed:
        for before in state.needs[stage]:
            follows.setdefault(before, set()).add(stage)
    plan: Plan = {
        stage: "; ".join(dict.fromkeys(dvc_reasons(reasons, *state.commands[stage])))
        for stage, reasons in state.changed.items()
        if stage in needed
    }
    # The list of code is as it will be (`dvc_state.status`): what follows from it is changed already.
    queue = [stage for stage in plan if stage != LIST_OF_CODE]
    while queue:
        stage = queue.pop()
        for after in sorted(follows.get(stage, set()) - plan.keys()):
            plan[after] = f"follows {stage}"
            queue.append(after)
    return plan


def stages_needed(needs: Mapping[str, Sequence[str]], job: str) -> set[str]:
    """The stages that a job needs. needs: for each stage, those whose outputs it reads."""
    needed: set[str] = set()
    queue = [stage for stage in needs if stage.partition("/")[0] in JOBS[job]]
    while queue:
        stage = queue.pop()
        if stage not in needed:
            needed.add(stage)
            queue.extend(needs[stage])
    return needed
