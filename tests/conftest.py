"""For all tests: nothing of theirs has to outlive a power cut, and waiting for the disk is most of what small stages would do."""

import os

import pytest

from clustering.stage_server import FOLDER

os.environ.setdefault("CLUSTERING_FSYNC", "no")


@pytest.fixture(autouse=True)
def processes_of_its_own(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages are forked only in tests that have a fixture for it: one lasts as long as the session, whatever comes after its tests."""
    if not {"stages", "served"} & {*request.fixturenames}:
        monkeypatch.delenv(FOLDER, raising=False)
