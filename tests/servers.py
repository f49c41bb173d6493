"""Real servers for tests, on loopback and in folders of their own; each is stopped by the test that started it."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from pyarrow import fs

HOST = "127.0.0.1"
# Looked for in everything that is written and printed.
PASSWORD = "canary-Pa55word"  # noqa: S105
ACCESS_KEY = "canary-access"
SECRET_KEY = "canary-secret-key"  # noqa: S105
PATIENCE_S = 60


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, each with one 10,000 above it that is free too (SeaweedFS takes both)."""
    found: list[int] = []
    for port in range(21_000 + os.getpid() % 7_000, 32_000, 11):
        if len(found) == count:
            return found
        try:
            for number in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind((HOST, number))
        except OSError:
            continue
        found.append(port)
    raise RuntimeError("no free ports")


def absent(what: str) -> None:
    """Skip a test where a server is not installed; not in CI, which installs all."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed, and CI installs it")
    pytest.skip(f"{what} is not installed")


def programs_of_postgres() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian keeps off PATH."""
    on_path = shutil.which("pg_ctl")
    folders = [Path(on_path).parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


@contextmanager
def postgres() -> Iterator[str]:
    """An empty PostgreSQL with a password; gives its address."""
    programs = programs_of_postgres()
    if programs is None:
        absent("PostgreSQL")
        return
    # PostgreSQL refuses to run as root.
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="clustering-postgres-"))
    (folder / "password").write_text(PASSWORD)
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
        os.chown(folder / "password", user.pw_uid, user.pw_gid)

    def call(program: str, *words: str) -> None:
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            subprocess.run(
                [programs / program, *words], check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                user=user.pw_uid if user else None, group=user.pw_gid if user else None, extra_groups=[] if user else None,
            )  # fmt: skip

    (port,) = free_ports(1)
    data = str(folder / "data")
    call(
        "initdb",
        "-D",
        data,
        "-U",
        "retail",
        "-A",
        "scram-sha-256",
        f"--pwfile={folder / 'password'}",
        "-E",
        "UTF8",
        "--no-sync",
    )
    call("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "start", "-o",
         f"-c listen_addresses={HOST} -c port={port} -c unix_socket_directories={folder} -c fsync=off")  # fmt: skip
    try:
        yield f"postgresql://retail:{PASSWORD}@{HOST}:{port}/postgres"
    finally:
        call("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


class ObjectStore(NamedTuple):
    """An S3 server: the variables that programs need to reach it, and a file system that is signed in."""

    variables: dict[str, str]
    system: fs.S3FileSystem

    def address(self, path: str) -> str:
        """An address as configurations have it; the endpoint comes from the environment."""
        return f"s3://{path}"


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """An empty S3 server (SeaweedFS) that wants to be signed in to, with the bucket `retail`."""
    weed = Path(sys.executable).parent / "weed"
    if not weed.exists():
        absent("SeaweedFS")
        return
    folder = Path(tempfile.mkdtemp(prefix="clustering-s3-"))
    identity = {
        "name": "test", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}], "actions": ["Admin", "Read", "Write"],
    }  # fmt: skip
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    names = ("master", "volume", "filer", "s3")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [weed, "server", f"-ip={HOST}", f"-ip.bind={HOST}", f"-dir={folder / 'data'}", "-s3", f"-s3.config={folder / 's3.json'}",
             "-master.volumeSizeLimitMB=64", "-volume.max=20",
             # Else it reports to its makers, and opens ports that another one has.
             "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
             *(f"-{name}.port={port}" for name, port in ports.items())],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        endpoint = f"http://{HOST}:{ports['s3']}"
        system = fs.S3FileSystem(
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            endpoint_override=endpoint,
            region="us-east-1",
            allow_bucket_creation=True,
        )
        began = time.monotonic()
        while True:
            try:
                system.create_dir("retail")
                break
            except OSError:
                if time.monotonic() - began > PATIENCE_S or server.poll() is not None:
                    pytest.fail(f"the S3 server does not come up: {(folder / 'log').read_text()[-2000:]}")
                time.sleep(0.2)
        variables = {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip
        yield ObjectStore(variables, system)
    finally:
        # It takes 25 s to end when it is asked to, and nothing in it is needed any more.
        server.kill()
        server.wait(PATIENCE_S)
        shutil.rmtree(folder, ignore_errors=True)
