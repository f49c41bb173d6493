"""A server that has stopped answering, or a signal, ends the wait for it; one that answers is left alone."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustering.databases import connected, patient, ports_of
from clustering.lifeline import ended_in_order
from clustering.retry import TransientError
from clustering.watching import watched
from storelib.configuration.place import Fetch

BOUND = 20.0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.settimeout(BOUND)
        yield found


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_silent_connection_is_ended_and_others_are_not(listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, watched({port_of(listener)}, 0.4) as watch:
        with (
            socket.create_connection(listener.getsockname()) as silent,
            socket.create_connection(elsewhere.getsockname()) as other,
        ):
            silent.settimeout(BOUND)
            assert silent.recv(1) == b"", "it is ended, as by its server"
            other.settimeout(0.1)
            with pytest.raises(TimeoutError):
                other.recv(1)
        assert watch.is_silent


def test_connection_on_which_bytes_come_is_left_alone(listener: socket.socket) -> None:
    with watched({port_of(listener)}, 0.6) as watch, socket.create_connection(listener.getsockname()) as ours:
        theirs, _ = listener.accept()
        with theirs:
            for _ in range(12):
                theirs.send(b"x")
                assert ours.recv(1) == b"x"
                time.sleep(0.1)
        assert not watch.is_silent


@pytest.fixture
def hung(listener: socket.socket) -> Iterator[str]:
    """The address of a server that lets anybody in, and says nothing after that: no driver gives up on it."""
    clients = []

    def serve() -> None:
        client, _ = listener.accept()
        clients.append(client)
        assert client.recv(8)[4:] == b"\x04\xd2\x16/", "it asks for TLS first"
        client.sendall(b"N")
        client.recv(1000)
        client.sendall(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"postgresql://retail@127.0.0.1:{port_of(listener)}/shop"
    thread.join(BOUND)
    clients[0].close()


def connect(uri: str, seconds: int, root: Path) -> None:
    wanted = Fetch(database="postgresql", uri=uri, query="SELECT 1", answer_timeout=seconds)
    with connected(wanted, root):
        pytest.fail("it let us in")


def test_server_that_hangs_after_the_login_is_told(hung: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(TransientError, match="the server has not sent or taken a byte in 1 seconds") as caught:
        connect(hung, 1, tmp_path)
    assert time.monotonic() - began < BOUND
    assert "`answer_timeout`" in caught.value.solution


def test_signal_ends_the_wait_for_a_server(hung: str, tmp_path: Path) -> None:
    """The driver's own wait goes on after a signal."""
    timer = threading.Timer(1, os.kill, [os.getpid(), signal.SIGTERM])
    timer.start()
    began = time.monotonic()
    with ended_in_order(), pytest.raises((KeyboardInterrupt, TransientError)):
        connect(hung, 600, tmp_path)
    assert time.monotonic() - began < BOUND
    timer.join()


@pytest.mark.parametrize(
    ("uri", "ports", "first"),
    [
        ("postgresql://a:b@db.example.org:6543/x", {6543, 5432}, "postgresql://a:b@db.example.org:6543/x?connect_timeout=7&"),
        ("postgresql://db/x?sslmode=require", {5432}, "postgresql://db/x?sslmode=require&connect_timeout=7&"),
        ("postgresql://a:1,b:2/x?connect_timeout=3", {1, 2, 5432}, "postgresql://a:1,b:2/x?connect_timeout=3&keepalives_idle="),
        ("host=db port=99 dbname=x", {99, 5432}, "host=db port=99 dbname=x connect_timeout=7 keep"),
    ],
)  # fmt: skip
def test_address_says_how_long_to_wait(uri: str, ports: set[int], first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPORT", raising=False)
    assert patient(uri, 7).startswith(first)
    assert ports_of(Fetch(database="postgresql", uri=uri, query="SELECT 1")) == ports
