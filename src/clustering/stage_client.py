"""What runners find as `python` while `clustering run` is at work: hands a stage to the process that has the libraries loaded.

Run by its path and without site-packages, so that it starts in a few milliseconds; it imports nothing of this package.
usage: stage_client.py FOLDER INTERPRETER ARGUMENT...
FOLDER has the socket `stages`. INTERPRETER runs whatever is no script of the project, and every script where nobody
listens, such as on another machine.
"""

# ruff: noqa: PTH109 (pathlib takes longer to import than the rest of this)
import json
import os
import signal
import socket
import sys


def main(folder: str, interpreter: str, *arguments: str) -> None:
    """Have the script run and exit as it did."""
    # ^C reaches the stage too, which says so. Who started this may have it ignored: then the stage ignores it as well.
    ignores = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not ignores:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    own = arguments[:1] and arguments[0].startswith("scripts/")
    connection = connect(folder) if own else None
    if connection is None:
        os.execv(interpreter, [interpreter, *arguments])  # noqa: S606 (no shell is wanted)
    told = {"words": arguments, "folder": os.getcwd(), "environment": dict(os.environ), "ignores_interrupt": ignores}
    wish = json.dumps(told).encode()
    with connection:
        # With the three files that it reads from and writes to.
        socket.send_fds(connection, [len(wish).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(wish)
        answer = connection.recv(16)
    sys.exit(int(answer) if answer else f"{arguments[0]}: the process that ran it was ended before it was done")


def connect(folder: str) -> "socket.socket | None":
    """The socket `stages` of a folder, or None where nobody listens; by its name alone, since a path may be too long."""
    here = os.getcwd()
    connection = socket.socket(socket.AF_UNIX)
    try:
        os.chdir(folder)
        connection.connect("stages")
    except OSError:
        connection.close()
        return None
    finally:
        os.chdir(here)
    return connection


if __name__ == "__main__":
    main(*sys.argv[1:])
