"""Say in tables and pictures what `run_bench.py` found, and write them into the page of the documentation.

usage: python benchmarks/bench/write_page.py [--results benchmarks/bench/results.json] [--page docs/benchmarks.md]
           [--pictures docs/images]

The tables replace what is between the page's markers; every figure comes from the results.
"""

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from alternate import section_rows
from exponents import Exponent, fit_exponent
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from retailer import Size

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURES = ROOT / "docs" / "images"
COMPARED = ("pass", "whole", "new_file", "new_file_large", "new_file_billion", "hundred", "billion", "many")
GROWTHS = {"growth_pass": "the pass", "growth_whole": "the whole pipeline"}
FACTORS = ("lines", "stores", "categories")
NOT_MEASURED = "Not measured yet."
# Name of the picture: sections it shows, and what it is to those who cannot see it.
DRAWN = {
    "compared": (
        ("pass", "whole"),
        "Seconds of one pass over sales and of the whole job, of this pipeline and its peers",
    ),
    "growth": (tuple(GROWTHS), "Seconds against lines, stores and categories, on logarithmic axes"),
}
OURS, OTHERS = "#2563a8", "#9aa5b1"
Results = Mapping[str, Any]


def seconds(value: float) -> str:
    """Seconds with as many digits as they are worth."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A table in Markdown."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([row[name] for name in head] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def size_of(section: Mapping[str, Any]) -> str:
    """What a section ran on, in words."""
    size = dict(section["size"])
    more = ""
    if "copies" in size:
        kind = "copies" if size["distinct"] else "hard links"
        # The lines are those of all of them, as they were counted.
        more = f", as {size['copies']} {kind} of a file of {size['lines'] // size['copies']:,}"
    words = Size(**{name: size[name] for name in ("lines", "stores", "categories", "skus", "parts", "seed")}).words()
    return f"{words}{more}; {size['sales_mb']:,.0f} MB of Parquet."


def comparison(section: Mapping[str, Any]) -> str:
    """The size, and a row per contender."""
    rounds = max(len(found) for found in section["runs"].values())
    rows = []
    for row in section_rows(section):
        pairs = f"{min(row['pairs']):.2f} to {max(row['pairs']):.2f}" if row["pairs"] else ""
        rows.append(
            {
                "": row["name"],
                "seconds, median": seconds(row["median"]),
                "least to most": f"{seconds(row['min'])} to {seconds(row['max'])}",
                f"times {section['reference']}": "" if row["ratio"] is None else f"{row['ratio']:.2f}",
                "round by round": pairs,
                "largest process, MB": f"{row['peak_mb']:,.0f}",
                "all processes, MB": f"{row['tree_mb']:,.0f}",
            }
        )
    turns = "one round" if rounds == 1 else f"{rounds} rounds"
    return f"{size_of(section)} {turns[0].upper()}{turns[1:]}.\n\n{markdown(rows)}"


def fits(section: Mapping[str, Any], factor: str) -> tuple[list[float], list[float], float, Exponent, Exponent | None]:
    """Sizes, seconds, the fixed seconds, and the exponents of all seconds and of those above the fixed ones."""
    chosen = [point for point in section["points"] if point["factor"] == factor]
    sizes = [float(point["size"][factor]) for point in chosen]
    taken = [point["seconds"] for point in chosen]
    fixed = float(np.median([point["seconds"] for point in section["points"] if point["factor"] == "fixed"]))
    bare = fit_exponent(sizes, taken)
    if bare is None:
        raise ValueError(f"{factor}: one size alone says nothing of growth")
    return sizes, taken, fixed, bare, fit_exponent(sizes, taken, fixed)


def exponent(found: Exponent | None) -> str:
    """With its standard error."""
    if found is None:
        return "not measurable"
    return f"{found.value:.2f}" + ("" if found.error is None else f" ± {found.error:.2f}")


def growth(results: Results) -> str:
    """A row per job and factor."""
    rows = []
    for name, job in GROWTHS.items():
        for factor in FACTORS if name in results else ():
            sizes, taken, fixed, bare, above = fits(results[name], factor)
            others = [f"{results[name]['size'][other]:,} {other}" for other in (*FACTORS, "skus") if other != factor]
            rows.append(
                {
                    "of": job,
                    "in": factor,
                    "from": f"{min(sizes):,.0f} to {max(sizes):,.0f}",
                    "at": ", ".join(others).replace("skus", "SKUs"),
                    "seconds": f"{seconds(taken[0])} to {seconds(taken[-1])}",
                    "exponent of all seconds": exponent(bare),
                    "fixed seconds": seconds(fixed),
                    "exponent of those above": exponent(above),
                }
            )
    return markdown(rows) if rows else NOT_MEASURED


def scan(section: Mapping[str, Any]) -> str:
    """scikit-learn's indices of every k beside ours."""
    rows = []
    for row in section["indices"]:
        same = row["k_ours"] == row["k_scikit_learn"]
        rows.append(
            {
                "distance of centres": f"{row['apart']:g}",
                "scikit-learn, s": seconds(row["scikit_learn_s"]),
                "ours, s": seconds(row["ours_s"]),
                "times as fast": f"{row['scikit_learn_s'] / row['ours_s']:.1f}",
                "largest relative difference": f"{row['largest_difference']:.0e}",
                "k by the three indices": " ".join(map(str, row["k_ours"]))
                + ("" if same else " (scikit-learn: others)"),
            }
        )
    more = section["default"]
    return (
        f"{section['stores']:,} stores, {section['features']} features, one thread.\n\n{markdown(rows)}\n\n"
        f"k-means of every k, 10 starts: {seconds(more['k_means_s'])} s; "
        f"every score of the default rule on top: {seconds(more['scores_s'])} s."
    )


def machines(results: Results) -> str:
    """What each section ran on; sections of one machine and one set of libraries share a row."""
    rows: dict[str, dict[str, str]] = {}
    for name, section in results.items():
        found = section["machine"]
        row = {
            "processor": f"{found['cpu']}, {found['cores']} cores, of which {section['cores']} used",
            "memory": f"{found['memory_gb']} GB",
            "system": found["system"],
            "Python": found["python"],
            "libraries": ", ".join(f"{library} {version}" for library, version in found["libraries"].items()),
            "sizes": section["plan"],
            "day": section["date"],
        }
        sections = rows.setdefault(json.dumps(row), row | {"sections": ""})
        sections["sections"] = ", ".join(filter(None, (sections["sections"], f"`{name}`")))
    return markdown(list(rows.values())) if rows else NOT_MEASURED


def tables(results: Results) -> dict[str, str]:
    """Every table of the page, and its pictures, by the name of the marker."""
    found = {name: comparison(results[name]) if name in results else NOT_MEASURED for name in COMPARED}
    found["growth"] = growth(results)
    found["scan of k"] = scan(results["scan_of_k"]) if "scan_of_k" in results else NOT_MEASURED
    found["machine"] = machines(results)
    for name, (sections, words) in DRAWN.items():
        found[f"picture {name}"] = f"![{words}](images/bench_{name}.png)" if results.keys() & sections else ""
    return found


def written(page: str, found: Mapping[str, str]) -> str:
    """The page with the tables between their markers, `<!-- name -->` and `<!-- end -->`."""
    for name, text in found.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        lines = text.rstrip("\n") + "\n" if text else ""
        page = marked.sub(lambda match, lines=lines: f"{match[1]}{lines}{match[2]}", page)
    return page


def draw_bars(axes: Axes, rows: Iterable[Mapping[str, Any]], title: str) -> None:
    """Medians as bars, from least to most as lines."""
    chosen = list(rows)[::-1]
    places = np.arange(len(chosen))
    medians = np.array([row["median"] for row in chosen])
    colours = [OURS if row["name"].startswith("this pipeline") else OTHERS for row in chosen]
    spread = [medians - [row["min"] for row in chosen], [row["max"] for row in chosen] - medians]
    axes.barh(places, medians, color=colours, xerr=spread, error_kw={"ecolor": "#333333", "elinewidth": 1})
    for place, row in zip(places, chosen, strict=True):
        axes.annotate(
            f"{seconds(row['median'])} s", (row["max"], place), (4, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(places, [row["name"] for row in chosen])
    axes.set_title(title, loc="left", fontsize=11)
    axes.margins(x=0.15)
    axes.set_xlabel("seconds")


def draw_comparisons(results: Results, path: Path) -> None:
    """Passes, and whole jobs."""
    wanted = {
        name: title for name, title in {"pass": "One pass over sales", "whole": "Whole job"}.items() if name in results
    }
    figure, several = plt.subplots(len(wanted), 1, figsize=(8, 2.6 * len(wanted)), squeeze=False, layout="constrained")
    for axes, (name, title) in zip(several[:, 0], wanted.items(), strict=True):
        size = "{lines:,} lines, {stores:,} stores".format(**results[name]["size"])
        draw_bars(axes, [row for row in section_rows(results[name]) if row["ratio"] is not None], f"{title}: {size}")
    save(figure, path)


def draw_growth(results: Results, path: Path) -> None:
    """Seconds against size, on logarithmic axes, with the line of the exponent."""
    wanted = [name for name in GROWTHS if name in results]
    figure, several = plt.subplots(
        len(wanted), len(FACTORS), figsize=(9, 3 * len(wanted)), squeeze=False, sharey="row", layout="constrained"
    )
    for line, name in zip(several, wanted, strict=True):
        for axes, factor in zip(line, FACTORS, strict=True):
            sizes, taken, fixed, bare, _ = fits(results[name], factor)
            axes.loglog(sizes, taken, "o", color=OURS)
            ends = np.array([min(sizes), max(sizes)])
            level = np.exp(np.mean(np.log(taken)) - bare.value * np.mean(np.log(sizes)))
            axes.loglog(ends, level * ends**bare.value, color=OURS, label=f"exponent {exponent(bare)}")
            axes.axhline(fixed, color=OTHERS, linestyle="--", label="fixed")
            axes.set_xticks(sorted(set(sizes)), [short(size) for size in sorted(set(sizes))])
            axes.minorticks_off()
            axes.set_xlabel(factor)
            axes.legend(frameon=False, fontsize=8)
        levels = marks(*line[0].get_ylim())
        line[0].set_yticks(levels, [f"{level:g}" for level in levels])
        line[0].set_ylabel(f"seconds of {GROWTHS[name]}")
    save(figure, path)


def marks(low: float, high: float) -> list[float]:
    """Round numbers from one to another: few, but two where there are as many."""
    found: list[float] = []
    for parts in ((1, 2, 5), (1, 2, 3, 4, 5, 6, 8)):
        every = (part * 10.0**power for power in range(-3, 5) for part in parts)
        found = [mark for mark in every if low <= mark <= high]
        if len(found) > 1:
            break
    return found


def short(number: float) -> str:
    """Such as 2M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def save(figure: Any, path: Path) -> None:
    """As PNG that holds no date and no version, so that the same figures give the same file."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Write tables and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    args = parser.parse_args()
    mpl.use("agg")
    results = json.loads(args.results.read_text(encoding="utf-8"))
    args.page.write_text(written(args.page.read_text(encoding="utf-8"), tables(results)), encoding="utf-8")
    for name, draw in {"compared": draw_comparisons, "growth": draw_growth}.items():
        if results.keys() & DRAWN[name][0]:
            draw(results, args.pictures / f"bench_{name}.png")


if __name__ == "__main__":
    main()
