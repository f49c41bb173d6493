"""Stores that could as well be in another cluster."""

import pandas as pd


def borderline(clusters: pd.DataFrame, ratio: float) -> pd.Series:
    """Which stores are nearly as near to their runner-up's centre: distance > ratio x runner_up_distance.

    clusters: `distance` and `runner_up_distance`, the latter empty where there is one cluster; no store is on a border then.
    """
    return clusters["distance"] > ratio * clusters["runner_up_distance"]
