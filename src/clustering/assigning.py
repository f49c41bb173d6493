"""Stores that the pipeline has not seen, or has, to segments that are fitted already.

Sales lines go through the same programs as those of the project, up to shares of need states, in a folder of their own; external
features are those that the project knows of a store, or those of a file. `scripts/assign_stores.py` places the stores.
"""

import csv
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from clustering.halves import OF_FILES, write_yaml
from clustering.projects import check_project
from clustering.runners import call_script
from storelib.configuration.params import Params
from storelib.configuration.place import Place
from storelib.configuration.yaml_files import read_yaml
from storelib.errors import ConfigError, DataError, nearest_name, shown
from storelib.names import WEIGHTS
from storelib.raw.spellings import id_text
from storelib.tables import read_frame, read_table, write_table

OPTIONS = ("transform", "scaling", "imputation", "pca_variance", "pca_components", *WEIGHTS)


def assign(root: Path, env: str | None, files: Sequence[Path], key: str | None) -> pd.DataFrame:
    """One row per store and category, with its segment, how sure that is, and why.

    files: of sales lines, in the columns of the configured source, or of stores, one row each; CSV or Parquet. key: of one category.
    Raises ConfigError and DataError.
    """
    params, place, env = check_project(root, env)
    if key is not None and key not in params.internal.categories:
        known = sorted(params.internal.categories)
        raise ConfigError(
            f"{key!r} is no category of params.yaml{nearest_name(key, known)}",
            solution=f"choose one of {', '.join(known)}",
        )
    if not (root / "data/merging/segments.parquet").is_file() or not (root / "data/external/model.json").is_file():
        raise DataError("nothing is fitted yet", solution="run `clustering run full_pipeline_job` first")
    with tempfile.TemporaryDirectory(prefix=f"clustering-assign-{os.getpid()}-") as name:
        folder = Path(name)
        shares: dict[str, Path] = {}
        given: list[pd.DataFrame] = []
        for path in files:
            if is_sales(path, place):
                shares = shares_of(root, env, params, place, path, folder, key)
            else:
                given.append(features_of(root, place, path))
        features = known_features(root, given, shares, folder)
        found = [
            place_in(root, params, one, shares.get(one), features, folder)
            for one in ([key] if key else params.internal.categories)
            if one in shares or given
        ]
    if not found:
        raise DataError(
            "the file has no sales in any category that is clustered",
            solution="look at its columns, and at `clustering categories`",
        )
    return pd.concat(found, ignore_index=True)


def header_of(path: Path) -> list[str]:
    """The columns of a CSV or Parquet file. Raises ConfigError for another file."""
    if path.is_file() and path.suffix == ".parquet":
        return list(read_table(path).column_names)
    if path.is_file() and path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return next(csv.reader(handle), [])
    raise ConfigError(f"{path} is no .csv or .parquet file", solution="give sales lines or stores as CSV or Parquet")


def is_sales(path: Path, place: Place) -> bool:
    """Whether a file has the columns of sales lines, as the project's source of sales calls them."""
    source = place.sources.sales
    return source is not None and all(has_columns(path, source.named[name]) for name in ("store_id", "sku", "sales"))


def has_columns(path: Path, theirs: str | list[str]) -> bool:
    """Whether a file has a column, or all of those that make one id."""
    return {*([theirs] if isinstance(theirs, str) else theirs)} <= set(header_of(path))


def shares_of(
    root: Path, env: str, params: Params, place: Place, path: Path, folder: Path, key: str | None
) -> dict[str, Path]:
    """Tables of shares by category, of the stores of a file of sales lines; of those categories that it has."""
    raw = folder / "raw"
    raw.mkdir()
    shutil.copyfile(path, raw / f"sales{path.suffix}")
    config = read_yaml(root / "configs" / f"{env}.yml")
    sales = {name: value for name, value in config["sources"]["sales"].items() if name not in OF_FILES}
    columns = {ours: theirs for ours, theirs in place.sources.sold[0].named.items() if has_columns(path, theirs)}
    config["sources"]["sales"] = sales | {"reader": path.suffix[1:], "path": f"sales{path.suffix}", "columns": columns}
    write_yaml(config, folder / "place.yml")
    internal, data = params.internal, root / "data"
    ingest = internal.ingest_sales.model_dump(exclude={"largest_lines", "cap_quantile", "seasons"})
    if "date" not in columns:
        ingest["period"] = "all"
    outputs = {name: folder / f"{name}.parquet" for name in ("sales", "sku_sales", "period_sales", "files", "ledger")}
    product_map = data / "internal/product_map.parquet"
    call_script(
        root, "ingest_sales",
        {"config": folder / "place.yml", "raw": raw, "product_map": product_map, **outputs, "cache": folder / "cache", **ingest},
    )  # fmt: skip
    tables = {
        name: folder / f"{name}.parquet"
        for name in ("map_entries", "category_totals", "category_sales", "category_skus", "selling_stores")
    }
    # A store that is placed need not be in the store table.
    policies = internal.assign_categories.model_dump() | {"unknown_stores": "keep"}
    call_script(
        root, "assign_categories",
        {
            "sales": outputs["sales"], "sku_sales": outputs["sku_sales"], "product_map": product_map,
            "stores": data / "external/stores.parquet", **tables, "ledger": folder / "assign_ledger.parquet", **policies,
        },
    )  # fmt: skip
    spelt = {str(name).casefold() for name in read_frame(tables["category_totals"])["category"]}
    found = {}
    for one in [key] if key else internal.categories:
        name = internal.categories[one].name
        if name.casefold() not in spelt:
            continue
        made = {
            what: folder / one / f"{what}.parquet" for what in ("need_state_sales", "shares", "store_sales", "ledger")
        }
        inputs = {what: tables[what] for what in ("category_totals", "category_sales", "category_skus", "map_entries")}
        call_script(
            root, "split_need_states",
            {"category": one, "name": name, **inputs, **made, **params.block_of(one, "split_need_states").model_dump()},
        )  # fmt: skip
        found[one] = made["shares"]
    return found


def features_of(root: Path, place: Place, path: Path) -> pd.DataFrame:
    """External features by store from a file of stores, one row each. Columns as in `store_features`, the source before them or not."""
    known = [
        name for name in read_table(root / "data/external/store_features.parquet").column_names if name != "store_id"
    ]
    short = {name.partition(".")[2]: name for name in known}
    table = read_frame(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype="str", encoding="utf-8-sig")
    ids = "store_id"
    theirs = place.sources.stores.columns["store_id"] if place.sources.stores else ids
    if ids not in table and isinstance(theirs, str):
        ids = theirs
    named = {column: column if column in known else short.get(column) for column in table.columns if column != ids}
    used = {column: name for column, name in named.items() if name}
    if ids not in table or not used:
        raise DataError(
            f"{path} has columns {', '.join(map(str, table.columns))}; store_id and features such as {', '.join(known[:3])}, or the "
            "columns of sales lines, are expected",
            solution="rename the columns as in data/external/store_features.parquet",
        )
    table = table.assign(**{ids: table[ids].astype("str").map(id_text)}).set_index(ids)
    if table.index.duplicated().any():
        store = table.index[table.index.duplicated()][0]
        raise DataError(f"{path}: store {shown(store)} has more than one row", solution="give each store one row")
    result = pd.DataFrame(index=table.index)
    for column, name in used.items():
        values = pd.to_numeric(table[column], errors="coerce")
        wrong = table[column].notna() & values.isna()
        if wrong.any():
            store = wrong.index[wrong][0]
            raise DataError(
                f"{path}: store {shown(store)} has {shown(table.at[store, column])} in column {column}, and a number is expected",
                solution="mend it, or leave the cell empty",
            )
        result[name] = values.astype("float64")
    return result.reindex(columns=known)


def known_features(root: Path, given: Sequence[pd.DataFrame], shares: Mapping[str, Path], folder: Path) -> Path | None:
    """A table of external features: those given, and of stores with sales those that the project has. None where there are none."""
    selling = {store for path in shares.values() for store in read_table(path, ["store_id"])["store_id"].to_pylist()}
    every = read_frame(root / "data/external/store_features.parquet").set_index("store_id")
    tables = [*given, every[every.index.isin(selling)]]
    table = pd.concat([part for part in tables if len(part)]) if any(map(len, tables)) else every.iloc[:0]
    table = table[~table.index.duplicated()].sort_index().rename_axis("store_id")
    if table.empty:
        return None
    write_table(pa.Table.from_pandas(table.reset_index(), preserve_index=False), folder / "features.parquet")
    return folder / "features.parquet"


def place_in(
    root: Path, params: Params, key: str, shares: Path | None, features: Path | None, folder: Path
) -> pd.DataFrame:
    """The stores' places in one category."""
    internal, external = root / "data/internal", root / "data/external"
    tables: dict[str, Any] = {
        "internal_table": internal / f"shares/{key}.parquet",
        "internal_features": internal / f"features/{key}.parquet",
        "internal_report": internal / f"feature_reports/{key}.parquet",
        "internal_model": internal / f"models/{key}.json",
        "internal_clusters": internal / f"clusters/{key}.parquet",
        "external_table": external / "store_features.parquet",
        "external_features": external / "features.parquet",
        "external_report": external / "feature_report.parquet",
        "external_model": external / "model.json",
        "external_clusters": external / "clusters.parquet",
    }
    methods = (params.block_of(key, "build_features"), params.external.build_features)
    for view, new, method in zip(("internal", "external"), (shares, features), methods, strict=True):
        # The external view has no level of sales.
        tables |= {f"{view}_{option}": getattr(method, option, 0) for option in OPTIONS}
        tables |= {f"{view}_new": new} if new else {}
    merging = params.block_of(key, "merging").model_dump()
    weights = {f"{view}_weight": merging[f"{view}_weight"] for view in ("internal", "external")}
    segments = root / f"data/merging/category_segments/{key}.parquet"
    placed = folder / f"{key}.csv"
    call_script(root, "assign_stores", {"category": key, **tables, **weights, "segments": segments, "placed": placed})
    whole = {"segment": "Int64", "internal_cluster": "Int64", "external_cluster": "Int64"}
    return pd.read_csv(placed, dtype={"store_id": "str", "like_store": "str", **whole}, keep_default_na=True)
