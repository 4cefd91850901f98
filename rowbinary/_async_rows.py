"""Rows from asynchronous iterables: gathered into batches, so that they can be encoded off the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any

from ._pipeline import CHUNK_BYTES, Abandoned, Buffer, Encoding

__all__ = ["AsyncRows", "Bridge"]

_FIRST, _MOST = 16, 10_000  # rows in the first batch, and in any


class AsyncRows:
    """Batches of about a chunk of rows; how many rows that is, the batches before have shown."""

    def __init__(self, rows: AsyncIterable[object], source: Encoding):
        self._rows = rows.__aiter__()
        self._source = source
        self.ended = False

    async def batch(self) -> list[object]:
        """The next rows; fewer than wanted at the end."""
        rows: list[object] = []
        wanted = self._wanted()
        while len(rows) < wanted:
            try:
                rows.append(await self._rows.__anext__())
            except StopAsyncIteration:
                self.ended = True
                break
        return rows

    def _wanted(self) -> int:
        rows, size = self._source.rows, self._source.encoded_bytes
        if not rows or not size:
            return _FIRST
        return max(1, min(CHUNK_BYTES * rows // size, _MOST))

    async def close(self) -> None:
        """Tell a generator that no more is wanted."""
        close: Any = getattr(self._rows, "aclose", None)
        if close is not None:
            await close()


class Bridge:
    """The chunks of asynchronous rows for a thread that is not the event loop's."""

    def __init__(self, rows: AsyncRows, source: Encoding, loop: asyncio.AbstractEventLoop):
        self._batches = rows
        self._source = source
        self._loop = loop
        self._waiting: asyncio.Task[Any] | None = None
        self._stopped = False

    @property
    def rows(self) -> int | None:
        return self._source.rows

    @property
    def raw_bytes(self) -> int:
        return self._source.raw_bytes

    @property
    def seconds(self) -> float:
        return self._source.seconds

    @property
    def ended(self) -> bool:
        return self._source.ended

    def next(self) -> Buffer:
        """The next chunk."""
        while not self._batches.ended:
            batch = asyncio.run_coroutine_threadsafe(self._batch(), self._loop).result()
            chunk = self._source.feed(batch)
            if chunk is not None:
                return chunk
        return self._source.end()

    async def _batch(self) -> list[object]:
        if self._stopped:
            raise Abandoned
        self._waiting = asyncio.current_task()
        try:
            return await self._batches.batch()
        finally:
            self._waiting = None

    def stop(self) -> None:
        """Wait for no more rows; to be called on the event loop."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()
