"""The command line: ``insert``, ``inspect`` and ``decode``.  Needs the extra ``cli`` (click and rich)."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        print(f"the command line needs {error.name}: pip install 'rowbinary[cli]'", file=sys.stderr)
        raise SystemExit(1) from None
    from ._command import run

    raise SystemExit(run(sys.argv[1:]))
