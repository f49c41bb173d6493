"""Say in tables what `recover.py` found, and write them into the page of the documentation.

usage: python benchmarks/planted_worlds/summarise.py [--write docs/planted_worlds.md]

Prints the tables as Markdown. With --write they replace what is between the page's markers.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t
from worlds import load_worlds

FOLDER = Path(__file__).parent
IDENTIFIABLE = 0.9
RULE_NAMES = {
    "silhouette": "silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "consensus": "consensus",
    "bic": "`bic`",
    "bic_tied": "`bic_tied`",
    "gap": "gap",
    "prediction_strength": "prediction strength",
    "stability": "stability",
}


def load(purpose: str) -> pd.DataFrame:
    """What was found in the worlds of a purpose; a rule that found no k has the agreement of one cluster, which is none."""
    table = pd.read_csv(FOLDER / f"{purpose}.csv")
    table["ari"] = table["ari"].fillna(0.0)
    return table


def share(hits: pd.Series) -> str:
    """A share and its 95 % interval (Wilson 1927), in percent."""
    n, p, z = len(hits), float(hits.mean()), 1.959964
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return f"{p:.0%} ({max(middle - half, 0):.0%} to {min(middle + half, 1):.0%})"


def mean(values: pd.Series) -> str:
    """A mean and its 95 % interval (Student)."""
    half = float(t.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values)))
    return f"{values.mean():.3f} (± {half:.3f})"


def row_of(rows: pd.DataFrame) -> dict[str, str]:
    """The figures of one rule on one recipe in one view: rows, one per world."""
    several = rows[rows["planted"] > 1]
    known = several[several["oracle_ari"] >= IDENTIFIABLE]
    single = rows[rows["planted"] == 1]
    return {
        "right k": share(known["found"] == known["planted"]),
        "too few / too many": f"{(known['found'] < known['planted']).sum()} / {(known['found'] > known['planted']).sum()}",
        "ARI": mean(known["ari"]),
        "ARI less the oracle's": mean(known["ari"] - known["oracle_ari"]),
        "in all worlds": mean(several["ari"] - several["oracle_ari"]),
        "no structure recognised": share(single["found"] == 1),
    }


def markdown(rows: list[dict[str, str]]) -> str:
    """A table in Markdown."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([row[name] for name in head] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rules_table(table: pd.DataFrame, view: str) -> str:
    """Every rule on the default recipe of a view."""
    chosen = table[(table["view"] == view) & table["default"] & (table["variant"] == "as planted")]
    rules = [rule for rule in RULE_NAMES if rule in set(chosen["rule"])]
    return markdown([{"rule": RULE_NAMES[r]} | row_of(chosen[chosen["rule"] == r]) for r in rules])


def recipes_table(table: pd.DataFrame, view: str, rule: str) -> str:
    """One rule on every recipe of a view, and how many worlds of several segments the oracle can tell apart with it."""
    rows = []
    chosen = table[(table["view"] == view) & (table["rule"] == rule) & (table["variant"] == "as planted")]
    for (transform, scaling), found in chosen.groupby(["transform", "scaling"], sort=False):
        several = found[found["planted"] > 1]
        name = f"{transform}, {scaling}"
        rows.append(
            {
                "transform, scaling": f"**{name}**" if found["default"].all() else name,
                "identifiable": f"{(several['oracle_ari'] >= IDENTIFIABLE).sum()} of {len(several)}",
                "oracle's ARI": mean(several["oracle_ari"]),
                "ARI": mean(several["ari"]),
                "right k": row_of(found)["right k"],
                "no structure recognised": row_of(found)["no structure recognised"],
            }
        )
    return markdown(rows)


def dirt_table(table: pd.DataFrame, rules: list[str]) -> str:
    """External views with gross errors that the oracle tells apart without them (ARI of at least 0.95)."""
    dirty = {world.name for world in load_worlds() if world.dirt}
    external = table[
        (table["view"] == "external") & table["default"] & table["world"].isin(dirty) & (table["planted"] > 1)
    ]
    rows = []
    for rule in rules:
        of_rule = external[external["rule"] == rule].set_index("world")
        clean = of_rule[of_rule["variant"] == "clean"]
        told = of_rule[(of_rule["variant"] == "as planted") & (clean["oracle_ari"].reindex(of_rule.index) >= 0.95)]
        rows.append(
            {
                "rule": RULE_NAMES[rule],
                "worlds": str(len(told)),
                "ARI": mean(told["ari"]),
                "worst": f"{told['ari'].min():.3f}",
                "worlds of at least 0.9": str((told["ari"] >= 0.9).sum()),
            }
        )
    return markdown(rows)


def confidence_table(purpose: str) -> str:
    """By the class of membership that k-means gave them, the stores that are in their planted segment; views of several clusters."""
    table = pd.read_csv(FOLDER / f"{purpose}_confidence.csv")
    several = table[(table["algorithm"] == "kmeans") & (table["found"] > 1)]
    lows = sorted(several["membership"].unique())
    ends = dict(zip(lows, [*lows[1:], 1.0], strict=True))
    rows = []
    for name, chosen in [
        *((f"{low:.0%} to {ends[low]:.0%}", several[several["membership"] == low]) for low in lows),
        ("**at least 90%**", several[several["membership"] >= 0.9]),
    ]:
        row = {"membership": name}
        for view in ("internal", "external"):
            for words, part in (("", chosen), (", k right", chosen[chosen["found"] == chosen["planted"]])):
                stores, right = part.loc[part["view"] == view, ["stores", "right"]].sum()
                row[f"{view}{words}"] = f"{right / stores:.0%} of {int(stores):,}" if stores else ""
        rows.append(row)
    return markdown(rows)


def algorithms_table(purpose: str) -> str:
    """Every algorithm on the worlds that all of them clustered, by the default features and rule."""
    table = pd.read_csv(FOLDER / f"{purpose}_confidence.csv")
    sure = table[table["membership"] >= 0.9].groupby(["world", "view", "algorithm"])[["stores", "right"]].sum()
    facts = table.drop_duplicates(["world", "view", "algorithm"]).set_index(["world", "view", "algorithm"])
    facts = facts.drop(columns=["stores", "right"]).join(sure).reset_index()
    common = facts.groupby("world")["algorithm"].transform("nunique") > 1
    rows = []
    for view in ("internal", "external"):
        for algorithm, found in facts[common & (facts["view"] == view)].groupby("algorithm", sort=False):
            several = found[(found["planted"] > 1) & found["oracle_ari"].notna()]
            known, clustered = several[several["oracle_ari"] >= IDENTIFIABLE], found[found["found"] > 1]
            rows.append(
                {
                    "view, algorithm": f"{view}, `{algorithm}`",
                    "ARI told k": mean(several["oracle_ari"]),
                    "ARI": mean(several["ari"]),
                    "right k where identifiable": share(known["found"] == known["planted"]),
                    "right of stores at least 90% sure": f"{clustered['right'].sum() / clustered['stores'].sum():.0%}",
                }
            )
    return markdown(rows)


def tables(rule: str = "bic_tied") -> dict[str, str]:
    """Every table of the page, by the name of its marker."""
    found = {}
    for purpose in ("final", "tuning"):
        table = load(purpose)
        for view in ("internal", "external"):
            found[f"{purpose} {view} rules"] = rules_table(table, view)
            found[f"{purpose} {view} recipes"] = recipes_table(table, view, rule)
        found[f"{purpose} dirt"] = dirt_table(table, [rule, "silhouette"])
        found[f"{purpose} confidence"] = confidence_table(purpose)
    found["final algorithms"] = algorithms_table("final")
    return found


def written(page: str, found: dict[str, str]) -> str:
    """The page with the tables between their markers, `<!-- name -->` and `<!-- end -->`."""
    for name, text in found.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page = marked.sub(lambda match, text=text: f"{match[1]}{text}\n{match[2]}", page)
    return page


def main() -> None:
    """Print, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    args = parser.parse_args()
    found = tables()
    if args.write:
        args.write.write_text(written(args.write.read_text(encoding="utf-8"), found), encoding="utf-8")
    else:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in found.items()))


if __name__ == "__main__":
    main()
