"""`clustering explain`: one store's way to its segments."""

from typing import Annotated, Any

import typer

from clustering.arguments import Env
from clustering.projects import check_project, find_project
from clustering.shown import say


def explain(
    store: Annotated[str, typer.Argument(help="The store's id, leading zeros included.")],
    env: Env = None,
) -> None:
    """How one store came to its segments, with the raw files that it came from.

    Example: clustering explain 0108
    """
    from clustering import explain as stores

    root = find_project()
    params, place, env = check_project(root, env)
    known = stores.explain(root, params, place, env, store)

    def placed(row: dict[str, Any]) -> str:
        text = f"cluster {row['cluster']} at distance {row['distance']:.3f}"
        other = row["runner_up"]
        text += f"; runner-up {other} at {row['runner_up_distance']:.3f}" if other else "; no other cluster"
        return text + sure(row["membership"], row["is_borderline"])

    def sure(probability: float | None, is_borderline: bool) -> str:
        if probability is None:
            return ""
        return f"; {probability:.0%} sure" + (", on a border" if is_borderline else "")

    say(f"Store {store}" + (f": {known['name']}" if known["name"] else ""))
    for part in known["categories"]:
        say(f"{part['category']} ({part['name']}): sales {part['sales']:,.2f} in {part['lines']:,} lines")
        for state, share, chain in part["shares"]:
            say(f"  {state}: {share:.1%} of its sales; the chain's mean is {chain:.1%}")
        for line in part["apart"]:
            say(f"  {line}")
        say(f"  internal: {placed(part['cluster'])}")
        other = part["other_segment"]
        say(
            f"  segment {part['segment']}, from {part['merged_cluster']} (internal x external): {part['segment_name']}"
            + (f"; otherwise {other}: {part['other_name']}" if other else "; there is no other segment")
            + sure(part["confidence"], part["is_borderline"])
        )
        for line in stores.segment_lines(part):
            say(f"  {line}")
        for sentence in stores.in_words(part["flags"]):
            say(f"  {sentence}")
    say(f"external: {placed(known['external'])}" if known["external"] else "external: not placed")
    for line in known["external_reasons"]:
        say(f"  {line}")
    for source, path, digest in known["files"]:
        say(f"  {source}: {path} sha256 {digest}")
    for source, note in known["fetched"].items():
        say(
            f"  {source}: fetched {note['fetched']} from {note['from']}"
            + (f" by {note['query']}" if "query" in note else "")
        )
