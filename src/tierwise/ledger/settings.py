"""What may a user say about the ledger? The table `[ledger]` of the configuration.

Invariant: a value that is accepted is obeyed; what cannot be obeyed is refused when it is set.
"""

import re

import msgspec

from tierwise.core.decision import ContentLevel
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.postgres.connect import place
from tierwise.sqlite.connect import Durability

DAY_S = 86_400
_UNITS_S = {"h": 3600, "d": DAY_S, "w": 7 * DAY_S}


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how decisions are kept: in a file (`path` None is the default one), or in PostgreSQL (`url`).

    `password` is a reference; `ca_file` is who vouches for the server. `durability` of a file: `full` survives power
    loss, `normal` only a crash of the program (faster on slow disks). `keep` is a time such as `90d`, None for ever;
    `retention_days` says the same in days. `store_content` is how much of calls is kept beside their records, for
    `content_keep` at most; `store_content_by_label` says it for a label and those above it, up to the next one named.
    `tier` is how far from the data the ledger lies: a file and a database on this machine are `local`, any other
    database is `self_hosted`, unless it is said to be farther.
    """

    path: str | None = None
    url: str | None = None
    password: str | None = None
    ca_file: str | None = None
    durability: Durability = "full"
    keep: str | None = None
    retention_days: int | None = None
    store_content: ContentLevel = "none"
    store_content_by_label: dict[Label, ContentLevel] = {}
    content_keep: str | None = None
    tier: Tier | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be obeyed (`ConfigError`)."""
        if self.retention_days is not None and self.retention_days < 1:
            raise ConfigError(
                f"ledger.retention_days = {self.retention_days}: give at least 1, or leave it out to keep everything",
                key="ledger.retention_days",
            )
        if self.keep is not None:
            _check_span("keep", self.keep)
            if self.retention_days is not None:
                raise ConfigError(
                    "ledger.keep and ledger.retention_days say the same: leave one out", key="ledger.keep"
                )
        self._check_content()
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
            return _span_s(self.keep)
        return None if self.retention_days is None else self.retention_days * DAY_S

    @property
    def content_keep_s(self) -> int | None:
        """Return for how long content is kept, None for as long as its record."""
        return None if self.content_keep is None else _span_s(self.content_keep)

    @property
    def keeps_content(self) -> bool:
        """Say whether anything of any call is kept beside its record."""
        return any(level != "none" for level in (self.store_content, *self.store_content_by_label.values()))

    def content_level(self, label: Label) -> ContentLevel:
        """Return how much is to be kept of calls that carry this label."""
        named = [one for one in self.store_content_by_label if one.rank <= label.rank]
        return self.store_content_by_label[max(named, key=lambda one: one.rank)] if named else self.store_content

    @property
    def lies_on(self) -> Tier:
        """Return how far from the data the ledger lies."""
        return self.tier or (Tier.LOCAL if self.url is None or place(self.url).near else Tier.SELF_HOSTED)

    def _check_content(self) -> None:
        if self.content_keep is not None:
            _check_span("content_keep", self.content_keep)
            if self.keep_s is not None and _span_s(self.content_keep) > self.keep_s:
                raise ConfigError(
                    "ledger.content_keep is longer than ledger.keep: content goes with its record",
                    key="ledger.content_keep",
                )
        if self.tier is Tier.LOCAL and self.url is not None and not place(self.url).near:
            raise ConfigError(
                'ledger.tier = "local" is for a file or a database on this machine: say self_hosted or frontier',
                key="ledger.tier",
            )


def _check_span(name: str, span: str) -> None:
    if not re.fullmatch(r"[1-9][0-9]{0,5}[hdw]", span):
        raise ConfigError(f'ledger.{name} = "{span}": give hours, days or weeks: 12h, 90d, 8w', key=f"ledger.{name}")


def _span_s(span: str) -> int:
    return int(span[:-1]) * _UNITS_S[span[-1]]
