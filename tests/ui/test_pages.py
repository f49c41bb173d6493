"""The interface without a browser: what pages show and refuse, and what forms write."""

import csv
import io
import json
import os
import re
from html import unescape
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import python_calamine
from starlette.routing import Route

from bad_input.project import Project
from clustering.commands.ui import ui
from clustering.runners import only_run
from clustering.ui import serving
from clustering.ui.app import routes
from clustering.ui.editing import set_parameter
from clustering.ui.guard import HEADERS, Access
from clustering.ui.pages import whole
from clustering.ui.reading import Project as Shown
from clustering.ui.rendering import HERE
from clustering.ui.working import Work
from storelib.errors import ConfigError
from storelib.seals import place_of, seal
from ui.conftest import CATEGORY, FORMULA, HOSTILE, NEED, STORE_ID, TOKEN, Ask

PAGES = (
    "/segments", "/segments?category=snacks&segment=1", "/stores?id=003", "/chain", "/chain?segment=1&search=0",
    "/choose", "/choose?view=external", "/choose?view=snacks", "/compare", "/compare?a=workspace&b=workspace", "/runs", "/runs/live",
    "/runs/history", "/runs/stage?name=merge_segments/beauty",
    "/data", "/data/table?name=data/merging/segments.parquet", "/data/table?name=data/internal/shares/beauty.parquet",
    "/data/table?name=data/external/stores.parquet", "/data/table?name=data/internal/categories.parquet",
)  # fmt: skip
POSTS = sorted(route.path for route in routes() if isinstance(route, Route) and "POST" in (route.methods or ()))
MARKUP = (HOSTILE, CATEGORY, NEED, STORE_ID, "<i>&x", "<b>need")


# What is shown -------------------------------------------------------------------------------------------


def test_every_page_shows_data_as_text(finished: Project, ask: Ask) -> None:
    client = ask(finished, allow_run=True)
    seen = ""
    for address in PAGES:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text)
        assert "cannot be shown" not in answer.text, address
        for markup in MARKUP:
            assert markup not in answer.text, (address, markup)
        # No style or script of a page's own: the policy forbids them, and nothing needs them.
        assert not re.search(
            r"<script(?![^>]* src=\"/static/)|\sstyle=|\son[a-z]+=\"|href=\"javascript", answer.text
        ), address
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        seen += unescape(answer.text)
    for text in (HOSTILE, CATEGORY, STORE_ID, NEED):
        assert text in seen, f"{text!r} is nowhere shown"


def test_filter_gives_the_stores_that_are_like_that(finished: Project, ask: Ask) -> None:
    client = ask(finished)
    rows = [
        r for r in pq.read_table(finished / "data/merging/segments.parquet").to_pylist() if r["category"] == "beauty"
    ]
    every = [r["store_id"] for r in rows]
    assert len(every) == 25  # 24 of the store table that sell, and 900 that is not in it

    def ids(query: str) -> list[str] | None:
        found: list[str] | None = client.get(f"/segments/filtered?category=beauty&{query}").json()["ids"]
        return found

    assert ids("") is None, "every store"
    assert ids("segment=1") == [r["store_id"] for r in rows if r["segment"] == 1]
    assert ids("state=border") == [r["store_id"] for r in rows if r["is_borderline"]]
    assert ids("search=Store+1") == ["001", *(f"{n:03d}" for n in range(10, 20))]
    assert ids("column=region&value=north") == [f"{n:03d}" for n in range(1, 24, 2) if n != 5] + [STORE_ID]
    assert ids("column=name&value=alert(1)") == ["003"], "part of a text, no pattern"
    assert ids("segment=1%27%20OR%201&state=x") is None, "what no page asks is not asked"
    assert client.get("/segments/filtered?category=beauty&column=nothing&value=1").json()["ids"] == []
    down = client.get("/segments/filtered?category=beauty&sort=sales&down=1").json()["html"]
    amounts = [float(v) for v in re.findall(r'<data value="([\d.]+)" data-digits="2"', down)]
    assert len(amounts) == 25
    assert amounts == sorted(amounts, reverse=True)


def test_downloads_are_the_files(finished: Project, ask: Ask) -> None:
    client = ask(finished)
    whole = (finished / "reports/segments.csv").read_bytes()
    table = pq.read_table(finished / "data/merging/segments.parquet")
    assert client.get("/segments/table.csv?category=all").content == whole
    lines = whole.decode().splitlines(keepends=True)
    own = client.get("/segments/table.csv?category=snacks&segment=1").text
    wanted = [
        r for r in csv.DictReader(io.StringIO(whole.decode())) if r["category"] == "snacks" and r["segment"] == "1"
    ]
    assert list(csv.DictReader(io.StringIO(own))) == wanted
    assert set(own.splitlines(keepends=True)) <= set(lines)

    def sheet(content: bytes) -> list[list[object]]:
        return python_calamine.load_workbook(io.BytesIO(content)).get_sheet_by_index(0).to_python()

    head, *rows = sheet(client.get("/segments/table.xlsx?category=all").content)
    assert head == table.column_names
    assert [row[1] for row in rows] == table["store_id"].to_pylist(), "ids keep their zeros"
    assert [row[5] for row in rows] == table["segment"].to_pylist()
    assert len(sheet(client.get("/segments/table.xlsx?category=snacks&segment=1").content)) == 1 + len(wanted)


def test_a_csv_of_another_run_is_not_passed_off(project: Project, ask: Ask) -> None:
    path = project / "reports/segments.csv"
    head, first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *rest, first]))
    answer = ask(project).get("/segments/table.csv?category=beauty")
    assert answer.status_code == 400
    assert "is not of the segments that are shown" in answer.text


def test_map_has_the_stores_that_have_a_place(finished: Project, ask: Ask) -> None:
    found = ask(finished).get("/segments/map?category=beauty").json()
    assert "007" not in found["id"]
    assert (len(found["id"]), found["missing"]) == (23, 2)  # of 25: 007 has no coordinates, 900 is in no store table
    assert found["name"][found["id"].index("003")] == HOSTILE, "JSON: the page puts it in as text"
    assert all(len(values) == 23 for values in (found["x"], found["y"], *(g["of"] for g in found["groups"].values())))


def test_a_run_at_work_is_said_where_results_are_shown(project: Project, ask: Ask) -> None:
    client, words = ask(project), "A run is at work."
    with only_run(project.root):
        assert words in client.get("/segments").text
        assert words in client.get("/chain").text
        # There it is watched.
        assert words not in client.get("/runs").text
    assert words not in client.get("/segments").text


def test_what_is_refused_was_not_done_and_leads_back(project: Project, ask: Ask) -> None:
    client = ask(project)
    address = f"{client.base_url}".rstrip("/")
    for came, is_back in ((f"{address}/data?a=1", True), ("https://example.org/data?a=1", False)):
        found = client.get("/segments/map?category=nothing", headers={"referer": came})
        assert found.status_code == 400
        assert "This cannot be shown" not in found.text
        assert ('href="/data?a=1"' in found.text) == is_back


def test_chain_says_what_most_stores_of_a_segment_are(project: Project, ask: Ask) -> None:
    client = ask(project)
    segments, path = project / whole.chain.SEGMENTS, project / whole.CHAIN
    table = pq.read_table(segments)
    first, other = (ids := [row["store_id"] for row in table.to_pylist() if row["category"] == "beauty"])[:5], ids[5]
    # Of these five in segment 1 of the chain three are in 2 of beauty and two in 1; all others are in segment 2.
    chain = pq.read_table(path)
    numbers = [1 if store in first else 2 for store in chain["store_id"].to_pylist()]
    at = chain.column_names.index("segment")
    write_as_a_stage(chain.set_column(at, chain.schema.field(at), pa.array(numbers, chain.schema.field(at).type)), path)
    at = table.column_names.index("segment")
    of_beauty = dict(zip(first, [2, 1, 2, 1, 2], strict=True))
    numbers = [
        of_beauty.get(row["store_id"], 3) if row["category"] == "beauty" else row["segment"]
        for row in table.to_pylist()
    ]
    write_as_a_stage(
        table.set_column(at, table.schema.field(at), pa.array(numbers, table.schema.field(at).type)), segments
    )
    shown = Shown(project.root, "dev")
    most = whole.mostly(shown)
    assert (most[1]["beauty"].segment, most[1]["beauty"].share) == (2, 0.6)
    assert (most[2]["beauty"].segment, most[2]["beauty"].share) == (3, 1.0)
    assert client.get("/chain/map?segment=1").json()["id"] == first
    found = client.get("/chain?segment=1").text
    assert [store for store in first if f"id={store}" in found] == first
    assert f"id={other}" not in found
    assert "5 of" in re.sub(r"<[^>]*>", "", found)
    assert client.get("/chain/segments.csv").content == (project / whole.CSV).read_bytes()


@pytest.mark.parametrize("address", [page for page in PAGES if not page.startswith(("/data/table", "/runs/stage"))])
def test_before_the_first_run_pages_say_what_to_do(empty: Project, ask: Ask, address: str) -> None:
    answer = ask(empty).get(address)
    assert answer.status_code == 200
    if address not in {"/stores?id=003", "/choose?view=external"}:
        assert "make run" in answer.text
    assert "Traceback" not in answer.text


DAMAGE = {"half": lambda data: data[: len(data) // 2], "nothing": lambda _: b"", "other": lambda _: b'{"a": [1]}'}
# Files, each with pages that show what is in it.
SHOWN_ON = {
    "data/merging/segments.parquet": ("/segments", "/stores?id=003"),
    "data/merging/descriptions/beauty.parquet": ("/segments", "/stores?id=003"),
    "data/external/stores.parquet": ("/segments", "/data"),
    "data/internal/categories.parquet": ("/segments", "/choose"),
    "data/internal/k_scores/beauty.parquet": ("/choose",),
    "data/merging/explained/beauty.parquet": ("/choose",),
    "data/merging/ledger.parquet": ("/data",),
    "reports/checks.json": ("/runs", "/data"),
    "reports/metrics.json": ("/compare",),
    "data/merging/chain_segments.parquet": ("/chain",),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_files_are_told_and_break_no_page(project: Project, ask: Ask, how: str) -> None:
    client = ask(project, allow_run=True)
    for name, addresses in SHOWN_ON.items():
        path = project / name
        whole = path.read_bytes()
        if (how, name) == ("other", "reports/metrics.json"):
            continue  # figures of any name are figures
        path.write_bytes(DAMAGE[how](whole))
        for address in addresses:
            answer = client.get(address)
            assert answer.status_code == 200, (name, address, answer.text)
            assert "has a defect" not in answer.text
            assert re.search("This cannot be shown|cannot be read|holds no checks|is no whole", answer.text), (
                name,
                address,
            )
        path.write_bytes(whole)
    for address in {address for addresses in SHOWN_ON.values() for address in addresses}:
        assert "This cannot be shown" not in client.get(address).text, f"{address} is well again"


def write_as_a_stage(table: pa.Table, path: Path) -> None:
    """A table that is whole in the eyes of who reads it, whatever is in it."""
    pq.write_table(table, path)
    place = place_of(path)
    assert place is not None
    seal(place)


def test_green_but_empty_is_seen_on_every_page(project: Project, ask: Ask) -> None:
    client = ask(project)
    (project / "reports/checks.json").write_text('{"checks": []}')
    for address in ("/segments", "/choose", "/compare", "/runs", "/data"):
        assert "no check was made" in client.get(address).text
    (project / "reports/checks.json").write_text(
        json.dumps({"checks": [{"state": "fail", "view": "", "sentence": HOSTILE, "to_do": ""}]})
    )
    assert "1 of 1 checks failed" in client.get("/segments").text
    path = project / "data/internal/store_sales/beauty.parquet"
    write_as_a_stage(pq.read_table(path).slice(0, 0), path)
    page = client.get("/data").text
    assert "Empty: 1 tables have no row" in page
    assert "data/internal/store_sales/beauty.parquet" in page
    assert "no `baseline` is configured" in page, "what may be empty says why"


def test_a_table_that_was_changed_by_hand_does_not_keep_its_contract(project: Project, ask: Ask) -> None:
    path = project / "data/merging/category_segments/beauty.parquet"
    address = "/data/table?name=data/merging/category_segments/beauty.parquet"
    client = ask(project)
    assert "does not keep its contract" not in client.get(address).text
    table = pq.read_table(path)
    write_as_a_stage(table.take([0, 0, *range(1, len(table))]), path)
    assert "does not keep its contract" in client.get(address).text
    pq.write_table(table, path)
    assert "is not as its stage wrote it" in client.get(address).text, "whoever else writes there is found too"


# What is refused -----------------------------------------------------------------------------------------


def test_files_are_looked_up_and_never_joined(finished: Project, ask: Ask) -> None:
    client = ask(finished)
    for name in (
        "../../../etc/passwd",
        "params.yaml",
        "/etc/passwd",
        "data/raw/dev/stores.csv",
        "configs/dev.yml",
        "data/merging/../../params.yaml",
    ):
        for address in ("/data/table", "/runs/stage"):
            answer = client.get(address, params={"name": name})
            assert answer.status_code == 400
            assert "root:" not in answer.text
            assert "internal:" not in answer.text
    assert client.get("/runs/run", params={"id": "../../x"}).status_code == 400
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404
    for name in ("--help", "$(touch x)", "../x", "a b"):
        assert "is no name of a run" in unescape(client.get("/compare", params={"a": name, "b": "workspace"}).text)


def test_no_form_is_taken_without_its_token(project: Project, ask: Ask) -> None:
    assert len(POSTS) >= 6
    before = project.files()
    client = ask(project, allow_run=True)
    for path in POSTS:
        for given in ({}, {"form_token": "x"}, {"form_token": ""}):
            assert client.post(path, data=given).status_code == 403, path
        assert (
            client.post(path, data={"form_token": TOKEN}, headers={"Origin": "http://evil.example"}).status_code == 403
        )
        assert client.post(path, content=b"x" * 100_000).status_code == 413
        assert client.get(path).status_code == 405
    assert project.files() == before


def test_read_only_refuses_every_form_and_shows_none(project: Project, ask: Ask) -> None:
    before = project.files()
    client = ask(project)
    for path in POSTS:
        assert client.post(path, data={"form_token": TOKEN}).status_code == 403
    for address in PAGES:
        page = client.get(address).text
        assert 'method="post"' not in page
        assert TOKEN not in page
    assert project.files() == before


def test_another_name_for_this_address_is_refused(finished: Project, ask: Ask) -> None:
    client = ask(finished)
    for host in ("evil.example:3000", "127.0.0.1.evil.example", "", "localhost@evil.example"):
        assert client.get("/segments", headers={"Host": host}).status_code == 421, host
    for host in ("localhost:3000", "127.0.0.1:9", "[::1]:3000"):
        assert client.get("/segments", headers={"Host": host}).status_code == 200, host


def test_open_to_a_network_a_token_is_needed(finished: Project, ask: Ask) -> None:
    client = ask(finished, host="0.0.0.0", token="secret of this start")  # noqa: S104, S106 (made up)
    for address in ("/segments", "/static/ui.js", "/segments?token=wrong"):
        assert client.get(address).status_code == 403
    answer = client.get("/data?token=secret+of+this+start&x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/data?x=1")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    assert client.get("/data").status_code == 200
    assert (
        client.get("//evil.example/?token=secret+of+this+start", headers={"Cookie": ""})
        .headers.get("location", "/")
        .count("//")
        == 0
    )
    assert Access(host="0.0.0.0").knows("evil.example") is False  # noqa: S104


# What is written -----------------------------------------------------------------------------------------


def test_a_name_goes_into_the_file_that_the_stage_reads(project: Project, ask: Ask) -> None:
    client = ask(project, allow_run=True)
    config = project / "configs/dev.yml"
    config.write_text(config.read_text().replace("sources:\n", "sources:  # where data lie\n"))
    form = {"form_token": TOKEN, "category": "beauty", "segment": "1", "name": HOSTILE}
    assert client.post("/segments/name", data=form).status_code == 303
    assert project.text("segment_names.csv") == f"category,segment,name\nbeauty,1,{HOSTILE}\n"
    assert "sources:  # where data lie\n" in config.read_text(), "comments stay"
    assert client.post("/segments/name", data=form | {"name": "Another, name"}).status_code == 303
    assert project.text("segment_names.csv") == 'category,segment,name\nbeauty,1,"Another, name"\n'
    for stage in ("ingest_segment_names", "describe_segments@beauty"):
        told = project.run(stage)
        assert told.code == 0, told.said
    assert "Another, name" in project.rows("merging/descriptions/beauty.parquet", "name")
    assert "Another, name" in client.get("/segments?category=beauty").text
    for wrong in ({"segment": "99"}, {"segment": "1; x"}, {"name": ""}, {"name": "x" * 81}, {"category": "../x"}):
        assert client.post("/segments/name", data=form | wrong).status_code == 400, wrong


def test_a_store_is_moved_and_left_to_the_pipeline_again(project: Project, ask: Ask) -> None:
    client = ask(project, allow_run=True)
    rows = project.rows("merging/category_segments/beauty.parquet", "store_id", "segment")
    now = dict(rows)
    other = next(number for number in sorted(set(now.values())) if number != now["003"])
    form = {
        "form_token": TOKEN, "category": "beauty", "store_id": "003", "segment": str(other), "who": "A. Merchant",
        "why": f"{FORMULA}, {HOSTILE}",
    }  # fmt: skip
    for wrong in ({"store_id": "3"}, {"segment": "99"}, {"who": " "}, {"why": ""}):
        assert client.post("/stores/move", data=form | wrong).status_code == 400, wrong
    assert not project.raw("overrides.csv").exists()
    assert client.post("/stores/move", data=form).status_code == 303
    (row,) = csv.DictReader(io.StringIO(project.text("overrides.csv")))
    assert row == {
        "store_id": "003",
        "category": "beauty",
        "segment": str(other),
        "who": "A. Merchant",
        "why": f"{FORMULA}, {HOSTILE}",
    }
    for stage in ("ingest_overrides", "apply_overrides@beauty"):
        told = project.run(stage)
        assert told.code == 0, told.said
    assert dict(project.rows("merging/category_segments/beauty.parquet", "store_id", "segment")) == now | {"003": other}
    page = client.get("/stores?id=003").text
    assert "Placed by hand" in page
    assert HOSTILE not in page
    assert client.post("/stores/move", data=form | {"what": "take_back"}).status_code == 303
    assert project.text("overrides.csv") == "store_id,category,segment,who,why\n"


def test_columns_of_their_own_names_stay(project: Project, ask: Ask) -> None:
    project.lines("moved.csv", "WHO;STORE;NOTE;CAT;SEG;WHY", "B;001;kept;beauty;1;x")
    columns = {"store_id": "STORE", "category": "CAT", "segment": "SEG", "who": "WHO", "why": "WHY"}
    project.place("sources.overrides", {"reader": "csv", "path": "moved.csv", "delimiter": ";", "columns": columns})
    form = {"form_token": TOKEN, "category": "beauty", "store_id": "003", "segment": "1", "who": "A", "why": "y"}
    client = ask(project, allow_run=True)
    assert client.post("/stores/move", data=form).status_code == 303
    assert project.text("moved.csv") == "WHO;STORE;NOTE;CAT;SEG;WHY\nB;001;kept;beauty;1;x\nA;003;;beauty;1;y\n"
    project.place("sources.overrides", {"reader": "csv", "path": "mov*.csv", "delimiter": ";", "columns": columns})
    assert "by hand" in client.post("/stores/move", data=form).text


def test_a_parameter_is_changed_with_its_comments_kept_and_checked(project: Project) -> None:
    path = project / "params.yaml"
    path.write_text("# the method\n" + path.read_text())
    shown = Shown(project.root, "dev")
    set_parameter(shown, "merging.min_cluster_size", "4")
    assert path.read_text().startswith("# the method\n")
    assert shown.params().merging.min_cluster_size == 4
    before = path.read_bytes()
    for key, value in (
        ("merging.min_cluster_size", "many"),
        ("merging.nothing", "4"),
        ("merging.min_cluster_size", "[1]"),
        ("demo", "{}"),
    ):
        with pytest.raises(ConfigError):
            set_parameter(shown, key, value)
    assert path.read_bytes() == before


def test_jobs_are_of_the_list_and_values_are_values(
    project: Project, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(Work, "start", lambda _self, _what, words: started.append(words))
    client = ask(project, allow_run=True)
    form = {"form_token": TOKEN, "job": "merging", "cores": "2"}
    wrong = (
        {"job": "merging; touch x"}, {"cores": "0"}, {"cores": "2 --force"}, {"tags": "x"},
        {"how": "experiment", "key": "nothing", "value": "1"}, {"how": "experiment", "key": "merging.min_cluster_size"},
        {"how": "experiment", "key": "merging.min_cluster_size", "value": "1 --queue"},
    )  # fmt: skip
    for one in wrong:
        assert client.post("/runs/start", data=form | one).status_code == 400, one
    assert started == []
    assert client.post("/runs/start", data=form | {"tags": "a=1 b=$(x)", "force": "1"}).status_code == 303
    assert (
        client.post(
            "/runs/start", data=form | {"how": "experiment", "key": "merging.max_segments", "value": "3,4"}
        ).status_code
        == 303
    )
    assert started == [
        [
            "run",
            "merging_job",
            "--env",
            "dev",
            "--cores",
            "2",
            "--json",
            "--tags",
            "a=1",
            "--tags",
            "b=$(x)",
            "--force",
        ],
        ["sweep", "--set=merging.max_segments=3,4"],
    ]


def test_nothing_is_stopped_that_no_page_started(project: Project, ask: Ask) -> None:
    folder = project / ".clustering/runs/20260101T000000000-abcd"
    folder.mkdir(parents=True)
    run = {
        "id": folder.name,
        "job": "merging",
        "env": "dev",
        "engine": "snakemake",
        "start": "2026-01-01T00:00:00+00:00",
        "duration_s": None,
    }
    run |= {
        "result": "running",
        "error": None,
        "pid": os.getpid(),
        "tags": {HOSTILE: HOSTILE},
        "git": {"revision": None, "dirty": None},
    }
    (folder / "run.json").write_text(json.dumps(run | {"cores": 1, "force": False, "versions": {}}))
    (folder / "events.jsonl").write_text(
        '{"event": "run_info", "total": 3}\n{"event": "job_info", "job": 1, "rule": "merge_segme'
    )
    client = ask(project, allow_run=True)
    page = client.get("/runs/live").text
    assert "0 of 3 steps" in page, "a line that is half written waits"
    assert HOSTILE not in client.get(f"/runs/run?id={folder.name}").text
    assert "Stop it" not in page
    answer = client.post("/runs/stop", data={"form_token": TOKEN, "id": folder.name})
    assert answer.status_code == 400
    assert "was not started from a page" in answer.text


def test_command_warns_where_others_can_reach_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[Access] = []
    monkeypatch.setattr(serving, "serve", lambda _root, _env, access, _port: served.append(access))
    monkeypatch.chdir(project.root)
    ui(host="0.0.0.0", port=0)  # noqa: S104
    assert "others can reach this interface" in capsys.readouterr().err
    ui(host="127.0.0.1", port=0)
    assert capsys.readouterr().err == ""
    assert (bool(served[0].token), served[1].token) == (True, None)


def test_files_of_the_interface_name_no_other_host() -> None:
    for path in [*HERE.rglob("*.html"), *HERE.rglob("*.js"), *HERE.rglob("*.css")]:
        assert not re.search(r"https?://|@import|url\(", path.read_text(encoding="utf-8")), path
