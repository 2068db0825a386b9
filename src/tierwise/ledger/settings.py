"""What may a user say about the ledger? The table `[ledger]` of the configuration.

Invariant: a value that is accepted is obeyed; what is not built yet is refused when it is set.
"""

import re
from typing import Literal

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.postgres.connect import place
from tierwise.sqlite.connect import Durability

StoreContent = Literal["none", "hash", "redacted", "full"]

DAY_S = 86_400
_UNITS_S = {"h": 3600, "d": DAY_S, "w": 7 * DAY_S}


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how decisions are kept: in a file (`path` None is the default one), or in PostgreSQL (`url`).

    `password` is a reference; `ca_file` is who vouches for the server. `durability` of a file: `full` survives power
    loss, `normal` only a crash of the program (faster on slow disks). `keep` is a time such as `90d`, None for ever;
    `retention_days` says the same in days.
    """

    path: str | None = None
    url: str | None = None
    password: str | None = None
    ca_file: str | None = None
    durability: Durability = "full"
    keep: str | None = None
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
        if self.keep is not None:
            self._check_keep(self.keep)
        if self.url is not None:
            place(self.url)
            if self.path is not None or self.durability != "full":
                raise ConfigError("ledger.url: path and durability are for a file, not for a server", key="ledger.url")
        elif self.password is not None or self.ca_file is not None:
            raise ConfigError("ledger.password and ledger.ca_file go with ledger.url", key="ledger.url")
        if self.password is not None and not re.fullmatch(r"env:\w+", self.password):
            raise ConfigError('ledger.password is a reference: write "env:NAME"', key="ledger.password")

    @property
    def keep_s(self) -> int | None:
        """Return for how long records are kept, None for ever."""
        if self.keep is not None:
            return int(self.keep[:-1]) * _UNITS_S[self.keep[-1]]
        return None if self.retention_days is None else self.retention_days * DAY_S

    def _check_keep(self, keep: str) -> None:
        if not re.fullmatch(r"[1-9][0-9]{0,5}[hdw]", keep):
            raise ConfigError(f'ledger.keep = "{keep}": give hours, days or weeks: 12h, 90d, 8w', key="ledger.keep")
        if self.retention_days is not None:
            raise ConfigError("ledger.keep and ledger.retention_days say the same: leave one out", key="ledger.keep")
