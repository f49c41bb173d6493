"""What a business expects of the result, and how far it holds: shares and sizes against two levels, warn and fail.

Figures come from the ledger, the segments and the clusters, and are exact fractions, so that a value that equals its level
holds. A share of sales is of net sales. Amounts that were set aside for different reasons are added by their size: returns
that were dropped do not make up for lines that could not be read.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from storelib.accounts.ledger import Entry
from storelib.errors import DataError
from storelib.method.migrations import moved

if TYPE_CHECKING:
    import pandas as pd

# Stages that set aside for all categories at once, and for one category.
CHAIN_STAGES = ("ingest_sales", "assign_categories")
CATEGORY_STAGES = ("split_need_states", "merge_segments")
STATES = ("pass", "warn", "fail")
# The part of a store's sales in large lines from which on they decide what it is like.
DECISIVE = 0.25


class Expectation(NamedTuple):
    """One figure: whether it should be at least or at most its levels, how it reads, and what to do where it does not hold."""

    sense: str
    says: str
    to_do: str
    is_share: bool = True


EXPECTATIONS = {
    "mapped_sales": Expectation(
        "at least",
        "{value} of sales have a need state",
        "give the SKUs without a need state one in the product map, those that sell most first; where they may not be unmapped, "
        "set unmapped_skus: fail under internal.split_need_states, which names one",
    ),
    "sales_set_aside": Expectation(
        "at most",
        "{value} of sales are set aside",
        "look up the reasons in data/merging/ledger.parquet; mend the files, or choose other policies in params.yaml",
    ),
    "lines_set_aside": Expectation(
        "at most",
        "{value} of sales lines are set aside",
        "look up the reasons in data/merging/ledger.parquet; mend the files, or choose other policies in params.yaml",
    ),
    "stores_set_aside": Expectation(
        "at most",
        "{value} of stores are set aside",
        "look up the reasons in data/merging/ledger.parquet; complete the store table, or choose other policies in params.yaml",
    ),
    "found_stores": Expectation(
        "at least",
        "{value} of the stores that sell are in this table",
        "compare the ids of stores that are missing there (leading zeros, another id, capitals: `id_case`; the key of the source in "
        "configs/<env>.yml), complete the table, or set another level",
    ),
    "smallest_segment": Expectation(
        "at least",
        "the smallest segment has {value}",
        "raise merging.min_cluster_size, or take out a category that too few stores sell",
        is_share=False,
    ),
    "large_lines": Expectation(
        "at most",
        "{value} of stores have more than a quarter of their sales in amounts far above usual lines",
        "look at the largest receipts of the stores with a high large_lines in data/internal/store_sales; where they are right, set "
        "measure: lines under internal.split_need_states, or for this category alone, so that they do not decide its segments",
    ),
    "largest_line": Expectation(
        "at most",
        "{value} of stores have more than a quarter of their sales in one line",
        "look at the stores with a high largest_line in data/internal/store_sales; where the line is right, set measure: lines or units "
        "under internal.split_need_states, or for this category alone, so that it does not decide the store's segment",
    ),
    "dissolved_stores": Expectation(
        "at most",
        "{value} of stores were in a segment that is too small, and went to others",
        "lower merging.min_cluster_size, or give it as a share such as 0.02; or ask for fewer clusters in one of the views",
    ),
    "churn": Expectation(
        "at most",
        "{value} of stores are in another segment than in the baseline",
        "look up who went where in reports/migrations.csv; where it is right, approve it: clustering approve --who NAME",
    ),
    "borderline_stores": Expectation(
        "at most",
        "{value} of stores are on a border: less than 90 % sure of their cluster",
        "do not lean on the border between clusters: try another rule, fewer clusters or other features of this view",
    ),
}


class Levels(NamedTuple):
    """Where a figure is worth a warning, and where it fails the run."""

    warn: Fraction
    fail: Fraction


class Finding(NamedTuple):
    """One figure of one view. value: None where it means nothing.

    view: a category's key, `external`, or empty for all sales; of stores that are found, the table, by its key in the configuration.
    """

    check: str
    view: str
    value: Fraction | None
    levels: Levels

    @property
    def state(self) -> str:
        """`pass`, `warn` or `fail`; a figure that means nothing fails."""
        if self.misses(self.levels.fail):
            return "fail"
        return "warn" if self.misses(self.levels.warn) else "pass"

    def misses(self, level: Fraction) -> bool:
        """Whether the figure is on the wrong side of a level; one that means nothing always is."""
        if self.value is None:
            return True
        return self.value < level if EXPECTATIONS[self.check].sense == "at least" else self.value > level

    @property
    def sentence(self) -> str:
        """The figure and the level that it is held against, in words."""
        expectation = EXPECTATIONS[self.check]
        if self.value is None:
            return "a share cannot be told: net sales are not above 0"
        level = self.levels.fail if self.state == "fail" else self.levels.warn
        value, limit = apart(self.value, level) if expectation.is_share else (stores(self.value), f"{level}")
        verb = "is required" if self.state == "fail" else "is expected"
        return f"{expectation.says.format(value=value)}; {expectation.sense} {limit} {verb}"


def apart(value: Fraction, level: Fraction) -> tuple[str, str]:
    """Two shares in per cent, with as many decimals as it takes to tell them apart."""
    digits = 1
    while value != level and percent(value, digits) == percent(level, digits):
        digits += 1
    return percent(value, digits), percent(level, digits)


def percent(share: Fraction, digits: int) -> str:
    """A share in per cent, without zeros at its end."""
    whole, rest = divmod(round(share * 100 * 10**digits), 10**digits)
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") + " %"


def stores(count: Fraction) -> str:
    """`1 store`, `12 stores`."""
    return f"{count} store" + ("" if count == 1 else "s")


def share_set_aside(entries: Iterable[Entry], stages: Sequence[str], category: str, amount: str) -> Fraction | None:
    """Share of what entered the first of the stages that they set aside. amount: `stores`, `lines` or `sales`.

    None where something was set aside of sales that are not above 0.
    """
    own = [entry for entry in entries if entry.stage in stages and entry.category == category]
    whole = sum(Fraction(getattr(e, amount)) for e in own if e.stage == stages[0] and e.flow == "in")
    gone = sum(abs(Fraction(getattr(e, amount))) for e in own if e.flow == "set_aside")
    return share(gone, whole)


def share(part: Fraction | int, whole: Fraction | int) -> Fraction | None:
    """One number by another: 0 of anything is 0, and something of nothing, or of less, means nothing."""
    if part == 0:
        return Fraction(0)
    return Fraction(part) / Fraction(whole) if whole > 0 else None


def share_mapped(entries: Iterable[Entry], category: str) -> Fraction | None:
    """Share of a category's sales whose SKU has a need state, whatever became of the others."""
    own = [entry for entry in entries if entry.stage == "split_need_states" and entry.category == category]
    whole = sum(Fraction(e.sales) for e in own if e.flow == "in")
    unmapped = share(sum(Fraction(e.sales) for e in own if e.reason == "unmapped_sku"), whole)
    return None if unmapped is None else 1 - unmapped


def share_found(entries: Iterable[Entry], table: str) -> Fraction | None:
    """Share of the stores that sell which are in the store table, or in an external source by its key.

    table: `sources.stores`, or `sources.external.<name>`. Stores that are not in the store table count whatever the policy about them.
    """
    selling = lost = every = 0
    for entry in entries:
        key = entry.stage, entry.flow, entry.reason
        if key == ("assign_categories", "out", ""):
            selling += entry.stores
        elif key == ("join_external", "in", ""):
            every += entry.stores
        elif table == "sources.stores" and key[::2] == ("assign_categories", "unknown_store"):
            lost += entry.stores
            # Those that were set aside did not come out.
            selling += entry.stores if entry.flow == "set_aside" else 0
        elif key == ("join_external", "noted", f"not in {table.removeprefix('sources.external.')}"):
            lost += entry.stores
    # Without sales no store sells, and all of them are looked for.
    wanted = selling or every
    return share(wanted - lost, wanted)


def smallest(segments: "pd.DataFrame", category: str) -> Fraction:
    """Stores of a category's smallest segment."""
    own = segments.loc[segments["category"] == category, "segment"]
    if own.empty:
        raise DataError(
            f"category {category} has no store in any segment", solution="run the pipeline again from raw data"
        )
    return Fraction(int(own.value_counts().min()))


def share_large_lines(store_sales: "pd.DataFrame") -> Fraction | None:
    """Share of a category's stores whose sales hang on large lines."""
    return share(int((store_sales["large_lines"] > DECISIVE).sum()), len(store_sales))


def share_largest_line(store_sales: "pd.DataFrame") -> Fraction | None:
    """Share of a category's stores whose sales hang on one line."""
    return share(int((store_sales["largest_line"] > DECISIVE).sum()), len(store_sales))


def share_dissolved(entries: Iterable[Entry], category: str) -> Fraction | None:
    """Share of a category's stores whose segment was below the minimum size."""
    own = [e for e in entries if (e.stage, e.category) == ("merge_segments", category)]
    whole = sum(e.stores for e in own if e.flow == "in")
    return share(sum(e.stores for e in own if e.reason == "small_segment"), whole)


def share_borderline(clusters: "pd.DataFrame") -> Fraction | None:
    """Share of a view's stores that are on a border."""
    return share(int(clusters["is_borderline"].sum()), len(clusters))


def findings(
    entries: Sequence[Entry],
    segments: "pd.DataFrame",
    clusters: "Mapping[str, pd.DataFrame]",
    store_sales: "Mapping[str, pd.DataFrame]",
    tables: Sequence[str],
    moves: "pd.DataFrame",
    levels: Mapping[str, Levels],
) -> Iterator[Finding]:
    """Every figure, expectation by expectation.

    clusters: by view, categories first and `external` last. store_sales: by category. tables: those of `share_found` that there are.
    moves: as `migrations` has them; a category that the baseline does not have cannot churn.
    levels: by expectation.
    """
    categories = [view for view in clusters if view != "external"]
    for view in categories:
        yield Finding("mapped_sales", view, share_mapped(entries, view), levels["mapped_sales"])
    for amount in ("sales", "lines", "stores"):
        check = f"{amount}_set_aside"
        yield Finding(check, "", share_set_aside(entries, CHAIN_STAGES, "", amount), levels[check])
        for view in categories:
            yield Finding(check, view, share_set_aside(entries, CATEGORY_STAGES, view, amount), levels[check])
    for source in tables:
        yield Finding("found_stores", source, share_found(entries, source), levels["found_stores"])
    for view in categories:
        yield Finding("smallest_segment", view, smallest(segments, view), levels["smallest_segment"])
    for view in categories:
        yield Finding("large_lines", view, share_large_lines(store_sales[view]), levels["large_lines"])
        if store_sales[view]["largest_line"].notna().all():
            yield Finding("largest_line", view, share_largest_line(store_sales[view]), levels["largest_line"])
        yield Finding("dissolved_stores", view, share_dissolved(entries, view), levels["dissolved_stores"])
    for view in categories:
        gone, both = moved(moves, view)
        if both:
            yield Finding("churn", view, Fraction(gone, both), levels["churn"])
    for view, table in clusters.items():
        yield Finding("borderline_stores", view, share_borderline(table), levels["borderline_stores"])


def summary(found: Sequence[Finding]) -> dict[str, Any]:
    """What reports/checks.json holds. state: the gravest of all; values are rounded to 6 decimals, states are not."""
    counts = Counter(finding.state for finding in found)
    return {
        "state": max((finding.state for finding in found), key=STATES.index),
        "counts": {state: counts[state] for state in STATES},
        "checks": [
            {
                "check": finding.check,
                "view": finding.view,
                "state": finding.state,
                "value": None if finding.value is None else round(float(finding.value), 6),
                "sense": EXPECTATIONS[finding.check].sense,
                "warn": float(finding.levels.warn),
                "fail": float(finding.levels.fail),
                "sentence": finding.sentence,
                "to_do": "" if finding.state == "pass" else EXPECTATIONS[finding.check].to_do,
            }
            for finding in found
        ],
    }


def told(check: Mapping[str, str]) -> str:
    """One check of reports/checks.json as a line: `mapped_sales of beauty: 85 % of sales ...`."""
    return f"{check['check']} of {check['view'] or 'all sales'}: {check['sentence']}"
