"""The web interface in a real browser: pages, filters, a job that is watched and stopped, and decisions that arrive in files."""

import csv
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"),
    # These share one browser and one project.
    pytest.mark.xdist_group("browser"),
]
HOSTILE = "<script>document.title='broken'</script>"
ALONE = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# Milliseconds until a job has started on a busy machine, and until one has ended.
STARTS, ENDS = 60_000, 400_000


class Site(NamedTuple):
    """A project's interface. asked: every address that pages asked for; said: what browsers complained of."""

    root: Path
    address: str
    browser: Browser
    asked: list[str]
    said: list[str]


@pytest.fixture(scope="module")
def site(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("browser") / "project"
    shutil.copytree(finished, root, symlinks=True)
    command = [str(Path(sys.executable).parent / "clustering"), "ui", "--port", "0", "--allow-run"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as drivers:
        assert server.stdout is not None
        found = re.search(r"http://\S+:\d+", server.stdout.readline())
        assert found, "the first line says where it is"
        # A browser that runs as root has no sandbox.
        alone = [*ALONE, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        expect.set_options(timeout=STARTS)
        browser = drivers.chromium.launch(executable_path=CHROMIUM, args=alone)
        yield Site(root, found[0], browser, [], [])
        browser.close()
        server.send_signal(signal.SIGINT)


@contextmanager
def opened(site: Site, path: str, width: int = 1440, scheme: str = "light") -> Iterator[Page]:
    """A page, which must have asked nobody else and complained of nothing when it is left."""
    context = site.browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
    context.set_default_timeout(STARTS)
    page = context.new_page()
    page.on("request", lambda request: site.asked.append(request.url))
    page.on("console", lambda message: site.said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: site.said.append(str(error)))
    page.goto(site.address + path)
    yield page
    context.close()
    assert site.said == []
    assert [address for address in site.asked if not address.startswith((site.address, "blob:", "data:"))] == []


def store_of(site: Site) -> str:
    """Some store."""
    with (site.root / "reports/segments.csv").open(encoding="utf-8") as handle:
        return next(csv.DictReader(handle))["store_id"]


PAGES = (
    "/segments",
    "/chain",
    "/choose",
    "/choose?view=external",
    "/compare?a=workspace&b=workspace",
    "/runs",
    "/data",
    "/stores?id={store}",
)
TABLE = "/data/table?name=data/merging/segments.parquet"


@pytest.mark.parametrize("path", [*PAGES, TABLE])
def test_page_is_whole_and_for_everyone(site: Site, path: str) -> None:
    with opened(site, path.format(store=store_of(site))) as page:
        expect(page.locator("h1")).to_be_visible()
        if path != "/runs":
            # What Snakemake and DVC are asked there takes as long as it takes.
            expect(page.locator('[aria-busy="true"]')).to_have_count(0)
        if page.locator("[data-map]").count():
            expect(page.locator("[data-map]")).to_have_attribute("data-ready", "yes")
        assert page.locator(".box.fault").count() == 0
        serious = [v for v in Axe().run(page)["violations"] if v["impact"] in {"serious", "critical"}]
        assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in serious] == []
        # On a phone nothing is wider than the screen but what scrolls by itself; and in the dark all has contrast.
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.emulate_media(color_scheme="dark")
        found = Axe().run(page, options={"runOnly": ["color-contrast"]})["violations"]
        assert [[n["target"] for n in v["nodes"]] for v in found] == []


def test_filter_changes_table_map_and_address(site: Site) -> None:
    with (site.root / "reports/segments.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    category = rows[0]["category"]
    own = [row for row in rows if row["category"] == category]
    wanted = [row["store_id"] for row in own if row["segment"] == "2"]
    assert 0 < len(wanted) < len(own)
    with opened(site, f"/segments?category={category}") as page:
        expect(page.locator("[data-map]")).to_have_attribute("data-ready", "yes")
        picture = "document.querySelector('.stage canvas').toDataURL()"
        before = page.evaluate(picture)
        page.locator("#filters select[name=segment]").select_option("2")
        expect(page.locator("#stores [role=status]").first).to_contain_text(f"{len(wanted)} of {len(own)} stores")
        shown = page.locator("#stores tbody tr td:first-child").all_inner_texts()
        assert shown == wanted[: len(shown)]
        assert page.evaluate(picture) != before, "the map shows the others pale"
        assert "segment=2" in page.url
        with page.expect_download() as waiting:
            page.locator("#stores").get_by_role("link", name="CSV").first.click()
        text = Path(str(waiting.value.path())).read_text(encoding="utf-8")
        assert [row["store_id"] for row in csv.DictReader(io.StringIO(text))] == wanted
        # By keyboard alone: from store to store, and to its page.
        page.locator(".stage canvas").focus()
        page.keyboard.press("n")
        told = page.locator(".told").inner_text()
        assert told.split()[0] in wanted
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text(told.split()[0])


def test_a_hostile_name_stays_text(site: Site) -> None:
    with opened(site, "/segments") as page:
        # Its legend comes with it, and moves what is below: a click meanwhile may meet something else.
        expect(page.locator("[data-map]")).to_have_attribute("data-ready", "yes")
        card = page.locator(".card").first
        card.get_by_text("Change its name").click()
        card.get_by_label("Name of segment").fill(HOSTILE)
        card.get_by_role("button", name="Write it").click()
        expect(page.locator(".card .box.good")).to_contain_text("The name is written")
        assert "broken" not in page.title()
    assert HOSTILE in (site.root / "data/raw/dev/segment_names.csv").read_text(encoding="utf-8")


def test_a_job_is_started_watched_and_stopped(site: Site) -> None:
    with opened(site, "/runs") as page:
        page.get_by_label("every stage anew").check()
        page.get_by_role("button", name="Start", exact=True).click()
        running = page.locator('section[aria-label="The run at work"]')
        expect(running.locator("progress")).to_be_visible()
        expect(running.locator(".tag.busy").nth(1)).to_be_visible()  # the first stage that is at work
        running.get_by_role("button", name="Stop it").click()
        expect(page.locator(".box.good")).to_contain_text("asked to stop")
        expect(page.get_by_text("Last run:")).to_contain_text("interrupted", timeout=ENDS)
        expect(page.locator("tbody .tag", has_text="interrupted").first).to_be_visible()


def test_a_merchant_moves_a_store_runs_approves_and_takes_the_file_along(site: Site) -> None:
    with (site.root / "reports/segments.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    first, key = rows[0], ("category", "store_id")
    other = next(r["segment"] for r in rows if r["category"] == first["category"] and r["segment"] != first["segment"])
    with opened(site, f"/stores?id={first['store_id']}") as page:
        section = page.locator("section").filter(has=page.locator(f"#c-{first['category']}"))
        section.get_by_text("Move it to another segment").click()
        section.get_by_label("Segment").select_option(other)
        section.get_by_label("Who decides").fill("A. Merchant")
        section.get_by_label("Why").fill("becomes a flagship, in May")
        section.get_by_role("button", name="Write it").click()
        expect(page.locator(".box.warn")).to_contain_text("becomes a flagship, in May")
    written = (site.root / "data/raw/dev/overrides.csv").read_text(encoding="utf-8")
    (row,) = csv.DictReader(io.StringIO(written))
    wanted = {name: first[name] for name in key} | {"segment": other, "who": "A. Merchant"}
    assert row == wanted | {"why": "becomes a flagship, in May"}
    with opened(site, "/runs") as page:
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator('section[aria-label="The run at work"]')).to_be_visible()
        expect(page.get_by_text("Last run:")).to_contain_text("done", timeout=ENDS)
    with (site.root / "reports/segments.csv").open(encoding="utf-8") as handle:
        (moved,) = [
            row for row in csv.DictReader(handle) if [row[name] for name in key] == [first[name] for name in key]
        ]
    assert (moved["segment"], moved["flags"].split()[-1]) == (other, "override")
    with opened(site, "/compare") as page:
        page.get_by_label("Who approves").fill("A. Merchant")
        page.get_by_role("button", name="Approve", exact=True).click()
        expect(page.locator(".box.good")).to_contain_text("approved", timeout=ENDS)
    assert (site.root / "data/raw/dev/approved_segments.parquet").is_file()
    assert '"who": "A. Merchant"' in (site.root / "data/raw/dev.approved.json").read_text(encoding="utf-8")
    with opened(site, "/segments") as page:
        with page.expect_download() as waiting:
            page.locator("#stores").get_by_role("link", name="CSV").last.click()
        # Before the page is closed: what was downloaded goes with it.
        assert Path(str(waiting.value.path())).read_bytes() == (site.root / "reports/segments.csv").read_bytes()
