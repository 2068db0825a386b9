"""What a caller says of an answer is read strictly, and its note is kept only where content is."""

import msgspec
import pytest

from tests.unit.gateway.test_decide import rules
from tests.unit.ledger.samples import a_decision
from tierwise.core.errors import InvalidCall
from tierwise.ledger.settings import LedgerSettings
from tierwise.server.decided import Said, read, remark_of

ONE = a_decision(1)


def test_right_and_a_score_say_the_same_thing_in_two_ways() -> None:
    assert remark_of(read(b'{"decision": "x", "right": false}'), ONE, rules(), None).score == 0.0
    assert remark_of(read(b'{"decision": "x", "score": 0.25}'), ONE, rules(), None).score == 0.25
    for body in (b'{"decision": "x"}', b'{"decision": "x", "right": true, "score": 1}'):
        with pytest.raises(InvalidCall, match="either"):
            read(body)


@pytest.mark.parametrize(
    ("who", "key", "told"),
    [("", None, ""), ("ann", None, "ann"), ("", "k", "the key k"), ("a", "k", "a, by the key k")],
)
def test_the_key_stands_beside_the_name_that_its_holder_gives(who: str, key: str | None, told: str) -> None:
    assert remark_of(Said(decision="x", right=True, who=who), ONE, rules(), key).who == told


@pytest.mark.parametrize(("level", "kept"), [("none", ""), ("hash", ""), ("redacted", ""), ("full", "words")])
def test_a_note_is_kept_only_where_content_is_kept_whole(level: str, kept: str) -> None:
    settings = msgspec.convert({"store_content": level}, LedgerSettings)
    in_force = msgspec.structs.replace(rules(), ledger=settings)
    assert remark_of(Said(decision="x", right=True, note="words"), ONE, in_force, None).note == kept
