"""What the tests of the stages of an insert share: all chunks of a source, and bytes to send."""

from __future__ import annotations

from rowbinary._pipeline import Source

DATA = bytes(range(256)) * 40


def drained(source: Source) -> list[bytes]:
    """All chunks: the last call is the one that says it was the last, none before it is empty."""
    chunks, size = [], 0
    while not source.ended:
        chunk = source.next()
        assert len(chunk) or source.ended
        chunks.append(bytes(chunk))
        size += len(chunk)
        assert source.raw_bytes == size
    assert not len(source.next())
    assert source.seconds >= 0
    return chunks
