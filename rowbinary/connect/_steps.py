"""What an insert asks its client to do.

The logic of inserts is written once, as generators that yield these steps and are sent what came of them.
The clients differ in how they take a step: by calling, or by awaiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

__all__ = [
    "Body",
    "NATIVE_POISON",
    "Create",
    "Encode",
    "Own",
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


class Probe(NamedTuple):
    """Run a harmless statement, which the wrapped client sends again with a new token when it has to."""


class Sleep(NamedTuple):
    """Wait, in seconds."""

    seconds: float


@dataclass
class Body:
    """What goes over the wire: the first chunk, which begins with the statement where that is part of the
    body, and those that are made while it is sent.

    ``whole``: it may be given as bytes, which the wrapped client sends again by its own rules.
    ``failed``: what broke it off.  ``begun``: a byte of it has been asked for.  ``poison``: what a body that
    breaks off can end with so that the server refuses it: unlike a broken connection that gets an answer, and
    the session is free at once.
    """

    first: Any
    chunks: Any
    compress: Callable[[Any], Any]
    flush: Callable[[], Any]
    whole: bool
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


Step: TypeAlias = Create | Encode | Own | Probe | Send | Sleep
Steps: TypeAlias = Generator[Step, Any, T]


class _Walk(Generic[T]):
    """Through `steps`: what came of the last one is told, then asked for the next."""

    def __init__(self, steps: Steps[T]):
        self._steps = steps
        self.result: Any = None
        self.error: Exception | None = None
        self.value: Any = None  # what the steps have come to

    def next(self) -> Step | None:
        """The next step; ``None`` at the end."""
        result, error, self.result, self.error = self.result, self.error, None, None
        try:
            return self._steps.send(result) if error is None else self._steps.throw(error)
        except StopIteration as stop:
            self.value = stop.value
            return None


def take(steps: Steps[T], do: Callable[[Step], Any]) -> T:
    """Take all `steps`; what they come to."""
    walk = _Walk(steps)
    while (step := walk.next()) is not None:
        try:
            walk.result = do(step)
        except Exception as error:
            walk.error = error
    return walk.value  # type: ignore[no-any-return]


async def take_async(steps: Steps[T], do: Callable[[Step], Awaitable[Any]]) -> T:
    """Like :func:`take`, one awaited step after another."""
    walk = _Walk(steps)
    while (step := walk.next()) is not None:
        try:
            walk.result = await do(step)
        except Exception as error:
            walk.error = error
    return walk.value  # type: ignore[no-any-return]
