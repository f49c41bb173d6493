"""What the runners tell, as the pinned versions tell it: events, lines, reasons, and what is made of them."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

from clustering import dvc_state
from clustering.dvc_output import read_line
from clustering.events import EventFile, is_work, mistake, stage_of
from clustering.progress import Follower
from clustering.reasons import changed_flags, dvc_reasons, files_in, followed, short
from clustering.runners import environment
from snakemake_logger_plugin_clustering import LogHandler, LogHandlerSettings
from storelib.errors import DataError

ROOT = Path(__file__).parents[2]
TOLD = ROOT / "tests/data/runners"


def told(runner: str) -> Any:
    """What tests/data/runners/record.py recorded of a runner."""
    (path,) = TOLD.glob(f"{runner}-*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def plan_of(name: str) -> dict[str, str]:
    return {
        stage_of(event): short(event["reason"], [*event["input"], *event["output"]])
        for event in told("snakemake")[name]
        if is_work(event)
    }


@pytest.mark.parametrize("runner", ["snakemake", "dvc"])
def test_record_is_of_the_locked_version(runner: str) -> None:
    locked = re.search(rf"(?m)^{runner}==(\S+)", (ROOT / "envs/pipeline.txt").read_text())
    assert locked
    assert [path.name for path in TOLD.glob(f"{runner}-*.json")] == [f"{runner}-{locked[1]}.json"], (
        "python tests/data/runners/record.py, and see that these tests still hold"
    )


ODD = "halves/Health & Beauty=1, x=2/odd"


def test_plans_name_each_job_by_all_of_its_wildcards_and_say_why() -> None:
    assert plan_of("new_plan") == {
        ODD: "not made yet: e/Health & Beauty=1, x=2/odd",
        "first/a": "not made yet: b/a",
        "second/a": "not made yet: c/a",
    }
    assert plan_of("nothing_plan") == {}
    assert plan_of("params_plan") == {
        "first/a": "parameters changed: names a b -> a, size 8 -> 12",
        "second/a": "follows a stage that runs",
    }
    assert set(plan_of("forced_plan").values()) == {"forced"}
    assert plan_of("input_plan") == {ODD: "input is newer: raw"}
    assert plan_of("code_plan") == {"second/a": "command changed"}


def test_progress_follows_snakemake() -> None:
    follower = Follower()
    changes = [change for event in told("snakemake")["run"] if (change := follower.snakemake(event))]
    work = [ODD, "first/a", "second/a", "full_pipeline"]
    assert changes == [(state, stage) for stage in work for state in ("started", "finished")]
    assert (follower.done, follower.total, follower.running) == (4, 4, [])


def test_stage_that_fails_is_told_and_no_longer_at_work() -> None:
    follower = Follower()
    changes = [change for event in told("snakemake")["failed"] if (change := follower.snakemake(event))]
    assert changes == [("started", "fails"), ("failed", "fails")]
    assert (follower.done, follower.total, follower.running) == (0, 1, [])
    follower = Follower(4)
    changes = [change for line in told("dvc")["failed"].splitlines() if (change := follower.dvc(line))]
    assert changes == [
        ("started", "first"), ("started", "second/health_otc"), ("started", "second/beauty"), ("started", "fails"),
        ("failed", "fails"),
    ]  # fmt: skip
    assert (follower.done, follower.running) == (4, [])


@pytest.mark.parametrize(
    ("told_as", "state"), [("changed", "started"), ("cached", "skipped"), ("unchanged", "skipped")]
)
def test_progress_follows_dvc(told_as: str, state: str) -> None:
    changes = [change for line in told("dvc")[told_as].splitlines(keepends=True) if (change := read_line(line))]
    assert changes == [(state, stage) for stage in ("first", "second/health_otc", "second/beauty")]


def test_words_that_a_stage_prints_are_no_event() -> None:
    for line in (
        "> echo Running stage 'x':",
        "Running stage 'x': it says",
        "ingest_sales: Stage 'y' didn't change, skipping",
    ):
        assert read_line(line) is None


def test_error_of_ours_is_said_in_our_words(tmp_path: Path) -> None:
    silent: subprocess.CompletedProcess[str] = subprocess.CompletedProcess([], 1, "", "cannot start\n")
    assert mistake([], silent) == "cannot start"
    ours = {"event": "error", "message": 'WorkflowError in file "Snakefile":\nError: no x\nSolution: add it\n  File y'}
    assert mistake([ours], silent) == "no x"
    (theirs,) = told("snakemake")["broken_plan"]
    assert mistake([theirs], silent).startswith("SyntaxError in file ")


def test_line_that_is_not_whole_waits(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    file = EventFile(path)
    assert list(file.new()) == []
    path.write_text('{"event": "a"}\n{"event": ')
    assert list(file.new()) == [{"event": "a"}]
    with path.open("a") as handle:
        handle.write('"é"}\n{')
    assert list(file.new()) == [{"event": "é"}]
    assert list(file.new()) == []


PARAMS = "Params have changed since last execution: Union of exclusive params before and now across all output: "


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        # as Snakemake shows them: by `repr`, of whole parameters, with those that are no flags
        ("'--a.name \\'it is\\' --b.name B'", "'--a.name \\'it is\\''", ": b.name B -> unset"),
        ("'--min_need_states 0', 'x'", "'y', '--min_need_states 3'", ": min_need_states 0 -> 3"),
        ("'--a 1 --b 2 --c 3 --d 4'", "", ": a 1 -> unset, b 2 -> unset, c 3 -> unset, 1 more"),
        ("'beauty'", "'snacks'", ""),
    ],
)
def test_parameters_that_changed_are_named(before: str, now: str, told: str) -> None:
    assert short(f"{PARAMS}before: {before} now: {now} ") == f"parameters changed{told}"


def test_commands_that_changed_are_told_by_their_flags() -> None:
    before, now = "python s.py --size 8 --names a b --log l", "python s.py --size 12 --names a 'b c' --log l"
    assert changed_flags(before, now) == "parameters changed: names a b -> a b c, size 8 -> 12"
    assert changed_flags("python a.py", "python b.py") == "parameters changed"
    assert dvc_reasons(["changed command"], before, now) == ["parameters changed: names a b -> a b c, size 8 -> 12"]
    # Of many reasons, too, what changed in the command is said.
    files = {"changed outs": dict.fromkeys("abc", "modified")}
    assert dvc_reasons([files, "changed command"], before, now)[0].startswith("parameters changed: ")
    assert dvc_reasons([{"changed deps": {"a": "deleted", "b": "deleted"}}], None, now) == ["not made yet"]


def test_what_a_stage_follows_is_named() -> None:
    makers = {"a": "one", "b": "two", "c": "one"} | {f"x{i}": f"many/{i}" for i in range(5)}
    assert followed(["a", "c", "script.py"], makers) == "follows one"
    assert followed(["b", "a"], makers) == "follows one, two"
    assert followed([f"x{i}" for i in range(5)], makers) == "follows many/0, many/1, many/2, 2 more"
    assert followed([], makers) == "follows a stage that runs"


def test_reasons_are_short() -> None:
    content = "before: '1 file, content 6c1e671f9af5b46d' now: '2 files, content 9834876dcfb05cb1' "
    assert short(PARAMS + content) == "raw files changed"


def test_changed_code_is_told_beside_flags() -> None:
    old, new = "'code of cluster_stores: 6c1e671f9af5b46d'", "'code of cluster_stores: 9834876dcfb05cb1'"
    assert short(f"{PARAMS}before: {old} now: {new} ") == "code changed: cluster_stores"
    both = f"before: '--rule bic', {old} now: '--rule aic', {new} "
    assert short(PARAMS + both) == "code changed: cluster_stores; parameters changed: rule bic -> aic"
    status = [{"changed deps": {"data/code/cluster_stores.sha256": "modified", "data/internal/a.parquet": "modified"}}]
    assert dvc_reasons(status) == ["code changed: cluster_stores", "modified: data/internal/a.parquet"]
    assert short("Missing output files: a, b, c") == "not made yet: a and 2 more"
    assert short(
        "Updated input files: week 1, east, b; Input files updated by another job: c", ["b", "week 1, east"]
    ) == ("input is newer: week 1, east and 1 more")
    assert files_in("", []) == [""]
    status = told("dvc")["status"]
    assert dvc_reasons(status["first"]) == ["words: params.yaml", "changed command"]
    assert dvc_reasons(status["fails"]) == ["modified: second_beauty", "deleted: never"]


class TestPlugin(TestLogHandlerBase):
    """What the interface asks of a logger plugin, by its own tests."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Iterator[None]:
        self.path, self.handlers = tmp_path / "events.jsonl", []
        yield
        for handler in self.handlers:
            handler.close()

    def get_log_handler_cls(self) -> type[LogHandler]:
        return LogHandler

    def get_log_handler_settings(self) -> LogHandlerSettings:
        return LogHandlerSettings(events=self.path)

    def _create_handler(self) -> LogHandler:
        handler = LogHandler(common_settings=MockOutputSettings(), settings=self.get_log_handler_settings())
        self.handlers.append(handler)
        return handler

    def test_line_is_there_at_once(self) -> None:
        handler = self._create_handler()
        handler.emit(self._create_event_record(LogEvent.JOB_FINISHED, job_id=3))
        handler.emit(self._create_event_record(LogEvent.SHELLCMD, shellcmd="secret"))
        handler.emit(logging.LogRecord("x", logging.INFO, "x", 1, "no event", (), None))
        assert self.path.read_text() == '{"event": "job_finished", "job": 3}\n'

    def test_event_that_cannot_be_written_is_told_and_goes_on(self, capsys: pytest.CaptureFixture[str]) -> None:
        handler = self._create_handler()
        handler.file.close()
        handler.emit(self._create_event_record(LogEvent.JOB_FINISHED, job_id=3))
        assert "--- Logging error ---" in capsys.readouterr().err


@pytest.fixture
def dvc_project(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    (tmp_path / "dvc.yaml").write_text(
        "stages: {a: {cmd: echo 1 > a, outs: [a]}, b: {foreach: {x: 1}, do: {cmd: cp a b, deps: [a], outs: [b]}}}"
    )
    command = [sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"]
    subprocess.run(command, cwd=tmp_path, check=True, env=environment())
    return tmp_path


def test_dvc_is_asked_by_its_interface_from_wherever_the_command_is_started(
    dvc_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dvc_project / "below")
    state = dvc_state.status(dvc_project)
    assert state.needs == {"a": [], "b/x": ["a"]}
    assert state.changed["a"] == [{"changed outs": {"a": "deleted"}}]
    assert set(state.changed) == {"a", "b/x"}
    assert dvc_state.graph(dvc_project) == dvc_state.State(state.needs, {})


def test_dvc_that_cannot_answer_is_quoted(dvc_project: Path) -> None:
    (dvc_project / "dvc.yaml").write_text("stages: {a: {}}")
    with pytest.raises(DataError, match=r"cannot tell the state of the project: .*dvc\.yaml"):
        dvc_state.status(dvc_project)
