"""Compare and approve: two runs or experiments side by side, the stores that moved, and which of them is to hold."""

import re
import subprocess
from typing import Any, NamedTuple

import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from clustering import approve as approving
from clustering.compare import Change, Results, changes, figure_rows, labels_of, load_results, matched
from clustering.results import read_results
from clustering.runners import only_run
from clustering.runs import PREFERRED, has_results, load_runs, mark_preferred
from clustering.ui import chain
from clustering.ui.editing import rows_of
from clustering.ui.guard import Form, action
from clustering.ui.pictures import moves_picture
from clustering.ui.reading import Project, attempt
from clustering.ui.rendering import moment, query, show
from storelib.errors import ConfigError, DataError
from storelib.method.agreement import shared_labels
from storelib.pages.merging import migration_views
from storelib.spreadsheets import for_spreadsheets

MOVES_SHOWN = 200
# What a name of a run, revision or experiment may be; DVC and git take other signs for options or paths.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./~^-]{0,99}")
LABELS = {"segment": "segment", "internal_cluster": "cluster by what sells", "external_cluster": "cluster by place"}


class Pair(NamedTuple):
    """Two results and what differs."""

    first: Results
    second: Results
    changes: list[Change]
    moves: pd.DataFrame


def names(project: Project) -> list[tuple[str, str]]:
    """What can be compared, with words: what is here now, recorded runs, experiments."""
    found = [("workspace", "what is here now")]
    for run in load_runs(project.root)[::-1]:
        if has_results(project.root, run["id"]):
            tags = " ".join(f"{key}={value}" for key, value in run.get("tags", {}).items())
            found.append((run["id"], f"run of {moment(run['start'])} {tags}".strip()))
    return found + [(name, f"experiment {name}") for name in experiments(project)]


def experiments(project: Project) -> list[str]:
    """The experiments that DVC has kept, newest first."""
    done = ask_git(project, "for-each-ref", "--sort=-creatordate", "--format=%(refname)", "refs/exps/*/*/*")
    last = [line.rpartition("/")[2] for line in done.splitlines() if not line.startswith("refs/exps/exec/")]
    return [name for name in last if NAME.fullmatch(name)][:50]


def ask_git(project: Project, *words: str) -> str:
    """What git says; nothing where there is none, as then there is no experiment either."""
    try:
        done = subprocess.run(["git", *words], cwd=project.root, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def name_of(text: str) -> str:
    """A name that may be asked for. Raises ConfigError for any other text."""
    if not NAME.fullmatch(text):
        raise ConfigError(f"{text!r} is no name of a run, revision or experiment", solution="choose one of the list")
    return text


def pair(project: Project, first: str, second: str) -> Pair:
    """Both results, read once while what is here stays as it is. Raises PipelineError where one of them is not there."""
    a, b = name_of(first), name_of(second)
    files = [
        chain.SEGMENTS,
        "reports/metrics.json",
        *(f".clustering/runs/{n}/segments.parquet" for n in (a, b) if "/" not in n),
    ]

    def make() -> Pair:
        found = load_results(project.root, a), load_results(project.root, b)
        for results in found:
            # Looked through for every category, which is quicker by number than by text.
            results.segments = results.segments.astype({"category": "category"})
        return Pair(*found, *changes(*found))

    return project.derived(f"compare {a} {b}", files, make)


def labels_both(found: Pair, view: str, label: str) -> pd.DataFrame:
    """Both labels of a view's stores, with matched numbers, by store."""
    a, b = (labels_of(part.segments, view, label) for part in (found.first, found.second))
    return shared_labels(a, matched(b, a))


def view_of(found: Pair, wanted: str) -> tuple[str, str]:
    """A view and its label from `beauty.segment`; by default the first."""
    known = {f"{change.view}.{change.label}": (change.view, change.label) for change in found.changes}
    return known.get(wanted) or next(iter(known.values()))


def comparison(project: Project, first: str, second: str, wanted: str) -> dict[str, Any]:
    """What the page says of two results."""
    found = pair(project, first, second)
    view, label = view_of(found, wanted)
    own = found.moves[(found.moves["view"] == view) & (found.moves["label"] == label)]
    both = labels_both(found, view, label)
    return {
        "figures": figure_rows(found.first, found.second),
        "changes": found.changes,
        "view": view,
        "label": label,
        "picture": moves_picture(both),
        "moves": own.head(MOVES_SHOWN).to_dict("records"),
        "moved": len(own),
        "both": len(both),
        "has_map": chain.places(project) is not None,
    }


def asked_of(request: Request) -> tuple[str, str, str]:
    """Both names and the view that are asked for."""
    asked = request.query_params
    return asked.get("a", "last~1"), asked.get("b", "last"), asked.get("view", "")


def decisions(project: Project) -> dict[str, Any]:
    """What holds: approvals, the preferred run, and what has moved since the baseline."""
    runs = load_runs(project.root)
    return {
        "approvals": approving.approvals_of(project.root, project.env)[::-1],
        "preferred": [run["id"] for run in runs if PREFERRED in run.get("tags", {})],
        "recorded": {run["id"] for run in runs if has_results(project.root, run["id"])},
    }


def page(request: Request) -> Response:
    """The whole page."""
    project: Project = request.app.state.project
    first, second, view = asked_of(request)
    every = attempt(names, project)
    recorded = [run for run in load_runs(project.root) if has_results(project.root, run["id"])]
    if "a" not in request.query_params and len(recorded) < 2:
        # With one run there is nothing before it.
        first, second = ("last" if recorded else "workspace"), "workspace"
    return show(
        request,
        "compare.html",
        title="Compare and approve",
        first=first,
        second=second,
        names=every,
        labels=LABELS,
        # The last runs go by these names too.
        short={
            "last": recorded[-1]["id"] if recorded else "",
            "last~1": recorded[-2]["id"] if len(recorded) > 1 else "",
        },
        any_run=bool(recorded),
        compared=attempt(comparison, project, first, second, view),
        decisions=attempt(decisions, project),
        migrations=attempt(
            lambda: migration_views(project.frame("data/merging/migrations.parquet"), project.categories())
        ),
        overrides=attempt(rows_of, project, "overrides"),
    )


def map_data(request: Request) -> Response:
    """The stores of a view: those that moved by where they are now, the others pale."""
    project: Project = request.app.state.project
    first, second, wanted = asked_of(request)
    found = pair(project, first, second)
    view, label = view_of(found, wanted)
    both = labels_both(found, view, label)
    stores = chain.stores_of(project, project.category(None if view == "external" else view))
    stores = stores[stores["store_id"].isin(both.index)]
    own = both.loc[stores["store_id"]]
    moved = (own["first"] != own["second"]).to_numpy()
    groups = {
        "moved": ("moved to", pd.Series(own["second"].where(moved, 0).to_numpy(), index=stores.index)),
    }
    drawn = chain.map_of(project, stores, groups)
    if drawn is not None:
        told = {
            str(store): f"moved from {before} to {after}" if before != after else f"stayed in {before}"
            for store, before, after in zip(own.index, own["first"], own["second"], strict=True)
        }
        drawn["more"] = [told[store] for store in drawn["id"]]
    return JSONResponse(drawn)


def moves_file(request: Request) -> Response:
    """Every store that moved, as `clustering compare --out` writes it."""
    first, second, _ = asked_of(request)
    moves = pair(request.app.state.project, first, second).moves
    text = for_spreadsheets(moves).to_csv(index=False, lineterminator="\n")
    return Response(text, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="moves.csv"'})


# Changes --------------------------------------------------------------------------------------------------


def prefer(request: Request, form: Form) -> Response:
    """Mark a run as the preferred one."""
    project: Project = request.app.state.project
    mark_preferred(project.root, name_of(form.get("run", "")))
    return RedirectResponse("/compare?" + query({"done": "preferred"}), 303)


def approve(request: Request, form: Form) -> Response:
    """Make the last run's segments the baseline."""
    project: Project = request.app.state.project
    who = form.get("who", "")
    if not who:
        raise DataError("who approves is missing", solution="give a name")
    with only_run(project.root):
        results = read_results(project.root, project.params(), project.env)
        approving.approve(project.root, project.place(), project.env, results, who, form.get("why", ""))
    return RedirectResponse("/compare?" + query({"done": "approved"}), 303)


ROUTES = [
    Route("/compare", page),
    Route("/compare/map", map_data),
    Route("/compare/moves.csv", moves_file),
    Route("/compare/prefer", action(prefer), methods=["POST"]),
    Route("/compare/approve", action(approve), methods=["POST"]),
]
