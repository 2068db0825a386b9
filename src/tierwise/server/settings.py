"""What may be said about the listener? The tables `[server]` and `[[key]]`.

Every limit has a name and a unit. Invariant: without keys the host is a loopback address.
"""

from datetime import datetime

import msgspec


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the gateway listens and what it bears."""

    host: str = "127.0.0.1"
    port: int = 7373
    max_body_bytes: int = 32 * 1024 * 1024
    max_header_bytes: int = 64 * 1024
    max_connections: int = 2048
    header_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0
    write_timeout_s: float = 60.0
    drain_s: float = 30.0


class KeyRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that callers may use. `secret` is a reference such as `env:NAME`, never the key itself."""

    name: str
    secret: str
    expires: datetime | None = None
