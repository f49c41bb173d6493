"""Stores on a map, with outlines that lie beside the scripts."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
WIDTH = 720.0
TALLEST = 560.0
MARGIN = 0.06
# Longitudes and latitudes within which the borders of the states are drawn, rather than those of countries.
UNITED_STATES = ((-180.0, -65.0), (17.0, 72.0))


class Map(NamedTuple):
    """A projection into a box, and the outlines in it as one SVG path."""

    width: float
    height: float
    outlines: str
    place: Callable[[Matrix, Matrix], Matrix]


def coordinates(stores: pd.DataFrame) -> pd.DataFrame:
    """`longitude` and `latitude` by store, of the stores whose coordinates are numbers on the globe.

    stores: the store table, all text. The columns count whatever their case; without both of them the result is empty.
    """
    columns = {str(name).lower(): name for name in stores.columns}
    empty = pd.DataFrame({"longitude": [], "latitude": []}, dtype="float64")
    if not {"longitude", "latitude"} <= set(columns):
        return empty
    table = pd.DataFrame(
        {name: pd.to_numeric(stores[columns[name]], errors="coerce") for name in ("longitude", "latitude")},
        dtype="float64",
    ).set_index(stores["store_id"].astype("str"))
    inside = table["longitude"].between(-180, 180) & table["latitude"].between(-90, 90)
    # 0, 0 lies in the sea: it is how a missing place is often written.
    return table[inside & ~((table["longitude"] == 0) & (table["latitude"] == 0))]


def conic(longitude: Matrix, latitude: Matrix) -> Callable[[Matrix, Matrix], Matrix]:
    """Albers' equal-area projection with the parallels and the meridian that fit these places.

    Near the equator, where the cone would be flat, lengths along the middle parallel are kept.
    Source: Snyder 1987, Map projections: a working manual, pages 98 to 103.
    """
    low, high = float(latitude.min()), float(latitude.max())
    meridian = float(longitude.min() + longitude.max()) / 2
    first, second = (math.radians(low + (high - low) * part) for part in (1 / 6, 5 / 6))
    cone = (math.sin(first) + math.sin(second)) / 2
    if abs(cone) < 0.05:
        stretch = math.cos(math.radians((low + high) / 2))
        return lambda lon, lat: np.column_stack([np.radians(lon - meridian) * stretch, -np.radians(lat)])
    constant = math.cos(first) ** 2 + 2 * cone * math.sin(first)

    def project(lon: Matrix, lat: Matrix) -> Matrix:
        radius = np.sqrt(np.maximum(constant - 2 * cone * np.sin(np.radians(lat)), 0)) / cone
        angle = cone * np.radians(lon - meridian)
        return np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])

    return project


def map_of(places: pd.DataFrame, outlines: Path) -> Map:
    """A map that holds all places. places: `longitude` and `latitude`, at least one row."""
    longitude, latitude = (places[name].to_numpy(dtype="float64") for name in ("longitude", "latitude"))
    project = conic(longitude, latitude)
    points = project(longitude, latitude)
    low, high = points.min(axis=0), points.max(axis=0)
    # A single town still has surroundings: about 30 km.
    span = np.maximum(high - low, 0.005) * (1 + 2 * MARGIN)
    middle = (low + high) / 2
    scale = min(WIDTH / span[0], TALLEST / span[1])
    height = max(span[1] * scale, 200.0)
    centre = np.array([WIDTH / 2, height / 2])

    def place(lon: Matrix, lat: Matrix) -> Matrix:
        placed: Matrix = (project(lon, lat) - middle) * scale + centre
        return placed

    (west, east), (south, north) = UNITED_STATES
    in_states = ((longitude > west) & (longitude < east) & (latitude > south) & (latitude < north)).all()
    drawn = json.loads(outlines.read_text(encoding="utf-8"))["us_states" if in_states else "world"]
    box = (longitude.min() - 15, longitude.max() + 15, latitude.min() - 12, latitude.max() + 12)
    return Map(WIDTH, height, outline_path(drawn, place, box, height), place)


def outline_path(
    lines: list[list[int]], place: Callable[[Matrix, Matrix], Matrix], box: tuple[float, ...], height: float
) -> str:
    """Lines that come near the picture, as one SVG path."""
    parts = []
    west, east, south, north = box
    for line in lines:
        degrees = np.array(line, dtype="float64").reshape(-1, 2).cumsum(axis=0) / 100
        near = (degrees[:, 0] > west) & (degrees[:, 0] < east) & (degrees[:, 1] > south) & (degrees[:, 1] < north)
        if not near.any():
            continue
        points = place(degrees[:, 0], degrees[:, 1])
        seen = (points > -80).all(axis=1) & (points[:, 0] < WIDTH + 80) & (points[:, 1] < height + 80)
        # A point is kept beside one that is seen, so that lines go on to the edge.
        kept = near & (seen | np.append(seen[1:], False) | np.append(False, seen[:-1]))
        runs = np.split(np.arange(len(kept)), np.flatnonzero(np.diff(kept.astype(int))) + 1)
        parts += [line_path(points[run]) for run in runs if kept[run[0]] and len(run) > 1]
    return "".join(parts)


def line_path(points: Matrix) -> str:
    """Points joined, in tenths, without those that stay on the spot."""
    tenths = np.round(points * 10).astype(int)
    moved = np.append(True, (np.diff(tenths, axis=0) != 0).any(axis=1))
    return "M" + "L".join(f"{x / 10:g} {y / 10:g}" for x, y in tenths[moved])


def dots_path(points: Matrix) -> str:
    """A dot at each point, as one SVG path for a round or square line end; points at one place are one dot."""
    halves = np.unique(np.round(points * 2).astype(int), axis=0)
    return "".join(f"M{x / 2:g} {y / 2:g}h0" for x, y in halves)
