"""Sending a request again, when it is certain that the server did nothing with it."""

from __future__ import annotations

import random

from . import _codes
from ._outcome import Statement, may_repeat
from .errors import ClientError, ServerError
from .protocol import Answer

_LONGEST = 30.0  # seconds that a Retry-After header may ask for


def pause(
    error: ClientError,
    attempt: int,
    retries: int,
    statement: Statement,
    replayable: bool,
    answer: Answer | None,
) -> float | None:
    """Seconds to wait before attempt number `attempt` + 1; ``None`` when there must be none."""
    if attempt >= retries or not replayable:
        return None
    if not may_repeat(error, statement) and not (attempt and _own_shadow(error, statement)):
        return None
    wanted = answer.retry_after if answer is not None else None
    if wanted is not None:
        return min(wanted, _LONGEST)
    return float(min(0.1 * 2**attempt, 5.0) * random.uniform(0.5, 1.0))


def _own_shadow(error: ClientError, statement: Statement) -> bool:
    """The server has not noticed yet that the attempt before, which broke before its body, is over."""
    return (
        isinstance(error, ServerError)
        and error.code == _codes.SAME_ID_RUNNING
        and not statement.sent_before
        and error.outcome == "refused"
    )
