"""One segmentation of the chain from those of its categories, by the evidence that each of them gives for a pair of stores."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def evidence(labels: pd.DataFrame) -> Matrix:
    """A row per store, between which the squared distance is the share of categories that have the two stores apart.

    labels: segment by store (index) and category (columns), missing where a store does not sell a category. The share of
    categories that have a pair together is its co-association (Fred and Jain 2005). It is the product of two rows of zeros and
    ones, one for each segment of each category, so that the table of all pairs is never made. A category that a store does not
    sell says nothing of it: there it is like the category's average store.
    """
    blocks = []
    for key in labels.columns:
        column = labels[key]
        hot = pd.get_dummies(column.astype("Int64"), dtype="float64").to_numpy(copy=True)
        missing = column.isna().to_numpy()
        hot[missing] = hot[~missing].mean(axis=0)
        blocks.append(hot)
    points: Matrix = np.hstack(blocks) / np.sqrt(2 * len(blocks))
    return points


def agreement(labels: pd.DataFrame, chain: pd.Series) -> pd.DataFrame:
    """By store and category, the share of the other stores of its chain segment that are in its segment of the category.

    Of those that sell the category; missing where the store does not, or no other does.
    """
    found = {}
    for key, column in labels.items():
        known = pd.DataFrame({"chain": chain, "own": column}).dropna()
        together = known.groupby(["chain", "own"])["own"].transform("size") - 1
        others = known.groupby("chain")["own"].transform("size") - 1
        found[key] = (together / others.where(others > 0)).reindex(labels.index)
    return pd.DataFrame(found, index=labels.index).astype("float64")
