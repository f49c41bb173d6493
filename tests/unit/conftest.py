"""A bench for one stage, or a chain of them, in a temporary folder."""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import contextlib
import importlib
import random
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from storelib.accounts.entries import entries_of, numbered
from storelib.contracts.segments import OVERRIDES
from storelib.names import MONTHS

MONEY = pa.decimal128(38, 2)
SALES_COLUMNS = {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT", "date": "DAY"}
MAP_COLUMNS = {"sku": "SKU", "need_state": "NEED", "category": "CAT"}
NAMED = pa.schema([("key", pa.string()), ("name", pa.string())])
LABELS = ["internal_cluster", "external_cluster", "segment"]
# The block `merging` as it comes with the project.
MERGING = {
    "method": "cross", "inner_view": "external", "rule": "bic_tied", "max_clusters": 10, "bic_coarsening": 250, "n_init": 10,
    "seed": 1, "min_cluster_size": 20, "max_segments": 0, "internal_weight": 50, "external_weight": 50,
}  # fmt: skip
Amounts = tuple[int, int, Decimal]


def close_log() -> None:
    """Close the log files that stages leave open until their process ends."""
    for handler in list(storelib.runtime.LOGGER.handlers):
        storelib.runtime.LOGGER.removeHandler(handler)
        handler.close()


class Bench:
    """Writes a stage's inputs, runs its `main`, reads its outputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.raw = folder / "raw"
        self.raw.mkdir(parents=True, exist_ok=True)
        self.sold: list[tuple[str | None, str, str, Decimal, int]] = []
        # Units and the largest line, by category, store and entry, of what is sold.
        self.beside: dict[tuple[str | None, str, int], dict[str, Decimal]] = {}

    def __truediv__(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def run(self, module: ModuleType | str, **flags: object) -> None:
        """`main` of a script with flags: lists after one flag, logs in one place."""
        if isinstance(module, str):
            module = importlib.import_module(module)
        argv = ["--log", str(self / f"logs/{module.__name__}.log")]
        for name, value in flags.items():
            argv += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
        try:
            # As in a project of its own: select_categories deletes files below the folder that it works in.
            with contextlib.chdir(self.folder):
                module.main(argv)
        finally:
            close_log()

    def log(self, module: ModuleType) -> str:
        """What a stage wrote to its log."""
        return (self / f"logs/{module.__name__}.log").read_text(encoding="utf-8")

    def parquet(self, name: str, columns: dict[str, Any], schema: pa.Schema | None = None) -> Path:
        """A Parquet file of plain columns."""
        path = self / name
        pq.write_table(pa.table(columns, schema=schema), path)
        return path

    def csv(self, name: str, *lines: str) -> Path:
        """A CSV file, line by line."""
        path = self / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def place(self, compute: dict[str, Any] | None = None, id_case: str | None = None, **sources: Any) -> Path:
        """configs/dev.yml with the sources given and the least of the others; id_case: of all of them."""
        plain = {
            "sales": {"reader": "csv", "path": "sales.csv", "columns": SALES_COLUMNS},
            "product_map": {"reader": "csv", "path": "map.csv", "columns": MAP_COLUMNS},
        }
        path = self / "configs/dev.yml"
        found: dict[str, Any] = plain | sources
        if id_case is not None:
            flat = [source for name, source in found.items() if name != "external"]
            for source in [*flat, *found.get("external", {}).values()]:
                source["id_case"] = id_case
        content = {"sources": found, **({"compute": compute} if compute else {})}
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def rows(self, name: str, *columns: str) -> list[Any]:
        """The rows of a Parquet file as tuples (plain values where one column is asked for)."""
        table = pq.ParquetFile(self / name).read(columns=list(columns) or None)
        tuples = list(zip(*table.to_pydict().values(), strict=True))
        return [row[0] for row in tuples] if len(columns) == 1 else tuples

    def frame(self, name: str) -> pd.DataFrame:
        """A Parquet file by store."""
        return pq.ParquetFile(self / name).read().to_pandas().set_index("store_id")

    def ledger(self, name: str = "ledger.parquet", stage: str = "") -> dict[tuple[str, str], Amounts]:
        """(flow, reason): (stores, lines, sales); of one stage, where one is named."""
        rows = self.rows(name, "stage", "flow", "reason", "stores", "lines", "sales")
        return {(flow, reason): tuple(amounts) for made, flow, reason, *amounts in rows if made.startswith(stage)}

    def product_map(self, *rows: tuple[str, str | None, str | None], name: str = "product_map.parquet") -> Path:
        """(sku, category, need_state) as `ingest_product_map` writes it."""
        schema = pa.schema(
            [("sku", pa.string()), ("category", pa.string()), ("need_state", pa.string()), ("entry", pa.int32())]
        )
        entries = numbered(rows)
        columns = zip(*((*row, entries[row[0]]) for row in rows), strict=True) if rows else [[], [], [], []]
        return self.parquet(name, dict(zip(schema.names, map(list, columns), strict=True)), schema)

    def entries(self) -> dict[str, int]:
        """The entry of each SKU of the product map."""
        return dict(self.rows("product_map.parquet", "sku", "entry"))

    def categories(self, **keys: str) -> Path:
        """Name to key, as `select_categories` writes them."""
        return self.parquet("categories.parquet", {"key": list(keys.values()), "name": list(keys)}, NAMED)

    def category_sales(self, *rows: tuple[str, str, str, str, int]) -> Path:
        """(category, store_id, sku, sales, lines) as `assign_categories` writes it, for the product map that is there by then.

        SKUs of one entry are summed; those that the map does not have, or not in their category, are in `category_skus` too.
        """
        self.sold = [(category, store, sku, Decimal(sales), lines) for category, store, sku, sales, lines in rows]
        return self / "category_sales.parquet"

    def category_totals(self, *names: str, takes_other_spellings: bool = True) -> Path:
        """The categories of the data, as `assign_categories` lists them; amounts do not matter."""
        columns = {"category": list(names), "stores": [1] * len(names), "sales": [Decimal(1)] * len(names)}
        return self.parquet(
            "category_totals.parquet",
            columns | {"lines": [1] * len(names), "takes_other_spellings": [takes_other_spellings] * len(names)},
        )

    def write_sums(self, by_store: str, by_sku: str) -> None:
        """What was sold, by category, store and entry, and of the SKUs that the map does not place; names: of the two tables."""
        entries = entries_of(pq.ParquetFile(self / "product_map.parquet").read())
        sums: dict[tuple[str | None, str, int], list[Any]] = {}
        skus: dict[tuple[str | None, str, int], list[Any]] = {}
        for category, store, sku, sales, lines in self.sold:
            entry = entries.of_sku.get(sku, 0)
            found = [sums.setdefault((category, store, entry), [Decimal(0), 0])]
            if not entries.places(category, entry):
                found.append(skus.setdefault((category, sku, entry), [Decimal(0), 0]))
            for amounts in found:
                amounts[0] += sales
                amounts[1] += lines
        for name, table, middle in ((by_store, sums, "store_id"), (by_sku, skus, "sku")):
            schema = pa.schema(
                [
                    ("category", pa.string()),
                    (middle, pa.string()),
                    ("entry", pa.int32()),
                    ("sales", MONEY),
                    ("lines", pa.int64()),
                ]
            )
            rows = [
                dict(zip(schema.names, (*key, *amounts), strict=True)) | self.beside.get(key, {})
                for key, amounts in sorted(table.items(), key=str)
            ]
            if middle == "store_id":
                for name_beside in [
                    name
                    for name in ("units", "largest", "capped", *MONTHS)
                    if any(name in found for found in self.beside.values())
                ]:
                    schema = schema.append(pa.field(name_beside, MONEY))
            pq.write_table(pa.Table.from_pylist(rows, schema), self / f"{name}.parquet")

    def labels(self, *rows: tuple[Any, ...], name: str = "baseline.parquet") -> Path:
        """(category, store_id, internal, external, segment) as `ingest_labels` writes it; then its name and the chain's segment."""
        schema = pa.schema(
            [
                ("category", pa.string()),
                ("store_id", pa.string()),
                *((n, pa.int32()) for n in LABELS),
                ("segment_name", pa.string()),
                ("chain_segment", pa.int32()),
            ]
        )
        whole = [(*row, *[None] * (len(schema) - len(row))) for row in rows]
        columns = list(zip(*whole, strict=True)) if rows else [[] for _ in schema.names]
        return self.parquet(name, dict(zip(schema.names, map(list, columns), strict=True)), schema)

    def overrides(self, *rows: tuple[str, str, int, str, str]) -> Path:
        """(category, store_id, segment, who, why) as `ingest_overrides` writes it."""
        columns = list(zip(*rows, strict=True)) or [()] * len(OVERRIDES.names)
        content = dict(zip(OVERRIDES.names, map(list, columns), strict=True))
        return self.parquet("overrides.parquet", content, OVERRIDES.schema())

    def features(self, name: str, points: dict[str, Sequence[float]], excluded: dict[str, str] | None = None) -> Path:
        """Points by store as `build_features` writes them; `excluded` says why a store does not train."""
        reasons = excluded or {}
        dimensions = len(next(iter(points.values())))
        columns: dict[str, Any] = {
            "store_id": list(points),
            "trains": [store not in reasons for store in points],
            "exclusion": [reasons.get(store, "") for store in points],
        }
        for position in range(dimensions):
            columns[f"x{position}"] = [float(point[position]) for point in points.values()]
        return self.parquet(name, columns)


def describing_tables(
    bench: Bench, names: dict[int, str], stores: Sequence[str], segments: Sequence[int]
) -> dict[str, Path]:
    """What `describe_segments` writes, of any segments: the first is apart, has a rule, a typical store and an odd one."""
    first = next(iter(names))
    rows = [
        {
            "segment": number, "name": name, "name_from": "made", "rules": "nails above 12.5 %" if number == first else "",
            "rule_stores": 4 if number == first else 0, "rule_right": 3 if number == first else 0,
            "stores": list(segments).count(number), "fidelity": 0.75, "chance": 0.5,
        }
        for number, name in names.items()
    ]  # fmt: skip
    traits = [
        ("mix", "nails", 0.5, 0.1, 2.1, True), ("mix", "lips", 0.1, 0.1, 0.1, False), ("place", "county.INCOME", 1.0, 2.0, -1.0, True),
    ]  # fmt: skip
    columns = ["kind", "feature", "mean", "rest_mean", "effect", "is_notable"]
    own = [position for position, number in enumerate(segments) if number == first]
    fit = {
        "store_id": list(stores), "segment": list(segments),
        "typical_rank": pa.array([1 if at == own[0] else None for at in range(len(stores))], pa.int32()),
        "odd_rank": pa.array([1 if at == own[-1] else None for at in range(len(stores))], pa.int32()),
    }  # fmt: skip
    return {
        "descriptions": bench.parquet("descriptions.parquet", {key: [row[key] for row in rows] for key in rows[0]}),
        "traits": bench.parquet(
            "traits.parquet",
            {"segment": [first] * len(traits), **dict(zip(columns, map(list, zip(*traits, strict=True)), strict=True))},
        ),
        "store_fit": bench.parquet("store_fit.parquet", fit),
    }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(autouse=True)
def closed_log() -> Iterator[None]:
    """No test leaves a log file open."""
    yield
    close_log()


# A small chain of stores: 24 stores, two categories, three kinds of assortment, two kinds of place.
KINDS = {0: (8, 1, 1), 1: (1, 8, 1), 2: (1, 1, 8)}


def retailer() -> dict[str, list[str]]:
    """Raw CSV files, as header and lines: sales, product map, stores, counties.

    Amounts hold thirds of a cent once they are split (SKU u serves three need states).
    """
    draw = random.Random(7)  # noqa: S311 (made-up data)
    sales = []
    for store in range(24):
        for category in ("BEAUTY", "SNACKS"):
            weights = KINDS[store % 3]
            for sku, weight in zip("abc", weights, strict=True):
                for week in ("2024-01-01", "2024-01-08", "2024-02-05"):
                    cents = 100 * weight + draw.randrange(60)
                    sales.append(f"{store:03d},{category[0]}{sku},{category},{cents // 100}.{cents % 100:02d},{week}")
            sales.append(f"{store:03d},{category[0]}u,{category},0.{draw.randrange(10, 99)},2024-01-01")
            sales.append(f"{store:03d},{category[0]}zz,{category},0.05,2024-01-01")
    sales += ["000,Ba,BEAUTY,-0.40,2024-01-08", "001,Sb,SNACKS,0.00,2024-01-08", "900,Ba,BEAUTY,3.10,2024-01-01"]
    mapped = []
    for letter, category in (("B", "BEAUTY"), ("S", "SNACKS")):
        mapped += [f"{letter}{sku},need {sku},{category}" for sku in "abc"]
        mapped += [f"{letter}u,need {sku},{category}" for sku in "abc"]
    stores = [f"{store:03d},{store % 8:05d}" for store in range(25)]
    counties = [
        f"{county:05d},{20 + county if county % 2 else 900 + 7 * county},{county * 3 % 5}" for county in range(8)
    ]
    return {
        "sales.csv": ["STORE,SKU,CAT,AMOUNT,DAY", *sales],
        "map.csv": ["SKU,NEED,CAT", *mapped],
        "stores.csv": ["STORE,COUNTY", *stores],
        "counties.csv": ["FIPS,income,age", *counties],
    }


def run_chain(bench: Bench, files: dict[str, list[str]], threads: int = 2, seed: int | None = None) -> Bench:
    """Every stage from raw files to data/merging, with rows shuffled by `seed`."""
    for name, (header, *lines) in files.items():
        if seed is not None:
            random.Random(seed).shuffle(lines)  # noqa: S311 (an order)
        bench.csv(f"raw/{name}", header, *lines)
    config = bench.place(
        compute={"threads": threads},
        stores={"reader": "csv", "path": "stores.csv", "columns": {"store_id": "STORE", "county": "COUNTY"}},
        external={"county": {"reader": "csv", "path": "counties.csv", "key": {"county": "FIPS"}}},
    )
    source = {"config": config, "raw": bench.raw}
    bench.run(
        "ingest_product_map", **source, product_map=bench / "product_map.parquet",
        files=bench / "product_map_files.parquet", spelling="unify",
    )  # fmt: skip
    bench.run(
        "ingest_sales", **source, product_map=bench / "product_map.parquet", sales=bench / "sales.parquet",
        sku_sales=bench / "sku_sales.parquet", period_sales=bench / "period_sales.parquet", files=bench / "sales_files.parquet",
        ledger=bench / "ingest_ledger.parquet", period="month", negative_sales="keep", invalid_lines="fail",
    )  # fmt: skip
    bench.run("ingest_stores", **source, stores=bench / "stores.parquet", files=bench / "stores_files.parquet")
    bench.run("ingest_external", **source, sources=bench / "sources.parquet", files=bench / "sources_files.parquet")
    for kind in ("baseline", "reference"):
        files = bench / f"{kind}_files.parquet"
        bench.run("ingest_labels", **source, source=kind, labels=bench / f"{kind}.parquet", files=files)
    bench.run(
        "ingest_segment_names",
        **source,
        names=bench / "segment_names.parquet",
        files=bench / "segment_names_files.parquet",
    )
    bench.run(
        "ingest_overrides", **source, overrides=bench / "overrides.parquet", files=bench / "overrides_files.parquet"
    )
    bench.run(
        "assign_categories", sales=bench / "sales.parquet", sku_sales=bench / "sku_sales.parquet",
        product_map=bench / "product_map.parquet",
        stores=bench / "stores.parquet", spelling="unify", map_entries=bench / "map_entries.parquet",
        category_totals=bench / "category_totals.parquet", category_sales=bench / "category_sales.parquet",
        category_skus=bench / "category_skus.parquet",
        selling_stores=bench / "selling_stores.parquet", ledger=bench / "assign_ledger.parquet",
        unknown_stores="keep", skus_without_category="drop",
    )  # fmt: skip
    bench.run(
        "select_categories", category_totals=bench / "category_totals.parquet", categories=bench / "categories.parquet",
        overrides=bench / "overrides.parquet", settings=bench / "settings",
        ledger=bench / "select_ledger.parquet", **{"beauty.name": "BEAUTY", "snacks.name": "SNACKS"},
    )  # fmt: skip
    bench.run(
        "join_external", selling_stores=bench / "selling_stores.parquet", stores=bench / "stores.parquet",
        sources=bench / "sources.parquet", store_features=bench / "store_features.parquet",
        ledger=bench / "join_ledger.parquet", stores_without_sales="drop",
    )  # fmt: skip
    cleaning = {
        "winsorise_iqr": 0, "imputation": "median", "max_correlation": 1, "outliers": "isolation_forest", "outlier_share": 0.05,
        "pca_components": 0, "feature_report": bench / "feature_report.parquet", "seed": 1,
    }  # fmt: skip
    clustering = {
        "baseline": bench / "baseline.parquet", "algorithm": "kmeans", "least_stores": 0, "most_stores": 0, "min_clusters": 2,
        "max_clusters": 5, "rule": "silhouette", "min_cluster_share": 0, "bic_coarsening": 0, "resamples": 2, "refits": 2,
        "n_init": 3, "seed": 1,
    }  # fmt: skip
    bench.run(
        "build_features", table=bench / "store_features.parquet", features=bench / "external_features.parquet",
        transform="none", scaling="robust", pca_variance=0.9, **cleaning,
    )  # fmt: skip
    bench.run(
        "cluster_stores", view="external", features=bench / "external_features.parquet",
        clusters=bench / "external_clusters.parquet", k_scores=bench / "external_k_scores.parquet",
        memberships=bench / "external_memberships.parquet", stability=bench / "external_stability.parquet",
        model=bench / "external_model.json", **clustering,
    )  # fmt: skip
    for key in ("beauty", "snacks"):
        bench.run(
            "split_need_states", category=key, name=key.upper(), category_totals=bench / "category_totals.parquet",
            category_sales=bench / "category_sales.parquet", category_skus=bench / "category_skus.parquet",
            map_entries=bench / "map_entries.parquet", need_state_sales=bench / f"need_state_sales/{key}.parquet",
            shares=bench / f"shares/{key}.parquet", store_sales=bench / f"store_sales/{key}.parquet",
            ledger=bench / f"split_ledgers/{key}.parquet", unmapped_skus="own_need_state", skus_of_other_categories="keep",
            stores_without_net_sales="place",
        )  # fmt: skip
        bench.run(
            "build_features", table=bench / f"shares/{key}.parquet", store_sales=bench / f"store_sales/{key}.parquet",
            features=bench / f"features/{key}.parquet", transform="hellinger", scaling="none", pca_variance=1, min_lines=3,
            **cleaning,
        )  # fmt: skip
        bench.run(
            "cluster_stores", view=key, features=bench / f"features/{key}.parquet", clusters=bench / f"clusters/{key}.parquet",
            k_scores=bench / f"k_scores/{key}.parquet", memberships=bench / f"memberships/{key}.parquet",
            stability=bench / f"stability/{key}.parquet", model=bench / f"models/{key}.json", **clustering,
        )  # fmt: skip
        bench.run(
            "merge_segments", category=key, internal_clusters=bench / f"clusters/{key}.parquet",
            internal_features=bench / f"features/{key}.parquet", external_clusters=bench / "external_clusters.parquet",
            external_features=bench / "external_features.parquet", store_sales=bench / f"store_sales/{key}.parquet",
            internal_memberships=bench / f"memberships/{key}.parquet", external_memberships=bench / "external_memberships.parquet",
            baseline=bench / "baseline.parquet", segments=bench / f"merged_segments/{key}.parquet",
            explained=bench / f"explained/{key}.parquet", ledger=bench / f"merge_ledgers/{key}.parquet",
            **MERGING | {"min_cluster_size": 3},
        )  # fmt: skip
        bench.run(
            "apply_overrides", category=key, merged=bench / f"merged_segments/{key}.parquet",
            overrides=bench / "overrides.parquet", store_sales=bench / f"store_sales/{key}.parquet",
            segments=bench / f"category_segments/{key}.parquet", ledger=bench / f"override_ledgers/{key}.parquet",
        )  # fmt: skip
        bench.run(
            "describe_segments", category=key, segments=bench / f"category_segments/{key}.parquet",
            shares=bench / f"shares/{key}.parquet", store_sales=bench / f"store_sales/{key}.parquet",
            store_features=bench / "store_features.parquet", internal_features=bench / f"features/{key}.parquet",
            external_features=bench / "external_features.parquet", names=bench / "segment_names.parquet",
            baseline=bench / "baseline.parquet", descriptions=bench / f"descriptions/{key}.parquet",
            traits=bench / f"traits/{key}.parquet", store_fit=bench / f"store_fit/{key}.parquet", internal_weight=50,
            external_weight=50, least_effect=0.5, rule_depth=3, typical_stores=2, seed=1,
        )  # fmt: skip
        bench.run(
            "predict_clusters", category=key, clusters=bench / f"clusters/{key}.parquet",
            store_features=bench / "store_features.parquet", predictions=bench / f"predictions/{key}.parquet",
            importance=bench / f"importance/{key}.parquet", most_stores=2000, repeats=2, shuffles=99, seed=1,
        )  # fmt: skip
    return bench


@pytest.fixture
def chain(tmp_path: Path) -> Callable[..., Bench]:
    """Runs the chain on the made-up retailer in a folder of its own: `chain("a", seed=3, threads=1)`."""

    def run(name: str, **options: Any) -> Bench:
        return run_chain(Bench(tmp_path / name), retailer(), **options)

    return run
