"""Try again what may pass: a lost connection, a server that is not up yet."""

from collections.abc import Callable
from typing import TypeVar

import tenacity

from storelib.errors import DataError

ATTEMPTS = 4
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20
T = TypeVar("T")


class TransientError(DataError):
    """What may be right when it is tried again."""


def retried(action: Callable[[], T], say: Callable[[str], None]) -> T:
    """What `action` gives, tried again after a lengthening wait while it fails in passing; then its last error.

    say: is told of each attempt that failed.
    """

    def told(state: tenacity.RetryCallState) -> None:
        assert state.outcome is not None and state.next_action is not None  # noqa: S101, PT018 (what tenacity promises)
        failed = f"attempt {state.attempt_number} of {ATTEMPTS} failed: {state.outcome.exception()}".partition("\n")[0]
        say(f"{failed}; trying again in {state.next_action.sleep:.0f} s")

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransientError),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential_jitter(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S, jitter=FIRST_WAIT_S),
        before_sleep=told,
        reraise=True,
    )
    return retrying(action)
