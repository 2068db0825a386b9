"""What is offered before anything is fetched, and what there is afterwards? `Offer` and `Pulled`, whatever the source.

Invariant: making an offer fetches no weights and writes nothing; only `fetch` does, and it is called once consent is
there.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from tierwise.config import Settings
from tierwise.registry.settings import EndpointRow, ModelRow

Tell = Callable[[int, int | None], None]
"""Hears how many bytes are here, and of how many; None: not told."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for: a name at a source, in one quantization or whichever is best."""

    model: str
    quantization: str | None
    revision: str
    settings: Settings

    @property
    def folder(self) -> Path:
        """Return where the files of models lie."""
        return self.settings.home / "models"


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What came: `note` for a comment in the configuration, `told` for facts that were not known before."""

    note: str
    told: dict[str, str] = {}


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What can be had, and the rows that will answer from it. `facts` are for people and programs, in order.

    `to_fetch_bytes` None: the source does not tell. `refusal` says why it should not be fetched, empty where nothing is
    against it.
    """

    facts: dict[str, str | int | None]
    endpoint: EndpointRow
    model: ModelRow
    to_fetch_bytes: int | None
    fetch: Callable[[Tell], Pulled]
    refusal: str = ""
