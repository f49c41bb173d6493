"""The demo retailer: the same bytes each time, the promised dirt in the promised amounts, a truth that can be found."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

import make_demo_data
from storelib.errors import DataError

SCRIPTS = Path(make_demo_data.__file__).parent
STORES = 200
KEYS = {"BEAUTY": "beauty", "COCKTAILS/RTD": "cocktails_rtd", "Health & Beauty/OTC": "health_otc", "SNACKS": "snacks"}
FILES = {
    "county_features.parquet",
    "planted_segments.parquet",
    "product_map.csv",
    "sales/part-1.parquet",
    "sales/part-2.parquet",
    "store_features.csv",
    "stores.parquet",
}


@dataclass(frozen=True)
class Retailer:
    sales: pd.DataFrame
    product_map: pd.DataFrame
    stores: pd.DataFrame
    store_features: pd.DataFrame
    county_features: pd.DataFrame
    truth: pd.DataFrame


def run_script(raw: Path, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        str(SCRIPTS / "make_demo_data.py"),
        "--raw",
        str(raw),
        "--log",
        str(raw) + ".log",
        *flags,
    ]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "raw"
    result = run_script(folder, "--seed", "20", "--stores", str(STORES), PYTHONHASHSEED="1", OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def retailer(raw: Path) -> Retailer:
    def parquet(name: str) -> pd.DataFrame:
        return pq.ParquetFile(raw / name).read().to_pandas()

    parts = [parquet("sales/part-1.parquet"), parquet("sales/part-2.parquet")]
    return Retailer(
        sales=pd.concat(parts, keys=[1, 2], names=["part", "line"]).reset_index(),
        product_map=pd.read_csv(raw / "product_map.csv", dtype=str),
        stores=parquet("stores.parquet"),
        store_features=pd.read_csv(raw / "store_features.csv", dtype={"STORE_NBR": str}).set_index("STORE_NBR"),
        county_features=parquet("county_features.parquet").set_index("COUNTY_FIPS"),
        truth=parquet("planted_segments.parquet"),
    )


def lines_per_store(retailer: Retailer) -> pd.Series:
    return retailer.sales.groupby(["CAT_DSC", "STORE_NBR"]).size()


# ------------------------------------------------------------------------------------------------ files


def test_two_runs_write_the_same_bytes_whatever_hash_seed_and_threads(raw: Path, tmp_path: Path) -> None:
    again = tmp_path / "raw"
    flags = ["--stores", str(STORES), "--seed", "20"]
    result = run_script(
        again, *flags, PYTHONHASHSEED="77", OMP_NUM_THREADS="4", OPENBLAS_NUM_THREADS="4", TZ="Asia/Tokyo"
    )
    assert result.returncode == 0, result.stderr
    assert set(hashes(raw)) == FILES
    assert hashes(again) == hashes(raw)


def test_another_seed_writes_other_bytes_in_every_file(raw: Path, tmp_path: Path) -> None:
    assert run_script(tmp_path / "raw", "--stores", str(STORES), "--seed", "21").returncode == 0
    first, second = hashes(raw), hashes(tmp_path / "raw")
    assert [name for name in FILES if first[name] == second[name]] == []


def test_the_log_file_says_what_was_made(raw: Path, retailer: Retailer) -> None:
    assert f"{len(retailer.sales)} sales lines" in Path(str(raw) + ".log").read_text()


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "raw" / "notes.txt"
    foreign.parent.mkdir()
    foreign.write_text("mine")
    assert run_script(tmp_path / "raw", "--stores", "20").returncode == 0
    assert foreign.read_text() == "mine"
    assert set(hashes(tmp_path / "raw")) == FILES | {"notes.txt"}


def test_parquet_has_the_stated_types_and_no_metadata(raw: Path) -> None:
    types = {name: pq.read_schema(raw / name) for name in FILES if name.endswith(".parquet")}
    assert all(schema.metadata is None for schema in types.values())
    assert types["sales/part-1.parquet"] == types["sales/part-2.parquet"] == make_demo_data.SALES_SCHEMA
    truth = types["planted_segments.parquet"]
    assert truth.names == ["store_id", "category", "internal_cluster", "external_cluster", "segment"]
    assert [truth.field(name).type for name in truth.names] == [pa.string(), pa.string(), *[pa.int32()] * 3]
    assert types["stores.parquet"].names == ["STORE_NBR", "STORE_NAME", "COUNTY_FIPS", "LAT", "LON"]
    assert types["stores.parquet"].field("COUNTY_FIPS").type == pa.string()


def test_csv_files_end_lines_with_newline_alone(raw: Path) -> None:
    for name in ("product_map.csv", "store_features.csv"):
        content = (raw / name).read_bytes()
        assert b"\r" not in content
        assert content.endswith(b"\n")


# ------------------------------------------------------------------------------------------------ sales


def test_weeks_are_26_mondays_of_2025_split_between_the_parts(retailer: Retailer) -> None:
    weeks = pd.to_datetime(retailer.sales["WEEK"])
    assert sorted(weeks.unique()) == list(pd.date_range("2025-01-06", periods=26, freq="7D"))
    per_part = weeks.groupby(retailer.sales["part"]).agg(["min", "max", "nunique"])
    assert per_part["nunique"].tolist() == [13, 13]
    assert per_part.loc[1, "max"] < per_part.loc[2, "min"]


def test_ids_keep_leading_zeros_and_are_unique(retailer: Retailer) -> None:
    for numbers, width in ((retailer.stores["STORE_NBR"], 4), (retailer.sales["SKU_NBR"], 8)):
        assert set(numbers.str.len()) == {width}
        assert 0 < numbers.str.startswith("0").mean() < 1
    assert retailer.stores["STORE_NBR"].is_unique
    assert retailer.sales.groupby("SKU_NBR")["CAT_DSC"].nunique().max() == 1
    fips = retailer.stores["COUNTY_FIPS"]
    assert fips.str.fullmatch(r"\d{5}").all()
    assert 0 < fips.str.startswith("0").mean() < 1


def test_amounts_are_exact_cents(retailer: Retailer) -> None:
    assert {amount.as_tuple().exponent for amount in retailer.sales["TOTAL_SALES"]} == {-2}
    cents = np.array([-1234, 0, 1, 99_999_999])
    expected = [Decimal("-12.34"), Decimal("0.00"), Decimal("0.01"), Decimal("999999.99")]
    assert make_demo_data.decimal_array(cents).to_pylist() == expected


def test_lines_per_store_are_spread_around_the_median_asked_for(retailer: Retailer) -> None:
    counts = lines_per_store(retailer)
    usual = counts[counts > 3]
    assert 120 <= usual.median() <= 140
    assert usual.quantile(0.9) / usual.quantile(0.1) > 2


def test_half_a_percent_of_lines_are_returns_and_some_are_zero(retailer: Retailer) -> None:
    amounts = retailer.sales["TOTAL_SALES"]
    for _, lines in amounts.groupby(retailer.sales["CAT_DSC"]):
        assert (lines < 0).sum() == round(0.005 * len(lines))
        assert (lines == 0).sum() == round(0.002 * len(lines))


def test_two_percent_of_stores_are_thin_in_each_category(retailer: Retailer) -> None:
    counts = lines_per_store(retailer)
    thin = counts[counts <= 3]
    assert thin.groupby("CAT_DSC").size().tolist() == [round(0.02 * STORES)] * 4
    assert thin.min() >= 1
    # Thin stores are what they are by few lines alone: these are positive and mapped.
    lines = retailer.sales.set_index(["CAT_DSC", "STORE_NBR"]).loc[thin.index]
    assert (lines["TOTAL_SALES"] > 0).all()
    assert lines["SKU_NBR"].isin(retailer.product_map["PRODUCT_ID"]).all()


def test_five_percent_of_stores_do_not_sell_a_category(retailer: Retailer) -> None:
    sellers = retailer.sales.groupby("CAT_DSC")["STORE_NBR"].nunique()
    assert sellers.tolist() == [STORES - round(0.05 * STORES)] * 4
    assert retailer.sales["STORE_NBR"].nunique() == STORES


def test_three_selling_stores_are_unknown_and_ten_known_ones_never_sell(retailer: Retailer) -> None:
    selling, known = set(retailer.sales["STORE_NBR"]), set(retailer.stores["STORE_NBR"])
    assert len(selling - known) == 3
    assert len(known - selling) == 10
    assert set(retailer.store_features.index) == known
    assert set(retailer.stores["COUNTY_FIPS"]) <= set(retailer.county_features.index)


# ------------------------------------------------------------------------------------------------ product map


def test_fifteen_percent_of_skus_serve_two_or_three_need_states(retailer: Retailer) -> None:
    need_states = retailer.product_map.groupby("PRODUCT_ID")["NEED_STATE"].nunique()
    assert (need_states > 1).sum() == round(0.15 * len(need_states))
    assert set(need_states) == {1, 2, 3}


def test_two_rows_are_repeated_one_of_them_of_a_sku_with_several_need_states(retailer: Retailer) -> None:
    repeated = retailer.product_map[retailer.product_map.duplicated()]
    assert len(repeated) == 2
    need_states = retailer.product_map.groupby("PRODUCT_ID")["NEED_STATE"].nunique()
    several = need_states[repeated["PRODUCT_ID"]] > 1
    assert several.tolist() == [True, False]


def test_one_percent_of_selling_skus_are_unmapped(retailer: Retailer) -> None:
    selling = set(retailer.sales["SKU_NBR"])
    unmapped = selling - set(retailer.product_map["PRODUCT_ID"])
    assert len(unmapped) == round(0.01 * len(selling))
    assert len(unmapped) > 0
    is_unmapped = retailer.sales["SKU_NBR"].isin(unmapped)
    assert 0.001 < is_unmapped.mean() < 0.03


def test_each_category_has_8_to_14_need_states_and_sales_agree_with_the_map(retailer: Retailer) -> None:
    need_states = retailer.product_map.groupby("CATEGORY")["NEED_STATE"].nunique()
    assert list(need_states.index) == list(KEYS)
    assert need_states.between(8, 14).all()
    of_map = retailer.product_map.drop_duplicates("PRODUCT_ID").set_index("PRODUCT_ID")["CATEGORY"]
    of_sales = retailer.sales.drop_duplicates("SKU_NBR").set_index("SKU_NBR")["CAT_DSC"]
    both = of_sales.index.intersection(of_map.index)
    assert (of_sales[both] == of_map[both]).all()


def test_skus_of_a_need_state_are_unequally_popular(retailer: Retailer) -> None:
    single = retailer.product_map.drop_duplicates("PRODUCT_ID", keep=False)
    lines = retailer.sales["SKU_NBR"].value_counts().reindex(single["PRODUCT_ID"], fill_value=0)
    ratio = lines.groupby([single["CATEGORY"].to_numpy(), single["NEED_STATE"].to_numpy()]).agg(["max", "median"])
    assert (ratio["max"] / ratio["median"]).median() > 2


# ------------------------------------------------------------------------------------------------ external dirt


def test_three_percent_of_external_cells_are_missing(retailer: Retailer) -> None:
    stores = retailer.store_features
    # Drawn over all stores, of which the three unknown ones are then left out.
    assert abs(stores.isna().to_numpy().sum() - 0.03 * stores.size) <= 4
    counties = retailer.county_features
    assert counties.isna().to_numpy().sum() == round(0.03 * counties.size)


def test_one_percent_of_external_rows_are_gross_outliers(retailer: Retailer) -> None:
    def gross(table: pd.DataFrame, columns: list[str], times: float) -> int:
        return int((table[columns] > times * table[columns].median()).any(axis=1).sum())

    stores = ["FOOT_TRAFFIC", "PARKING_SPACES", "SALES_AREA_SQM", "STORE_AGE_YEARS"]
    assert gross(retailer.store_features, stores, 7) == round(0.01 * (STORES + 10))
    counties = [name for name in retailer.county_features if name != "POPULATION_DENSITY"]
    assert gross(retailer.county_features, counties, 7) == 1


# ------------------------------------------------------------------------------------------------ the truth


def test_truth_has_one_row_per_store_and_category_with_sales(retailer: Retailer) -> None:
    truth = retailer.truth
    pairs = list(zip(truth["category"], truth["store_id"], strict=True))
    assert pairs == sorted(set(pairs))
    sold = retailer.sales[["CAT_DSC", "STORE_NBR"]].drop_duplicates()
    assert set(pairs) == set(zip(sold["CAT_DSC"].map(KEYS), sold["STORE_NBR"], strict=True))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,40}", key) for key in truth["category"].unique())


def test_segments_are_unequal_and_none_is_tiny(retailer: Retailer) -> None:
    numbers_of_segments = set()
    for _, rows in retailer.truth.groupby("category"):
        sizes = rows["internal_cluster"].value_counts()
        assert sorted(sizes.index) == list(range(1, len(sizes) + 1))
        assert sizes.max() >= 3 * sizes.min()
        assert sizes.min() >= 0.06 * len(rows)
        numbers_of_segments.add(len(sizes))
    assert numbers_of_segments == {3, 4, 5, 6}


def test_segment_numbers_the_pairs_that_occur(retailer: Retailer) -> None:
    for _, rows in retailer.truth.groupby("category"):
        pairs = rows[["internal_cluster", "external_cluster", "segment"]].drop_duplicates()
        pairs = pairs.sort_values(["internal_cluster", "external_cluster"])
        assert pairs["segment"].tolist() == list(range(1, len(pairs) + 1))


def test_external_segment_is_the_county_s_and_the_same_in_every_category(retailer: Retailer) -> None:
    truth = retailer.truth.drop_duplicates(["store_id", "external_cluster"])
    assert truth["store_id"].is_unique
    of_store = truth.set_index("store_id")["external_cluster"]
    stores = retailer.stores.set_index("STORE_NBR").join(of_store, how="inner")
    assert stores.groupby("COUNTY_FIPS")["external_cluster"].nunique().max() == 1
    shares = of_store.value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(shares, make_demo_data.EXTERNAL_SHARES, atol=0.03)


def cramers_v(first: np.ndarray, second: np.ndarray) -> float:
    table = pd.crosstab(first, second).to_numpy()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / table.sum() / (min(table.shape) - 1)))


@pytest.mark.parametrize(("association", "low", "high"), [(0.0, 0.0, 0.06), (0.25, 0.2, 0.45), (1.0, 0.6, 1.0)])
def test_association_ties_internal_to_external_segments(association: float, low: float, high: float) -> None:
    external = np.repeat([0, 1, 2, 3], [440, 720, 520, 320])
    shares = np.array([0.1, 0.4, 0.3, 0.2])
    internal = make_demo_data.draw_internal_segments(np.random.default_rng(1), external, shares, association)
    assert np.bincount(internal).tolist() == [200, 800, 600, 400]
    assert low <= cramers_v(internal, external) <= high


def test_centres_keep_their_distance() -> None:
    centres = make_demo_data.draw_centres(np.random.default_rng(3), 6, 10, 0.4)
    roots = np.sqrt(centres)
    distances = np.sqrt(((roots[:, None] - roots[None]) ** 2).sum(axis=2) / 2)
    assert distances[np.triu_indices(6, 1)].min() >= 0.4
    np.testing.assert_allclose(centres.sum(axis=1), 1)


def test_shares_are_the_counts_by_largest_remainder() -> None:
    assert make_demo_data.split_by_shares(10, np.array([0.55, 0.25, 0.20])).tolist() == [6, 2, 2]
    assert make_demo_data.split_by_shares(4, np.array([0.97, 0.01, 0.01, 0.01])).tolist() == [1, 1, 1, 1]


# ------------------------------------------------------------------------------------------------ can it be found


def need_state_shares(retailer: Retailer, category: str) -> pd.DataFrame:
    """Shares as the pipeline makes them: sales split evenly over distinct need states; unmapped SKUs dropped."""
    need_states = retailer.product_map.drop_duplicates()
    weight = 1 / need_states.groupby("PRODUCT_ID")["NEED_STATE"].transform("count")
    lines = retailer.sales[retailer.sales["CAT_DSC"] == category]
    lines = lines.assign(sales=lines["TOTAL_SALES"].astype(float))
    sums = lines.groupby(["STORE_NBR", "SKU_NBR"])["sales"].sum().reset_index()
    split = sums.merge(need_states.assign(weight=weight), left_on="SKU_NBR", right_on="PRODUCT_ID")
    split["sales"] *= split["weight"]
    table = split.pivot_table(index="STORE_NBR", columns="NEED_STATE", values="sales", aggfunc="sum", fill_value=0.0)
    table = table.clip(lower=0)
    return table.div(table.sum(axis=1), axis=0)


@pytest.mark.parametrize("category", KEYS)
def test_kmeans_told_k_finds_the_internal_segments(retailer: Retailer, category: str) -> None:
    points = np.sqrt(need_state_shares(retailer, category))
    truth = retailer.truth[retailer.truth["category"] == KEYS[category]].set_index("store_id")["internal_cluster"]
    assert set(points.index) == set(truth.index)
    truth = truth[points.index]
    labels = KMeans(truth.nunique(), n_init=10, random_state=0).fit_predict(points)
    assert adjusted_rand_score(truth, labels) >= 0.95
    assert 0.3 < silhouette_score(points, truth) < 0.48


def test_kmeans_told_k_finds_the_external_segments(retailer: Retailer) -> None:
    stores = retailer.stores.set_index("STORE_NBR")
    points = stores.join(retailer.store_features).join(retailer.county_features, on="COUNTY_FIPS")
    points = points.drop(columns=["STORE_NAME", "COUNTY_FIPS", "LAT", "LON"])
    points = points.fillna(points.median())
    points = (points - points.median()) / (points.quantile(0.75) - points.quantile(0.25))
    points = points[(points.abs() < 8).all(axis=1)]
    assert len(points) >= 0.9 * len(stores)
    truth = retailer.truth.drop_duplicates("store_id").set_index("store_id")["external_cluster"].reindex(points.index)
    labels = KMeans(4, n_init=10, random_state=0).fit_predict(points)
    selling = truth.notna().to_numpy()
    assert adjusted_rand_score(truth[selling], labels[selling]) >= 0.95
    assert 0.3 < silhouette_score(points, labels) < 0.5


# ------------------------------------------------------------------------------------------------ the command line


def test_every_knob_is_flat_has_a_default_and_says_what_it_is() -> None:
    actions = {action.dest: action for action in make_demo_data.build_parser()._actions}
    knobs = {name: action for name, action in actions.items() if name not in {"help", "raw", "log"}}
    assert {"seed", "stores", "categories", "weeks", "lines_per_store", "concentration", "association"} <= set(knobs)
    for name, action in knobs.items():
        assert action.option_strings == [f"--{name}"]
        assert action.default is not None
        assert len(action.help or "") > 20
        assert "%(default)s" in (action.help or "")


def test_help_describes_the_files_and_the_planting() -> None:
    shown = make_demo_data.build_parser().format_help()
    assert all(name in shown for name in FILES)
    assert "--lines_per_store" in shown
    assert "(default: 130)" in shown


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("stores", "19"),
        ("categories", "5"),
        ("categories", "0"),
        ("weeks", "1"),
        ("concentration", "0"),
        ("association", "nan"),
        ("missing_share", "-0.1"),
        ("counties", "3"),
        ("unknown_stores", "2000"),
    ],
)
def test_nonsense_is_refused_by_name(tmp_path: Path, flag: str, value: str) -> None:
    with pytest.raises(DataError, match=f"--{flag} is ") as caught:
        make_demo_data.parse_args(["--raw", str(tmp_path), "--log", str(tmp_path / "log"), f"--{flag}={value}"])
    assert f"--{flag}" in caught.value.solution


def test_too_few_stores_end_in_two_lines_and_write_nothing(tmp_path: Path) -> None:
    result = run_script(tmp_path / "raw", "--stores", "5")
    assert result.returncode == DataError.exit_code
    assert result.stderr.splitlines() == [
        "Error: --stores is 5",
        "Solution: give --stores a value from 20 to 90000",
    ]
    assert not (tmp_path / "raw").exists()


def test_centres_that_cannot_be_so_far_apart_are_refused() -> None:
    with pytest.raises(DataError, match=r"0\.95 apart"):
        make_demo_data.draw_centres(np.random.default_rng(0), 6, 8, 0.95)


@pytest.mark.parametrize("stores", [20, 60])
def test_small_retailers_keep_every_promise_that_they_can(tmp_path: Path, stores: int) -> None:
    result = run_script(tmp_path / "raw", "--stores", str(stores), "--categories", "2")
    assert result.returncode == 0, result.stderr
    truth = pq.ParquetFile(tmp_path / "raw" / "planted_segments.parquet").read().to_pandas()
    assert truth["category"].unique().tolist() == ["beauty", "cocktails_rtd"]
    assert truth["external_cluster"].nunique() == 4
    assert truth["store_id"].nunique() == stores
