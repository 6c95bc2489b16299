"""Every test that TABLE.md names exists, and neither a group of complaints nor a feature is left out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent
_NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows(title: str) -> dict[int, str]:
    """The rows of a table below a heading, by their number."""
    text = (HERE / "TABLE.md").read_text("utf-8")
    part = text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    found = (re.fullmatch(r"\| (\d+) \|(.*)\|", line) for line in part.splitlines())
    return {int(each[1]): each[2] for each in found if each is not None}


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_no_group_of_complaints_and_no_feature_is_left_out() -> None:
    complaints, features = (
        rows("The nineteen groups of complaints"),
        rows("The features that were to be shown"),
    )
    assert list(complaints) == list(range(1, 20))
    assert list(features) == list(range(1, 39))
    assert [number for number, row in (complaints | features).items() if not _NAMED.search(row)] == []
    assert all("scenarios/" in row for row in complaints.values())


def test_every_test_that_is_named_exists() -> None:
    named = _NAMED.findall((HERE / "TABLE.md").read_text("utf-8"))
    assert len(named) > 60
    assert [
        f"{file}::{name}"
        for file, name in named
        if not (TESTS / file).is_file() or name not in functions(file)
    ] == []


def test_every_scenario_of_a_complaint_says_its_number() -> None:
    """The docstring of each scenario named in the first table begins with the complaint or names its number."""
    missing = []
    for number, row in rows("The nineteen groups of complaints").items():
        docs = []
        for file, name in _NAMED.findall(row):
            if file.startswith("scenarios/"):
                tree = ast.parse((TESTS / file).read_text("utf-8"))
                docs += [
                    ast.get_docstring(node) or ""
                    for node in tree.body
                    if isinstance(node, ast.FunctionDef) and node.name == name
                ]
        missing += [number] if not any(re.search(rf"\D{number}\b", doc) for doc in docs) else []
    assert missing == []
