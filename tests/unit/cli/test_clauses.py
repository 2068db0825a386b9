"""The map points at fields that a record has, and says wherever it is shown that it is ours."""

from typing import Any, get_args

import msgspec
import pytest

from tierwise.cli.clauses import CAVEAT, FRAMEWORKS, clauses
from tierwise.core.decision import Decision


def has(kind: Any, path: str) -> bool:
    """Say whether a record of this kind has a field at this path; lists are looked through."""
    inner = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    inner += [one for part in get_args(kind) for one in get_args(part) if isinstance(one, type)]
    name, _, rest = path.partition(".")
    fields = [
        field
        for one in inner
        if issubclass(one, msgspec.Struct)
        for field in msgspec.structs.fields(one)
        if field.encode_name == name
    ]
    return any(not rest or has(field.type, rest) for field in fields)


def test_every_field_is_one_of_a_record() -> None:
    named = [field for clause in clauses() for field in clause.fields]
    assert len(named) > 20
    assert not [field for field in named if not has(Decision, field)]


@pytest.mark.parametrize("path", ["nothing", "attempts.nothing", "label.value.more", "seq.more"])
def test_a_field_that_is_none_would_be_noticed(path: str) -> None:
    assert not has(Decision, path)


def test_every_group_is_asked_for_by_every_framework() -> None:
    assert len(clauses()) == 5
    assert all(clause.of(framework) for clause in clauses() for framework in FRAMEWORKS)
    assert "not legal advice" in CAVEAT
