"""Who holds a session is known by its name, or by how it began."""

import json
from typing import Any

import msgspec
import pytest

from tierwise.core.call import Call, Hints
from tierwise.gateway.sessions import CACHE_S, Sessions
from tierwise.router.candidate import Held
from tierwise.wires import chat, messages, responses

FIRST = {"role": "user", "content": "Please mend the clock."}
NEXT = [{"role": "assistant", "content": "Which one?"}, {"role": "user", "content": "The big one."}]


def call(*turns: dict[str, Any], system: str = "You mend.", session: str | None = None) -> Call:
    body = {"model": "m", "messages": [{"role": "system", "content": system}, *turns]}
    return chat.decode_request(json.dumps(body).encode(), Hints(session=session))


def held_after(before: Call, after: Call, *, later_s: float = 1.0) -> Held | None:
    sessions = Sessions()
    sessions.served(before, "m", tokens=70, bound=False, now=0.0)
    return sessions.held(after, later_s)


def test_the_next_turn_is_known_by_the_beginning() -> None:
    assert held_after(call(FIRST), call(FIRST, *NEXT)) == Held(model="m", tokens=70)
    assert held_after(call(FIRST, *NEXT), call(FIRST, *NEXT, *NEXT)) == Held(model="m", tokens=70)


def test_the_same_question_again_is_no_session() -> None:
    assert held_after(call(FIRST), call(FIRST)) is None


@pytest.mark.parametrize(
    "other",
    [
        call({"role": "user", "content": "Please mend the chair."}, *NEXT),
        call(FIRST, *NEXT, system="You break."),
        call(FIRST, *NEXT, session="s"),
        call({"role": "user", "content": "You mend."}, FIRST, *NEXT, system="x"),
    ],
)
def test_another_beginning_is_another_session(other: Call) -> None:
    assert held_after(call(FIRST), other) is None


def test_a_name_is_stronger_than_the_beginning() -> None:
    renamed = call({"role": "user", "content": "Else."}, *NEXT, session="s")
    assert held_after(call(FIRST, session="s"), renamed) == Held(model="m", tokens=70)


def test_a_cache_is_not_counted_on_for_ever() -> None:
    assert held_after(call(FIRST), call(FIRST, *NEXT), later_s=CACHE_S + 1) == Held(model="m", tokens=0)


def test_keys_do_not_share_sessions() -> None:
    other = msgspec.structs.replace(call(FIRST, *NEXT), key_id="k")
    assert held_after(call(FIRST), other) is None


def test_thinking_binds_until_another_model_answers() -> None:
    sessions, turn = Sessions(), call(FIRST, *NEXT)
    sessions.served(turn, "m", tokens=1, bound=True, now=0)
    sessions.served(turn, "m", tokens=1, bound=False, now=1)
    assert sessions.held(turn, 1) == Held(model="m", tokens=1, bound=True)
    sessions.served(turn, "n", tokens=1, bound=False, now=2)
    assert sessions.held(turn, 2) == Held(model="n", tokens=1)


def test_every_wire_has_sessions() -> None:
    asks = [
        messages.decode_request(json.dumps({"model": "m", "max_tokens": 9, "messages": [FIRST, *NEXT]}).encode()),
        responses.decode_request(json.dumps({"model": "m", "input": [FIRST, *NEXT]}).encode()),
    ]
    for ask in asks:
        assert held_after(ask, ask) == Held(model="m", tokens=70)
