"""The documentation says what the code does: generated parts are current, examples run."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import pathlib
import re
from typing import Any

import pytest
from front_process import Front

import rowbinary
from rowbinary import _codes, _registry

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_types_page_is_current() -> None:
    assert (ROOT / "docs" / "types.md").read_text() == _registry.document()


def test_readme_table_is_current() -> None:
    text = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- types:.*?-->\n(.*?)<!-- end of types -->", text, re.DOTALL)
    assert block is not None
    assert block[1] == _registry.table()


def test_errors_page_is_current() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    assert text.endswith("<!-- codes: made by rowbinary/_codes.py -->\n" + _codes.document())


def test_client_page(front: Front) -> None:
    """The examples of the client's page run, against a server."""
    front.query("CREATE DATABASE IF NOT EXISTS logs")
    columns = "at DateTime, name String, attrs JSON, host String DEFAULT 'here'"
    front.query(f"CREATE OR REPLACE TABLE logs.spans ({columns}) ENGINE = MergeTree ORDER BY at")
    text = (ROOT / "docs" / "client.md").read_text()
    first, second, third = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    row = (0, "start", {"a": 1})
    url = front.url.replace("http://", "http://alice:secret@") + "/logs"
    names: dict[str, Any] = {"rows": [(*row, "there")], "bad": []}
    exec(first.replace("http://user:password@localhost:8123/logs", url), names)
    assert names["result"].rows == 1
    names["client"] = rowbinary.Client(url)
    names["dicts"] = [{"at": 0, "name": "x"}]
    encoded = rowbinary.encode_rows(names["client"].create_schema("spans"), [(*row, "")] * 2)
    names["open"] = lambda *arguments: io.BytesIO(encoded)
    exec("rows = [(0, 'start', {})]\n" + second.splitlines()[0], names)
    exec("rows = [(0, 'start', {}, ''), (0, 1, {}, '')]\n" + "\n".join(second.splitlines()[1:]), names)
    assert [row[1] for row, error in names["bad"]] == [1]
    exec(third, names)
    assert names["client"].command("SELECT count() FROM spans") == "6"


def test_connect_page(front: Front) -> None:
    """The examples of the page on clickhouse-connect run, against a server."""
    pytest.importorskip("clickhouse_connect", reason="clickhouse-connect is not installed")
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    front.query("CREATE OR REPLACE TABLE spans (id UInt64, took UInt32, attrs JSON) ENGINE = Memory")
    text = (ROOT / "docs" / "connect.md").read_text()
    names: dict[str, Any] = {"rows": [(1, 120, {"a": 1}), {"id": 2, "took": 15, "attrs": "{}"}]}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        asyncio.run(_run_closing(block.replace('"localhost"', f'"127.0.0.1", port={front.port}'), names))
    assert front.query("SELECT count() FROM spans").strip() == "4"


async def _run_closing(block: str, names: dict[str, Any]) -> None:
    """Run statements that may await; clients that they bind to the name `client` are closed."""
    clients: list[Any] = []
    try:
        for statement in ast.parse(block).body:
            module = ast.Module([statement], [])
            code = compile(module, "<page>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            coroutine = eval(code, names)
            if inspect.iscoroutine(coroutine):
                await coroutine
            if "client" in names and not any(names["client"] is known for known in clients):
                clients.append(names["client"])
    finally:
        names.pop("client", None)
        for client in clients:
            closing = client.close()
            if inspect.isawaitable(closing):
                await closing


@pytest.mark.engine
def test_connect_example() -> None:
    """The blocks of the example, one after another in the embedded engine, print what the page shows."""
    for module in ("chdb", "clickhouse_connect", "pandas"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    text = (ROOT / "docs" / "connect_example.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, re.DOTALL)
    assert len(blocks) == text.count("```python")
    names: dict[str, Any] = {"__name__": "example"}
    try:
        for code, shown in blocks:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "<page>", "exec", dont_inherit=True), names)
            assert printed.getvalue() == shown, code
    finally:
        if "client" in names:
            names["client"].command("DROP TABLE IF EXISTS spans")
            names["client"].close()


def test_decode_page(front: Front) -> None:
    """The examples print what the page shows; the last one asks a server."""
    text = (ROOT / "docs" / "decode.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, re.DOTALL)
    assert len(blocks) == text.count("```python")
    names: dict[str, Any] = {}
    for code, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code.replace("http://localhost:8123", front.url), names)
        assert printed.getvalue() == shown, code
    assert names["total"] == sum(range(100_000))


@pytest.mark.parametrize("page", ["README.md", "docs/columns.md"])
def test_first_example(page: str) -> None:
    """The example runs up to its last line, which raises what the comment under it says."""
    text = (ROOT / page).read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    message = re.search(r"# EncodeError: (.*)", code[1])
    assert message is not None
    names: dict[str, object] = {}
    with pytest.raises(rowbinary.EncodeError) as caught:
        exec(code[1], names)
    assert str(caught.value) == message[1]
    assert isinstance(names["body"], bytes)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: pathlib.Path) -> None:
    """Links between the pages lead somewhere."""
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
