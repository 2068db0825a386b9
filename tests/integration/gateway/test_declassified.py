"""The way out of a wrong pin: by command beside a running gateway, explicit, expiring, recorded; never further than said."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Build, House
from tierwise.cli.app import run as command
from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.core.declassified import Declassified
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.ledger.declassified import Declassifications
from tierwise.policy.detect import text_hash

CARD = "order 4556 7375 8689 9855 is late"
KEY = "use AK" + "IAZ7Q2M4X5K3PLW6TB for the upload"
ANSWERABLE = ("--who", "ada", "--why", "order numbers", "--for", "8h")


@pytest.fixture
def tierwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a command on the same home as the house, in a thread, as another process would."""
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return lambda *words: asyncio.to_thread(command, words)


async def label(h: House, text: str, session: str | None = "s1", **hints: object) -> Decision:
    return (await h.ask(text, hints=Hints(session=session, **hints))).decision  # type: ignore[arg-type]


def sources(decision: Decision) -> set[str]:
    return {source.source.partition(":")[0] for source in decision.label.sources}


def test_a_session_gets_out_of_a_wrong_pin_and_the_record_says_by_whom(
    house: Build, tierwise: object, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene() -> None:
        async with house() as h:
            pinned = await label(h, CARD)
            assert pinned.label.value is Label.CONFIDENTIAL
            assert await tierwise("declassify", pinned.id, *ANSWERABLE, "--json") == 0  # type: ignore[operator]
            made = json.loads(capsys.readouterr().out)
            freed = await label(h, CARD)
            assert freed.label.value is Label.INTERNAL
            (source,) = (s for s in freed.label.sources if s.source == f"declassified:{made['id']}")
            assert all(word in source.detail for word in ("card", "ada", "order numbers", "until 20"))
            assert (await h.recorded(freed.id)).label == freed.label
            assert (await label(h, CARD, "s2")).label.value is Label.CONFIDENTIAL

    asyncio.run(scene())


def test_another_detector_still_pins_and_sticks_in_a_later_process_too(house: Build, tierwise: object) -> None:
    async def scene() -> None:
        async with house() as h:
            pinned = await label(h, CARD)
            assert await tierwise("declassify", pinned.id, *ANSWERABLE) == 0  # type: ignore[operator]
            assert (await label(h, KEY)).label.value is Label.RESTRICTED
            assert (await label(h, "thanks")).label.value is Label.RESTRICTED
        async with house() as h:
            assert (await label(h, "thanks")).label.value is Label.RESTRICTED

    asyncio.run(scene())


@pytest.mark.parametrize("restarted", [False, True])
def test_what_pins_meanwhile_pins_on_after_the_end(
    house: Build, tierwise: object, tmp_path: Path, restarted: bool
) -> None:
    async def scene() -> None:
        store = Declassifications(tmp_path / "declassified.sqlite")
        made = {"until": time.time() + 60, "who": "a", "why": "b", "session": "s1", "detectors": ("card",)}
        async with house() as h:
            await label(h, CARD)
            store.add(Declassified(id="d1", made=time.time(), to=Label.INTERNAL, **made))  # type: ignore[arg-type]
            if not restarted:
                assert (await label(h, KEY)).label.value is Label.RESTRICTED
                store.end("d1", time.time(), "a")
                assert (await label(h, "thanks")).label.value is Label.RESTRICTED
                return
        async with house() as h:
            assert (await label(h, KEY)).label.value is Label.RESTRICTED
            store.end("d1", time.time(), "a")
            assert (await label(h, "thanks")).label.value is Label.RESTRICTED

    asyncio.run(scene())


def test_what_else_the_session_has_carried_stays(house: Build, tierwise: object) -> None:
    async def scene() -> None:
        async with house() as h:
            await label(h, KEY)
            pinned = await label(h, CARD)
            assert await tierwise("declassify", pinned.id, "--detector", "card", *ANSWERABLE) == 0  # type: ignore[operator]
            assert (await label(h, "thanks")).label.value is Label.RESTRICTED

    asyncio.run(scene())


def test_a_caller_who_says_confidential_is_heard_all_the_same(house: Build, tierwise: object) -> None:
    async def scene() -> None:
        async with house() as h:
            pinned = await label(h, CARD)
            assert await tierwise("declassify", pinned.id, *ANSWERABLE) == 0  # type: ignore[operator]
            said = await label(h, CARD, label=Label.CONFIDENTIAL)
            assert said.label.value is Label.CONFIDENTIAL

    asyncio.run(scene())


def test_it_ends_by_time_and_by_command(house: Build, tierwise: object, tmp_path: Path) -> None:
    async def scene() -> None:
        store = Declassifications(tmp_path / "declassified.sqlite")
        async with house() as h:
            await label(h, CARD)
            over = Declassified(
                id="past", made=1.0, until=time.time() - 1, who="a", why="b", session="s1", detectors=("card",)
            )
            store.add(over)
            assert (await label(h, CARD)).label.value is Label.CONFIDENTIAL
            store.add(Declassified(id="open", made=time.time(), until=time.time() + 60, who="a", why="b",
                                   to=Label.INTERNAL, session="s1", detectors=("card",)))  # fmt: skip
            assert (await label(h, CARD)).label.value is Label.INTERNAL
            assert await tierwise("declassify", "--end", "open", "--who", "ada") == 0  # type: ignore[operator]
            assert (await label(h, "thanks")).label.value is Label.CONFIDENTIAL

    asyncio.run(scene())


def test_a_text_or_a_line_is_declassified_wherever_it_stands(house: Build, tierwise: object, tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "line.txt").write_text(f"  {CARD}\n", encoding="utf-8")
        async with house() as h:
            assert await tierwise("declassify", "--text", "line.txt", *ANSWERABLE) == 0  # type: ignore[operator]
            within = await label(h, f"a file:\n    {CARD}\nand more", None)
            assert (within.label.value, "declassified" in sources(within)) == (Label.INTERNAL, True)
            other = await label(h, f"a file:\n    {CARD}\nand 4556737586899855 more", None)
            assert other.label.value is Label.CONFIDENTIAL

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("{id}", "--why", "x", "--for", "8h"), "--who"),
        (("{id}", "--who", "x", "--for", "8h"), "--why"),
        (("{id}", "--who", "x", "--why", "y"), "always ends"),
        (("{id}", "--who", "x", "--why", "y", "--for", "31d"), "at most 30d"),
        (("{id}", "--who", "x", "--why", "y", "--for", "forever"), "--for"),
        (("{id}", "--detector", "iban", *ANSWERABLE), "found nothing"),
        (("zzzzzzzz", *ANSWERABLE), "no decision"),
        (ANSWERABLE, "--text"),
        (("--end", "nothing", "--who", "x"), "no open declassification"),
    ],
)
def test_who_why_and_until_when_have_to_be_said(
    house: Build,
    tierwise: object,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    told: str,
) -> None:
    async def scene() -> None:
        async with house() as h:
            pinned = await label(h, CARD)
            said = [word.format(id=pinned.id) for word in words]
            assert await tierwise("declassify", *said) == 2  # type: ignore[operator]
            assert told in capsys.readouterr().err
            assert Declassifications(tmp_path / "declassified.sqlite").all() == []

    asyncio.run(scene())


def test_the_audit_keeps_every_row_and_lists_it(
    tierwise: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "declassified.sqlite"
    store = Declassifications(path)
    store.add(Declassified(id="one", made=1.0, until=2.0, who="ada", why="a fixture", text_sha256=text_hash(CARD)))
    store.end("one", 1.5, "bob")
    with pytest.raises(InvalidCall):
        store.end("one", 1.6, "bob")
    with closing(sqlite3.connect(path)) as db:
        for sql in ("DELETE FROM declassified", "UPDATE declassified SET until = 9e9", "DELETE FROM ended"):
            with pytest.raises(sqlite3.IntegrityError, match="audit"):
                db.execute(sql)
    assert asyncio.run(tierwise("declassify", "--list")) == 0  # type: ignore[operator]
    out = capsys.readouterr().out
    assert all(word in out for word in ("one", "ended by bob", "ada", "a fixture"))


def test_a_damaged_file_releases_nothing(tmp_path: Path) -> None:
    path = tmp_path / "declassified.sqlite"
    store = Declassifications(path)
    store.add(Declassified(id="one", made=0.0, until=9e9, who="a", why="b", session="s"))
    assert len(store.active(1.0)) == 1
    path.write_bytes(b"no database" * 999)
    assert store.active(1.0) == ()
