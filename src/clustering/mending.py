"""What faults leave of a project's records and outputs, found before a run and put right, or found by `clustering verify`.

Records are DVC's lock files, and those of runs and publications; outputs are held against their seals (`storelib.seals`), and
DVC's cache against the hashes that name its files.
"""

import json
import re
import sys
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from clustering import dvc_state
from clustering.runners import STATE, ask, why
from clustering.runs import RUNS, damaged_records
from storelib.errors import PipelineError
from storelib.seals import SEALS, Place, drop_damaged, is_locked, is_whole, locked, md5_of, place_of, seal, set_aside
from storelib.tables import replacing

LOCK = Path("dvc.lock")
# The last lock file that both runners agreed on.
KEPT = STATE / "dvc.lock"
# DVC's note of who reads and writes what, for as long as it does.
IN_USE = Path(".dvc", "tmp", "rwlock")
# What the fields of one stage in dvc.lock are.
FIELDS: dict[str, type | tuple[type, ...]] = {"cmd": (str, list), "deps": list, "params": dict, "outs": list}

OF_FILE: dict[str, type] = {"path": str, "hash": str, "md5": str, "size": int, "nfiles": int, "isexec": bool}


class Damage(NamedTuple):
    """A file that is not what was recorded. what: in words; place: of an output."""

    path: str
    what: str
    place: Place | None = None


def mend_records(root: Path) -> None:
    """Put right DVC's own files after a kill in the middle of one: it would refuse every command. Nobody may be at work."""
    lock, kept, in_use = root / LOCK, root / KEPT, root / IN_USE
    if lock.is_file() and not (kept.is_file() and kept.read_bytes() == lock.read_bytes()) and not is_lock_file(lock):
        if is_lock_file(kept):
            sys.stderr.write("dvc.lock was cut off or damaged: the one of the last recorded run takes its place.\n")
            with replacing(lock) as temporary:
                temporary.write_bytes(kept.read_bytes())
        else:
            sys.stderr.write("dvc.lock was cut off or damaged: it is removed, and DVC records anew what is made.\n")
            lock.unlink()
    if in_use.is_file() and not is_json_object(in_use):
        in_use.unlink()


def keep_lock(root: Path) -> None:
    """Keep a copy of DVC's lock file, which DVC writes in place."""
    if (root / LOCK).is_file():
        with replacing(root / KEPT) as temporary:
            temporary.write_bytes((root / LOCK).read_bytes())


class OnceEach(yaml.CSafeLoader):
    """Refuses a key that comes twice, as DVC does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping of which no key is lost."""
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key comes twice", node.start_mark)
        return found


def is_lock_file(path: Path) -> bool:
    """Whether DVC can read a lock file. What it writes of a pipeline like ours is seen at a glance; of the rest its own schema says."""
    try:
        content = yaml.load(path.read_bytes(), OnceEach)  # noqa: S506 (a safe one)
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return is_usual(content) or is_of_dvc(content)


def is_usual(content: Any) -> bool:
    """Whether this has the fields of a pipeline's lock file and no others, each of its kind."""
    if not isinstance(content, dict) or content.keys() != {"schema", "stages"} or content["schema"] != "2.0":
        return False
    stages = content["stages"]
    return isinstance(stages, dict) and all(isinstance(name, str) and is_stage(one) for name, one in stages.items())


def is_of_dvc(content: Any) -> bool:
    """Whether DVC takes this for a lock file; loading it takes a second."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(content)
    except Invalid:
        return False
    return True


def is_stage(content: Any) -> bool:
    """Whether this is one stage of a lock file."""
    if not isinstance(content, dict) or "cmd" not in content or not content.keys() <= FIELDS.keys():
        return False
    if not all(isinstance(value, FIELDS[name]) for name, value in content.items()):
        return False
    files = [*content.get("deps", ()), *content.get("outs", ())]
    return all(is_file(file) for file in files) and all(
        isinstance(name, str) and isinstance(values, dict) and all(isinstance(key, str) for key in values)
        for name, values in content.get("params", {}).items()
    )


def is_file(content: Any) -> bool:
    """Whether this is one file of a stage."""
    return (
        isinstance(content, dict)
        and "path" in content
        and all(name in OF_FILE and isinstance(value, OF_FILE[name]) for name, value in content.items())
    )


def is_json_object(path: Path) -> bool:
    """Whether a file holds an object in JSON."""
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def sealed(root: Path) -> list[Place]:
    """The outputs that are there and have a seal."""
    names = [path.relative_to(root / SEALS).as_posix().removesuffix(".json") for path in (root / SEALS).rglob("*.json")]
    places = [Place(root, name) for name in sorted(names)]
    return [place for place in places if place.path.is_file()]


def recorded(root: Path) -> list[Place]:
    """The outputs that are there and have a seal, or that dvc.lock has."""
    places = {place.name: place for place in sealed(root)}
    for _, name, _ in locked(root):
        if (root / name).is_file() and place_of(root / name):
            places[name] = Place(root, name)
    return [places[name] for name in sorted(places)]


def declared(root: Path) -> re.Pattern[str]:
    """The outputs that dvc.yaml declares: what else somebody has a script write is theirs to change."""
    stages = yaml.load((root / "dvc.yaml").read_bytes(), yaml.CSafeLoader)["stages"].values()
    outs = [out for stage in stages for out in stage.get("do", stage).get("outs", ())]
    names = [out if isinstance(out, str) else next(iter(out)) for out in outs]
    return re.compile("|".join(re.sub(r"\\\$\\\{.+?\\\}", "[^/]+", re.escape(name)) + "(/.*)?" for name in names))


def mend_outputs(root: Path, *, with_dvc: bool) -> list[str]:
    """Set aside the outputs that are not as a stage wrote them, so that they are made again; which ones.

    What DVC has brought back stays, where it finds the stage up to date: then it is what the stage would make.
    """
    outputs = declared(root)
    strange = [place for place in sealed(root) if outputs.fullmatch(place.name) and is_whole(place) is False]
    if not strange:
        return []
    if with_dvc:
        changed = dvc_state.status(root).changed
        strange = [place for place in strange if not accepted(place, changed)]
    for place in strange:
        sys.stderr.write(
            f"{place.name} is not as its stage wrote it: it is made again ({place.aside} has what was there).\n"
        )
        set_aside(place)
    mend_cache(root, [place.name for place in strange])
    return [place.name for place in strange]


def accepted(place: Place, changed: Container[str]) -> bool:
    """Seal an output that is what DVC knows, of a stage that it finds unchanged; whether it is that."""
    stage = next((stage for stage, name, _ in locked(place.root) if name == place.name), None)
    if stage is None or dvc_state.ours(stage) in changed or not is_locked(place):
        return False
    seal(place)
    return True


def seal_outputs(root: Path) -> None:
    """Seal what DVC has made or brought back, once it is known to be up to date."""
    for place in recorded(root):
        if not is_whole(place) and is_locked(place):
            seal(place)


def cache_folder(root: Path) -> Path:
    """Where DVC keeps files by their hash."""
    return dvc_cache(root) / "files" / "md5"


def dvc_cache(root: Path) -> Path:
    """Where DVC keeps these, and its notes of what stages made of what."""
    found = ask(root, "dvc", ["cache", "dir"])
    if found.returncode:
        raise PipelineError(f"dvc cache dir failed: {why(found)}", solution="run `dvc doctor` to see why")
    return root / found.stdout.strip()


def mend_cache(root: Path, names: list[str]) -> None:
    """Delete what DVC's cache has of these outputs, where it is damaged too: it would come back from there."""
    if not names or not (root / ".dvc").is_dir():
        return
    folder = cache_folder(root)
    for _, name, md5 in locked(root):
        if name in names:
            drop_damaged(folder / md5[:2] / md5[2:], md5)


def damages(root: Path) -> Iterator[Damage | Path]:
    """Everything that is recorded, held against its record: each file that was looked at, or what is wrong with it."""
    known = {name: md5 for _, name, md5 in locked(root)}
    for place in recorded(root):
        is_sealed = is_whole(place)
        if is_sealed or (place.name in known and known[place.name] == md5_of(place.path)):
            yield place.path
        elif is_sealed is False:
            yield Damage(place.name, "not as its stage wrote it", place)
        elif place.name in known:
            yield Damage(place.name, "not what dvc.lock says, and no stage has sealed it", place)
        else:
            yield place.path
    if (root / LOCK).is_file():
        yield root / LOCK if is_lock_file(root / LOCK) else Damage(str(LOCK), "cut off or damaged")
    from clustering.publish import RECEIPTS

    broken = {*damaged_records(root)}
    for path in sorted([*(root / RUNS).glob("*/run.json"), *(root / RECEIPTS).glob("*.json")]):
        is_whole_json = path not in broken and is_json_object(path)
        yield path if is_whole_json else Damage(path.relative_to(root).as_posix(), "cut off or damaged")


def cache_damages(root: Path) -> Iterator[Damage | Path]:
    """Every file of DVC's cache, held against the hash that is its name."""
    folder = cache_folder(root)
    for path in sorted(folder.glob("??/*")) if folder.is_dir() else ():
        name = path.parent.name + path.name.removesuffix(".dir")
        if len(name) == 32:
            yield path if md5_of(path) == name else Damage(str(path), "not what its name says")


def repair(root: Path, damage: Damage) -> str:
    """Put one damage right, as far as that is possible; what was done."""
    if damage.place:
        set_aside(damage.place)
        return f"set aside in {damage.place.aside}; the next run makes it again"
    if damage.path == str(LOCK):
        mend_records(root)
        return "put right"
    path = root / damage.path
    if path.name.endswith(".json"):
        path.replace(path.with_name(f"{path.name}.damaged"))
        return "renamed; what it recorded is lost"
    path.unlink()
    return "deleted; what made it makes it again"
