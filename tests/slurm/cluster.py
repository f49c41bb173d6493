"""A cluster of Slurm on this machine: a head, and nodes that are machines of their own as far as the system can tell.

Each has its own processes, name, mounts and temporary folder, and all share one loopback network that leads nowhere else. A
node that is killed is gone at once with all that ran on it, as a machine whose power fails. Nothing of the system's own Slurm or
munge is touched: configuration and sockets are those of a folder. Whatever was started ends with the process that started it.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "squeue", "unshare", "nsenter")
# Seconds until something has to have happened.
PATIENCE = 60.0
# All of one name are in one network, and see each other there alone.
SETUP = """
set -eu
hostname {name}
mount --bind {base}/etc /etc/slurm
mount --bind {base}/hosts /etc/hosts
mount -t tmpfs tmpfs {base}/tmp
{network}
echo ready
# Until whoever started this is gone; adopted processes are waited for.
cat
"""
# With no other address than 127.0.0.1 the system's library resolves none at all, that one included.
NETWORK = """
ip link set lo up
ip addr add 127.0.0.2/8 dev lo
"""
CONFIGURATION = """
ClusterName=test
SlurmctldHost=head(127.0.0.1)
SlurmctldPort=6817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={base}/munge.sock
CredType=cred/munge
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool-%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd-%n.pid
SlurmctldLogFile={base}/slurmctld.log
SlurmdLogFile={base}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
MinJobAge=600
SlurmdTimeout=10
KillWait=2
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no cluster here; None where there can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} of slurm-wlm, munge and util-linux are needed: make test-slurm installs them"
    if os.getuid():
        return "namespaces, and a Slurm of one's own, are for root"
    if subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], check=False).returncode:
        return "this machine allows no namespaces"
    return None


def wait_for(what: str, is_so: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until something is so. Raises TimeoutError where it does not come."""
    until = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.1)


class Machine:
    """A name with processes of its own."""

    def __init__(self, name: str, base: Path, network: "Machine | None" = None) -> None:
        self.name = name
        enter = ["nsenter", "--target", str(network.pid), "--net"] if network else ["unshare", "--net"]
        apart = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        script = SETUP.format(name=name, base=base, network="" if network else NETWORK)
        self.started: list[subprocess.Popen[str]] = []
        self.outer = subprocess.Popen(
            [*enter, *apart, "bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.outer.stdout is not None
        assert self.outer.stdout.readline() == "ready\n", f"{name} does not start"
        # `unshare` waits for the first process of the namespace.
        (first,) = psutil.Process(self.outer.pid).children()
        self.pid = first.pid

    def start(
        self,
        *words: str,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Start a program on it; log: takes what it says."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--uts", "--net", "--pid"]
        where = [f"--wd={folder}"] if folder else []
        with ExitStack() as stack:
            output = stack.enter_context(log.open("w")) if log else subprocess.PIPE
            process = subprocess.Popen(
                [*enter, *where, *words], env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
            )
        self.started.append(process)
        return process

    def call(self, *words: str) -> str:
        """Run a program on it, which has to succeed. Returns what it says."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, f"{words}: {said}"
        return said

    def kill(self) -> None:
        """Take its power away."""
        os.kill(self.pid, signal.SIGKILL)
        self.outer.wait(PATIENCE)

    def end(self) -> None:
        """End it, if it still runs."""
        if self.outer.poll() is None:
            self.kill()
        for process in (self.outer, *self.started):
            process.wait(PATIENCE)
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()


class Cluster:
    """A head that has the controller, and nodes by name."""

    def __init__(self, base: Path, head: Machine) -> None:
        self.base = base
        self.head = head
        self.nodes: dict[str, Machine] = {}

    def jobs(self, *states: str) -> dict[str, tuple[str, str]]:
        """Jobs in these states: the stage and the node of each."""
        said = self.head.call("squeue", "--noheader", f"--states={','.join(states)}", "--format=%A|%k|%N")
        rows = [line.split("|") for line in said.splitlines()]
        return {job: (stage, node) for job, stage, node in rows}

    def state_of(self, node: str) -> str:
        """What the controller says of a node."""
        return self.head.call("sinfo", "--noheader", f"--nodes={node}", "--format=%T").strip()


@contextmanager
def cluster(base: Path, nodes: Sequence[str]) -> Iterator[Cluster]:
    """A cluster that is ready for jobs. base: an empty folder, which all its machines share."""
    for name in ("etc", "tmp", "state"):
        (base / name).mkdir()
    ports = [
        f"NodeName={name} NodeAddr=127.0.0.1 Port={6820 + n} CPUs=2 RealMemory=8000" for n, name in enumerate(nodes)
    ]
    (base / "etc" / "slurm.conf").write_text(CONFIGURATION.format(base=base, nodes="\n".join(ports)))
    (base / "hosts").write_text(f"127.0.0.1 localhost head {' '.join(nodes)}\n")
    key = base / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    base.chmod(0o755)
    with ExitStack() as stack:
        head = Machine("head", base)
        stack.callback(head.end)
        words = [f"--{option}={base / name}" for option, name in (("key-file", "munge.key"), ("socket", "munge.sock"))]
        words += [f"--pid-file={base / 'munged.pid'}", f"--seed-file={base / 'munge.seed'}"]
        head.start("munged", "--foreground", "--force", *words, log=base / "munged.log")
        wait_for("munge", (base / "munge.sock").exists)
        head.start("slurmctld", "-D", log=base / "slurmctld.out")
        found = Cluster(base, head)
        for name in nodes:
            found.nodes[name] = Machine(name, base, head)
            stack.callback(found.nodes[name].end)
            found.nodes[name].start("slurmd", "-D", "-N", name, log=base / f"slurmd-{name}.out")
        for name in nodes:
            wait_for(
                f"node {name}",
                lambda name=name: head.call("sinfo", "--noheader", f"--nodes={name}", "--format=%T") == "idle\n",
            )
        yield found
