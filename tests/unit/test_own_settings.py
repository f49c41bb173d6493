"""A category's own settings reach its own stages, and count instead of those of all categories."""

import argparse
import shlex
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from storelib.configuration.own_settings import STAGES, parse, settings_table, told, values_of
from storelib.configuration.workflow import flags
from storelib.contracts.contract import outputs
from storelib.contracts.sales import SETTINGS
from storelib.runtime import stage_parser
from storelib.tables import MONEY

CATEGORIES: dict[str, Any] = {
    "beauty": {
        "name": 'L\'Oréal "Beauté"; touch x\n  $HOME --rule',
        "cluster_stores": {"max_clusters": 5, "all_rules": True},
        "build_features": {"feature_weights": ["dry skin=0.5", "a=b=2"], "min_lines": 9},
    },
    "snacks": {"name": "@home", "merging": {"min_cluster_size": 12, "internal_weight": 70}},
}


def test_each_stage_is_told_its_own_settings() -> None:
    found = values_of(shlex.split(flags(CATEGORIES)))
    assert {key: {stage: told(stage, settings) for stage in STAGES} for key, settings in found.items()} == {
        "beauty": {
            "split_need_states": {"name": [CATEGORIES["beauty"]["name"]]},
            "build_features": {"feature_weights": ["dry skin=0.5", "a=b=2"], "min_lines": ["9"]},
            "cluster_stores": {"max_clusters": ["5"], "all_rules": []},
            "profile_clusters": {"name": [CATEGORIES["beauty"]["name"]]},
            "merge_segments": {},
            "describe_segments": {},
            "export_workbook": {"name": [CATEGORIES["beauty"]["name"]]},
        },
        "snacks": {
            "split_need_states": {"name": ["@home"]},
            "build_features": {},
            "cluster_stores": {},
            "profile_clusters": {"name": ["@home"]},
            "merge_segments": {"min_cluster_size": ["12"], "internal_weight": ["70"]},
            # of the weights alone
            "describe_segments": {"internal_weight": ["70"]},
            "export_workbook": {"name": ["@home"]},
        },
    }


def parser() -> argparse.ArgumentParser:
    made = stage_parser("A stage.")
    made.add_argument("--rule", required=True)
    made.add_argument("--name")
    made.add_argument("--weights", nargs="*", default=[])
    made.add_argument("--all_rules", action="store_true")
    return made


def settings_file(folder: Path, **flags: list[str]) -> str:
    path = folder / "settings.parquet"
    with outputs() as write:
        write(settings_table(flags), SETTINGS, path)
    return str(path)


def test_own_settings_count_instead_of_those_before_them(tmp_path: Path) -> None:
    path = settings_file(tmp_path, rule=["bic"], weights=["x=1", "y=2"], all_rules=[], name=["@a\n'b'"])
    found = parse(parser(), ["--rule", "gap", "--weights", "z=3", "--settings", path, "--log", "x.log"])
    assert (found.rule, found.weights, found.all_rules, found.name) == ("bic", ["x=1", "y=2"], True, "@a\n'b'")
    assert found.log == Path("x.log")


def test_no_settings_of_its_own_change_nothing(tmp_path: Path) -> None:
    words = ["--rule", "gap", "--weights", "z=3", "--log", "x.log"]
    found = parse(parser(), [*words, "--settings", settings_file(tmp_path)])
    assert (found.rule, found.weights, found.all_rules, found.name) == ("gap", ["z=3"], False, None)
    assert parse(parser(), words).rule == "gap"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--beauty.name"], "one name is expected after --beauty.name"),
        (["--beauty.name", "A", "B"], "one name is expected after --beauty.name"),
        (["--beauty.merging.min_cluster_size", "3"], "one name is expected after --beauty.name"),
        (["BEAUTY"], "BEAUTY stands before any flag"),
        (["--beauty", "BEAUTY"], "--beauty is none of --<key>.name, --<key>.build_features.<setting>"),
        (["--beauty.nmae", "BEAUTY"], "--beauty.nmae is none of"),
        (["--beauty.cluster_stores", "BEAUTY"], "--beauty.cluster_stores is none of"),
        (["--beauty.checks.warn", "1"], "--beauty.checks.warn is none of"),
    ],
)
def test_what_is_no_setting_is_told(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        values_of(words)


def test_settings_reach_the_stages_of_their_category_alone(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the flags of all categories, over the files, to the number of clusters."""
    monkeypatch.chdir(bench.folder)  # files of other categories are deleted below the working folder
    totals = {"category": ["BEAUTY", "SNACKS"], "stores": [8, 8], "sales": [Decimal("8.00")] * 2, "lines": [8, 8]}
    schema = pa.schema(
        [("category", pa.string()), ("stores", pa.int64()), ("sales", MONEY), ("lines", pa.int64()),
         ("takes_other_spellings", pa.bool_())]
    )  # fmt: skip
    bench.parquet("category_totals.parquet", totals | {"takes_other_spellings": [True, True]}, schema)
    bench.run(
        "select_categories", category_totals=bench / "category_totals.parquet", categories=bench / "categories.parquet",
        overrides=bench.overrides(), ledger=bench / "ledger.parquet", settings=bench / "settings",
        **{"beauty.name": " beauty", "snacks.name": "SNACKS", "snacks.cluster_stores.max_clusters": 2},
    )  # fmt: skip
    assert bench.rows("settings/split_need_states/beauty.parquet") == [("name", 1, "beauty")]
    assert bench.rows("settings/cluster_stores/beauty.parquet") == []
    # Four pairs of points: four clusters where so many are allowed, two of two pairs where not.
    bench.features("features.parquet", {f"s{i}": (i // 2 * 10 + i // 4 * 40, i % 2) for i in range(8)})
    bench.labels()
    for key, clusters in (("beauty", 4), ("snacks", 2)):
        bench.run(
            "cluster_stores", view=key, features=bench / "features.parquet", clusters=bench / "clusters.parquet",
            k_scores=bench / "k_scores.parquet", baseline=bench / "baseline.parquet", algorithm="kmeans", min_clusters=1,
            max_clusters=4, rule="silhouette", min_cluster_share=0, bic_coarsening=0, resamples=2, refits=2, n_init=3, seed=1,
            least_stores=0, most_stores=0, model=bench / "model.json",
            memberships=bench / "memberships.parquet", stability=bench / "stability.parquet",
            settings=bench / f"settings/cluster_stores/{key}.parquet",
        )  # fmt: skip
        assert len(set(bench.rows("clusters.parquet", "cluster"))) == clusters
