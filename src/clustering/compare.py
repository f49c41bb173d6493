"""Two runs side by side: recorded runs, the workspace, git revisions or DVC experiments."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from clustering.runs import RESULTS, find_run
from storelib.errors import ConfigError, DataError
from storelib.method.agreement import compare as agreement
from storelib.method.agreement import shared_labels
from storelib.method.labels import match_to_baseline
from storelib.tables import read_frame, read_json

# Figures that are shown although they are the same: what a scenario is judged by.
ALWAYS = (".k", ".segments", ".smallest", ".explained", ".stability")


@dataclass
class Results:
    """What one run found."""

    name: str
    metrics: dict[str, Any]
    segments: pd.DataFrame

    @property
    def k(self) -> dict[str, int]:
        """Clusters per view."""
        found = {key: int(part["k"]) for key, part in self.metrics.get("internal", {}).items()}
        external = self.metrics.get("external", {})
        return found | ({"external": int(external["k"])} if "k" in external else {})


class Change(NamedTuple):
    """How one view's labels differ, over the stores in both runs."""

    view: str
    label: str
    sizes: tuple[list[int], list[int]]
    stores: int
    others: tuple[int, int]
    moved: int
    ari: float
    crossing: pd.DataFrame

    def line(self) -> str:
        """The change in words."""
        before, after = (" ".join(map(str, part)) or "none" for part in self.sizes)
        words = [f"{self.moved} of {self.stores} stores moved", f"ARI {self.ari:.3f}"]
        words += [f"{count} only in {side}" for count, side in zip(self.others, "AB", strict=True) if count]
        name = self.label.replace("_", " ")
        return f"{self.view}, {name}: {', '.join(words)}; sizes: {before} -> {after}"

    def matrix(self) -> tuple[list[str], list[list[str]]]:
        """From which label (rows) to which (columns) the stores in both went, as a table with a head; those that stayed included."""
        after = [int(label) for label in self.crossing.columns]
        heads = ["from \\ to", *map(str, after), "stores"]
        rows = [
            [str(before), *(f"{count:,}" if count else "" for count in counts), f"{sum(counts):,}"]
            for before, counts in zip(self.crossing.index, self.crossing.to_numpy().tolist(), strict=True)
        ]
        return heads, rows


def load_results(root: Path, name: str) -> Results:
    """The results that `name` stands for. Raises ConfigError where it stands for nothing, DataError where there are none."""
    folder = None if name == "workspace" else find_run(root, name)
    if name == "workspace":
        metrics, segments = (root / path for path in RESULTS)
    elif folder is not None:
        metrics, segments = (folder / path.name for path in RESULTS)
    else:
        return from_revision(root, name)
    if not (metrics.is_file() and segments.is_file()):
        raise DataError(f"{name} has no segments and metrics", solution="run `clustering run full_pipeline_job` first")
    return Results(name, read_json(metrics), read_frame(segments))


def from_revision(root: Path, name: str) -> Results:
    """The results at a git revision or of a DVC experiment: metrics from git, segments from DVC's cache."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.brancher import switch
    from dvc.scm import resolve_rev
    from scmrepo.exceptions import SCMError

    try:
        with Repo(str(root)) as here:
            revision = resolve_rev(here.scm, name)
    except (DvcException, SCMError):
        raise ConfigError(
            f"{name!r} is no run, git revision or experiment",
            solution="see `clustering status` and `dvc exp list`; `last` and `workspace` are names too",
        ) from None
    try:
        # Not `Repo(rev=...)`, which looks for the project at the top of the git repository only.
        with Repo(str(root)) as repo, switch(repo, revision):
            metrics_text, segments = (repo.dvcfs.open(path.as_posix(), "rb") for path in RESULTS)
            with metrics_text, segments:
                return Results(name, json.load(metrics_text), pq.read_table(segments).to_pandas())
    except FileNotFoundError:
        raise DataError(
            f"{name}: no results were committed at {revision[:10]}",
            solution="name a commit that was made after a run, or a run of `clustering status`",
        ) from None
    except (DvcException, OSError) as error:
        raise DataError(
            f"{name}: its results cannot be read: {' '.join(str(error).split())}",
            solution=f"fetch them with `dvc fetch`, or make them again at {revision[:10]}",
        ) from None


def changes(first: Results, second: Results) -> tuple[list[Change], pd.DataFrame]:
    """Per view and label how many stores moved, and which.

    The moves: view, label, store_id, label before, and after with matched numbers. Views are each category, for its segments and
    clusters, and `external`.
    """
    found, moves = [], []
    keys = [sorted(part.segments["category"].unique()) for part in (first, second)]
    views = [(str(key), label) for key in sorted({*keys[0], *keys[1]}) for label in ("segment", "internal_cluster")]
    for view, label in [*views, ("external", "external_cluster")]:
        a, b = (labels_of(part.segments, view, label) for part in (first, second))
        renumbered = matched(b, a)
        both = shared_labels(a, renumbered)
        moved = both[both["first"] != both["second"]]
        sizes, others = (sizes_of(a), sizes_of(renumbered)), (len(a) - len(both), len(b) - len(both))
        crossing = pd.crosstab(both["first"], both["second"])
        found.append(Change(view, label, sizes, len(both), others, len(moved), agreement(a, b).ari, crossing))
        moves.append(
            pd.DataFrame(
                {
                    "view": view,
                    "label": label,
                    "store_id": moved.index,
                    "before": moved["first"].to_numpy(),
                    "after": moved["second"].to_numpy(),
                    "after_as_numbered": b.reindex(moved.index).to_numpy(),
                }
            )
        )
    return found, pd.concat(moves, ignore_index=True).sort_values(["view", "label", "store_id"], ignore_index=True)


def labels_of(segments: pd.DataFrame, view: str, label: str) -> pd.Series:
    """One label of one view by store; external clusters are the same in every category."""
    rows = segments.drop_duplicates("store_id") if view == "external" else segments[segments["category"] == view]
    return pd.Series(rows[label].to_numpy(), index=rows["store_id"].to_numpy(), name=label).rename_axis("store_id")


def matched(labels: pd.Series, first: pd.Series) -> pd.Series:
    """Labels by store with the numbers of those in `first` that share the most stores."""
    return labels.map(match_to_baseline(labels, first)) if len(labels) else labels


def sizes_of(labels: pd.Series) -> list[int]:
    """Stores per label, in the labels' order."""
    return [int(count) for count in labels.value_counts().sort_index()]


def figures(metrics: Any, prefix: str = "") -> dict[str, float]:
    """Every number of metrics.json by its dotted key."""
    if isinstance(metrics, dict):
        return {k: v for key, part in metrics.items() for k, v in figures(part, f"{prefix}{key}.").items()}
    return {prefix.rstrip("."): metrics} if isinstance(metrics, int | float) else {}


def figure_rows(first: Results, second: Results) -> list[tuple[str, float | None, float | None]]:
    """The figures of two results that differ in ten digits, and those that a scenario is judged by; None for one that is not there."""
    numbers = figures(first.metrics), figures(second.metrics)
    rows = []
    for key in dict.fromkeys([*numbers[0], *numbers[1]]):
        a, b = (part.get(key) for part in numbers)
        if figure_text(a) != figure_text(b) or key.endswith(ALWAYS):
            rows.append((key, a, b))
    return rows


def figure_text(value: float | None) -> str:
    """A figure in ten digits; empty for one that is not there."""
    return "" if value is None else f"{value:.10g}"
