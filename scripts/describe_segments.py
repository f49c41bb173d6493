"""Say what each of a category's segments is: a name, what sets it apart, rules, typical and odd stores.

A segment is compared with all other stores of the category, need state by need state and external feature by external feature.
Its name is made of what differs most, unless a person or the baseline has given it one. A shallow decision tree says in plain
rules which stores are in it; how many stores such rules tell right is found with stores that they were not learned from.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from storelib.configuration.own_settings import parse
from storelib.configuration.weights import view_shares
from storelib.contracts.contract import outputs
from storelib.contracts.describing import DESCRIPTIONS, STORE_FIT, TRAITS
from storelib.contracts.views import FEATURES
from storelib.errors import DataError
from storelib.method.effects import counted, effects_of, notable
from storelib.method.joint import weighted
from storelib.method.tree_rules import fidelity, imputed, rules_of
from storelib.method.typical import fit_of
from storelib.pages.language import add_reader, reader_of, written_for
from storelib.pages.naming import Difference, names_of, part_labels
from storelib.pages.rule_texts import rule_words
from storelib.tables import read_frame


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    parser.add_argument("--segments", type=Path, required=True, help="this category's segments")
    parser.add_argument("--shares", type=Path, required=True, help="this category's shares of need states")
    parser.add_argument("--store_sales", type=Path, required=True, help="net sales of each store")
    parser.add_argument("--store_features", type=Path, required=True, help="external data of each store")
    parser.add_argument("--internal_features", type=Path, required=True, help="this category's points")
    parser.add_argument("--external_features", type=Path, required=True, help="points of external data")
    parser.add_argument(
        "--names", type=Path, required=True, help="names that a person gave; header only where none are"
    )
    parser.add_argument("--baseline", type=Path, required=True, help="earlier labels; header only where there are none")
    parser.add_argument("--descriptions", type=Path, required=True, help="output: one row per segment")
    parser.add_argument("--traits", type=Path, required=True, help="output: one row per segment and feature")
    parser.add_argument("--store_fit", type=Path, required=True, help="output: one row per store")
    weight = storelib.runtime.number(0, 100, above=True)
    parser.add_argument("--internal_weight", type=weight, required=True, help="of what sells, as of merge_segments")
    parser.add_argument("--external_weight", type=weight, required=True, help="of external data, as of merge_segments")
    parser.add_argument("--least_effect", type=storelib.runtime.number(0), required=True, help="standard deviations")
    parser.add_argument("--rule_depth", type=storelib.runtime.whole(1, 10), required=True, help="conditions at most")
    parser.add_argument("--typical_stores", type=storelib.runtime.whole(1), required=True, help="of each segment")
    parser.add_argument("--seed", type=storelib.runtime.seed, required=True)
    add_reader(parser)
    args = parse(parser, argv)
    try:
        args.view_shares = view_shares(args.internal_weight, args.external_weight)
    except ValueError as error:
        parser.error(str(error))
    return args


def kept_names(baseline: pd.DataFrame, given: pd.DataFrame, category: str) -> dict[int, tuple[str, str]]:
    """Name and where it is from (`given`, `baseline`), by segment; what a person gave comes first.

    Raises DataError where a segment has two names in the baseline, or two segments have one.
    """
    rows = baseline[(baseline["category"] == category) & baseline["segment_name"].notna()]
    pairs = rows[["segment", "segment_name"]].drop_duplicates().sort_values(["segment", "segment_name"])
    found: dict[int, tuple[str, str]] = {}
    for segment, name in zip(pairs["segment"].tolist(), pairs["segment_name"].tolist(), strict=True):
        other, _ = found.setdefault(segment, (name, "baseline"))
        if other != name:
            raise DataError(
                f"segment {segment} of {category} is called {other!r} and {name!r} in the baseline",
                solution="give all stores of a segment the same segment_name",
            )
    own = given[given["category"] == category]
    found |= {s: (name, "given") for s, name in zip(own["segment"].tolist(), own["name"].tolist(), strict=True)}
    seen: dict[str, int] = {}
    for segment, (name, _) in sorted(found.items()):
        other_segment = seen.setdefault(name.casefold(), segment)
        if other_segment != segment:
            raise DataError(
                f"segments {other_segment} and {segment} of {category} are both called {name!r}",
                solution="name one of them otherwise under sources.segment_names",
            )
    return found


def traits_of(
    shares: pd.DataFrame, places: pd.DataFrame, trains: dict[str, pd.Series], segment: pd.Series, least: float
) -> pd.DataFrame:
    """What sets each segment apart, need states (`mix`) and external features (`place`). All by the same stores."""
    parts = []
    for kind, table in (("mix", shares), ("place", places)):
        used = counted(segment, trains[kind])
        found = effects_of(table[used], segment[used]).rename(columns={"group": "segment"})
        parts.append(found.assign(kind=kind, is_notable=notable(found, least)))
    return pd.concat(parts, ignore_index=True)


def describe(args: argparse.Namespace) -> None:
    """Everything, by the flags."""
    log = storelib.runtime.start_log(args.log)
    segment = read_frame(args.segments, columns=["store_id", "segment"]).set_index("store_id")["segment"]
    stores = segment.index
    shares, places, internal, external = (
        read_frame(path).set_index("store_id").reindex(stores)
        for path in (args.shares, args.store_features, args.internal_features, args.external_features)
    )
    sales = read_frame(args.store_sales).set_index("store_id")["sales"].reindex(stores).astype("float64")
    trains = {"mix": internal["trains"].astype(bool), "place": external["trains"].fillna(value=False).astype(bool)}
    given = read_frame(args.names)
    kept = kept_names(read_frame(args.baseline), given, args.category)

    traits = traits_of(shares, places, trains, segment, args.least_effect)
    worth = traits[traits["is_notable"]]
    differences: dict[int, list[Difference]] = {int(label): [] for label in sorted(segment.unique())}
    for label, kind, feature, effect in zip(
        worth["segment"], worth["kind"], worth["feature"], worth["effect"], strict=True
    ):
        differences[int(label)].append(Difference(str(kind), str(feature), float(effect)))
    labels = part_labels(shares.columns, places.columns)
    made = names_of(differences, labels, {})
    names = names_of(differences, labels, {s: name for s, (name, _) in kept.items() if s in differences})
    for absent in sorted(set(given.loc[given["category"] == args.category, "segment"]) - set(differences)):
        log.warning("a name is given for segment %d, which does not exist", absent)

    points = imputed(np.hstack([shares.to_numpy(dtype="float64"), places.to_numpy(dtype="float64")]))
    numbers = segment.to_numpy()
    rules = rules_of(points, numbers, args.rule_depth, args.seed)
    told = [(labels["mix"][str(name)], True) for name in shares]
    told += [(labels["place"][str(name)], False) for name in places]
    sizes = segment.value_counts()
    amounts = sales.groupby(segment).sum()
    right = fidelity(points, numbers, args.rule_depth, args.seed)
    described = pd.DataFrame(
        [
            {
                "segment": number,
                "name": names[number],
                "name_from": kept.get(number, ("", "made"))[1],
                "made_name": made[number],
                "stores": int(sizes[number]),
                "sales": float(amounts[number]),
                "rules": rule_words([rule for rule in rules if rule.label == number], told),
                "rule_stores": sum(rule.stores for rule in rules if rule.label == number),
                "rule_right": sum(rule.right for rule in rules if rule.label == number),
            }
            for number in differences
        ]
    ).assign(category=args.category, fidelity=right, chance=float(sizes.max() / len(segment)))
    described["share_of_stores"] = described["stores"] / len(segment)
    total = described["sales"].sum()
    described["share_of_sales"] = described["sales"] / total if total else np.nan

    blocks = [
        weighted(FEATURES.others_of(table).to_numpy(dtype="float64"), trains[kind].to_numpy(), share)
        for table, kind, share in zip((internal, external), trains, args.view_shares, strict=True)
    ]
    fit = fit_of(np.hstack(blocks), segment, (trains["mix"] & trains["place"]).to_numpy(), args.typical_stores)
    with outputs() as write:
        write(described[DESCRIPTIONS.names], DESCRIPTIONS, args.descriptions)
        key = ["segment", "kind", "feature"]
        write(traits.assign(category=args.category).sort_values(key)[TRAITS.names], TRAITS, args.traits)
        write(fit[STORE_FIT.names], STORE_FIT, args.store_fit)
    for row in described.itertuples():
        log.info("segment %d, %s: %d stores", row.segment, row.name, row.stores)
    log.info(
        "rules of at most %d conditions tell %.1f %% of the stores right; %.1f %% are in the largest segment",
        args.rule_depth, 100 * right, 100 * described["chance"].iloc[0],
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, name, find rules, write, in the reader's language."""
    args = parse_args(argv)
    with written_for(reader_of(args)):
        describe(args)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
