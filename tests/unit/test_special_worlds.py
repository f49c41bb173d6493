"""Planted worlds made for one question each, under the defaults but for the setting in question."""

import pytest
import special

from storelib.accounts.expectations import DECISIVE


def test_large_receipts_ruin_shares_of_sales_and_not_shares_of_lines() -> None:
    shop = special.with_large_receipts(1)
    assert (len(shop.truth), int(shop.truth.max()) + 1) == (150, 4)
    assert 30_000 < len(shop.amount) < 40_000
    assert 60 < (shop.amount >= 1_000).sum() < 140
    k, ari = special.recovered(shop, "sales")
    assert k == 8
    assert ari < 0.5
    k, ari = special.recovered(shop, cap_quantile=0.99)
    assert k == 4
    assert ari > 0.95
    k, ari = special.recovered(shop, "lines")
    assert k == 4
    assert ari > 0.95


def test_check_tells_of_large_receipts() -> None:
    assert special.in_large_lines(special.with_large_receipts(1, 0)).max() < DECISIVE
    assert 0.3 < (special.in_large_lines(special.with_large_receipts(1)) > DECISIVE).mean() < 0.6


@pytest.mark.parametrize(("weight", "clusters", "least", "most"), [(0, 1, -0.05, 0.05), (1, 3, 0.9, 1)])
def test_level_of_sales_is_seen_where_it_is_on(weight: float, clusters: int, least: float, most: float) -> None:
    k, ari = special.recovered(special.of_levels(1), level_weight=weight)
    assert k == clusters
    assert least <= ari <= most


@pytest.mark.parametrize(("weight", "clusters", "least", "most"), [(0, 1, -0.05, 0.05), (1, 3, 0.9, 1)])
def test_season_is_seen_where_it_is_on(weight: float, clusters: int, least: float, most: float) -> None:
    k, ari = special.recovered(special.of_seasons(1), season_weight=weight)
    assert k == clusters
    assert least <= ari <= most


@pytest.mark.parametrize(("weight", "clusters", "least", "most"), [(0, 1, -0.05, 0.05), (1, 3, 0.9, 1)])
def test_level_of_prices_is_seen_where_it_is_on(weight: float, clusters: int, least: float, most: float) -> None:
    k, ari = special.recovered(special.of_prices(1), price_weight=weight)
    assert k == clusters
    assert least <= ari <= most
