"""What may a user say about the audited log? The table `[audit]` and its witnesses.

Invariant: a witness is one place, a file or an address, never none and never both.
"""

from typing import Annotated

import msgspec

from tierwise.core.errors import ConfigError

Seconds = Annotated[float, msgspec.Meta(gt=0)]


class WitnessRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who else keeps checkpoints: a file to which they are added (`path`), or a place that takes them by PUT (`url`).

    Each goes to `URL/SIZE`, an object of its own. `key` is a reference to a bearer token, `ca_file` is who vouches for
    the server. A checkpoint goes there at most every `every_s` seconds.
    """

    path: str | None = None
    url: str | None = None
    key: str | None = None
    ca_file: str | None = None
    every_s: Seconds = 300.0

    def __post_init__(self) -> None:
        """Refuse what leads nowhere (`ConfigError`)."""
        if (self.path is None) == (self.url is None):
            raise ConfigError("a witness of the audit is a file (path) or an address (url)", key="audit.witness")
        if self.url is None and (self.key or self.ca_file):
            raise ConfigError("key and ca_file of a witness go with its url", key="audit.witness")


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often the log is signed, with which key, and who else is told.

    `key` is a reference to the signing key's text; None is a file beside the ledger.
    """

    every_s: Seconds = 10.0
    key: str | None = None
    witness: tuple[WitnessRow, ...] = ()
