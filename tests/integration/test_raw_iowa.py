"""The Iowa sample as it is published, and QuickFacts with its sentinels: read by configuration alone, each repair in the ledger."""

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from clustering.templates import make_project
from integration.conftest import Project

SHARED = Path(__file__).parents[3] / "shared" / "data"
SAMPLE = SHARED / "iowa/iowa_raw_format_sample_10k.parquet"
PRODUCTS = SHARED / "iowa/iowa_products.parquet"
STORES = SHARED / "iowa/iowa_stores.parquet"
QUICKFACTS = SHARED / "demographics/us_county_quickfacts_corgis.parquet"
ZIP_AREAS = SHARED / "demographics/us_zcta_rural_urban_2010.parquet"
FILES = {"iowa_raw": [SAMPLE, PRODUCTS, STORES, QUICKFACTS], "iowa_zip": [SAMPLE, PRODUCTS, ZIP_AREAS]}
SELECTED = {"LIQUEUR", "RUM", "TEQUILA & MEZCAL", "VODKA", "WHISKEY"}
pytestmark = [
    pytest.mark.integration,
    pytest.mark.real_data,
    pytest.mark.skipif(
        not all(f.is_file() for part in FILES.values() for f in part),
        reason="the real data are not beside this checkout",
    ),
]


@pytest.fixture(scope="module")
def iowa(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("raw_iowa") / "project")
    make_project(project.root, "iowa_raw")
    for env, files in FILES.items():
        (project.root / "data/raw" / env).mkdir(exist_ok=True)
        for path in files:
            (project.root / "data/raw" / env / path.name).symlink_to(path)
    return project


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    """The sample's lines with amounts in cents, and the category of each."""
    lines = pq.read_table(SAMPLE).to_pandas()
    lines["cents"] = lines["sale_dollars"].str.removeprefix("$").map(Decimal) * 100
    products = pq.read_table(PRODUCTS, columns=["item_number", "d_category"]).to_pandas()
    return lines.merge(products.drop_duplicates("item_number"), on="item_number", how="left", validate="many_to_one")


def entries(path: Path) -> dict[tuple[str, str, str], tuple[int, int, Decimal]]:
    """Stores, lines and sales by stage, flow and reason, of entries that tell no categories apart."""
    rows = [row for row in pq.read_table(path).to_pylist() if row["category"] == ""]
    return {(row["stage"], row["flow"], row["reason"]): (row["stores"], row["lines"], row["sales"]) for row in rows}


def counted(lines: pd.DataFrame) -> tuple[int, Decimal]:
    return len(lines), Decimal(int(lines["cents"].sum())) / 100


def test_every_repair_is_counted_in_the_ledger(iowa: Project, sales: pd.DataFrame) -> None:
    iowa.call("clustering", "run", "merging_job")
    ledger = entries(iowa.root / "data/merging/ledger.parquet")
    assert ledger["ingest_sales", "in", ""][1:] == counted(sales) == (10_000, Decimal("1261614.62"))
    assert ledger["ingest_sales", "out", ""] == ledger["ingest_sales", "in", ""]
    dollars = sales[sales["sale_dollars"].str.contains("$", regex=False)]
    assert ledger["ingest_sales", "noted", "currency_symbol_removed"][1] == len(dollars) > 0
    american = sales[sales["date"].str.fullmatch(r"\d\d/\d\d/\d{4}")]
    assert ledger["ingest_sales", "noted", "date_rewritten"][1] == len(american) > 0
    assert ledger["ingest_sales", "noted", "zero_sales"][1] == (sales["cents"] == 0).sum() > 0

    assert ledger["assign_categories", "set_aside", "no_category"][1:] == counted(sales[sales["d_category"].isna()])
    stores = pq.read_table(STORES).to_pandas().assign(store=lambda t: t["store_number"].astype(str))
    kept = sales[sales["d_category"].notna()]
    unknown = kept[~kept["store_number"].isin(stores["store"])]
    assert ledger["assign_categories", "noted", "unknown_store"][0] == unknown["store_number"].nunique() > 0

    # A sentinel of a county is a missing value of each of its stores that sell.
    facts = pq.read_table(QUICKFACTS).to_pandas().set_index("d_county_fips")
    used = ["miscellaneous_manufacturers_shipments", "sales_accommodation_and_food_services_sales"]
    suppressed = facts.index[(facts[used] == -1).any(axis="columns")]
    counties = stores[stores["store"].isin(kept["store_number"])]["county_fips"].dropna().astype(int).astype(str)
    assert ledger["join_external", "noted", "value missing in county"][0] == counties.isin(suppressed).sum() > 0
    features = pq.read_table(iowa.root / "data/external/store_features.parquet").to_pandas()
    assert not (features.drop(columns="store_id") == -1).any(axis=None)

    segments = pq.read_table(iowa.root / "data/merging/segments.parquet").to_pandas()
    expected = kept[kept["d_category"].isin(SELECTED)].groupby("d_category")["store_number"].nunique()
    assert sorted(segments.groupby("category").size()) == sorted(expected)


def test_wrong_zip_codes_match_nothing_and_are_counted(iowa: Project, sales: pd.DataFrame) -> None:
    iowa.call("clustering", "run", "external_preprocessing_job", "--env", "iowa_zip")
    ledger = entries(iowa.root / "data/external/join_ledger.parquet")
    areas = set(pq.read_table(ZIP_AREAS, columns=["zcta5"])["zcta5"].to_pylist())
    kept = sales[sales["d_category"].notna()].drop_duplicates("store_number")
    outside = kept[~kept["zip_code"].isin(areas)]
    assert "712-2" in set(sales["zip_code"])
    assert ledger["join_external", "noted", "not in zip_area"][0] == len(outside) > 0
    assert ledger["join_external", "out", ""][0] == len(kept)
