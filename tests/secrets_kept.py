"""The check that nothing secret comes out again: not in errors, what is behind them, or logs."""

from __future__ import annotations

import base64
import traceback
from urllib.parse import quote

import pytest
from clients import chain

import rowbinary

__all__ = ["check_kept", "kinds_of"]


def kinds_of(secret: str) -> set[str]:
    """A secret as it is, and as URLs and Basic logins have it."""
    logins = {base64.b64encode(f"{user}:{secret}".encode()).decode() for user in ("alice", "default", "pat")}
    return {secret, quote(secret, safe=""), quote(secret), repr(secret)[1:-1], *logins}


def check_kept(error: BaseException | None, log: pytest.LogCaptureFixture, *secrets: str) -> None:
    """`error` is one of ours, and neither it nor the log holds any of `secrets`."""
    assert error is None or isinstance(error, rowbinary.RowBinaryError)
    texts = [log.text, *(str(record.__dict__) for record in log.records)]
    for one in chain(error):
        texts += [str(one), repr(one), repr(one.args), *traceback.format_exception(one)]
        texts += [str(note) for note in getattr(one, "__notes__", ())]
    for secret in secrets:
        for form in kinds_of(secret):
            assert not any(form in text for text in texts)
