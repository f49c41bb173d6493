"""Why a stage would run, in a few words. Both runners give a reason as a sentence, in Snakemake's events and in DVC's status.

These sentences change with the runners' versions: tests/data/runners holds those of the pinned ones.
"""

import ast
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

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
                both = before[1] + before[2]
                if re.search(r"no file|files?, content ", both):
                    return "raw files changed"
                # What `code_params` says of a script and all that it imports.
                code = [f"code changed: {name}" for name in dict.fromkeys(re.findall(r"code of (\w+): ", both))]
                old, new = (" ".join(literals_in(part)) for part in before.groups())
                return some([*code, *([changed_flags(old, new)] if old != new or not code else [])])
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


# As Snakemake shows the text of a parameter: by Python's `repr`.
LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
NAMED = 3


def literals_in(text: str) -> list[str]:
    """The texts of parameters that are flags; what they are without quotes and escapes."""
    texts = [str(ast.literal_eval(literal)) for literal in LITERAL.findall(text)]
    return [text for text in texts if text.startswith("--")]


def flags_in(command: str) -> dict[str, str]:
    """The flags of a command, each with its values as one text."""
    found: dict[str, str] = {}
    name = None
    for word in shlex.split(command):
        if word.startswith("--"):
            name = word[2:]
            found[name] = ""
        elif name is not None:
            found[name] = f"{found[name]} {word}".strip()
    return found


def changed_flags(before: str, now: str) -> str:
    """The flags of two commands that differ, such as `parameters changed: min_cluster_size 8 -> 12`."""
    old, new = flags_in(before), flags_in(now)
    changes = [
        f"{name} {old.get(name, 'unset')} -> {new.get(name, 'unset')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    return f"parameters changed: {some(changes, ', ')}" if changes else "parameters changed"


def some(parts: Sequence[str], sign: str = "; ") -> str:
    """The first parts, and how many more there are."""
    more = [f"{len(parts) - NAMED} more"] if len(parts) > NAMED else []
    return sign.join([*parts[:NAMED], *more])


def followed(files: Iterable[str], makers: Mapping[str, str]) -> str:
    """That a stage follows from those that make some of its files. makers: the stage that makes each file."""
    stages = sorted({makers[name] for name in files if name in makers})
    return f"follows {some(stages, ', ')}" if stages else WORDS["Input files updated by another job"]


def dvc_reasons(
    reasons: Sequence[str | Mapping[str, Mapping[str, object]]], before: str | None = "", now: str = ""
) -> list[str]:
    """DVC's own words, shortened: what changed in the command first, then files, such as `modified: data/raw/dev`.

    before, now: the command when the stage ran last (None: it never did), and as it is.
    """
    if before is None:
        return ["not made yet"]
    words: list[str] = []
    for reason in reasons:
        if isinstance(reason, Mapping):
            for changes in reason.values():
                for path, change in changes.items():
                    keys = ", ".join(change) if isinstance(change, Mapping) else change
                    of_code = change == "modified" and re.fullmatch(r"data/code/(\w+)\.sha256", path)
                    words.append(f"code changed: {of_code[1]}" if of_code else f"{keys}: {path}")
        elif reason == "changed command" and before != now:
            # Of many reasons the last are left out, and this one says most.
            words.insert(0, changed_flags(before, now))
        else:
            words.append(str(reason))
    return words[:NAMED] + ([f"{len(words) - NAMED} more"] if len(words) > NAMED else [])
