"""`clustering fetch`: raw files from wherever they live."""

import functools
from typing import Annotated

import typer

from clustering.arguments import Env
from clustering.journal import LOGGER
from clustering.projects import find_project, load_project
from clustering.shown import console, say, tell
from storelib.errors import ConfigError, nearest_name


def fetch(
    source: Annotated[
        str | None, typer.Argument(help="A source under `fetch` of configs/<env>.yml. By default every one.")
    ] = None,
    env: Env = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch anew what is there already.")] = False,
) -> None:
    """Bring sources from databases, object stores and shared folders to data/raw/<env>/.

    Example: clustering fetch sales --env prod --refresh
    """
    from clustering.fetch import fetch_source
    from clustering.runners import only_run
    from storelib.configuration.place import named_sources

    root = find_project()
    _, place, env = load_project(root, env)
    if not place.fetch:
        raise ConfigError(
            f"configs/{env}.yml has no section `fetch`",
            solution=f"put the files into data/raw/{env}/, or say where they are",
        )
    if source is not None and source not in place.fetch:
        hint = nearest_name(source, place.fetch)
        raise typer.BadParameter(f"nothing is said of {source!r} under `fetch`{hint}", param_hint="SOURCE")
    known = dict(named_sources(place.sources))
    with only_run(root), console.status("fetching", spinner="line") as line:
        for name in [source] if source is not None else sorted(place.fetch):
            show = functools.partial(tell, line, name)
            done = fetch_source(root, env, name, known[name], place.fetch[name], refresh=refresh, say=show)
            what = f"{done.fingerprint['rows']:,} rows from {done.fingerprint['from']}"
            kept = f", as of {done.fingerprint['fetched']}; --refresh fetches it anew" if done.state == "kept" else ""
            say(f"{name}: {done.state}: {what}{kept}")
            LOGGER.info("%s: %s: %s", name, done.state, what)
