"""One store's way through the pipeline, in words and figures."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from clustering.fetch import read_fingerprints
from storelib.configuration.params import Params
from storelib.configuration.place import Place
from storelib.configuration.stages import RAW_LISTS
from storelib.errors import DataError, nearest_name
from storelib.names import OVERRIDE
from storelib.pages.words import NOTABLE, figure, labels_of, state_label, with_unit
from storelib.tables import read_frame, read_table

WORDS = {
    "thin": "sells too little to train, and was placed in the nearest cluster",
    "no_net_sales": "has no net sales, so it has the chain's shares",
    "no_data": "has no known value, and was placed by what is usual",
    "outlier": "is unlike all others: it trained nothing, and was placed in the nearest cluster",
}
NEED_STATES = 3
# Of what tells a store, or its external cluster, apart: how many, and standard deviations from which on it is worth a line, of which
# the mean of many stores has fewer.
TOLD_APART, OF_STORES, OF_GROUPS = 4, 1.0, NOTABLE
# Features that are told of a store's segment, and of the store beside it.
DIFFERENCES = 5


def in_words(flags: str) -> list[str]:
    """Flags such as `internal:thin external:outlier` as sentences."""
    found = [flag.partition(":") for flag in flags.split() if flag != OVERRIDE]
    sentences = [f"{view}: the store {WORDS.get(reason, reason)}" for view, _, reason in found]
    return sentences + (["segment: a person placed the store there"] if OVERRIDE in flags.split() else [])


def rows_of(path: Path, store: str) -> list[dict[str, Any]]:
    """The rows of one store in a table."""
    table = read_table(path)
    rows: list[dict[str, Any]] = table.filter(pc.equal(table["store_id"], store)).to_pylist()
    return rows


def explain(
    root: Path, params: Params, place: Place, env: str, store: str, category: str | None = None
) -> dict[str, Any]:
    """Everything that is known of a store, in every category or in one. Raises DataError for one that is not, with the nearest."""
    needed = root / "data" / "merging" / "segments.parquet"
    if not needed.is_file():
        raise DataError(f"{needed} does not exist", solution="run `clustering run full_pipeline_job` first")
    known = set(read_table(needed, ["store_id"])["store_id"].to_pylist())
    if store not in known:
        raise DataError(
            f"no segment is known of store {store!r}{nearest_name(store, known)}",
            solution="give an id as in data/merging/segments.parquet, leading zeros included",
        )
    named = rows_of(root / "data" / "external" / "stores.parquet", store)
    external = rows_of(root / "data" / "external" / "clusters.parquet", store)
    categories = []
    for row in rows_of(needed, store):
        key = row["category"]
        if category not in {None, key}:
            continue
        folder = root / "data" / "internal"
        (sales,) = rows_of(folder / "store_sales" / f"{key}.parquet", store)
        (cluster,) = rows_of(folder / "clusters" / f"{key}.parquet", store)
        categories.append(
            row
            | place_of(root, key, store, int(row["segment"]), row["runner_up_segment"])
            | {
                "name": params.internal.categories[key].name if key in params.internal.categories else key,
                "lines": sales["lines"],
                "sales": sales["sales"],
                "shares": top_shares(folder / "shares" / f"{key}.parquet", store),
                "apart": apart_lines(root, key, store),
                "cluster": cluster,
            }
        )
    return {
        "store_id": store,
        "name": named[0].get("name") if named else None,
        "categories": categories,
        "external": external[0] if external else None,
        "external_reasons": external_reasons(root, store, external[0]["cluster"]) if external else [],
        "files": raw_files(root, env),
        "fetched": {name: note for name, note in read_fingerprints(root, env).items() if name in place.fetch},
    }


def place_of(root: Path, key: str, store: str, segment: int, runner_up: int | None) -> dict[str, Any]:
    """How near a store is to its segment, where it would be otherwise, and what sets its segment apart.

    runner_up: the segment that it is in next often, where that is known; else it is the one with the nearest centre.
    """
    folder = root / "data" / "merging"
    (fit,) = rows_of(folder / "store_fit" / f"{key}.parquet", store)
    descriptions = read_frame(folder / "descriptions" / f"{key}.parquet").set_index("segment")
    other = runner_up or fit["nearest_other"]
    return {
        "fit": fit,
        "other_segment": other,
        "other_name": None if other is None else str(descriptions.loc[other, "name"]),
        "rules": str(descriptions.loc[segment, "rules"]),
        "reasons": reasons(root, key, store, segment),
    }


def is_nearer(value: float | None, own: float, others: float) -> bool:
    """Whether a store's value is no nearer to the others' mean than to its own group's; one that is not known is not."""
    return value is None or math.isnan(value) or abs(value - own) <= abs(value - others)


def segment_lines(part: dict[str, Any]) -> list[str]:
    """Why a store is in its segment: what sets that apart, its rule, and how far centres are. part: one category of `explain`."""
    lines = []
    for reason in part["reasons"]:
        told = (lambda value: f"{value:.1%}") if reason["kind"] == "mix" else figure
        own = "unknown" if reason["value"] is None else told(reason["value"])
        is_place = reason["kind"] == "place"
        name = labels_of([reason["feature"]])[reason["feature"]] if is_place else state_label(reason["feature"])
        means = [told(reason["mean"]), told(reason["rest"])]
        name, (own, its, others) = (
            with_unit(name, own, *means) if is_place and own != "unknown" else (name, (own, *means))
        )
        # What sets a segment apart need not hold of each of its stores.
        word = "why" if is_nearer(reason["value"], reason["mean"], reason["rest"]) else "although"
        lines.append(f"{word}: {name} {own}; its segment {its}, all other stores {others}")
    fit = part["fit"]
    away = f"distance to the segment's centre {fit['distance']:.3f}"
    if fit["nearest_other"] is not None:
        away += f"; to the nearest other one, of segment {fit['nearest_other']}, {fit['nearest_other_distance']:.3f}"
    return [*lines, f"rule: {part['rules'] or 'none of so few conditions finds the segment'}", away]


def reasons(root: Path, key: str, store: str, segment: int) -> list[dict[str, Any]]:
    """The features that set a segment apart most: the store's value, the segment's mean and that of all other stores."""
    traits = read_frame(root / "data" / "merging" / "traits" / f"{key}.parquet")
    own = traits[(traits["segment"] == segment) & traits["is_notable"]]
    own = own.assign(size=-own["effect"].abs()).sort_values(["size", "feature"]).head(DIFFERENCES)
    tables = {
        "mix": root / "data" / "internal" / "shares" / f"{key}.parquet",
        "place": root / "data" / "external" / "store_features.parquet",
    }
    values = {kind: rows_of(path, store) for kind, path in tables.items()}
    return [
        {
            "kind": str(row["kind"]),
            "feature": str(row["feature"]),
            "value": values[row["kind"]][0].get(row["feature"]) if values[row["kind"]] else None,
            "mean": float(row["mean"]),
            "rest": float(row["rest_mean"]),
        }
        for row in own.to_dict("records")
    ]


def apart(values: pd.Series, chain: pd.DataFrame, least: float) -> list[tuple[str, float, float]]:
    """What tells a store apart: feature, its value and the mean of all stores, the furthest from it in standard deviations first.

    values: the store's own; chain: those of all stores, a column per feature; least: deviations from which on it is worth a line.
    """
    means, spread = chain.mean(), chain.std(ddof=0)
    away = ((values - means) / spread.where(spread > 0)).dropna()
    furthest = away[away.abs() >= least].abs().sort_values(ascending=False, kind="stable").head(TOLD_APART)
    return [(str(name), float(values[name]), float(means[name])) for name in furthest.index]


def external_reasons(root: Path, store: str, cluster: int) -> list[str]:
    """Why a store is in its external cluster: the features in which that is furthest from the chain, with the store's values."""
    chain = read_frame(root / "data" / "external" / "store_features.parquet").set_index("store_id").astype("float64")
    profile = read_frame(root / "data" / "external" / "profile.parquet")
    own = profile[profile["cluster"] == cluster].set_index("feature")
    labels = labels_of(map(str, chain.columns))
    values = row_of(chain, store)
    lines = []
    for feature, mean, whole in apart(own["mean"].astype("float64"), chain[own.index], OF_GROUPS):
        told = figure(values[feature]), figure(mean), figure(whole)
        name, (value, its, every) = with_unit(labels[feature], *told)
        word = "why" if is_nearer(values[feature], mean, whole) else "although"
        lines.append(f"{word}: {name} {value.replace('–', 'unknown')}; its cluster {its}, all stores {every}")
    return lines


def row_of(table: pd.DataFrame, store: str) -> pd.Series:
    """One store's numbers, by column. table: by store."""
    return pd.Series(table[table.index == store].iloc[0].to_dict(), dtype="float64")


def apart_lines(root: Path, key: str, store: str) -> list[str]:
    """The need states of a category in which a store is furthest from the other stores."""
    shares = read_frame(root / "data" / "internal" / "shares" / f"{key}.parquet").set_index("store_id")
    found = apart(row_of(shares, store), shares, OF_STORES)
    return [f"apart: {state_label(name)} {share:.1%}; all stores {mean:.1%}" for name, share, mean in found]


def top_shares(path: Path, store: str) -> list[tuple[str, float, float]]:
    """The store's largest need states: name, share, and the mean of all stores' shares."""
    shares: pd.DataFrame = read_frame(path).set_index("store_id")
    own = pd.Series(shares.loc[store].to_dict()).sort_values(ascending=False, kind="stable").head(NEED_STATES)
    return [(str(name), float(share), float(shares[name].mean())) for name, share in own.items()]


def raw_files(root: Path, env: str) -> list[tuple[str, str, str]]:
    """Raw files of every source as the stages read them: source, path, sha256."""
    lists = [root / listing for listing in RAW_LISTS]
    rows = [row for path in lists if path.is_file() for row in read_table(path).to_pylist()]
    return [(row["source"], f"data/raw/{env}/{row['file']}", row["sha256"]) for row in rows]
