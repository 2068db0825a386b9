"""What is said of answers, on both kinds of ledger: beside the record, once, and gone with it."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.contract.stores import KINDS, opener
from tests.unit.ledger.samples import a_decision, an_id, an_intent
from tierwise.core.errors import InvalidCall
from tierwise.ledger.books import Books
from tierwise.ledger.contents import Which
from tierwise.ledger.encode import encode_decision
from tierwise.ledger.protocol import Remarking
from tierwise.ledger.remarks import MOST_SAID, Remark, joined
from tierwise.postgres.connect import Place


def books(where: Path | Place) -> Books:
    return Books(where) if isinstance(where, Path) else Books(Path(), where)


def book(where: Path | Place) -> Remarking:
    return books(where).remarks()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_stands_beside_a_record_that_stays_as_it_is(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    open_store, where = opener(kind, request, tmp_path)

    async def scene() -> None:
        store = await open_store()
        for number in (1, 2):
            await store.outcome(a_decision(number))
        before = await store.get(an_id(1))
        assert before is not None and before.feedback is None
        said = Remark(decision=an_id(1), score=0.0, who="ann\x00", seconds=4.5, note="wrong city")
        first = await asyncio.to_thread(book(where).add, said)
        again = await asyncio.to_thread(book(where).add, said)
        assert first == again, "the same again adds nothing"
        assert abs(first.ts - time.time()) < 60
        better = await asyncio.to_thread(book(where).add, Remark(decision=an_id(1), score=1.0, who="ann\x00"))
        back = await asyncio.to_thread(book(where).add, said)
        assert [first.seq < better.seq < back.seq] == [True], "who changes their mind back is heard"
        other = await asyncio.to_thread(book(where).add, Remark(decision=an_id(2), score=0.5, what="review"))
        assert await store.remarks(an_id(1)) == [first, better, back]
        assert await store.remarks(an_id(1), an_id(2), an_id(3)) == [first, better, back, other]
        assert await store.remarks_after(better.seq) == [back, other]
        assert await store.remarks_after(other.seq) == []
        after = await store.get(an_id(1))
        assert after is not None and encode_decision(after) == encode_decision(before)
        told = joined(after, await store.remarks(an_id(1)))
        assert told.feedback is not None and told.review is None
        assert (told.feedback["score"], told.feedback["seconds"], len(told.feedback["remarks"])) == (0.0, 4.5, 1)
        await store.close()

    asyncio.run(scene())


@pytest.mark.parametrize("kind", KINDS)
def test_only_of_a_call_that_is_recorded_something_can_be_said(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    open_store, where = opener(kind, request, tmp_path)

    async def scene() -> None:
        store = await open_store()
        await store.intent(an_intent(1))
        with pytest.raises(InvalidCall, match="under way") as open_still:
            await asyncio.to_thread(book(where).add, Remark(decision=an_id(1), score=1.0))
        with pytest.raises(InvalidCall, match="no decision") as missing:
            await asyncio.to_thread(book(where).add, Remark(decision=an_id(2), score=1.0))
        assert (open_still.value.status, missing.value.status) == (409, 404)
        await store.outcome(a_decision(1))
        await asyncio.to_thread(book(where).add, Remark(decision=an_id(1), score=1.0))
        await store.close()

    asyncio.run(scene())


@pytest.mark.parametrize("kind", KINDS)
def test_a_note_is_erased_with_the_content_and_all_is_gone_with_the_record(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    open_store, where = opener(kind, request, tmp_path)

    async def scene() -> None:
        store = await open_store()
        for number in (1, 2):
            await store.outcome(a_decision(number, session=f"s{number}"))
            await asyncio.to_thread(book(where).add, Remark(decision=an_id(number), score=0.0, note="her words"))
        await asyncio.to_thread(books(where).eraser("ann").erase, Which(session="s1"), "she asked")
        assert [one.note for one in await store.remarks(an_id(1), an_id(2))] == ["", "her words"]
        await store.prune(a_decision(2).ts)
        assert [one.decision for one in await store.remarks_after(0)] == [an_id(2)]
        await store.close()

    asyncio.run(scene())


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_cannot_make_a_ledger_slow_by_saying_more_and_more_of_one_call(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    open_store, where = opener(kind, request, tmp_path)

    async def scene() -> None:
        store = await open_store()
        await store.outcome(a_decision(1))
        for number in range(MOST_SAID):
            said = Remark(decision=an_id(1), score=number % 2, who=f"somebody {number}, by the key k")
            await asyncio.to_thread(book(where).add, said)
        assert (await asyncio.to_thread(book(where).add, said)).who == said.who, "the same again is no more"
        with pytest.raises(InvalidCall, match="enough"):
            await asyncio.to_thread(book(where).add, Remark(decision=an_id(1), score=0.0, who="another"))
        assert len(await store.remarks(an_id(1))) == MOST_SAID
        review = Remark(decision=an_id(1), score=1.0, who="ann", what="review")
        assert (await asyncio.to_thread(book(where).add, review)).seq, "a review is heard all the same"
        await store.close()

    asyncio.run(scene())
