"""A server on loopback that passes bytes on to a real one, and fails where it is told to; for PostgreSQL and for S3."""

import contextlib
import os
import re
import select
import socket
import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

HOST = "127.0.0.1"
BLOCK = 1 << 16
# What ends a connection at once, without a word.
RESET = struct.pack("ii", 1, 0)
# What PostgreSQL says of a login that no longer counts, and while it starts.
EXPIRED = ("28P01", 'password authentication failed for user "retail"')
STARTING = ("57P03", "the database system is starting up")
DENIED = (
    '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'
)
HEAD = re.compile(rb"(?:GET|PUT|POST|HEAD|DELETE) ")


class Trouble(NamedTuple):
    """How a connection fails, after so many bytes of the server's, or with so many requests before; and for how many connections.

    refused: nobody listens. hung: no byte comes any more. reset, truncated: it ends, without a word or in order.
    unavailable, expired: the server says so. unanswered: what was asked for last is done, and the answer is lost.
    """

    kind: str
    after: int
    times: int


class Proxy:
    """Passes on to a server at a port; `trouble` may be changed at any time, and is used up by connections that fail by it."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.trouble: Trouble | None = None
        self.failed = 0
        # Bytes of the server's and requests of the client's on the connection that had most of either.
        self.most = self.requests = 1
        self.lock = threading.Lock()
        self.listener = socket.create_server((HOST, 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        self.is_open = True
        self.wake, self.woken = os.pipe()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Take connections until the end."""
        while self.is_open:
            with contextlib.suppress(OSError):
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        """The end of it, and of every connection that hangs."""
        self.is_open = False
        os.close(self.woken)
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def is_due(self) -> bool:
        """Whether one more connection fails; it then counts."""
        with self.lock:
            if self.trouble is None or self.failed >= self.trouble.times:
                return False
            self.failed += 1
            return True

    def begin(self, trouble: Trouble | None) -> None:
        """Fail so from now on; None: no more."""
        with self.lock:
            self.trouble, self.failed = trouble, 0

    def serve(self, client: socket.socket) -> None:
        """One connection."""
        trouble = self.trouble
        if trouble and trouble.kind == "refused" and self.is_due():
            reset(client)
            return
        try:
            server = socket.create_connection((HOST, self.upstream))
        except OSError:
            reset(client)
            return
        with client, server, contextlib.suppress(OSError):
            self.pass_on(client, server, trouble)

    def pass_on(self, client: socket.socket, server: socket.socket, trouble: Trouble | None) -> None:
        """Bytes both ways, until either ends or the trouble comes."""
        passed = requests = 0
        is_last = False
        while True:
            ready, _, _ = select.select([client, server, self.wake], [], [])
            if self.wake in ready:
                return
            for one in ready:
                block = one.recv(BLOCK)
                if not block:
                    return
                if one is client:
                    requests += len(HEAD.findall(block))
                if trouble and one is client:
                    is_last |= b"COMMIT" in block or (requests > trouble.after and HEAD.match(block) is not None)
                    if trouble.kind in {"unavailable", "expired"} and self.says(
                        client, block, requests > trouble.after, trouble.kind
                    ):
                        return
                if trouble and one is server:
                    if trouble.kind == "unanswered" and is_last and self.is_due():
                        # All of it has come here, and the client has nothing of it.
                        reset(client)
                        return
                    if (
                        trouble.kind in {"hung", "reset", "truncated"}
                        and passed + len(block) > trouble.after
                        and self.is_due()
                    ):
                        client.sendall(block[: max(trouble.after - passed, 0)])
                        self.fail(client, trouble.kind)
                        return
                passed += len(block) if one is server else 0
                self.most, self.requests = max(self.most, passed), max(self.requests, requests)
                (server if one is client else client).sendall(block)

    def says(self, client: socket.socket, block: bytes, is_due: bool, kind: str) -> bool:
        """Answer in the server's place, where the time for it has come. Whether that was done."""
        if HEAD.match(block):
            if not is_due or not self.is_due():
                return False
            status = "503 Service Unavailable" if kind == "unavailable" else "403 Forbidden"
            body = "" if kind == "unavailable" or block.startswith(b"HEAD") else DENIED
            answer = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
            client.sendall(answer.encode())
            return True
        # The first message of PostgreSQL's protocol that begins with a letter is the password.
        if block[:1] != b"p" or not self.is_due():
            return False
        code, text = EXPIRED if kind == "expired" else STARTING
        message = f"SFATAL\0VFATAL\0C{code}\0M{text}\0\0".encode()
        client.sendall(b"E" + struct.pack(">I", len(message) + 4) + message)
        return True

    def fail(self, client: socket.socket, kind: str) -> None:
        """Hang until the test ends or the client does; or end."""
        if kind == "hung":
            select.select([client, self.wake], [], [])
            while self.is_open and client.recv(BLOCK):
                pass
        elif kind == "reset":
            reset(client)


def reset(client: socket.socket) -> None:
    """End a connection so that its other end is told of an error."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


@contextlib.contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy before a server at a port."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
