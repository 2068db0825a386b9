"""What may be said about the listener and about keys? The tables `[server]` and `[[key]]`.

Every limit has a name and a unit. Invariant: without keys the host is a loopback address.
"""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from tierwise.core.grant import Grant, Rate, Scope
from tierwise.core.label import Label

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Size = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the gateway listens and what it bears. Port 0 takes a free one.

    `key_pepper` is a reference such as `env:NAME` to 64 hexadecimal digits, the secret that keys are hashed with; None
    is a file beside the ledger. `refuse_unknown_pth` refuses to start where a file runs code at every start of this
    Python that no needed package installed; `known_pth` names further packages that may,
    or one such file by `sha256:HEX`.
    """

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
    key_pepper: str | None = None
    refuse_unknown_pth: bool = False
    known_pth: tuple[str, ...] = ()


class KeyRow(Rate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that callers may use. `secret` is a reference such as `env:NAME`, never the key itself."""

    name: str
    secret: str
    expires: datetime | None = None
    team: str | None = None
    scopes: tuple[Scope, ...] = ("call",)
    models: tuple[str, ...] = ()
    label: Label | None = None

    @property
    def grant(self) -> Grant:
        """What its holder may do."""
        rate = Rate(
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            concurrent=self.concurrent,
        )
        return Grant(
            name=self.name, team=self.team, scopes=self.scopes, models=self.models, label=self.label, rate=rate
        )

    @property
    def expires_ts(self) -> float | None:
        """The end of the key in Unix seconds; a time without a zone is UTC."""
        end = self.expires
        return None if end is None else (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp()
