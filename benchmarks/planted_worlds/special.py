"""Planted worlds made for one question each: large receipts, and segments that differ in their level of sales, prices or season alone.

usage: python benchmarks/planted_worlds/special.py    (the figures of docs/planted_worlds.md, as Markdown)
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import storelib.runtime  # isort: skip  # noqa: F401 (pins threads before numpy is loaded)

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from recover import options_of
from sklearn.metrics import adjusted_rand_score

import split_need_states
from storelib.configuration.params import load_params
from storelib.method.features import fit_features, level_of, price_of, season_of
from storelib.method.scan import clusters_by_rule

ROOT = Path(__file__).resolve().parents[2]
NEEDS = 8
TYPES = 4
# Lines above a thousand among all lines, as they were seen: 97 of 35,124.
LARGE = 97 / 35_124
LARGEST_K = 8


class Shop(NamedTuple):
    """Sales lines of one category: the store, need state, amount and month of each; and the planted segment of each store."""

    store: NDArray[np.int64]
    need: NDArray[np.int64]
    amount: NDArray[np.float64]
    truth: NDArray[np.int64]
    month: NDArray[np.int64] | None = None

    def shares(self, measure: str, cap_quantile: float = 1) -> pd.DataFrame:
        """Shares of need states by store, of `sales`, in which no line counts more than a quantile of them, or of `lines`."""
        cap = np.quantile(self.amount, cap_quantile, method="inverted_cdf")
        weights = np.minimum(self.amount, cap) if measure == "sales" else np.ones(len(self.amount))
        table = np.zeros((len(self.truth), NEEDS))
        np.add.at(table, (self.store, self.need), weights)
        return pd.DataFrame(table / table.sum(axis=1, keepdims=True)).add_prefix("need_")

    def sales(self) -> NDArray[np.float64]:
        """Sales of each store."""
        return np.bincount(self.store, self.amount)

    def months(self) -> NDArray[np.float64]:
        """Sales of each store by month of the year."""
        table = np.zeros((len(self.truth), 12))
        np.add.at(table, (self.store, self.month), self.amount)
        return table


def drawn(
    rng: np.random.Generator, centres: NDArray[np.float64], truth: NDArray[np.int64], lines: Sequence[int]
) -> Shop:
    """Lines of stores around the mix of their segment; amounts are lognormal, about 5."""
    shares = rng.gamma(60 * centres[truth])
    shares /= shares.sum(axis=1, keepdims=True)
    counts = np.array([rng.multinomial(n, p) for n, p in zip(lines, shares, strict=True)])
    store, need = (np.repeat(places, counts.ravel()) for places in np.divmod(np.arange(counts.size), NEEDS))
    return Shop(store, need, np.round(np.exp(rng.normal(1.6, 0.5, len(store))), 2), truth)


def with_large_receipts(seed: int, share: float = LARGE) -> Shop:
    """150 stores of four types with some 234 lines each, of which a few are receipts of 1,000 to 20,000."""
    rng = np.random.default_rng([seed, 1])
    truth = rng.permutation(np.arange(150) % TYPES)
    centres = np.full((TYPES, NEEDS), 1 / 12)
    for kind in range(TYPES):
        centres[kind, 2 * kind : 2 * kind + 2] = 1 / 4
    shop = drawn(rng, centres, truth, rng.poisson(234, 150).tolist())
    large = rng.random(len(shop.amount)) < share
    shop.amount[large] = np.round(np.exp(rng.uniform(np.log(1_000), np.log(20_000), int(large.sum()))), 2)
    return shop


def of_levels(seed: int) -> Shop:
    """300 stores with one mix: small, middle and large ones, each some four times as large as the one before."""
    rng = np.random.default_rng([seed, 2])
    truth = rng.permutation(np.arange(300) % 3)
    lines = np.round(60 * 4.0**truth * np.exp(rng.normal(0, 0.2, 300))).astype(int)
    return drawn(rng, np.full((3, NEEDS), 1 / NEEDS), truth, lines.tolist())


def of_prices(seed: int) -> Shop:
    """300 stores with one mix and as many lines: cheap, middling and dear ones, each taking some half more for a unit."""
    rng = np.random.default_rng([seed, 3])
    truth = rng.permutation(np.arange(300) % 3)
    shop = drawn(rng, np.full((3, NEEDS), 1 / NEEDS), truth, rng.poisson(240, 300).tolist())
    dear = 1.5**truth * np.exp(rng.normal(0, 0.08, 300))
    return shop._replace(amount=np.round(shop.amount * dear[shop.store], 2))


def of_seasons(seed: int) -> Shop:
    """300 stores with one mix and as many lines: a third sells twice as much in summer, a third in winter, a third all year alike."""
    rng = np.random.default_rng([seed, 4])
    truth = rng.permutation(np.arange(300) % 3)
    shop = drawn(rng, np.full((3, NEEDS), 1 / NEEDS), truth, rng.poisson(240, 300).tolist())
    seasons = np.ones((3, 12))
    seasons[1, 5:8] = seasons[2, [11, 0, 1]] = 2
    seasons /= seasons.sum(axis=1, keepdims=True)
    month = np.array([rng.choice(12, p=seasons[kind]) for kind in truth[shop.store]])
    return shop._replace(month=month)


def in_large_lines(shop: Shop) -> NDArray[np.float64]:
    """The part of each store's sales that is in amounts far above usual lines, as the stage has it."""
    cells = pd.DataFrame({"store": shop.store, "need": shop.need, "cents": np.rint(100 * shop.amount).astype(np.int64)})
    sums = cells.groupby(["store", "need"])["cents"].agg(["sum", "size"]).reset_index()
    columns = (sums[name].to_numpy(dtype=np.int64) for name in ("store", "need", "sum", "size"))
    sales = split_need_states.Sales([str(store) for store in range(len(shop.truth))], *columns)
    return split_need_states.in_large_lines(sales, np.ones(len(sums), np.bool_))


def recovered(
    shop: Shop,
    measure: str = "sales",
    level_weight: float = 0,
    price_weight: float = 0,
    season_weight: float = 0,
    cap_quantile: float = 1,
) -> tuple[int, float]:
    """A unit is a line. The number of clusters that the defaults choose, and the adjusted Rand index of these clusters with the truth."""
    params = load_params(ROOT / "params.yaml").internal
    trains = np.ones(len(shop.truth), bool)
    blocks = [level_of(shop.sales(), trains, level_weight)] if level_weight else []
    if price_weight:
        blocks.append(price_of(shop.sales(), np.bincount(shop.store).astype(float), trains, price_weight))
    if season_weight:
        blocks.append(season_of(shop.months(), trains, season_weight))
    features = fit_features(shop.shares(measure, cap_quantile), trains, options_of(params.build_features), None, blocks)
    how = params.cluster_stores
    found = clusters_by_rule(
        features.points,
        ~features.outliers,
        rule=how.rule,
        max_clusters=LARGEST_K,
        bic_coarsening=how.bic_coarsening,
        n_init=how.n_init,
        seed=how.seed,
    )
    return int(found.max()), float(adjusted_rand_score(shop.truth, found))


def figures(seeds: Sequence[int]) -> Iterator[str]:
    """Rows of the tables, as Markdown: the world, the setting, each seed's k, and the mean index."""
    for name, make, settings in (
        (
            "no large receipts",
            lambda seed: with_large_receipts(seed, 0),
            ({"measure": "sales"}, {"measure": "lines"}, {"cap_quantile": 0.99}),
        ),
        (
            "large receipts",
            with_large_receipts,
            ({"measure": "sales"}, {"measure": "lines"}, {"cap_quantile": 0.99}, {"cap_quantile": 0.999}),
        ),
        ("three levels, one mix", of_levels, ({"level_weight": 0}, {"level_weight": 1}, {"level_weight": 2})),
        ("three price levels, one mix", of_prices, ({"price_weight": 0}, {"price_weight": 1}, {"price_weight": 2})),
        ("three seasons, one mix", of_seasons, ({"season_weight": 0}, {"season_weight": 1}, {"season_weight": 2})),
    ):
        for setting in settings:
            found = [recovered(make(seed), **setting) for seed in seeds]
            words = ", ".join(f"`{key}: {value}`" for key, value in setting.items())
            chosen = " ".join(str(k) for k, _ in found)
            yield f"| {name} | {words} | {chosen} | {np.mean([ari for _, ari in found]):.3f} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(figures(range(1, 11))) + "\n")
