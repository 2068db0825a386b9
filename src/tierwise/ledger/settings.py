"""What may a user say about the ledger? The table `[ledger]` of the configuration.

Invariant: a value that is accepted is obeyed; what is not built yet is refused when it is set.
"""

from typing import Literal

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.sqlite.connect import Durability

StoreContent = Literal["none", "hash", "redacted", "full"]


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how decisions are kept. `path` None is the default file; `retention_days` None keeps them for ever.

    `durability`: `full` survives power loss, `normal` only a crash of the program (faster on slow disks).
    """

    path: str | None = None
    durability: Durability = "full"
    retention_days: int | None = None
    store_content: StoreContent = "none"

    def __post_init__(self) -> None:
        """Refuse what cannot be obeyed (`ConfigError`)."""
        if self.store_content != "none":
            raise ConfigError(
                f'ledger.store_content = "{self.store_content}" is not built yet: only "none" is, '
                "which stores no content of calls at all",
                key="ledger.store_content",
            )
        if self.retention_days is not None and self.retention_days < 1:
            raise ConfigError(
                f"ledger.retention_days = {self.retention_days}: give at least 1, or leave it out to keep everything",
                key="ledger.retention_days",
            )
