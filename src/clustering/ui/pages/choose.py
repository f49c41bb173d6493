"""Choose: how many clusters and segments, what each rule says, how sure that is, and what other numbers would mean."""

from typing import Any

import pandas as pd
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clustering.halves import REPORT as HALVES
from clustering.ui.pictures import silhouettes
from clustering.ui.reading import Project, attempt
from clustering.ui.rendering import show
from storelib.configuration.own_settings import FOLDER
from storelib.method.k_rules import choices_of
from storelib.pages import merging, report

# Scores that the table shows, in this order, with the rule's words.
FIGURES = ("inertia", "smallest", "bootstrap_ari")


def scores(project: Project, view: str) -> dict[str, Any]:
    """Every score by k, and what each rule chose."""
    frame = project.frame(project.of_view("k_scores", view))
    choices = choices_of(frame)
    rules = [rule for rule in report.RULE_WORDS if rule in frame.columns and frame[rule].notna().any()]
    chosen = int(frame.loc[frame["chosen"], "k"].iloc[0])
    return {
        "words": report.k_words(frame),
        "panels": report.panels_of(frame),
        "rules": {rule: report.RULE_WORDS[rule] for rule in rules},
        "choices": choices,
        "chosen": chosen,
        "figures": [name for name in FIGURES if name in frame.columns],
        "rows": frame.to_dict("records"),
    }


def stability(project: Project, view: str) -> list[dict[str, Any]]:
    """How often each cluster comes back, in figures and words."""
    frame = project.frame(project.of_view("stability", view))
    told = report.stability_words(frame)
    return [row | {"words": told.get(int(row["cluster"]), "")} for row in report.records(frame)]


def pictures(project: Project, view: str) -> dict[str, Any]:
    """Silhouettes of every cluster."""
    name = project.of_view("clusters", view)

    def make() -> dict[str, Any]:
        frame = project.frame(name)
        found, height = silhouettes(frame)
        return {"clusters": found, "height": height, "mean": float(frame["silhouette"].mean()) if found else None}

    return project.derived(f"silhouettes of {view}", [name], make)


def halves(project: Project, view: str) -> list[dict[str, str]] | None:
    """What split halves found of a view; None where they were not made."""
    if not project.path(HALVES.as_posix()).is_file():
        return None
    frame: pd.DataFrame = project.csv(HALVES.as_posix())
    return [{str(k): str(v) for k, v in row.items()} for row in frame[frame["view"] == view].to_dict("records")]


def numbers(project: Project, view: str, wanted: str) -> dict[str, Any] | None:
    """What each number of segments explains, and the one that is asked for; None for the external view, which has none."""
    if view == "external":
        return None
    frame = project.frame(f"data/merging/explained/{view}.parquet").sort_values("segments")
    # Beside the store's id.
    has_mix, has_places = (
        project.table(name).num_columns > 1
        for name in (f"data/internal/shares/{view}.parquet", "data/external/store_features.parquet")
    )
    rows = frame.to_dict("records")
    chosen = next(row for row in rows if row["chosen"])
    asked = next((row for row in rows if str(row["segments"]) == wanted), chosen)
    before = [row for row in rows if row["segments"] == asked["segments"] + 1]
    return {
        "view": merging.explained_view(frame, merging.whose_variance(has_mix=has_mix, has_places=has_places)),
        "rows": rows,
        "chosen": chosen,
        "asked": asked,
        "lost": chosen["explained"] - asked["explained"],
        "step": before[0]["explained"] - asked["explained"] if before else None,
    }


def own_settings(project: Project, view: str) -> list[tuple[str, str, str]]:
    """The settings that a category has of its own: stage, key and value."""
    if view == "external":
        return []
    found = []
    for folder in sorted(project.path(FOLDER).glob("*")):
        name = f"{FOLDER}/{folder.name}/{view}.parquet"
        if project.path(name).is_file():
            rows = project.table(name).to_pylist()
            found += [
                (folder.name, row["setting"], str(row["value"] or "")) for row in rows if row["setting"] != "name"
            ]
    return found


def page(request: Request) -> Response:
    """The whole page."""
    project: Project = request.app.state.project
    view = attempt(project.view, request.query_params.get("view"))
    if view.value is None:
        return show(request, "empty.html", title="Choose", problem=view.problem)
    names = {**(attempt(project.categories).value or {}), "external": "by place, all categories"}
    return show(
        request,
        "choose.html",
        title=f"How many: {names[view.value]}",
        view=view.value,
        names=names,
        scores=attempt(scores, project, view.value),
        stability=attempt(stability, project, view.value),
        pictures=attempt(pictures, project, view.value),
        halves=attempt(halves, project, view.value),
        numbers=attempt(numbers, project, view.value, request.query_params.get("segments", "")),
        own=attempt(own_settings, project, view.value),
        params=attempt(project.params),
    )


ROUTES = [Route("/choose", page)]
