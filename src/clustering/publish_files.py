"""Results as files in a folder or an object store.

Readers follow one small file, `current.json`, which is written last and names the files of one run. Those lie in a folder that is
called by the run and by what is in it, so that a file, once it is there, never changes: nobody sees a mixture of two runs.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from clustering.exports import Export, export
from clustering.objects import Place
from clustering.results import Results
from clustering.retry import retried
from storelib.configuration.place import Publish
from storelib.errors import DataError
from storelib.tables import write_text

Say = Callable[[str], None]
POINTER = "current.json"
MANIFEST = "manifest.json"


class FolderSink:
    """Files of one run, and the file that names them. `shown` is the address as people and records may see it."""

    def __init__(self, wanted: Publish, root: Path, results: Results) -> None:
        self.place = Place(str(wanted.files), root, wanted)
        self.shown = self.place.shown
        self.formats = list(wanted.formats or ())
        self.results = results
        self.work = Path(tempfile.mkdtemp(prefix=f"clustering-publish-{os.getpid()}-"))
        self.exports: list[Export] = []
        self.folder = ""

    def prepare(self, say: Say) -> None:
        """Write the files here, then there, where nothing points to them yet; and read them back."""
        tables = {"segments": self.results.segments, "profiles": self.results.profiles}
        self.exports = [file for kind in self.formats for file in export(tables, kind, self.work)]
        self.folder = f"runs/{self.results.run['id']}-{content_name(self.exports)}"
        self.place.clear_up(self.folder)
        for number, file in enumerate(self.exports, 1):
            say(f"file {number} of {len(self.exports)}, {file.name}")
            retried(partial(self.bring, file.path, f"{self.folder}/{file.name}", file.sha256), say)

    def bring(self, path: Path, name: str, sha256: str) -> None:
        """Upload a file that is not there as it should be. Raises DataError where it arrives as another."""
        if self.place.digest(name) == sha256:
            return
        self.place.upload(path, name)
        if self.place.digest(name) != sha256:
            raise DataError(
                f"{self.shown}: {name} is not what was written there", solution="see to the storage, and try again"
            )

    def commit(self, now: datetime, say: Say) -> str:
        """Name the files in the run's manifest and, last of all, in `current.json`."""
        wanted = self.manifest()
        old = retried(lambda: parsed(self.place.read_text(POINTER)), say)
        if {key: value for key, value in old.items() if key != "published_at"} == wanted:
            return "unchanged"
        path = self.work / MANIFEST
        write_text(
            json.dumps({"published_at": now.isoformat(timespec="seconds"), **wanted}, indent=2, ensure_ascii=False)
            + "\n",
            path,
        )
        for name in (f"{self.folder}/{MANIFEST}", POINTER):
            retried(partial(self.place.upload, path, name), say)
        return "published"

    def manifest(self) -> dict[str, Any]:
        """What readers follow: the run, and each file with its path below the address."""
        run = self.results.run
        return {
            "run_id": run["id"],
            "env": self.results.env,
            "tags": run.get("tags", {}),
            "files": [
                {"path": f"{self.folder}/{file.name}", "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}
                for file in self.exports
            ],
        }

    def receipt(self) -> dict[str, Any]:
        """Files with their rows and fingerprints; for CSV how many texts a spreadsheet would take for formulas."""
        found = []
        for file, entry in zip(self.exports, self.manifest()["files"], strict=True):
            suspects = {"texts_like_formulas": file.formula_like} if file.formula_like else {}
            found.append(entry | suspects)
        return {"pointer": POINTER, "files": found}

    def close(self) -> None:
        """Remove the files that were made here."""
        shutil.rmtree(self.work, ignore_errors=True)


def content_name(files: list[Export]) -> str:
    """Eight letters that say which files, and what is in them."""
    lines = "".join(f"{file.sha256} {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()[:8]


def parsed(text: str | None) -> Mapping[str, Any]:
    """What `current.json` says; nothing where there is none, or it is somebody else's."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
