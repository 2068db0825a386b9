"""What does a tensorzero.toml mean here? https://www.tensorzero.com/docs/gateway/configuration-reference
(read 2026-11-21).

A model's provider becomes a model of ours at an endpoint, its routing and a function's variants become workflows that
claim `tensorzero::model_name::…` and `tensorzero::function_name::…`, so that callers keep their names.
"""

from collections.abc import Mapping
from typing import Any

from tierwise.cli.imports.draft import Draft
from tierwise.cli.imports.facts import can_embed, impossible, leftovers, seconds
from tierwise.cli.imports.place import address, provider
from tierwise.cli.imports.source import Source, read, shown
from tierwise.cli.imports.table import Table

Shares = list[tuple[str, float]]


def draft(text: str, file: str, _environ: Mapping[str, str]) -> Draft:
    """Return the draft of a file's text."""
    return translate(read(text, file, "toml"))


def translate(source: Source) -> Draft:
    """Return the draft."""
    root, found = Table.whole(source), Draft(source.file, "tensorzero")
    if not {"models", "functions", "embedding_models"} & set(root.names):
        raise source.wrong((), "has neither models nor functions: is it a tensorzero.toml?")
    models = _Models(found)
    for section, embeds in (("models", False), ("embedding_models", True)):
        for name, model in _each(root.table(section)):
            models.add(name, model, embeds=embeds)
    retries = [models.function(name, function) for name, function in _each(root.table("functions"))]
    most = max((count for count in retries if count is not None), default=None)
    found.section("fallback", retries_same=most)
    found.enough_attempts(most if most is not None else 1)
    gateway = root.table("gateway")
    if gateway is not None:
        _listener(found, gateway)
    found.notes += leftovers(found, [root])
    return found


def _each(table: Table | None) -> list[tuple[str, Table]]:
    return list(table.each()) if table is not None else []


class _Models:
    """The models so far by their TensorZero names; `provider::model` is made when it is first named."""

    def __init__(self, found: Draft) -> None:
        self._draft = found
        self._shares: dict[str, Shares] = {}

    def add(self, name: str, model: Table, *, embeds: bool) -> None:
        """Add a model with its providers, in the order of its routing."""
        providers = dict(_each(model.table("providers")))
        routing = model.texts("routing") or list(providers)
        for each in routing:
            if each not in providers:
                raise model.wrong("routing", f"names the provider {shown(each)!r}, which is not there")
        limits = _limits(model.table("timeouts"))
        shares: Shares = []
        for each in routing:
            ident = name if len(routing) == 1 else f"{name}-{each}"
            made = self._served(ident, providers[each], limits, embeds=embeds)
            if made is not None:
                shares.append((made, 0.0 if shares else 1.0))
        kind = "embedding_model_name" if embeds else "model_name"
        if shares:
            self._shares[name] = shares
            self._draft.workflow(name, [f"tensorzero::{kind}::{name}", name], shares, {})
        self._draft.notes += leftovers(self._draft, [model])

    def _served(self, ident: str, table: Table, limits: Mapping[str, float], *, embeds: bool) -> str | None:
        kind, notes = table.must("type", "which provider it is"), list[str]()
        served = table.text("model_name", "deployment_id", "model_id") or ident
        given = table.text("api_base", "endpoint")
        url = address(given.removeprefix("none::"), notes) if given else None
        limits = {**limits, **_limits(table.table("timeouts"))}
        key = _key(table.take("api_key_location"), notes)
        row = provider(kind)
        why = impossible(row, kind, url)
        rest = leftovers(self._draft, [table])
        if row is None or why is not None:
            self._draft.leave_out(f"{table.place}: {why}", *notes)
            return None
        endpoint = self._draft.endpoint(row, url, key, {"limits": limits, "notes": notes})
        if embeds and not can_embed(self._draft, endpoint):
            self._draft.leave_out(f"{shown(ident)}: its provider makes no embeddings here")
            return None
        facts: dict[str, Any] = {"notes": rest} | ({"capabilities": ["embeddings"]} if embeds else {})
        return self._draft.model(ident, endpoint, served, facts)

    def _named(self, name: str, place: str) -> Shares:
        """Return a model that a variant names: one of the file's, or `provider::model` in short."""
        if name not in self._shares:
            kind, short, served = name.partition("::")
            row = provider(kind) if short else None
            why = impossible(row, kind, None) if short else "it is no model of this file"
            if row is None or why is not None:
                self._draft.leave_out(f"{place}: the model {shown(name)!r}: {why}")
                return []
            endpoint = self._draft.endpoint(row, None, None, {})
            self._shares[name] = [(self._draft.model(served, endpoint, served, {}), 1.0)]
        return self._shares[name]

    def function(self, name: str, function: Table) -> int | None:
        """Add a function as a workflow over its variants' models; return the most retries that a variant asks for."""
        function.take("type", "description")
        shares, retries = Shares(), list[int]()
        drawn = _drawn(function.table("experimentation"))
        variants = _each(function.table("variants"))
        given = drawn or {each: float(weight) for each, one in variants if (weight := one.number("weight")) is not None}
        for each, variant in variants:
            kind, model = variant.text("type") or "chat_completion", variant.text("model")
            again = variant.table("retries")
            if again is not None and (count := again.count("num_retries")) is not None:
                retries.append(count)
            if kind != "chat_completion" or model is None:
                self._draft.notes.append(f"{variant.place}: variants of type {shown(kind)!r} have no counterpart")
                variant.take(*variant.names)
                continue
            # Where any variant has a share, one without is asked only after the others failed.
            share = given.get(each, 0.0) if given else 1.0
            shares += [(ident, part * share) for ident, part in self._named(model, variant.place)]
        if shares:
            self._draft.workflow(name, [f"tensorzero::function_name::{name}"], shares, {})
        self._draft.notes += leftovers(self._draft, [function])
        return max(retries, default=None)


def _drawn(experiment: Table | None) -> dict[str, float]:
    """Return the shares of an experiment with fixed ones; what other kinds do stays for the comments."""
    candidates = experiment.take("candidate_variants") if experiment is not None else None
    if isinstance(candidates, list):
        return {str(name): 1.0 for name in candidates}
    if isinstance(candidates, dict):
        return {
            name: float(share) for name, share in candidates.items() if isinstance(share, int | float) and share >= 0
        }
    return {}


def _limits(timeouts: Table | None) -> dict[str, float]:
    if timeouts is None:
        return {}
    whole, stream = timeouts.table("non_streaming"), timeouts.table("streaming")
    found = {
        "total_timeout_s": seconds(whole.number("total_ms"), 1000) if whole else None,
        "first_byte_timeout_s": seconds(stream.number("ttft_ms"), 1000) if stream else None,
    }
    return {name: value for name, value in found.items() if value}


def _key(said: Any, notes: list[str]) -> str | None:
    """Return the key as a reference, or the text itself where a key stands in place of one."""
    if isinstance(said, dict):
        notes.append("api_key_location: only its default is carried over")
        said = said.get("default")
    if not isinstance(said, str):
        return None
    if said.startswith("dynamic::"):
        notes.append('callers brought the key themselves; here each endpoint has its own: add key = "env:NAME"')
        return None
    if said.startswith(("path::", "path_from_env::", "sdk")):
        notes.append('its key stood in a file; here it is read from a variable: add key = "env:NAME"')
        return None
    return said


def _listener(found: Draft, gateway: Table) -> None:
    bind = gateway.text("bind_address")
    host, _, port = (bind or "").rpartition(":")
    if port.isdigit() and 0 < int(port) < 65536:
        found.section("server", port=int(port))
        if host.strip("[]") not in ("127.0.0.1", "::1", "localhost"):
            found.notes.append(
                "gateway.bind_address listened beyond this machine: here that needs a [[key]], then host"
            )
