"""Every store's segments, small enough to lie in a page: by store and category three numbers and what is to be said of it.

A category is one text with seven letters for each store: its segment, the runner-up and the confidence in per cent, each a number
of two digits to the base 36, and what is to be said: 1 on a border, 2 did not train, 4 placed by hand, added up. 00 for a segment
is a store that is not in the category; 00 for a runner-up, one that has none; zz for a confidence, one that has none.
"""

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.names import OVERRIDE
from storelib.pages.words import printable, short

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Numbers of two digits.
PAIRS = np.array([first + second for first in DIGITS for second in DIGITS])
UNKNOWN = "zz"
MISSING = "0000" + UNKNOWN + "0"
BORDER, UNTRAINED, BY_HAND = 1, 2, 4


def codes_of(segments: pd.DataFrame) -> NDArray[np.str_]:
    """The seven letters of each row of the segments. Raises IndexError for a segment that has no two digits."""
    said = (
        BORDER * segments["is_borderline"].to_numpy(dtype="int64")
        + UNTRAINED * segments["flags"].str.contains(":").to_numpy(dtype="int64")
        + BY_HAND * segments["flags"].str.contains(OVERRIDE).to_numpy(dtype="int64")
    )
    confidence = segments["confidence"].to_numpy(dtype="float64", na_value=np.nan)
    sure = np.nan_to_num(confidence * 100).round().clip(0, 100).astype("int64")
    parts = [
        PAIRS[segments["segment"].to_numpy(dtype="int64")],
        PAIRS[segments["runner_up_segment"].fillna(0).to_numpy(dtype="int64")],
        np.where(np.isnan(confidence), UNKNOWN, PAIRS[sure]),
        said.astype("str"),
    ]
    codes: NDArray[np.str_] = reduce(np.char.add, parts)
    return codes


def finder_of(
    segments: pd.DataFrame,
    names: Mapping[str, str],
    categories: Mapping[str, str],
    named: Mapping[str, Mapping[int, str]],
) -> dict[str, Any]:
    """All that the search needs. names: of stores; categories: their names by key; named: names of segments, by category."""
    stores = sorted({str(store) for store in segments["store_id"]})
    place = {store: at for at, store in enumerate(stores)}
    found = []
    for key, name in categories.items():
        codes = [MISSING] * len(stores)
        members = segments[segments["category"] == key]
        for store, code in zip(members["store_id"], codes_of(members), strict=True):
            codes[place[str(store)]] = str(code)
        own = {str(segment): short(words, 100) for segment, words in sorted(named[key].items())}
        found.append({"key": key, "name": name, "segments": own, "codes": "".join(codes)})
    return {
        "ids": [printable(store) for store in stores],
        "names": [short(names.get(store, "")) for store in stores] if names else [],
        "categories": found,
    }


def as_script(content: Mapping[str, Any] | Sequence[Any]) -> str:
    """Data as JSON that may lie in a script element: nothing in it can end the element, or begin another."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
