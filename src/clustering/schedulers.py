"""Profiles of Snakemake, and what one that gives stages to a scheduler leaves behind on other machines.

`clustering run` and what it starts end together, but only on its own machine. Slurm's jobs go on, whatever becomes of the
one who sent them off: the next command, or this one where it fails, takes them back before it goes on.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from storelib.errors import ConfigError, PipelineError, nearest_name

FOLDER = "profiles"
# Who runs stages where nobody else is named.
LOCAL = "local"
# Where Snakemake keeps what Slurm's jobs say: in a project without it Slurm has never had any.
SENT = Path(".snakemake", "slurm_logs")
# How its executor names the jobs of a run: a random id, behind a prefix where one is set.
NAME = re.compile(r"(\S+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Seconds until a job that is taken back has to be gone, its last processes too; and between two looks.
GONE, LOOK = 120.0, 1.0


def profile_folder(root: Path, name: str) -> Path:
    """The folder of a profile: `slurm` is profiles/slurm of the project; a path is a path. Raises ConfigError where there is none."""
    found = [folder for folder in (root / FOLDER / name, Path(name).absolute()) if (folder / "config.yaml").is_file()]
    if found:
        return found[0]
    known = sorted(path.parent.name for path in (root / FOLDER).glob("*/config.yaml"))
    raise ConfigError(
        f"there is no profile {name!r}{nearest_name(name, known)}",
        solution=f"choose one of profiles/ ({', '.join(known) or 'none is there'}), or a folder with a config.yaml",
    )


def own_profile(root: Path) -> Path | None:
    """The folder of the profile that Snakemake takes by itself, where a variable names a folder."""
    named = os.environ.get("SNAKEMAKE_PROFILE")
    return root / named if named and (root / named / "config.yaml").is_file() else None


def executor_of(profile: Path | None) -> str:
    """Who runs a profile's stages: LOCAL, or a scheduler's name. Raises ConfigError where the profile cannot be read."""
    if profile is None:
        return LOCAL
    path = profile / "config.yaml"
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}", solution="mend it, or copy that of a new project"
        ) from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: options are expected, a line each", solution="write them as `name: value`")
    return str(settings.get("executor", LOCAL))


@contextmanager
def jobs_ended(root: Path, executor: str) -> Iterator[None]:
    """See that no job of this run is at work when this is left by an error, or by ^C."""
    try:
        yield
    except BaseException:
        if executor != LOCAL:
            take_back(root)
        raise


def take_back(root: Path) -> int:
    """Cancel the Slurm jobs that an earlier run of this project has left, and wait until they are gone. How many there were.

    Raises PipelineError where Slurm cannot be asked, or a job does not end.
    """
    if not (root / SENT).is_dir() or shutil.which("squeue") is None:
        return 0
    left = jobs_of(root)
    if not left:
        return 0
    sys.stderr.write(f"An earlier run left {len(left)} jobs in Slurm: they are cancelled.\n")
    slurm("scancel", *left)
    until = time.monotonic() + GONE
    while alive := [job for job in jobs_of(root) if job in left]:
        if time.monotonic() > until:
            raise PipelineError(
                f"Slurm has not ended {len(alive)} jobs of this project, such as {alive[0]}",
                solution="wait until `squeue` does not show them any more, and run the same command again",
            )
        time.sleep(LOOK)
    return len(left)


def jobs_of(root: Path) -> list[str]:
    """The jobs of Snakemake in this project that Slurm has not ended, but for the one that this process runs in."""
    here, own = str(root.resolve()), os.environ.get("SLURM_JOB_ID")
    rows = [line.split("|", 2) for line in slurm("squeue", "--me", "--noheader", "--format=%A|%j|%Z").splitlines()]
    return [job for job, name, folder in rows if folder == here and NAME.fullmatch(name) and job != own]


def slurm(*words: str) -> str:
    """What a program of Slurm says. Raises PipelineError where it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        problem = "no answer in a minute"
    else:
        if done.returncode == 0:
            return done.stdout
        problem = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
    raise PipelineError(
        f"{words[0]}: {problem}; an earlier run of this project may have jobs at work",
        solution=f"try again when Slurm answers; where no job is left, delete {SENT}",
    )
