"""The documentation says what the code does: generated parts are current, examples run."""

from __future__ import annotations

import pathlib
import re

import pytest

import rowbinary
from rowbinary import _registry

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_types_page_is_current() -> None:
    assert (ROOT / "docs" / "types.md").read_text() == _registry.document()


def test_readme_table_is_current() -> None:
    text = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- types:.*?-->\n(.*?)<!-- end of types -->", text, re.DOTALL)
    assert block is not None
    assert block[1] == _registry.table()


def test_readme_example() -> None:
    """The example runs up to its last line, which raises what the comment under it says."""
    text = (ROOT / "README.md").read_text()
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
