"""What it means that one cluster was chosen: that there is no structure, or that it is weak."""

from collections import Counter
from collections.abc import Mapping

from storelib.method.k_rules import INDICES

# Rules that cannot choose one cluster.
OF_SEVERAL = (*INDICES, "consensus")
NO_STRUCTURE = "no structure was found: all stores are in one cluster"
WEAK_STRUCTURE = (
    "weak structure: all stores are in one cluster, but k = %(k)s is chosen by %(rules)s; "
    "look at it with min_clusters: %(k)s, max_clusters: %(k)s"
)


def alternative(choices: Mapping[str, int | None]) -> int | None:
    """Where one cluster was chosen, the larger k that speaks most against it; None where nothing does.

    choices: of every computed rule. An index cannot choose one cluster, so that it chooses more says nothing. Where a rule that
    could have chosen one chooses more, that is the larger k: of several the one that most rules choose, then the smallest.
    """
    larger = {k for rule, k in choices.items() if rule not in OF_SEVERAL and k is not None and k > 1}
    votes = Counter(choices.values())
    return min(larger, key=lambda k: (-votes[k], k), default=None)


def one_cluster(choices: Mapping[str, int | None]) -> str:
    """What a view whose stores are all in one cluster is to be told."""
    k = alternative(choices)
    if k is None:
        return NO_STRUCTURE
    return WEAK_STRUCTURE % {"k": k, "rules": ", ".join(rule for rule, choice in choices.items() if choice == k)}
