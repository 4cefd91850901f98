"""Exceptions of the command line; their texts are for the person who typed the command."""

from __future__ import annotations


class UsageProblem(Exception):
    """The command cannot mean anything: exit code 2, nothing was touched."""


class Aborted(Exception):
    """The command was given up: exit code 1."""


class Broken(Exception):
    """Bytes that are not the body they are said to be: exit code 4."""


class BadLine(Exception):
    """A line that is no row; it is refused, or ends the insert."""
