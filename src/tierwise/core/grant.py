"""What may the holder of a key do? The permissions that travel with each of its calls.

Knows neither the key's text nor where it is kept. Empty `models` and no `label` mean that the key itself limits
nothing there; policy still does.
Invariant: a grant only takes away; nothing in it lifts a rule.
"""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from tierwise.core.label import Label

Scope = Literal["call", "admin", "metrics"]
Count = Annotated[int, msgspec.Meta(ge=1)]


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may be asked: requests and tokens in any 60 seconds, and calls at once. None is no limit."""

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent: Count | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The permissions of the key `name`. `models` are ids, with `*` for any text; `label` is the highest allowed."""

    name: str
    team: str | None = None
    scopes: tuple[Scope, ...] = ("call",)
    models: tuple[str, ...] = ()
    label: Label | None = None
    rate: Rate = Rate()

    def allows_model(self, model: str) -> bool:
        """Say whether the key may use this model, by its id here."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)

    def allows_label(self, label: Label) -> bool:
        """Say whether the key may send data of this label."""
        return self.label is None or label.rank <= self.label.rank
