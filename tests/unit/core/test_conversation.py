"""What a conversation says of itself, in the caller's words."""

from typing import Any

import pytest

from tierwise.core.conversation import Conversation, Turn

FIELDS = ("stop", "seed", "n", "logprobs", "frequency_penalty", "logit_bias", "verbosity")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({}, []),
        ({"n": 1, "logprobs": False, "frequency_penalty": 0.0, "stop": (), "logit_bias": {}}, []),
        ({"seed": 0}, ["seed"]),
        ({"n": 2, "stop": ("END",)}, ["stop_sequences", "n"]),
        ({"logprobs": True, "frequency_penalty": -0.5}, ["logprobs", "frequency_penalty"]),
        ({"temperature": 0.5}, []),
    ],
)
def test_what_is_asked_is_named_as_the_caller_writes_it(more: dict[str, Any], named: list[str]) -> None:
    assert Conversation(turns=(), spelled={"stop": "stop_sequences"}, **more).given(FIELDS) == named


def test_a_thing_in_a_turn_is_named_by_its_place() -> None:
    turn = Turn(role="user", blocks=(), path="messages[0]")
    assert turn.within("image detail") == "messages[0]: image detail"
    assert turn.within("name", ".") == "messages[0].name"
    assert Turn(role="user", blocks=()).within("name", ".") == "name"
