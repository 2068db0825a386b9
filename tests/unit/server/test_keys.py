"""Who is served: with keys who shows one, without keys only this machine's own programs."""

from datetime import UTC, datetime, timedelta

import pytest

from tierwise.core.secret import Secret
from tierwise.server.keys import identify, key

NOW = datetime.now(UTC)
KEYS = [key("a", Secret("key-a"), None), key("old", Secret("key-old"), NOW - timedelta(days=1))]

GIVEN = [
    ({b"authorization": b"Bearer key-a"}, "a", None),
    ({b"x-api-key": b"key-a"}, "a", None),
    ({b"authorization": b"bearer key-a", b"x-api-key": b"key-a"}, "a", None),
    ({b"authorization": b"Bearer key-a", b"x-api-key": b"key-b"}, None, 401),
    ({b"authorization": b"Basic key-a"}, None, 401),
    ({b"authorization": b"Bearer key-b"}, None, 401),
    ({b"authorization": b"Bearer key-old"}, None, 401),
    ({}, None, 401),
]


@pytest.mark.parametrize(("headers", "name", "status"), GIVEN)
def test_keys(headers: dict[bytes, bytes], name: str | None, status: int | None) -> None:
    found, failed = identify(KEYS, {b"host": b"gateway.example"} | headers)
    assert (found, failed.status if failed else None) == (name, status)
    assert failed is None or "key-" not in failed.message.replace("x-api-key", "")


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
]


@pytest.mark.parametrize(("host", "origin", "status"), HOSTS)
def test_without_keys_only_this_machine(host: bytes, origin: bytes | None, status: int | None) -> None:
    headers = {b"host": host} | ({b"origin": origin} if origin else {})
    _, failed = identify([], headers)
    assert (failed.status if failed else None) == status
