"""Profiles of Snakemake, jobs that are left in Slurm, and what Kubernetes is handed."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from clustering import schedulers
from clustering.cli import main
from clustering.schedulers import LOCAL, executor_of, jobs_ended, own_profile, profile_folder, take_back
from storelib.configuration.place import Compute
from storelib.configuration.workflow import database_mb, memory_mb, minutes
from storelib.errors import ConfigError, PipelineError

ROOT = Path(__file__).resolve().parents[2]
RUN = "0f2f25d6-8f0a-4a6a-9d3c-1f5a5b1c0a11"


def put(folder: Path, name: str, text: str) -> None:
    """A program."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs are found first; and looks come one after the other."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(schedulers, "LOOK", 0.01)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One that has sent jobs to Slurm."""
    root = tmp_path / "project"
    (root / schedulers.SENT).mkdir(parents=True)
    return root


def slurm(programs: Path, jobs: list[tuple[str, str, Path]], after: str = "") -> Path:
    """A Slurm with these jobs (number, name, folder) until they are cancelled; after: what it still has then. Returns who was."""
    cancelled = programs / "cancelled"
    text = "\n".join(f"{job}|{name}|{folder}" for job, name, folder in jobs)
    put(programs, "squeue", f"if [ -e '{cancelled}' ]; then printf '{after}'; else printf '%s\\n' '{text}'; fi")
    put(programs, "scancel", f"echo \"$@\" >'{cancelled}'")
    return cancelled


def test_jobs_that_a_run_of_this_project_left_are_cancelled_and_no_others(programs: Path, project: Path) -> None:
    cancelled = slurm(
        programs,
        [
            ("11", RUN, project),
            ("12", f"night_{RUN}", project),
            ("13", RUN, project.parent / "other"),
            # A job of the user's own, such as the one that runs the command.
            ("14", "weekly.sh", project),
        ],
    )
    assert take_back(project) == 2
    assert cancelled.read_text() == "11 12\n"


def test_job_that_the_command_runs_in_is_left(programs: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = slurm(programs, [("11", RUN, project)])
    monkeypatch.setenv("SLURM_JOB_ID", "11")
    assert take_back(project) == 0
    assert not cancelled.exists()


def test_run_waits_until_cancelled_jobs_are_gone(
    programs: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedulers, "GONE", 0.3)
    slurm(programs, [("11", RUN, project)], after=f"11|{RUN}|{project}\\n")
    with pytest.raises(PipelineError, match=r"Slurm has not ended 1 jobs of this project, such as 11"):
        take_back(project)


def test_slurm_that_does_not_answer_is_told(programs: Path, project: Path) -> None:
    put(programs, "squeue", "echo 'squeue: error: no controller' >&2; exit 1")
    with pytest.raises(PipelineError, match="squeue: squeue: error: no controller; an earlier run of this project"):
        take_back(project)


def test_project_without_jobs_and_machine_without_slurm_ask_nobody(
    programs: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs))
    assert take_back(project) == 0, "there is no squeue"
    put(programs, "squeue", "exit 1")
    assert take_back(tmp_path) == 0, "nothing was ever sent"


@pytest.mark.parametrize(("executor", "expected"), [("slurm", "11\n"), (LOCAL, None)])
def test_run_that_fails_leaves_no_job(programs: Path, project: Path, executor: str, expected: str | None) -> None:
    cancelled = slurm(programs, [("11", RUN, project)])
    with pytest.raises(KeyboardInterrupt), jobs_ended(project, executor):
        raise KeyboardInterrupt
    assert (cancelled.read_text() if cancelled.exists() else None) == expected


def test_profile_is_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert profile_folder(ROOT, "slurm") == ROOT / "profiles" / "slurm"
    (tmp_path / "config.yaml").write_text("jobs: 3\n")
    assert profile_folder(ROOT, str(tmp_path)) == tmp_path
    with pytest.raises(ConfigError, match=r"there is no profile 'slrum' \(nearest: 'slurm'\)"):
        profile_folder(ROOT, "slrum")
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "profiles/slurm")
    assert own_profile(ROOT) == ROOT / "profiles" / "slurm"


def test_executor_of_each_profile() -> None:
    found = {path.parent.name: executor_of(path.parent) for path in (ROOT / "profiles").glob("*/config.yaml")}
    assert found == {"default": LOCAL, "memory-optimized": LOCAL, "slurm": "slurm", "kubernetes": "cluster-generic"}
    assert executor_of(None) == LOCAL


@pytest.mark.parametrize(("text", "problem"), [("a: [", "cannot be read"), ("- slurm", "options are expected")])
def test_damaged_profile_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        executor_of(tmp_path)


def test_stages_that_are_tried_again_ask_for_more(tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_bytes(bytes(20_000_000))
    # 800 MB, and 20 for each of 20 MB; half an hour, and a minute for each 10 MB.
    assert [memory_mb(None, [table], attempt) for attempt in (1, 2, 3)] == [1200, 2400, 3600]
    assert [minutes(None, [table], attempt) for attempt in (1, 2)] == [32, 64]
    asked = database_mb(Compute(memory_limit="2GB"))
    assert [asked(None, attempt) for attempt in (1, 3)] == [2800, 8400]


@pytest.fixture
def pod() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pod", ROOT / "profiles" / "kubernetes" / "pod.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kubernetes_is_handed_a_job(
    pod: ModuleType, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLUSTERING_AT_WORK", "run 1")
    put(
        programs,
        "kubectl",
        f'[ "$1 $2 $3 $4 $5" = "create --filename - --output name" ] && cat >{programs}/given && echo job.batch/one',
    )
    words = [
        "--image",
        "shop:1",
        "--claim",
        "disk",
        "--mount",
        "/projects",
        "--cpus",
        "2",
        "--memory-mb",
        "912",
        "--minutes",
        "31",
    ]
    pod.main(["submit", *words, "script.sh"])
    assert capsys.readouterr().out == "job.batch/one\n"
    job = json.loads((programs / "given").read_text())
    spec = job["spec"]["template"]["spec"]
    (stage,) = spec["containers"]
    assert job["spec"]["backoffLimit"] == 0, "Snakemake tries again, and asks for more"
    assert job["spec"]["activeDeadlineSeconds"] == 31 * 60
    assert stage["resources"] == {name: {"cpu": "2", "memory": "912M"} for name in ("requests", "limits")}
    assert stage["command"] == ["/bin/sh", str(tmp_path / "script.sh")]
    assert stage["workingDir"] == str(tmp_path)
    assert {"name": "CLUSTERING_AT_WORK", "value": "run 1"} in stage["env"]
    assert stage["volumeMounts"] == [{"name": "projects", "mountPath": "/projects"}]
    assert spec["volumes"] == [{"name": "projects", "persistentVolumeClaim": {"claimName": "disk"}}]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ('{"status": {}}', "running"),
        ('{"status": {"conditions": [{"type": "Suspended", "status": "True"}]}}', "running"),
        ('{"status": {"conditions": [{"type": "Complete", "status": "True"}]}}', "success"),
        ('{"status": {"conditions": [{"type": "Failed", "status": "True"}]}}', "failed"),
        ("", "failed"),
    ],
)
def test_kubernetes_job_is_told_of_in_words_of_snakemake(
    pod: ModuleType, programs: Path, said: str, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(programs, "kubectl", f"printf '%s' '{said}'")
    pod.main(["status", "job.batch/one"])
    assert capsys.readouterr().out == f"{state}\n"


def test_kubectl_that_fails_is_no_answer(pod: ModuleType, programs: Path) -> None:
    put(programs, "kubectl", "exit 3")
    with pytest.raises(SystemExit) as stopped:
        pod.main(["status", "job.batch/one"])
    assert stopped.value.code == 3


def test_profile_is_refused_for_dvc_and_for_publishing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in (["full_pipeline_job", "--engine", "dvc"], ["publish_job"]):
        monkeypatch.setattr("sys.argv", ["clustering", "run", *more, "--profile", "slurm"])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert (stopped.value.code, "profiles are for Snakemake" in capsys.readouterr().err) == (2, True)
