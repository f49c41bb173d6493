"""Connections to servers that have stopped answering: no driver of a database gives up on one by itself.

The system knows when the last byte came or went on a connection (Linux alone tells). A thread looks at that, and ends a connection on
which nothing has moved for too long; the call that waits for it then fails as with any lost connection. It does the same when a
signal is to end this process, which the call would not let it see.
"""

import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKETS = Path("/proc/self/fd")
# Where `struct tcp_info` of linux/tcp.h has the milliseconds since data were sent and came last.
SENT, CAME, KNOWN = 44, 52, 56
# Seconds between two looks, at most.
LOOK = 1.0


class Watch:
    """The connections to these ports that were opened since, whether or not the driver has given them out yet."""

    def __init__(self, ports: Collection[int], seconds: float) -> None:
        self.ports, self.seconds = ports, seconds
        self.is_silent = False
        self.before = open_sockets()

    def look(self, *, is_over: bool = False) -> None:
        """End what has been silent for too long; is_over: everything."""
        for number in open_sockets() - self.before:
            with suppress(OSError), socket.socket(fileno=os.dup(number)) as one:
                is_ours = one.family in {socket.AF_INET, socket.AF_INET6} and one.getpeername()[1] in self.ports
                if is_ours and (is_over or silence(one) > self.seconds):
                    self.is_silent |= not is_over
                    one.shutdown(socket.SHUT_RDWR)


@contextmanager
def watched(ports: Collection[int], seconds: float) -> Iterator[Watch]:
    """While this lasts, new connections to a server's ports are ended once they are silent for so long."""
    watch = Watch(ports, seconds)
    if not ports:
        yield watch
        return
    theirs, ours = socket.socketpair()
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            ready, _, _ = select.select([theirs], [], [], min(LOOK, seconds / 4))
            is_over = bool(ready and {*theirs.recv(64)} & {signal.SIGTERM, signal.SIGHUP})
            watch.look(is_over=is_over)

    thread = threading.Thread(target=work, daemon=True)
    with theirs, ours, told_of_signals(ours):
        thread.start()
        try:
            yield watch
        finally:
            done.set()
            ours.send(b"\0")
            thread.join()


@contextmanager
def told_of_signals(ours: socket.socket) -> Iterator[None]:
    """Have the number of each signal that comes sent at once; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours.setblocking(False)
    before = signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


def open_sockets() -> set[int]:
    """The numbers of this process's open sockets; none where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return set()
    found = set()
    for entry in SOCKETS.iterdir():
        try:
            if entry.readlink().name.startswith("socket:"):
                found.add(int(entry.name))
        except OSError:
            # Closed by now.
            continue
    return found


def silence(one: socket.socket) -> float:
    """Seconds since the last byte came or went on a connection."""
    info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, KNOWN)
    sent, came = (struct.unpack_from("=I", info, at)[0] for at in (SENT, CAME))
    return float(min(sent, came)) / 1000
