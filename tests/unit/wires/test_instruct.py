"""JSON that is asked for in words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.conversations import EVERYTHING, SCHEMA
from tierwise.core.conversation import Conversation, Format, Text, Turn
from tierwise.wires.instruct import bare_json, instructed

ASKED = Conversation(turns=(Turn(role="user", blocks=(Text(text="hi"),)),), format=Format(kind="schema", schema=SCHEMA))


def test_the_schema_is_said_behind_the_callers_own_instructions() -> None:
    told = instructed(EVERYTHING)
    assert told.format is None
    assert told.turns[0] == EVERYTHING.turns[0]
    assert told.turns[1].role == "system"
    assert '"required":["city"]' in told.turns[1].blocks[0].text  # type: ignore[union-attr]
    assert told.turns[2:] == EVERYTHING.turns[1:]
    assert instructed(ASKED).turns[0].role == "system"
    assert instructed(Conversation(turns=ASKED.turns)) == Conversation(turns=ASKED.turns)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('{"a": 1}', '{"a": 1}'),
        (' [1]\n', "[1]"),
        ('Sure!\n```json\n{"a": 1}\n```\nDone.', '{"a": 1}'),
        ('```\n{"a": "```"}\n```', '{"a": "```"}'),
        ('Here: {"a": {"b": [1]}} - ok?', '{"a": {"b": [1]}}'),
        ("no JSON } here {", "no JSON } here {"),
        ("", ""),
    ],
)  # fmt: skip
def test_json_is_found_in_prose(said: str, found: str) -> None:
    assert bare_json(said) == found


@given(st.recursive(st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_alone_stays_as_it_is(value: object) -> None:
    assert bare_json(json.dumps(value)) == json.dumps(value)


def test_an_answer_that_opens_a_fence_and_goes_on_with_blanks_takes_no_time() -> None:
    # To look for the end of the blanks at each of them took half an hour; the test itself would never end.
    endless = "```json\n" + " " * 1_000_000
    assert bare_json(endless) == endless
    assert bare_json(f"```json\n{' ' * 1_000_000}7\t ```") == "7"
