"""Thinking is given back in front of the calls that it led to, to callers who cannot give it back themselves."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Piece
from tierwise.core.conversation import Conversation, Seal, Text, Thinking, ToolUse, Turn
from tierwise.gateway.thoughts import Gathering, Kept

SEALED = (Thinking(text="hm", seal=Seal(wire="messages", data="signed:x", origin="e")),)


def conversation(*ids: str) -> Conversation:
    calls = tuple(ToolUse(id=ident, name="look", arguments="{}") for ident in ids)
    return Conversation(turns=(Turn(role="user", blocks=(Text(text="hi"),)), Turn(role="assistant", blocks=calls)))


def thoughts_of(asked: Conversation) -> list[Thinking]:
    return [block for turn in asked.turns for block in turn.blocks if isinstance(block, Thinking)]


def test_it_comes_back_before_the_first_call() -> None:
    kept = Kept()
    kept.keep("k", ["a", "b"], SEALED)
    given_back = kept.given_back("k", conversation("a", "b"))
    assert given_back.turns[1].blocks[0] is SEALED[0]
    assert len(given_back.turns[1].blocks) == 3
    assert given_back == kept.given_back("k", conversation("a", "b")), "every time the same"


def test_nobody_else_gets_it() -> None:
    kept = Kept()
    kept.keep("k", ["a"], SEALED)
    assert not thoughts_of(kept.given_back("other", conversation("a")))
    assert not thoughts_of(kept.given_back("k", conversation("b")))


def test_an_id_that_is_used_again_is_another_call() -> None:
    kept = Kept()
    kept.keep("k", ["a"], SEALED)
    kept.keep("k", ["a"], ())
    assert not thoughts_of(kept.given_back("k", conversation("a")))


def test_words_without_a_seal_are_not_kept_and_what_the_caller_repeats_gives_way() -> None:
    kept = Kept()
    kept.keep("k", ["a"], (Thinking(text="hm"),))
    assert not thoughts_of(kept.given_back("k", conversation("a")))
    kept.keep("k", ["a"], SEALED)
    asked = conversation("a")
    turn = Turn(role="assistant", blocks=(Thinking(text="repeated"), *asked.turns[1].blocks))
    assert thoughts_of(kept.given_back("k", Conversation(turns=(asked.turns[0], turn)))) == list(SEALED)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 300)), max_size=40))
def test_what_is_kept_has_a_limit(calls: list[tuple[str, int]]) -> None:
    kept = Kept(max_bytes=1_000)
    for ident, size in calls:
        kept.keep(None, [ident], (Thinking(text="x" * size, seal=Seal(wire="m", data="d")),))
    held = [ident for ident in "abcdef" if thoughts_of(kept.given_back(None, conversation(ident)))]
    assert len(held) <= 4
    if calls:
        assert calls[-1][0] in held


def test_an_answers_pieces_add_up() -> None:
    gathering = Gathering("messages", "e")
    for piece in (
        Piece(reasoning="h"), Piece(reasoning="m"), Piece(seal="signed:x"), Piece(text="so"), Piece(seal="redacted:y"),
        Piece(choice=1, seal="other"), Piece(reasoning="never sealed"),
    ):  # fmt: skip
        gathering.add(piece)
    hidden = Thinking(text="", seal=Seal(wire="messages", data="redacted:y", origin="e"))
    assert gathering.thoughts == (*SEALED, hidden)
