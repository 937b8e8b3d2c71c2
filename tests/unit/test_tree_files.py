"""What `tree push` reads: one JSON tree or one a line, all or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.errors import Refused
from domain.tree_faults import DOCUMENT_BYTES_MAX, read_tree, read_trees

TREE: dict[str, Any] = {
    "schema_version": 1,
    "shopper": "c-1",
    "root": "start",
    "nodes": {"start": {"after": {"idle_s": 60, "to": "end"}}, "end": {}},
}


def faults_of(document: dict[str, Any] | bytes) -> tuple[str, ...]:
    """Why a document is refused."""
    with pytest.raises(Refused) as caught:
        read_tree(document)
    return caught.value.faults


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"{", "$: not JSON: "),
        (b"tree", "$: not JSON: "),
        (b"[1, 2]", "$: expected an object, found [1,2]"),
        (b"null", "$: expected an object, found null"),
        (b'{"root": "\xff"}', "$: not UTF-8 at byte 0 of a text"),
        (b'{"root": "\\ud800"}', "$: not JSON: "),
        (b'{"root": NaN}', "$: not JSON: "),
        (b'{"root": 1e999}', "$: not JSON: Number out of range"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "$: nested too deep to be read"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "$: 1,048,577 bytes, a tree has at most 65,536"),
        (b"", "$: not JSON: "),
    ],
)
def test_what_is_no_json_object_is_refused(content: bytes, fault: str) -> None:
    """Bytes that can't be read as an object give one fault that says why."""
    assert [True] == [one.startswith(fault) for one in faults_of(content)], faults_of(content)


def test_a_document_that_json_cannot_carry_is_refused() -> None:
    """A program that hands over its own objects gets the same answer as a file."""
    endless: dict[str, Any] = {}
    endless["nodes"] = endless
    assert faults_of(endless) == ("$: nested too deep to be read",)
    assert faults_of({"root": object()})[0].startswith("$: holds what JSON can't carry")
    assert faults_of({"root": "\ud800"})[0].startswith("$: holds what JSON can't carry")


def line(shopper: str, **fields: object) -> bytes:
    """A shopper's tree as one line."""
    return json.dumps({**TREE, "shopper": shopper, **fields}).encode()


def test_a_file_holds_one_tree_or_one_a_line() -> None:
    """Pretty JSON is one tree; lines are many, blank ones between them are nothing."""
    assert ["c-1"] == [shopper for shopper, _ in read_trees(b"\xef\xbb\xbf" + json.dumps(TREE, indent=2).encode())]
    many = b"\n".join([line("c-1"), b"", line("default"), b"\r", line("c-2"), b""])
    assert ["c-1", "default", "c-2"] == [shopper for shopper, _ in read_trees(many)]


def test_faults_of_a_file_name_their_lines() -> None:
    """All or nothing: a good tree among bad ones is not pushed, every bad line is named."""
    with pytest.raises(Refused) as caught:
        read_trees(b"\n".join([line("c-1"), line("c-2", root="x", colour=1), b"{", line("c-3"), line("c-1")]))
    assert [
        'line 2: $.colour: unknown field "colour", known here are schema_version, shopper, root, nodes',
        'line 2: $.root: no node "x"',
        "line 3: $: not JSON: Input data was truncated",
        'line 5: $.shopper: "c-1" has a tree on line 1 already',
    ] == list(caught.value.faults)


def test_an_empty_file_is_refused() -> None:
    """Pushing nothing is a mistake, not a success."""
    with pytest.raises(Refused, match="no tree in the file"):
        read_trees(b" \n\n")


def test_a_broken_document_over_many_lines_is_one_document() -> None:
    """A missing bracket gives one fault, not one a line."""
    with pytest.raises(Refused) as caught:
        read_trees(json.dumps(TREE, indent=2).encode()[:-2])
    assert len(caught.value.faults) == 1
