"""The synchronous client's way to a server: requests with retries, and inserts as a pipeline of threads.

The thread that calls encodes (rows may belong to it: a database cursor, say), others compress, and
one sends.  Compression and sending do not hold the interpreter lock.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from . import _retries
from ._address import Address
from ._http import HttpTransport
from ._job import Job
from ._network import Network
from ._outcome import ExchangeFailed, Statement, answered, failed
from ._pipeline import AWAKE, Body, Buffer, StreamBody, WholeBody
from .errors import UnknownStateError
from .protocol import Answer, Request, statement_request

__all__ = ["Sender"]

ANSWER_LIMIT = 1 << 20  # bytes of an answer that should have none
# The thread that encodes has a core to itself; more threads than cores only get into its way.
PACKERS = max(1, min(4, len(os.sched_getaffinity(0)) - 1)) if hasattr(os, "sched_getaffinity") else 2


class Sender:
    """A server reached over HTTP."""

    def __init__(self, address: Address, network: Network, retries: int):
        self._address = address
        self._where = address.origin
        self._retries = retries
        self._transport = HttpTransport(address, network)
        self._lock = threading.Lock()
        self._packers: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    def close(self) -> None:
        """Close what is idle."""
        self._transport.close()
        with self._lock:
            packers, self._packers = self._packers, None
        if packers is not None:
            packers.shutdown(wait=False)

    def run(self, statement: Statement, limit: int) -> Answer:
        """The answer to a statement without rows, its body cut to `limit` bytes."""
        request = statement_request(
            self._address, statement.sql, query_id=statement.query_id, settings=statement.settings
        )
        return self._exchange(request, statement, WholeBody(request.prefix), limit)

    def insert(self, job: Job) -> Answer | None:
        """Send the rows of `job`; ``None`` when there are none."""
        chunk = job.next()
        if not len(chunk):
            return None
        first = job.pack_first(chunk)
        if job.source.ended:
            answer = self._exchange(job.request, job.statement, WholeBody(first))
        else:
            answer = self._stream(job, StreamBody(first, job.poison, PACKERS))
        job.report()
        return answer

    def _exchange(
        self, request: Request, statement: Statement, body: Body, limit: int = ANSWER_LIMIT
    ) -> Answer:
        """The good answer; anything else is raised."""
        attempt = 0
        while True:
            progress = statement.next_attempt()
            answer, cause = None, None
            try:
                answer = self._transport.exchange(request, body, progress, limit)
                error = answered(answer, statement, self._where)
            except ExchangeFailed as failure:
                error, cause = failed(failure, statement, self._where), failure.__cause__
            if error is None:
                assert answer is not None
                return answer
            seconds = _retries.pause(error, attempt, self._retries, statement, body.replayable, answer)
            if seconds is None:
                raise error from (error.__cause__ or cause)
            time.sleep(seconds)
            attempt += 1

    def _stream(self, job: Job, body: StreamBody) -> Answer:
        """Make the rest of `body` while it is sent."""
        done: Future[Answer] = Future()
        sender = threading.Thread(
            target=self._send, args=(job, body, done), name="rowbinary-send", daemon=True
        )
        sender.start()
        try:
            while not job.source.ended:
                job.report()
                chunk = job.next()
                if len(chunk) and not body.put(self._pack(job, chunk)):
                    break  # the sender has stopped, and says why
            body.finish()
            while not done.done():
                wait((done,), AWAKE)
            return done.result()
        except Exception as error:
            if not done.done():
                body.fail()
                while sender.is_alive():
                    sender.join(AWAKE)
                self._check_refusal(job, body, done, error)
            raise
        except BaseException:
            _break_off(body, sender)
            raise

    def _send(self, job: Job, body: StreamBody, done: Future[Answer]) -> None:
        """The sender's thread."""
        try:
            done.set_result(self._exchange(job.request, job.statement, body))
        except BaseException as error:
            done.set_exception(error)
        finally:
            body.close()

    def _pack(self, job: Job, chunk: Buffer) -> Future[bytes | memoryview]:
        with self._lock:
            if self._packers is None or self._process != os.getpid():  # a fork has no threads of its parent
                self._packers = ThreadPoolExecutor(PACKERS, "rowbinary-pack")
                self._process = os.getpid()
            return self._packers.submit(job.pack, chunk)

    def _check_refusal(self, job: Job, body: StreamBody, done: Future[Answer], error: Exception) -> None:
        """The rows failed with `error`, and the body was broken: the server must have refused it."""
        job.explain(error)
        if done.exception() is None:
            raise UnknownStateError(
                "the rows failed, and the server accepted a body that was broken on purpose; a part of "
                "the rows is stored",
                query_id=job.statement.query_id,
            ) from error


def _break_off(body: StreamBody, sender: threading.Thread) -> None:
    """Stop the sender at once (Ctrl-C): its connection is reset."""
    body.fail(polite=False)
    sender.join(0.2)
    if sender.is_alive() and body.wake is not None:
        body.wake()
    sender.join(5.0)
