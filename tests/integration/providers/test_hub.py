"""What a hub lists, against one on loopback that speaks its protocol."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hub.server import COMMIT, Shelf, listening
from tierwise.core.errors import BadReply, InvalidCall, Unauthorized, Unreachable
from tierwise.core.secret import Secret
from tierwise.providers.hub import HUB, Listing, hub_address, listing, place_of
from tierwise.providers.remote import RemoteFile
from tierwise.providers.transport import Transport


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with listening() as shelf:
        shelf.files = {"own-Q4_K_M.gguf": b"GGUF" * 100, "README.md": b"# Own"}
        yield shelf


def listed(shelf: Shelf, repo: str = "own/model", revision: str = "main", key: str | None = None) -> Listing:
    async def ask() -> Listing:
        transport = Transport()
        try:
            hub = hub_address({"HF_ENDPOINT": shelf.hub_url + "/"}, Secret(key) if key else None)
            return await listing(transport, hub, repo, revision)
        finally:
            await transport.aclose()

    return asyncio.run(ask())


def test_a_listing_names_commit_licence_sizes_and_digests(shelf: Shelf) -> None:
    found = listed(shelf)
    assert (found.commit, found.license, found.gated) == (COMMIT, "apache-2.0", False)
    weights, card = found.files
    assert (weights.name, weights.size_bytes, weights.sha256) == ("own-Q4_K_M.gguf", 400, shelf.sha256(weights.name))
    assert card.sha256 is None


def test_its_files_are_read_at_its_commit(shelf: Shelf) -> None:
    found = listed(shelf)
    with RemoteFile(place_of(hub_address({"HF_ENDPOINT": shelf.hub_url}, None), found, found.files[0])) as file:
        assert file.read(8) == b"GGUFGGUF"
    assert COMMIT in shelf.asked[1][1]


def test_who_asks_is_not_told(shelf: Shelf) -> None:
    listed(shelf)
    ((_, path, headers),) = shelf.asked
    assert path == "/api/models/own/model/revision/main?blobs=true"
    assert headers.keys() == {"host", "user-agent", "accept-encoding"}
    assert headers["user-agent"] == "tierwise"


def test_a_licence_of_its_own_is_named(shelf: Shelf) -> None:
    shelf.license = {"license": "other", "license_name": "own-terms", "license_link": "https://own.example/terms"}
    found = listed(shelf)
    assert (found.license, found.license_url) == ("own-terms", "https://own.example/terms")


@pytest.mark.parametrize("gated", ["auto", "manual", True])
def test_a_gated_model_is_said_to_be(shelf: Shelf, gated: Any) -> None:
    shelf.gated = gated
    assert listed(shelf).gated


def test_a_key_is_sent_to_the_hub(shelf: Shelf) -> None:
    shelf.key = "hf_canary"
    assert listed(shelf, key="hf_canary").commit == COMMIT
    with pytest.raises(Unauthorized, match="HF_TOKEN"):
        listed(shelf)


def test_what_is_not_there_is_said_so(shelf: Shelf) -> None:
    with pytest.raises(InvalidCall, match="no model own/nothing"):
        listed(shelf, "own/nothing")


@pytest.mark.parametrize("repo", ["model", "a/b/c", "../b", "a/..", "a b/c", "-a/b", "a/b?c", "ä/b"])
def test_what_is_no_name_is_not_asked_for(shelf: Shelf, repo: str) -> None:
    with pytest.raises(InvalidCall, match="OWNER/NAME"):
        listed(shelf, repo)
    assert shelf.asked == []


@pytest.mark.parametrize(
    "name", ["../own.gguf", "/etc/own.gguf", ".own.gguf", "a//own.gguf", "a\\own.gguf", "a\n.gguf", f"{'ü' * 120}.gguf"]
)
def test_a_name_that_leads_elsewhere_is_left_out(shelf: Shelf, name: str) -> None:
    shelf.files[name] = b"x"
    assert name not in {file.name for file in listed(shelf).files}


@pytest.mark.parametrize("size", [-1, 1 << 51, int("9" * 400)])
def test_a_size_that_cannot_be_is_left_out(shelf: Shelf, size: int) -> None:
    shelf.told = {"siblings": [{"rfilename": "own.gguf", "size": size}]}
    assert listed(shelf).files == ()


@pytest.mark.parametrize("told", [{"sha": "main"}, {"sha": None}, {"siblings": 7}])
def test_an_answer_that_is_none_is_refused(shelf: Shelf, told: dict[str, Any]) -> None:
    shelf.told = told
    with pytest.raises(BadReply):
        listed(shelf)


def test_offline_means_offline() -> None:
    assert hub_address({}, None).url == HUB
    assert hub_address({"HF_HUB_OFFLINE": "0"}, None).url == HUB
    with pytest.raises(InvalidCall, match="HF_HUB_OFFLINE"):
        hub_address({"HF_HUB_OFFLINE": "1"}, None)


def test_a_hub_that_is_not_there_is_named() -> None:
    with listening() as shelf:
        url = shelf.hub_url
    with pytest.raises(Unreachable, match="HF_ENDPOINT names another hub") as error:
        listed(shelf)
    assert str(error.value).startswith(f"{url}: nothing listens there")
