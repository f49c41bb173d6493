"""What a look at one thing found."""

from typing import NamedTuple


class Check(NamedTuple):
    """`fine`, `note` (worth a word) or `mend` (must be fixed); `advice` is empty where it is fine."""

    state: str
    what: str
    found: str
    advice: str = ""
