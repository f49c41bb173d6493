"""Serve the interface at an address, until it is interrupted."""

import socket
import sys
from contextlib import suppress
from pathlib import Path

import uvicorn

from clustering.shown import say
from clustering.ui.app import make_app
from clustering.ui.guard import EVERYWHERE, Access
from storelib.errors import PipelineError


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address. Raises PipelineError where it cannot be had."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(found[0], found[1])
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(found[4])
    except OSError as error:
        raise PipelineError(
            f"{host}:{port} cannot be listened at: {error.strerror or error}",
            solution="choose another port with --port, or end what listens there",
        ) from None
    return taken


def serve(root: Path, env: str, access: Access, port: int) -> None:
    """Say where the interface is, and serve it."""
    with listen(access.host, port) as taken:
        port = taken.getsockname()[1]
        shown = "localhost" if access.host in EVERYWHERE else access.host
        shown = f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
        key = f"/?token={access.token}" if access.token else "/"
        say(f"The interface of {root.name} for {env}: http://{shown}:{port}{key}")
        say(
            "It can start and stop runs and change files: --allow-run."
            if access.allow_run
            else "It only shows; --allow-run lets it start runs and change files."
        )
        say("End it with Ctrl-C.")
        sys.stdout.flush()
        config = uvicorn.Config(
            make_app(root, env, access),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            # What Snakemake or DVC is asked at the moment is not waited for.
            timeout_graceful_shutdown=1,
        )
        # Ctrl-C is how it ends.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[taken])
