"""What a sweep reads from DVC, and says."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clustering import sweep
from clustering.compare import Results
from clustering.dvc_state import Queue
from clustering.sweep import Experiment, check_keys, keys_of, run_sweep, table_of
from storelib.errors import ConfigError, PipelineError


def test_settings_are_pairs() -> None:
    assert keys_of(["merging.min_cluster_size=9,20", "+a.b=1"]) == ["merging.min_cluster_size", "a.b"]
    with pytest.raises(ValueError, match="key=value"):
        keys_of(["merging"])


def test_experiments_as_a_table() -> None:
    metrics = {
        "internal": {"beauty": {"k": 3}},
        "external": {"k": 5},
        "merging": {"beauty": {"segments": 7}},
        "recovery": {"beauty": {"segment_ari": 0.82249}},
    }
    found = Experiment("a-b", {"rule": "bic"}, Results("a-b", metrics, pd.DataFrame()))
    failed = Experiment(
        "a-c", {"internal.cluster_stores.rule": "gap", "merging.rule": "bic"}, error="merge_segments/beauty: no"
    )
    found = Experiment("a-b", failed.values, found.results)
    assert table_of([found, failed]) == (
        [
            "experiment",
            "internal.cluster_stores.rule",
            "merging.rule",
            "result",
            "k beauty",
            "k external",
            "segments beauty",
            "ARI beauty",
        ],
        [["a-b", "gap", "bic", "done", "3", "5", "7", "0.822"], ["a-c", "gap", "bic", "failed", "", "", "", ""]],
    )


def test_keys_are_those_of_params(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("merging: {min_cluster_size: 8}\n")
    settings = ["merging.min_cluster_size=9", "+merging.new=1", "configs/dev.yml:compute.threads=1"]
    check_keys(tmp_path, keys_of(settings), settings)
    with pytest.raises(ConfigError, match=r"no key 'merging.min_cluster_sise' \(nearest: 'merging.min_cluster_size'\)"):
        check_keys(tmp_path, ["merging.min_cluster_sise"], ["merging.min_cluster_sise=9"])


class Dvc:
    """What DVC answers: two queued experiments, and the queue's state each time it is asked for."""

    def __init__(self, *answers: Any, queued: int = 0, words: str = "") -> None:
        self.answers: Iterator[Any] = iter([Queue([EARLIER], 0), *answers])
        self.queued = queued
        self.words = words

    def __call__(self, root: Path, program: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        if arguments[:2] == ["exp", "run"]:
            return subprocess.CompletedProcess([], self.queued, "", self.words)
        if arguments == ["queue", "logs", "bad-one"]:
            return subprocess.CompletedProcess([], 0, "x: Error: no\nmerge_segments/beauty: Error: none left\n", "")
        assert arguments[:2] == ["queue", "start"]
        return subprocess.CompletedProcess([], 0, "", "")

    def queue(self, root: Path) -> Queue:
        answer = next(self.answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer


EARLIER = ("old-one", "Failed", "0000000")


def queue_of(good: str, bad: str, workers: int = 1) -> Queue:
    return Queue([EARLIER, ("good-one", good, "1111111"), ("bad-one", bad, "2222222")], workers)


@pytest.fixture
def sweeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sweep with a DVC that answers as it is told to; what was said, and what came of it."""

    def run(dvc: Dvc) -> tuple[list[str], list[Experiment]]:
        (tmp_path / "params.yaml").write_text("merging: {min_cluster_size: 8}\n")
        monkeypatch.setattr(sweep, "ask", dvc)
        monkeypatch.setattr(sweep, "queue", dvc.queue)
        monkeypatch.setattr(sweep.time, "sleep", lambda _seconds: None)
        monkeypatch.setattr(sweep, "git_state", lambda _root: {"revision": "abc"})
        monkeypatch.setattr(
            sweep, "values_at", lambda _root, task, keys: dict.fromkeys(keys, {"1": 9, "2": 900}[task[0]])
        )
        found = Results("good-one", {"internal": {}, "merging": {"beauty": {"segments": 7}}}, pd.DataFrame())
        monkeypatch.setattr(sweep, "load_results", lambda _root, _name: found)
        said: list[str] = []
        settings = ["merging.min_cluster_size=9,900"]
        return said, run_sweep(tmp_path, settings, keys_of(settings), 1, said.append)

    return run


def test_experiment_that_fails_says_with_what_values_and_why(sweeping: Any) -> None:
    queued = queue_of("Queued", "Queued", 0)
    said, found = sweeping(
        Dvc(queued, queued, queue_of("Running", "Failed"), Queue([EARLIER], 0), queue_of("Success", "Failed")),
    )
    assert said == ["2 experiments: good-one, bad-one", "1 of 2: bad-one: failed", "2 of 2: good-one: success"]
    assert table_of(found) == (
        ["experiment", "min_cluster_size", "result", "segments beauty"],
        [["good-one", "9", "done", "7"], ["bad-one", "900", "failed", ""]],
    )
    assert found[1].error == "x: no"


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("> python x\nError: argument --share: no\nSolution: see\n", "argument --share: no"),
        ("2026 ERROR build_features/beauty: Error: none left\n", "build_features/beauty: none left"),
        ("ERROR: failed to reproduce 'x'\n", "failed to reproduce 'x'"),
    ],
)
def test_error_of_an_experiment_is_found_in_its_log(
    log: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "ask", lambda *_words: subprocess.CompletedProcess([], 0, log, ""))
    assert sweep.outcome(tmp_path, "bad-one", "Failed", {}).error == why


def test_sweep_ends_where_nobody_works_on_it(sweeping: Any) -> None:
    queued = [queue_of("Queued", "Queued", 0)] * 20
    with pytest.raises(PipelineError, match="no worker is at work, and 2 of 2 experiments have not ended"):
        sweeping(Dvc(*queued))


def test_sweep_that_is_interrupted_says_that_its_experiments_go_on(sweeping: Any) -> None:
    with pytest.raises(PipelineError, match="the experiments go on in the background") as caught:
        sweeping(Dvc(queue_of("Queued", "Queued"), KeyboardInterrupt()))
    assert "dvc queue stop --kill" in caught.value.solution


def test_sweep_that_cannot_be_queued_says_dvcs_own_error(sweeping: Any) -> None:
    words = "ERROR: unexpected error - no viable alternative\n\nHaving any troubles? Hit us up, we are always happy to help!\n"
    with pytest.raises(ConfigError, match="cannot be queued: unexpected error - no viable alternative\n"):
        sweeping(Dvc(queued=255, words=words))


def test_sweep_needs_a_commit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no commit, which experiments start from"):
        run_sweep(tmp_path, ["merging.min_cluster_size=9"], ["merging.min_cluster_size"], 1, print)
