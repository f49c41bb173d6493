"""The pipeline on a cluster of Slurm gives the bytes of one machine, also where a job, a node and the command itself are killed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cluster import Cluster, cluster, missing, wait_for

from clustering.runners import environment
from clustering.templates import make_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

COMMAND = str(Path(sys.executable).parent / "clustering")
# Of the profile, with which production waits longer; the test's Slurm has no accounting.
QUICK = {
    "slurm-init-seconds-before-status-checks: 10": "slurm-init-seconds-before-status-checks: 1\nslurm-status-command: squeue",
    "seconds-between-status-checks: 10": "seconds-between-status-checks: 1",
    "latency-wait: 60": "latency-wait: 20",
}
# Seconds that a run may take.
LONG = 3000.0


def project(folder: Path) -> Path:
    make_project(folder, "minimal")
    profile = folder / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    for wanted, quick in QUICK.items():
        assert f"\n{wanted}\n" in text
        text = text.replace(wanted, quick)
    profile.write_text(text, encoding="utf-8")
    return folder


def outputs(root: Path) -> dict[str, bytes]:
    """Every file that stages make, and every seal, by its path."""
    folders = ("data", "reports", ".clustering/made")
    found = [path for folder in folders for path in (root / folder).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(found)}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("slurm")


@pytest.fixture(scope="module")
def slurm(base: Path) -> Iterator[Cluster]:
    (base / "shared").mkdir()
    with cluster(base / "shared", ["n1", "n2"]) as found:
        yield found


def told(base: Path) -> dict[str, str]:
    """The environment of a command on the head: temporary files are each machine's own."""
    return environment() | {"TMPDIR": str(base / "shared" / "tmp"), "CLUSTERING_LOG_DIR": str(base)}


class Run:
    """`clustering run --profile slurm` on the head."""

    def __init__(self, slurm: Cluster, base: Path, root: Path, name: str) -> None:
        self.slurm, self.log = slurm, base / f"{name}.log"
        words = [COMMAND, "run", "full_pipeline_job", "--profile", "slurm"]
        self.process = slurm.head.start(*words, folder=root, environment=told(base), log=self.log)

    def wait_for_job(self, stage: str) -> str:
        """Wait until a stage is at work on a node. Returns the job."""
        found: list[str] = []

        def is_at_work() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            found.extend(job for job, (what, _) in self.slurm.jobs("RUNNING").items() if f"rule_{stage}" in what)
            return bool(found)

        wait_for(f"{stage} in Slurm", is_at_work, LONG)
        return found[0]

    def end(self) -> str:
        """Wait for the end, which has to be a good one. Returns what the command said."""
        code = self.process.wait(LONG)
        said = self.log.read_text()
        assert code == 0, said
        return said


def test_same_bytes_whatever_is_killed(slurm: Cluster, base: Path) -> None:
    alone = project(base / "alone")
    subprocess.run(
        [COMMAND, "run", "full_pipeline_job", "--quiet"], cwd=alone, env=told(base) | {"TMPDIR": str(base)}, check=True
    )
    root = project(base / "shared" / "project")

    # The command: what it has sent to the nodes is another machine's, and outlives it.
    killed = Run(slurm, base, root, "killed")
    killed.wait_for_job("ingest_stores")
    (command,) = psutil.Process(killed.process.pid).children()
    # The runner with it: one that is ended in peace cancels its jobs itself.
    runners = [process for process in command.children(recursive=True) if "snakemake" in process.cmdline()]
    assert runners
    for process in (command, *runners):
        process.send_signal(signal.SIGKILL)
    killed.process.wait(60)
    # What is at work there would otherwise end by itself before a slow machine has started the next command.
    for job in slurm.jobs("RUNNING"):
        slurm.head.call("scontrol", "suspend", job)
    left = slurm.jobs("SUSPENDED", "PENDING")
    assert left

    run = Run(slurm, base, root, "run")
    # A job; then a machine, on which one is at work.
    first = run.wait_for_job("build_features")
    slurm.head.call("scancel", first)
    second = run.wait_for_job("cluster_stores")
    node = slurm.jobs("RUNNING")[second][1]
    slurm.nodes[node].kill()
    said = run.end()

    assert "jobs in Slurm: they are cancelled" in said
    assert not left.keys() & slurm.jobs("RUNNING", "SUSPENDED", "PENDING").keys(), said
    assert "down" in slurm.state_of(node)
    events = (next((root / ".clustering" / "runs").glob("*/runner.log"))).parent
    words = "".join(path.read_text() for path in events.parent.glob("*/runner.log"))
    assert f"'{first}' failed, SLURM status is: 'CANCELLED'" in words
    assert f"'{second}' failed" in words
    assert outputs(root) == outputs(alone)
    again = Run(slurm, base, root, "again").end()
    assert "Nothing to do" in again
