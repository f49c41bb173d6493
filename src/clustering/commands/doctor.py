"""`clustering doctor`: what a run needs, and what is amiss."""

from clustering.projects import nearest_project
from clustering.shown import say
from storelib.errors import ConfigError


def doctor() -> None:
    """Whether this machine and project are fit for a run, and what to do where they are not.

    Example: clustering doctor
    """
    from clustering.doctor import examine

    checks = examine(nearest_project())
    for check in checks:
        advice = f" -> {check.advice}" if check.advice else ""
        say(f"{check.state}: {check.what}: {check.found}{advice}")
    bad = [check for check in checks if check.state == "mend"]
    if bad:
        raise ConfigError(f"{len(bad)} things must be mended, first: {bad[0].what}", solution=bad[0].advice)
