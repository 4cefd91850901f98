"""What an insert asks its client to do.

The logic of inserts is written once, as generators that yield these steps and are sent what came of them.
The clients differ in how they take a step: by calling, or by awaiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

__all__ = [
    "Body",
    "NATIVE_POISON",
    "Create",
    "Encode",
    "Own",
    "OwnArrow",
    "Probe",
    "Send",
    "Sleep",
    "Step",
    "Steps",
    "take",
    "take_async",
]

T = TypeVar("T")

# A block of one column whose name has 2^62 bytes.
NATIVE_POISON = b"\1\1" + b"\xff" * 8 + b"\x3f"


class Create(NamedTuple):
    """Let the wrapped client make an insert context."""

    arguments: dict[str, Any]


class Encode(NamedTuple):
    """Make the next chunk."""

    chunks: Any


class Own(NamedTuple):
    """Let the wrapped client insert in its own way."""

    context: Any


class OwnArrow(NamedTuple):
    """Let the wrapped client insert an Arrow table in its own way."""

    arguments: dict[str, Any]


class Probe(NamedTuple):
    """Run a harmless statement, which the wrapped client sends again with a new token when it has to."""


class Sleep(NamedTuple):
    """Wait, in seconds."""

    seconds: float


@dataclass(slots=True)
class Body:
    """What goes over the wire: the first chunk, which begins with the statement where that is part of the
    body, and those that are made while it is sent.

    ``whole``: it may be given as bytes, which the wrapped client sends again by its own rules.
    ``light``: the first chunk is compressed sooner than a thread answers.
    ``failed``: what broke it off.  ``begun``: a byte of it has been asked for.  ``poison``: what a body that
    breaks off can end with so that the server refuses it: unlike a broken connection that gets an answer, and
    the session is free at once.
    """

    first: Any
    chunks: Any
    compress: Callable[[Any], Any]
    flush: Callable[[], Any]
    whole: bool
    light: bool = False
    poison: bytes | None = None
    begun: bool = False
    failed: BaseException | None = None

    def bytes(self) -> bytes:
        """All of it."""
        head, tail = self.head(), self.flush()
        return b"".join((head, tail)) if tail or not isinstance(head, bytes) else head

    def fail(self, error: BaseException) -> Any:
        """The last piece of a body whose rows have failed with `error`; raises if there is none.

        An error of the rows may be one that a connection can have, so it must not be seen by who sends.
        """
        self.failed = error
        if self.poison is None:
            raise RuntimeError("the rows have failed") from error
        return self.chunks.held + self.poison if self.poison is NATIVE_POISON else self.poison

    def head(self) -> Any:
        """The first piece."""
        return self.compress(self.first)


class Send(NamedTuple):
    """Send `body` as an insert."""

    arguments: dict[str, Any]
    body: Body


Step: TypeAlias = Create | Encode | Own | OwnArrow | Probe | Send | Sleep
Steps: TypeAlias = Generator[Step, Any, T]


def _next(steps: Steps[T], result: Any, error: Exception | None) -> tuple[Step | None, Any]:
    """The step after the one that came to `result`, or to `error`; ``None`` at the end, and what all have
    come to."""
    try:
        return (steps.send(result) if error is None else steps.throw(error)), None
    except StopIteration as stop:
        return None, stop.value


def take(steps: Steps[T], do: Callable[[Step], Any]) -> T:
    """Take all `steps`; what they come to."""
    step, value = _next(steps, None, None)
    while step is not None:
        try:
            result, error = do(step), None
        except Exception as caught:
            result, error = None, caught
        step, value = _next(steps, result, error)
    return value  # type: ignore[no-any-return]


async def take_async(steps: Steps[T], do: Callable[[Step], Awaitable[Any]]) -> T:
    """Like :func:`take`, one awaited step after another."""
    step, value = _next(steps, None, None)
    while step is not None:
        try:
            result, error = await do(step), None
        except Exception as caught:
            result, error = None, caught
        step, value = _next(steps, result, error)
    return value  # type: ignore[no-any-return]
