"""Which of the two views a place has data for: what sells, and where stores are. Any one of them is enough."""

from storelib.accounts.selection import refuse_several
from storelib.configuration.params import Params
from storelib.configuration.place import Place


def check_views(params: Params, place: Place) -> None:
    """Raise ConfigError where the categories ask for sales that there are not."""
    if place.sources.sales is None:
        refuse_several(params.internal.categories)


def view_words(place: Place) -> str:
    """What segments are made of where one view is missing; empty where none is."""
    if place.sources.sales is None:
        return "There are no sales: the segments are the clusters by external data, one for all categories."
    if not place.sources.external:
        return "There are no external sources: the segments of a category are its clusters by what sells."
    return ""
