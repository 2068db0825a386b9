"""What becomes of another gateway's file? Rows of a configuration of ours, each with its comments.

Collects and names; knows neither the source's format nor TOML. A secret is only ever a variable's name: a literal one
is compared, to tell two keys apart, and then forgotten.
Invariant: names of endpoints, ids of models and names of workflows differ; the same server and key is one endpoint.
"""

import re
from collections.abc import Container, Sequence
from typing import Any

import msgspec

from tierwise.cli.imports.place import Provider, host_tier, placed_url
from tierwise.core.label import Tier
from tierwise.registry.kinds import kinds, known_price

_REFERENCE = re.compile(r"(?:os\.environ/|env::|env:|\$)([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)\}", re.ASCII)
_PLACEHOLDERS = ("", "none", "null", "empty", "dummy", "fake", "fake-key", "no-key", "not-needed", "anything", "unused")


class Row(msgspec.Struct, kw_only=True):
    """One table to write: its fields, and the comments above it."""

    fields: dict[str, Any]
    notes: list[str] = []


def variable(text: str) -> str | None:
    """Return the variable that a reference such as `os.environ/NAME`, `env::NAME` or `$NAME` points to."""
    found = _REFERENCE.fullmatch(text.strip())
    return found and (found.group(1) or found.group(2))


def word(text: str) -> str:
    """Return a name that can stand in a table, a variable or a shell line."""
    return re.sub(r"[^a-z0-9._:/-]+", "-", text.lower()).strip("-./:") or "unnamed"


class Draft:
    """The rows so far. `needed` are the variables to set before the gateway can do all of it."""

    def __init__(self, file: str, gateway: str) -> None:
        self.file, self.gateway = file, gateway
        self.endpoints: dict[str, Row] = {}
        self.models: dict[str, Row] = {}
        self.workflows: dict[str, Row] = {}
        self.keys: list[Row] = []
        self.budgets: list[Row] = []
        self.sections: dict[str, Row] = {}
        self.notes: list[str] = []
        self.needed: dict[str, str] = {}
        self._same: dict[str, str] = {}
        self._literals: dict[str, str] = {}
        self.unpriced: list[str] = []
        self.left_out: list[str] = []

    def leave_out(self, what: str, *notes: str) -> None:
        """Name a whole model, target or variant that is not in the result, and why."""
        self.left_out.append(what)
        self.notes += [what, *notes]

    def section(self, name: str, **fields: Any) -> None:
        """Set plain values of a section such as `fallback`; what is None is left out."""
        said = {key: value for key, value in fields.items() if value is not None}
        if said:
            self.sections.setdefault(name, Row(fields={})).fields.update(said)

    def key_of(self, given: str | None, whose: str, notes: list[str]) -> str | None:
        """Return `env:NAME` for a key as the source gives it, or None where it gives none that could be one.

        A literal key is not copied: it gets a variable of its own, which no other key has by custom or in the source.
        """
        if given is None or given.lower() in _PLACEHOLDERS:
            return None
        name = variable(given)
        if name is None:
            taken = {name: text for name, text in self._literals.items() if text != given}
            name = free(f"TIERWISE_{whose.upper()}_KEY", taken, "_")
            self._literals[name] = given
            notes.append(f"the key itself stands in {self.file} and is not copied: set {name} to it")
            self.needed[name] = f"the key that stands in {self.file}"
        self.needed.setdefault(name, "")
        return f"env:{name}"

    def endpoint(self, provider: Provider, url: str | None, key: str | None, more: dict[str, Any]) -> str:
        """Return the name of the endpoint with these facts, made where there is none yet. `key` is as the source has
        it; `more` are further fields, and under `notes` comments."""
        notes = list(more.pop("notes", ()))
        kind, at = placed_url(provider, url, notes)
        row = kinds()[kind]
        fields: dict[str, Any] = {"name": "", "kind": kind}
        if at is not None:
            fields["url"] = at
        tier = host_tier(at or row.url or "", row, notes if url else [])
        if tier is not None:
            fields["tier"] = str(tier)
        base = provider.names[0].replace("_", "-")
        usual = provider.keys.get(self.gateway) or row.key_env or provider.key_env
        reference = self.key_of(key, provider.names[0], notes)
        if reference is None and usual and (url is None or row.tier is Tier.FRONTIER):
            reference = f"env:{usual}"
            self.needed.setdefault(usual, "")
        if reference is not None:
            fields["key"] = reference
        fields |= {name: value for name, value in more.items() if value}
        return self._named(base, fields, notes)

    def _named(self, base: str, fields: dict[str, Any], notes: list[str]) -> str:
        same = repr(sorted((name, repr(value)) for name, value in fields.items()))
        if same not in self._same:
            name = free(base, self.endpoints)
            self._same[same] = name
            self.endpoints[name] = Row(fields=fields | {"name": name}, notes=notes)
        return self._same[same]

    def model(self, ident: str, endpoint: str, served: str, more: dict[str, Any]) -> str:
        """Add a model and return its id: the one wished for, or a numbered one where that is taken."""
        notes = list(more.pop("notes", ()))
        kind = str(self.endpoints[endpoint].fields["kind"])
        name = free(ident, self.models)
        fields: dict[str, Any] = {"id": name, "endpoint": endpoint}
        if served != name:
            fields["served_name"] = served
        fields |= {key: value for key, value in more.items() if value not in (None, [], {})}
        if name == "auto" or name.startswith(("auto:", "tier:")):
            notes.append(
                "this id has a meaning of its own here, and a call for it does not reach this model: rename it"
            )
        tier = self.endpoints[endpoint].fields.get("tier") or kinds()[kind].tier
        if tier == Tier.FRONTIER and "price" not in fields and not known_price(kind, served):
            self.unpriced.append(name)
            notes.append(
                "its price is not known, and an outside model without one is refused: add"
                ' price = { input_usd_per_mtok = "…", output_usd_per_mtok = "…" }'
            )
        if kinds()[kind].tier is None and "capabilities" not in fields:
            fields["capabilities"] = ["stream", "tools"]
            notes.append(
                "tools are taken for granted here, as before; add images, schema, json, logprobs if the server can"
            )
        self.models[name] = Row(fields=fields, notes=notes)
        return name

    def workflow(
        self, name: str, match: Sequence[str], shares: Sequence[tuple[str, float]], more: dict[str, Any]
    ) -> str:
        """Add a workflow over models and their shares; those of share 0 follow in order when the others fail."""
        notes = list(more.pop("notes", ()))
        merged: dict[str, float] = {}
        for model, share in shares:
            merged[model] = merged.get(model, 0.0) + share
        unique = free(name, self.workflows)
        fields: dict[str, Any] = {"name": unique}
        if match:
            fields["match"] = {"model": list(dict.fromkeys(match))}
        fields["candidates"] = list(merged)
        if len(merged) > 1:
            fields["strategy"] = more.pop("strategy", "weighted")
            if fields["strategy"] == "weighted":
                fields["weights"] = merged
                if 0.0 in merged.values():
                    notes.append("weight 0 is asked only after the others failed, in this order")
        more.pop("strategy", None)
        self.workflows[unique] = Row(fields=fields | more, notes=notes)
        return unique

    def enough_attempts(self, retries: int) -> None:
        """Let one call reach every candidate of the longest workflow."""
        longest = max((len(row.fields["candidates"]) for row in self.workflows.values()), default=1)
        if longest + retries > 3:
            self.section("fallback", max_attempts=longest + retries)


def free(wanted: str, taken: Container[str], between: str = "-") -> str:
    """Return the name, numbered where it is taken: 2, 3 and so on; searched by halves, for there may be thousands."""
    if wanted not in taken:
        return wanted
    low, high = 1, 2
    while f"{wanted}{between}{high}" in taken:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if f"{wanted}{between}{middle}" in taken else (low, middle)
    return f"{wanted}{between}{high}"
