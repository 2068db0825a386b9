"""Who is served: with keys who shows one, without keys only this machine's own programs."""

import pytest

from tierwise.core.grant import Grant
from tierwise.ledger.keys import hashed
from tierwise.server.keys import Key, Keys, both_loopback, identify

NOW = 1_800_000_000.0
PEPPER = b"p" * 32
LONG = b"key-" + b"l" * 44
KEYS = Keys(
    [
        Key(digest=hashed(PEPPER, b"key-a"), grant=Grant(name="a")),
        Key(digest=hashed(PEPPER, LONG), grant=Grant(name="long")),
        Key(digest=hashed(PEPPER, b"key-old"), grant=Grant(name="old"), until=NOW - 1),
        Key(digest=hashed(PEPPER, b"key-now"), grant=Grant(name="now"), until=NOW),
        Key(digest=hashed(b"q" * 32, b"key-other"), grant=Grant(name="other")),
    ],
    PEPPER,
    required=True,
)
NONE = Keys([], b"", required=False)

GIVEN = [
    ({b"authorization": b"Bearer key-a"}, "a", None),
    ({b"x-api-key": b"key-a"}, "a", None),
    ({b"authorization": b"bearer key-a", b"x-api-key": b"key-a"}, "a", None),
    ({b"authorization": b"Bearer key-a", b"x-api-key": b"key-b"}, None, 401),
    ({b"authorization": b"Basic key-a"}, None, 401),
    ({b"authorization": b"Bearer key-b"}, None, 401),
    ({b"authorization": b"Bearer key-old"}, None, 401),
    ({b"authorization": b"Bearer key-now"}, None, 401),
    ({b"authorization": b"Bearer key-other"}, None, 401),
    ({b"x-api-key": b"key-old"}, None, 401),
    ({b"x-api-key": LONG}, "long", None),
    ({b"x-api-key": LONG[:-1] + b"m"}, None, 401),
    ({b"x-api-key": LONG[:-1]}, None, 401),
    ({b"x-api-key": LONG + b"l"}, None, 401),
    ({b"x-api-key": b"key-a'; DROP TABLE keys; --"}, None, 401),
    ({b"x-api-key": b"k" * 10_000}, None, 401),
    ({}, None, 401),
]


@pytest.mark.parametrize(("headers", "name", "status"), GIVEN)
def test_keys(headers: dict[bytes, bytes], name: str | None, status: int | None) -> None:
    found, failed = identify(KEYS, {b"host": b"gateway.example"} | headers, NOW, local=False)
    assert (found.grant.name if found else None, failed.status if failed else None) == (name, status)
    assert failed is None or "key-" not in failed.message.replace("x-api-key", "")


@pytest.mark.parametrize(
    "host", [b"", b"a/b", b"gateway.example/v1/models?", b"a#b", b"x@a", b"a\\b", b"%61", b"a b", b"a, b"]
)
def test_with_keys_too_a_host_is_one_name(host: bytes) -> None:
    found, failed = identify(KEYS, {b"host": host, b"x-api-key": b"key-a"}, NOW, local=True)
    assert found is None
    assert failed is not None
    assert (failed.status, failed.code) == (400, "invalid_host")


HOSTS = [
    (b"127.0.0.1:7373", None, None),
    (b"localhost", None, None),
    (b"[::1]:7373", None, None),
    (b"evil.example", None, 400),
    (b"127.0.0.1.evil.example", None, 400),
    (b"127.0.0.1/?", None, 400),
    (b"x@127.0.0.1", None, 400),
    (b"[::1", None, 400),
    (b"", None, 400),
    (b"localhost", b"http://localhost:3000", None),
    (b"localhost", b"https://evil.example", 403),
    (b"localhost", b"null", 403),
    # what a page gets through whose name was rebound to this machine, and what it may not be mistaken for
    (b"localhost.evil.example", None, 400),
    (b"evil.example:7373", None, 400),
    (b"127.0.0.1.nip.example", None, 400),
    (b"evil.example, localhost", None, 400),
    (b"localhost.", None, 400),
    (b"0.0.0.0:7373", None, 400),
    (b"[::]", None, 400),
    (b"2130706433", None, 400),
    (b"0x7f.1", None, 400),
    (b"127.1", None, 400),
    (b"localhost:evil", None, 400),
    (b"local\xc7\xabhost", None, 400),
    (b"10.0.0.5", None, 400),
    (b"169.254.169.254", None, 400),
    (b"LocalHost:7373", b"HTTP://LOCALHOST", 403),
    (b"127.8.8.8", None, None),
    (b"app.localhost", None, None),
    (b"localhost", b"http://localhost.evil.example", 403),
    (b"localhost", b"http://localhost@evil.example", 403),
    (b"localhost", b"http://evil.example@localhost", 403),
    (b"localhost", b"http://127.0.0.1.evil.example:7373", 403),
    (b"localhost", b"file://", 403),
    (b"localhost", b"file://localhost", 403),
    (b"localhost", b"", 403),
    (b"localhost", b"http://0.0.0.0", 403),
    (b"localhost", b"http://localhost, https://evil.example", 403),
    (b"localhost", b"https://[::1]:8443", None),
]


@pytest.mark.parametrize(("host", "origin", "status"), HOSTS)
def test_without_keys_only_this_machine(host: bytes, origin: bytes | None, status: int | None) -> None:
    headers = {b"host": host} | ({b"origin": origin} if origin is not None else {})
    _, failed = identify(NONE, headers, NOW, local=True)
    assert (failed.status if failed else None) == status
    _, failed = identify(NONE, headers, NOW, local=False)
    assert failed is not None, "a name proves nothing of a connection from elsewhere"
    assert failed.code == "key_required"


@pytest.mark.parametrize(
    ("server", "client", "local"),
    [
        (("127.0.0.1", 7373), ("127.0.0.1", 5), True),
        (("::1", 7373), ("::1", 5), True),
        (("10.0.0.2", 7373), ("10.0.0.3", 5), False),
        (("127.0.0.1", 7373), ("10.0.0.3", 5), False),
        (("10.0.0.2", 7373), ("127.0.0.1", 5), False),
        (None, None, False),
        (("/run/tierwise.sock", None), None, False),
    ],
)
def test_a_connection_is_local_only_with_both_its_ends(
    server: tuple[str, int | None] | None, client: tuple[str, int] | None, local: bool
) -> None:
    assert both_loopback(server, client) is local
