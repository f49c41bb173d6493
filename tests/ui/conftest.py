"""One small finished project, whose data try to be more than text, and its interface."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bad_input.project import ROOT, Project
from clustering.ui.app import make_app
from clustering.ui.guard import Access
from storelib.seals import SEALS

HOSTILE = "<script>alert(1)</script>"
CATEGORY = '<img src=x onerror="alert(2)">'
NEED = "<b>need</b> & 'a'"
STORE_ID = '5"><i>&x'
FORMULA = "=1+1"
TOKEN = "a token of the tests"  # noqa: S105 (made up)
ADDRESS = "http://127.0.0.1:3000"


def hostile_project(root: Path) -> Project:
    """24 stores in two categories, with coordinates; names that are markup, formulas and quotes."""
    project = Project.make(root)
    for name in ("sales.csv", "map.csv"):
        text = project.text(name).replace("SNACKS", '"' + CATEGORY.replace('"', '""') + '"').replace("need a", NEED)
        project.write(f"data/raw/dev/{name}", text.replace("005,", '"' + STORE_ID.replace('"', '""') + '",'))
    lines = ["STORE,COUNTY,NAME,LAT,LON,REGION"]
    for at, line in enumerate(project.text("stores.csv").splitlines()[1:]):
        store, county = line.split(",")
        store = '"' + STORE_ID.replace('"', '""') + '"' if store == "005" else store
        name = {3: HOSTILE, 4: FORMULA}.get(at, f"Store {at}")
        place = "," if at == 7 else f"{30 + at % 5},{-100 + at}"
        lines.append(f"{store},{county},{name},{place},{'north' if at % 2 else HOSTILE}")
    project.lines("stores.csv", *lines)
    columns = {
        "store_id": "STORE", "county": "COUNTY", "name": "NAME", "latitude": "LAT", "longitude": "LON", "region": "REGION",
    }  # fmt: skip
    project.place("sources.stores.columns", columns)
    project.params("internal.categories.snacks.name", CATEGORY)
    for stages in (
        (),
        ("profile_clusters", "profile_external_clusters", "collect_segments", "segment_chain", "check_results"),
    ):
        told = project.run_all(*stages)
        assert told.code == 0, told.said
    for name in ("dvc.yaml", "scripts/outlines/outlines.json"):
        project.write(name, (ROOT / name).read_bytes())
    return project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return hostile_project(tmp_path_factory.mktemp("ui") / "project")


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy to change, as from another machine: without seals, which would tell of every change."""
    copy = finished.copy(tmp_path / "project")
    shutil.rmtree(copy.root / SEALS)
    return copy


Ask = Callable[..., TestClient]


@pytest.fixture
def ask() -> Ask:
    """A browser at the interface of a project: `ask(project, allow_run=True)`."""

    def client(project: Project, **access: object) -> TestClient:
        access = {"form_token": TOKEN} | access
        return TestClient(make_app(project.root, "dev", Access(**access)), base_url=ADDRESS, follow_redirects=False)  # type: ignore[arg-type]

    return client


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    """A project that was never run."""
    project = Project.make(tmp_path / "empty")
    shutil.copy(ROOT / "dvc.yaml", project / "dvc.yaml")
    return project
