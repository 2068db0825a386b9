"""A large file gets here whole, whatever happens on the way: against a hub that drops, lies and stops."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.server import COMMIT, Shelf, listening
from tierwise.core.errors import BadReply, InvalidCall, Overloaded, ProviderError
from tierwise.providers import download as downloads
from tierwise.providers.address import Address
from tierwise.providers.download import Patience, Wanted, check_disk, download, missing_bytes, part_of
from tierwise.providers.ranges import LIMITS, Place, Ranges
from tierwise.providers.transport import Transport

DATA = os.urandom(3_000_000)
WANTED = Wanted(size_bytes=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
HURRIED = Patience(attempts=3, first_wait_s=0.001, longest_wait_s=0.002)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with listening() as shelf:
        shelf.files["own.gguf"] = DATA
        yield shelf


def fetch(shelf: Shelf, file: Path, wanted: Wanted = WANTED, heard: list[int] | None = None) -> str:
    async def go() -> str:
        transport = Transport()
        try:
            address = Address(url=shelf.hub_url, limits=LIMITS)
            place = Place(address=address, path=f"/own/model/resolve/{COMMIT}/own.gguf")
            tell = (heard if heard is not None else []).append
            return await download(Ranges(transport, place), file, wanted, tell, HURRIED)
        finally:
            await transport.aclose()

    return asyncio.run(go())


def starts(shelf: Shelf) -> list[int]:
    ranges = [headers["range"] for role, _, headers in shelf.asked if role == "store"]
    return [int(asked.removeprefix("bytes=").partition("-")[0]) for asked in ranges]


def test_it_arrives_whole_and_nothing_lies_beside_it(shelf: Shelf, tmp_path: Path) -> None:
    file, heard = tmp_path / "own" / "own.gguf", list[int]()
    assert fetch(shelf, file, heard=heard) == WANTED.sha256
    assert file.read_bytes() == DATA
    assert [one.name for one in file.parent.iterdir()] == ["own.gguf"]
    assert (heard[0], heard[-1]) == (0, len(DATA))
    assert heard == sorted(heard)


def test_what_is_here_is_not_fetched_again_but_checked(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    fetch(shelf, file)
    shelf.asked.clear()
    assert fetch(shelf, file) == WANTED.sha256
    assert shelf.asked == []
    file.write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    with pytest.raises(BadReply, match="digest"):
        fetch(shelf, file)


def test_dropped_connections_are_gone_on_from_where_they_broke(shelf: Shelf, tmp_path: Path) -> None:
    shelf.drops = [1_000_000, 500_000, 0, 200_000]
    assert fetch(shelf, tmp_path / "own.gguf") == WANTED.sha256
    asked = starts(shelf)
    assert len(asked) == 5
    assert asked == sorted(asked)
    assert asked[-1] > 0


def test_a_later_run_goes_on_with_what_an_earlier_one_left(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    shelf.drops = [1_000_000, 0, 0, 0]
    with pytest.raises(ProviderError):
        fetch(shelf, file)
    kept = part_of(file).stat().st_size
    assert 0 < kept <= 1_000_000
    assert missing_bytes(file, WANTED) == len(DATA) - kept
    shelf.asked.clear()
    assert fetch(shelf, file) == WANTED.sha256
    assert starts(shelf) == [kept]


def test_other_bytes_than_the_hub_told_are_not_kept(shelf: Shelf, tmp_path: Path) -> None:
    shelf.swapped["own.gguf"] = DATA[:-1] + bytes([DATA[-1] ^ 1])
    with pytest.raises(BadReply, match="not kept"):
        fetch(shelf, tmp_path / "own.gguf")
    assert list(tmp_path.iterdir()) == []


def test_a_spoilt_beginning_is_found_and_the_next_run_starts_anew(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    part_of(file).write_bytes(b"\0" * 1000)
    with pytest.raises(BadReply, match="not kept"):
        fetch(shelf, file)
    assert fetch(shelf, file) == WANTED.sha256


def test_a_beginning_that_is_too_long_is_dropped(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    part_of(file).write_bytes(DATA + b"more")
    assert fetch(shelf, file) == WANTED.sha256


def test_a_file_of_another_size_is_refused_before_it_is_fetched(shelf: Shelf, tmp_path: Path) -> None:
    shelf.swapped["own.gguf"] = DATA + b"more"
    with pytest.raises(BadReply, match="instead of"):
        fetch(shelf, tmp_path / "own.gguf")
    assert part_of(tmp_path / "own.gguf").stat().st_size == 0


def test_a_server_that_sends_more_than_it_says_fills_no_disk(shelf: Shelf, tmp_path: Path) -> None:
    shelf.sent = DATA * 3
    for wanted in (WANTED, Wanted(size_bytes=len(DATA), sha256=None)):
        with pytest.raises(BadReply, match="more of the file"):
            fetch(shelf, tmp_path / "own.gguf", wanted)
    assert part_of(tmp_path / "own.gguf").stat().st_size <= len(DATA)


def test_a_server_that_sends_nothing_is_not_asked_for_ever(shelf: Shelf, tmp_path: Path) -> None:
    shelf.sent = b""
    with pytest.raises(BadReply, match="less of the file"):
        fetch(shelf, tmp_path / "own.gguf")
    assert len(starts(shelf)) == HURRIED.attempts


def test_a_server_that_stays_busy_is_given_up_and_what_came_is_kept(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    part_of(file).write_bytes(DATA[:1000])
    shelf.statuses = [(503, {})] * 3
    with pytest.raises(Overloaded):
        fetch(shelf, file)
    assert part_of(file).read_bytes() == DATA[:1000]
    shelf.statuses = [(429, {"Retry-After": "1"}), (503, {})]
    assert fetch(shelf, file) == WANTED.sha256


def test_two_processes_do_not_write_one_file(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    with downloads._opened(part_of(file)), pytest.raises(InvalidCall, match="another process"):
        fetch(shelf, file)


def test_a_disk_that_is_too_small_is_told_before(tmp_path: Path) -> None:
    assert check_disk(tmp_path / "not" / "there" / "yet", 1) > 0
    with pytest.raises(InvalidCall, match="needed"):
        check_disk(tmp_path, 1 << 60)
