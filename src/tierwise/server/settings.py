"""What may be said about the listener? The tables `[server]` and `[[key]]`.

Every limit has a name and a unit. Invariant: without keys the host is a loopback address.
"""

from datetime import datetime
from typing import Annotated

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Size = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the gateway listens and what it bears. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Port = 7373
    max_body_bytes: Size = 32 * 1024 * 1024
    max_header_bytes: Size = 64 * 1024
    max_connections: Size = 2048
    header_timeout_s: Seconds = 10.0
    body_timeout_s: Seconds = 60.0
    idle_timeout_s: Seconds = 75.0
    write_timeout_s: Seconds = 60.0
    drain_s: Seconds = 30.0


class KeyRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that callers may use. `secret` is a reference such as `env:NAME`, never the key itself."""

    name: str
    secret: str
    expires: datetime | None = None
