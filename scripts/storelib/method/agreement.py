"""How far two partitions of stores agree, joined by store."""

from typing import NamedTuple

import pandas as pd


class Agreement(NamedTuple):
    """What `compare` says of the stores that are in both partitions."""

    stores: int
    first_k: int
    second_k: int
    ari: float


def shared_labels(first: pd.Series, second: pd.Series) -> pd.DataFrame:
    """Columns `first` and `second`: the labels of the stores in both, by store.

    first, second: labels indexed by store_id, each store once.
    """
    return pd.concat([first.rename("first"), second.rename("second")], axis="columns", join="inner")


def compare(first: pd.Series, second: pd.Series) -> Agreement:
    """Labels in each partition and their adjusted Rand index (Hubert and Arabie 1985), over the stores in both.

    first, second: labels indexed by store_id. The index is 1 for the same partition, whatever its numbers, about 0 for
    chance, and not a number where no store is in both.
    """
    both = shared_labels(first, second)
    if both.empty:
        return Agreement(0, 0, 0, float("nan"))
    from sklearn.metrics import adjusted_rand_score  # a second's import, spared where nothing is known

    ari = float(adjusted_rand_score(both["first"], both["second"]))
    return Agreement(len(both), both["first"].nunique(), both["second"].nunique(), round(ari, 6))
