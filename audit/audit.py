"""Look at what is installed by the locks of envs/: that each line has a hash, which licences they have, and known holes.

usage: python audit/audit.py [--list] [--offline]

Exit codes: 0 all was looked at and is in order; 1 something is not; 2 nothing was found, but something could not be looked at:
the service of known holes did not answer, or packages are not installed. With --offline nobody is asked for holes, and it says so.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from locks import ROOT, Locked, Rules, installed, is_allowed, licence_of, read_lock, read_rules

# The locks are what is installed: nothing is resolved anew, and nothing is built or installed.
AUDIT = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--timeout", "15")
# What pip-audit says where it got an answer.
ANSWERED = ("No known vulnerabilities found", "Found ")


def say(text: str) -> None:
    """A line for whoever reads."""
    sys.stdout.write(f"{text}\n")


def hashes_missing(locks: dict[str, list[Locked]]) -> list[str]:
    """Lines that lock nothing."""
    return [
        f"envs/{name}.txt: {one.name}: {one.problem}" for name, lock in locks.items() for one in lock if one.problem
    ]


def licences(packages: Sequence[Locked], rules: Rules) -> tuple[dict[str, str], list[str], list[str]]:
    """Licences by package, what is not allowed, and what could not be looked at."""
    found, bad, unseen = {}, [], []
    for one in packages:
        metadata = installed(one)
        if metadata is None:
            if one.is_here:
                unseen.append(f"{one.name} {one.version} is not installed (make .venv/.dev, make cluster)")
            continue
        licence = licence_of(one.name, metadata, rules)
        found[one.name] = licence or "unknown"
        if licence is None:
            bad.append(f"{one.name} {one.version}: its licence is not known: add it to audit/licences.toml")
        elif not is_allowed(licence, rules):
            bad.append(f"{one.name} {one.version}: {licence} is not allowed by audit/licences.toml")
    return found, bad, unseen


def holes(packages: Sequence[Locked]) -> tuple[int | None, str]:
    """What pip-audit knows of packages: 0, 1 where there are holes, None where it got no answer; and its words."""
    lines = [f"{one.name}=={one.version} {' '.join(f'--hash={digest}' for digest in one.hashes)}\n" for one in packages]
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "all.txt"
        lock.write_text("".join(lines), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", *AUDIT, "--requirement", str(lock)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = (done.stdout + done.stderr).strip()
    if done.returncode in {0, 1} and any(line.startswith(ANSWERED) for line in words.splitlines()):
        return done.returncode, words
    return None, words.splitlines()[-1] if words else f"exit code {done.returncode}"


def main(argv: Sequence[str] | None = None) -> int:
    """Look at everything, and say what was found and what was not looked at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="every package with its licence")
    parser.add_argument("--offline", action="store_true", help="do not ask for known holes")
    args = parser.parse_args(argv)
    locks = {path.stem: read_lock(path) for path in sorted((ROOT / "envs").glob("*.txt"))}
    packages = sorted({one.name: one for lock in locks.values() for one in lock}.values(), key=lambda one: one.name)
    bad = hashes_missing(locks)
    say(f"hashes: {sum(map(len, locks.values()))} lines of {len(locks)} locks, {len(bad)} without")
    found, forbidden, unseen = licences(packages, read_rules())
    elsewhere = [one.name for one in packages if not one.is_here]
    kinds = sorted(set(found.values()))
    say(f"licences: {len(found)} packages under {len(kinds)}, {len(forbidden)} not allowed or not known")
    if elsewhere:
        say(f"licences: {len(elsewhere)} are for other systems, and were not looked at: {', '.join(elsewhere)}")
    for kind in kinds if not args.list else []:
        say(f"  {kind}: {sum(one == kind for one in found.values())}")
    for name, licence in found.items() if args.list else []:
        say(f"  {name}: {licence}")
    bad += forbidden
    if args.offline:
        say("known holes: NOT LOOKED FOR (--offline)")
    else:
        code, words = holes(packages)
        if code is None:
            unseen.append(f"known holes: pip-audit got no answer: {words}")
        else:
            say(f"known holes: {words.splitlines()[0]}")
            bad += words.splitlines() if code else []
    for line in bad:
        say(f"WRONG: {line}")
    for line in unseen:
        say(f"NOT DONE: {line}")
    return 1 if bad else 2 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
