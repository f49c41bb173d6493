"""`clustering ui`: the web interface."""

import sys
from typing import Annotated

import typer

from clustering.arguments import Env
from clustering.projects import find_project, load_project


def ui(
    host: Annotated[
        str, typer.Option(help="Address to listen at; another than this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 3000,
    env: Env = None,
    allow_run: Annotated[
        bool, typer.Option("--allow-run", help="Let pages start and stop runs, and change files; else they only show.")
    ] = False,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token on this machine too: others may be logged in to it.")
    ] = False,
) -> None:
    """Serve the web interface: segments on a map, choices, comparisons, runs and data.

    Nothing is loaded from another host, and no usage is told to anyone. Example: clustering ui --allow-run
    """
    import secrets

    from clustering.ui.guard import Access, needs_token
    from clustering.ui.serving import serve

    root = find_project()
    _, _, env = load_project(root, env)
    is_open = needs_token(host)
    if is_open:
        sys.stderr.write(
            f"Warning: at {host} others can reach this interface, and what is sent is not encrypted; "
            "the address below holds a token: give it to those alone who may use it\n"
        )
    access = Access(host=host, allow_run=allow_run, token=secrets.token_urlsafe(32) if is_open or token else None)
    serve(root, env, access, port)
