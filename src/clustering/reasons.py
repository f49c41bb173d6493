"""Why a stage would run, in a few words. Both runners give a reason as a sentence, in Snakemake's events and in DVC's status.

These sentences change with the runners' versions: tests/data/runners holds those of the pinned ones.
"""

import re
from collections.abc import Mapping, Sequence

WORDS = {
    "Missing output files": "not made yet",
    "Params have changed": "parameters changed",
    "Code has changed": "command changed",
    "Updated input files": "input is newer",
    "Input files updated by another job": "follows a stage that runs",
    "Set of input files has changed": "other input files",
    "Incomplete output files": "cut off before",
    "Forced execution": "forced",
    "Software environment": "software environment changed",
}


def short(reason: str, files: Sequence[str] = ()) -> str:
    """Snakemake's reason in a few words, with what it is about. files: those of the stage, which the reason may name."""
    for start, words in WORDS.items():
        if start in reason:
            before = re.search(r"before: (.*?) now: (.*?)\s*$", reason)
            if before and start.startswith("Params"):
                # What `RawFiles` of the workflow says of files; which they are it does not say.
                raw = re.search(r"no file|files?, content ", before[1] + before[2])
                return "raw files changed" if raw else f"{words}: {changed_flags(before[1], before[2])}"
            first, *others = files_in(reason.partition(f"{start}: ")[2], files)
            if start.startswith(("Updated", "Missing")) and first:
                return f"{words}: {first}" + (f" and {len(others)} more" if others else "")
            return words
    return reason[:80] or "to be made"


def files_in(text: str, files: Sequence[str]) -> list[str]:
    """The names at the start of a text, parted by commas, which a name may hold too; one empty name where there is none.

    files: names to look for, the longest first; another name ends at the next comma or semicolon.
    """
    found = []
    known = sorted(files, key=len, reverse=True)
    while True:
        plain = re.split(", |; ", text, maxsplit=1)[0]
        name = next((name for name in known if re.match(re.escape(name) + "(, |; |$)", text)), plain)
        found.append(name)
        text = text[len(name) :]
        if not text.startswith(", "):
            return found
        text = text[2:]


def changed_flags(before: str, now: str) -> str:
    """The flags that differ, such as `min_cluster_size 8 -> 12`."""

    def flags(text: str) -> dict[str, str]:
        parts = re.split(r"(?:^|\s)--", text.strip().strip("'\""))[1:]
        return {part.partition(" ")[0]: part.partition(" ")[2].strip() for part in parts}

    old, new = flags(before), flags(now)
    changes = [
        f"{k} {old.get(k, 'unset')} -> {new.get(k, 'unset')}"
        for k in sorted(old.keys() | new.keys())
        if old.get(k) != new.get(k)
    ]
    return ", ".join(changes) or "see snakemake --dry-run"


def dvc_reasons(reasons: Sequence[str | Mapping[str, Mapping[str, object]]]) -> list[str]:
    """DVC's own words, shortened: `changed command`, `modified data/raw/dev`."""
    words: list[str] = []
    for reason in reasons:
        if isinstance(reason, Mapping):
            for changes in reason.values():
                for path, change in changes.items():
                    keys = ", ".join(change) if isinstance(change, Mapping) else change
                    words.append(f"{keys}: {path}")
        else:
            words.append(str(reason))
    return words[:3] + ([f"{len(words) - 3} more"] if len(words) > 3 else [])
