"""Bits that a disk flips in what stages wrote, under the old time: whoever reads the file says so, and nothing comes of it."""

import os
import random
from collections.abc import Callable

import pytest

from bad_input.project import Project
from faults.injection import contents, run_forked
from storelib.seals import place_of, seal

# Processes that share the files, and the bits that each flips however long that takes.
PARTS, LEAST = 4, 6
Told = Callable[[str, int, int], None]


@pytest.mark.parametrize("part", range(PARTS))
def test_no_flipped_bit_goes_unnoticed(
    whole: Project, many: int, seed: int, told: Told, in_time: Callable[[], bool], part: int
) -> None:
    """Each in a file that a stage reads; that very stage runs, and has to refuse it by name."""
    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    stages = [stage for stage in whole.stages().values() if all((whole / out).is_file() for out in stage.outputs)]
    made = {out for stage in stages for out in stage.outputs}
    reads = [
        (stage, name) for stage in stages for name in stage.inputs if name in made and not name.startswith("data/raw/")
    ]
    drawn.shuffle(reads)
    kept, unnoticed = contents(whole, sorted(made)), []
    assert len({name for _, name in reads}) > 40
    planted, refused = 0, 0
    while planted < many // PARTS and (planted < LEAST or in_time()):
        # Each pair of a file and a stage that reads it has its turn.
        stage, name = reads[(PARTS * planted + part) % len(reads)]
        planted += 1
        path = whole / name
        content, state = bytearray(kept[name]), path.stat()
        at = drawn.randrange(len(content) * 8)
        content[at // 8] ^= 1 << at % 8
        path.write_bytes(content)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        ended = run_forked(whole, stage)
        is_refused = ended.code == 4 and f"{name} is not as its stage wrote it" in ended.said and not path.exists()
        # What a stage declares it need not read every time; then nothing comes of it.
        is_unread = ended.code == 0 and contents(whole, stage.outputs) == {out: kept[out] for out in stage.outputs}
        if not is_refused and not is_unread:
            unnoticed.append(f"{name} bit {at}, read by {stage.name}: code {ended.code} {ended.said[-500:]}")
        refused += is_refused
        path.write_bytes(kept[name])
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        place = place_of(path)
        assert place
        seal(place)
    assert contents(whole, sorted(made)) == kept
    assert refused > planted / 2
    told(
        f"flipped bits of files between stages, part {part + 1} of {PARTS} ({refused} refused, others unread)",
        planted,
        planted - len(unnoticed),
    )
    assert not unnoticed, f"{len(unnoticed)} of {planted}: " + "\n".join(unnoticed[:10])
