"""A file elsewhere, read like one here: against a hub that redirects, drops, lies and forgets."""

import os
from collections.abc import Iterator

import pytest

from tests.hub.server import COMMIT, Shelf, listening
from tierwise.core.errors import BadReply, InvalidCall, Unauthorized
from tierwise.core.secret import Secret
from tierwise.providers.address import Address
from tierwise.providers.ranges import LIMITS, Place
from tierwise.providers.remote import RemoteFile

MIB = 1024 * 1024
DATA = os.urandom(5 * MIB)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with listening() as shelf:
        shelf.files["model.gguf"] = DATA
        yield shelf


def place(shelf: Shelf, name: str = "model.gguf", key: str | None = None) -> Place:
    address = Address(url=shelf.hub_url, key=Secret(key) if key else None, limits=LIMITS)
    return Place(address=address, path=f"/own/model/resolve/{COMMIT}/{name}")


def fetched(shelf: Shelf) -> list[str]:
    return [headers["range"] for role, _, headers in shelf.asked if role == "store"]


def test_it_reads_and_seeks_like_a_file(shelf: Shelf) -> None:
    with RemoteFile(place(shelf)) as file:
        assert file.size_bytes == len(DATA)
        assert file.read(4) == DATA[:4]
        assert file.seek(3 * MIB) == 3 * MIB
        assert file.read(MIB) == DATA[3 * MIB : 4 * MIB]
        assert file.seek(-8, os.SEEK_END) == len(DATA) - 8
        assert file.read(100) == DATA[-8:]
        assert file.read(1) == b""
        assert file.seek(0) == 0
        assert file.read(3 * MIB) == DATA[: 3 * MIB]


def test_a_header_costs_its_first_bytes_only(shelf: Shelf) -> None:
    with RemoteFile(place(shelf)) as file:
        for _ in range(100):
            file.read(1000)
    assert fetched(shelf) == [f"bytes=0-{2 * MIB - 1}"]


def test_a_connection_that_breaks_off_is_read_on_where_it_broke(shelf: Shelf) -> None:
    shelf.drops = [1000, 70_000, 0]
    with RemoteFile(place(shelf)) as file:
        assert file.read(2 * MIB) == DATA[: 2 * MIB]
    starts = [int(asked.removeprefix("bytes=").partition("-")[0]) for asked in fetched(shelf)]
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert len(starts) == 4


def test_a_signed_address_that_expires_is_asked_for_again(shelf: Shelf) -> None:
    shelf.expires_after = 1
    with RemoteFile(place(shelf)) as file:
        file.seek(4 * MIB)
        assert file.read(10) == DATA[4 * MIB : 4 * MIB + 10]
    assert [role for role, *_ in shelf.asked] == ["hub", "store", "store", "hub", "store"]


def test_the_key_stays_with_the_hub(shelf: Shelf) -> None:
    shelf.key = "hf_canary"
    with RemoteFile(place(shelf, key="hf_canary")) as file:
        file.read(1)
    keys = {role: headers.get("authorization") for role, _, headers in shelf.asked}
    assert keys == {"hub": "Bearer hf_canary", "store": None}


def test_without_the_right_key_it_says_so(shelf: Shelf) -> None:
    shelf.key = "hf_canary"
    with pytest.raises(Unauthorized, match="wants a key"):
        RemoteFile(place(shelf))


def test_a_file_that_is_not_there_is_no_fault_of_the_server(shelf: Shelf) -> None:
    with pytest.raises(InvalidCall, match="nothing at"):
        RemoteFile(place(shelf, "other.gguf"))


def test_more_than_the_cap_is_never_fetched(shelf: Shelf) -> None:
    with RemoteFile(place(shelf), max_fetched_bytes=3 * MIB) as file, pytest.raises(BadReply, match="may hold"):
        file.read()


def test_a_server_without_ranges_serves_the_beginning_only(shelf: Shelf) -> None:
    shelf.ranges = False
    with RemoteFile(place(shelf)) as file:
        assert file.read(100) == DATA[:100]
        file.seek(4 * MIB)
        with pytest.raises(BadReply, match="a part"):
            file.read(1)


def test_a_file_that_changes_while_it_is_read_is_refused(shelf: Shelf) -> None:
    with RemoteFile(place(shelf)) as file:
        shelf.swapped["model.gguf"] = DATA[:-1]
        file.seek(4 * MIB)
        with pytest.raises(BadReply, match="changed"):
            file.read(1)


def test_a_server_that_is_busy_is_asked_again(shelf: Shelf) -> None:
    shelf.statuses = [(503, {}), (502, {})]
    with RemoteFile(place(shelf)) as file:
        assert file.read(4) == DATA[:4]
