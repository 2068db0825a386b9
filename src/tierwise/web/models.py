"""What does the page of models show? Every model and endpoint as the gateway has it at this moment.

What the gateway does not know is looked up in the shipped rows. Invariant: each value says where it is from; unknown
is a dash.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.registry.open_models import open_model
from tierwise.registry.probed import Probed
from tierwise.web.site import Site

ORIGINS = {"list": "a public list", "contract": "contract", "measured": "measured"}


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a million tokens cost, and whose word that is."""

    text: str
    said: str
    own: bool = False


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One model as it is shown. `health` is its state in words, `kind` whether that is well, badly, or neither."""

    id: str
    served_name: str
    endpoint: str
    tier: str
    health: str
    kind: str
    capacity: str
    price: Price | None
    context: int | None
    context_said: str
    licence: str
    licence_said: str
    tasks: tuple[str, ...]
    capabilities: tuple[str, ...]
    probe: Probed | None
    damage: tuple[str, ...]
    latency_ms: float | None
    strength: float | None
    file: str
    words: str


def routes(site: Site) -> list[Route]:
    """Return the page of models."""

    async def page(request: Request) -> Response:
        status = await site.gateway(request).status()
        models = shown((status or {}).get("models", ()), (status or {}).get("endpoints", ()))
        return site.page(request, "models", status=status, models=models)

    return [Route("/ui/models", page)]


def shown(models: Iterable[Mapping[str, Any]], endpoints: Iterable[Mapping[str, Any]]) -> list[Shown]:
    """Return models as the page shows them, from the gateway's status."""
    known = {one["name"]: one for one in endpoints}
    return [_shown(one, known.get(one["endpoint"], {})) for one in models]


def _shown(one: Mapping[str, Any], endpoint: Mapping[str, Any]) -> Shown:
    health, kind = _health(one, endpoint)
    licence, licence_said = _licence(one)
    probe = None if one.get("probe") is None else msgspec.convert(one["probe"], Probed)
    context, said = _context(one)
    fields = [one["id"], one["served_name"], one["endpoint"], one["tier"], licence, *one["tasks"], *one["capabilities"]]
    return Shown(
        id=one["id"], served_name=one["served_name"], endpoint=one["endpoint"], tier=one["tier"], health=health,
        kind=kind, capacity=_capacity(one.get("capacity") or {}), price=_price(one), context=context, context_said=said,
        licence=licence, licence_said=licence_said, tasks=tuple(one["tasks"]),
        capabilities=tuple(one["capabilities"]), probe=probe,
        damage=() if probe is None else tuple(f"{it.check} {it.verdict}: {it.detail}" for it in probe.broken),
        latency_ms=one.get("latency_ms"), strength=one.get("strength"), file=one.get("file") or "",
        words=" ".join(fields).lower(),
    )  # fmt: skip


def _health(one: Mapping[str, Any], endpoint: Mapping[str, Any]) -> tuple[str, str]:
    if endpoint.get("unusable"):
        return str(endpoint["unusable"]), "failed"
    if one.get("resting_s"):
        return f"rests for {one['resting_s']:.0f} s, it failed", "failed"
    if one["tier"] == "frontier" and one.get("price") is None:
        return "refused until it has a price", "failed"
    if endpoint.get("engine"):
        return str(endpoint["engine"]), ""
    return "can be asked", "answered"


def _capacity(known: Mapping[str, Any]) -> str:
    """Say how busy it is, and whether it would have to be loaded first."""
    parts = []
    if known.get("requests") is not None:
        of = f" of {known['slots']} slots" if known.get("slots") else " under way"
        parts.append(f"{known['requests']}{of}")
    elif known.get("slots"):
        parts.append(f"{known['slots']} slots")
    if known.get("wait_ms"):
        parts.append(f"a wait of {known['wait_ms'] / 1000:.1f} s")
    if known.get("loaded") is not None:
        load = f", loads for {known['load_ms'] / 1000:.1f} s" if known.get("load_ms") and not known["loaded"] else ""
        parts.append("loaded" if known["loaded"] else f"cold{load}")
    return "; ".join(parts)


def _price(one: Mapping[str, Any]) -> Price | None:
    for name in ("price", "own"):
        found = one.get(name)
        if found is not None:
            text = f"${_plain(found['input_usd_per_mtok'])} / ${_plain(found['output_usd_per_mtok'])}"
            return Price(text=text, said=_said(found, own=name == "own"), own=name == "own")
    return None


def _said(price: Mapping[str, Any], *, own: bool) -> str:
    if own:
        return f"own machine, no bill: {price.get('source') or '[[machine]]'}"
    origin = ORIGINS.get(price.get("origin", ""), "the configuration")
    more = [str(price[name]) for name in ("source", "as_of") if price.get(name)]
    return f"{origin}: {', '.join(more)}" if more else origin


def _plain(amount: Any) -> str:
    return f"{float(amount):.4g}"


def _context(one: Mapping[str, Any]) -> tuple[int | None, str]:
    """Return the context that may be relied upon, and why that is less than what is said of it."""
    relied, stated = one.get("context_tokens"), one.get("stated_tokens")
    loaded = (one.get("capacity") or {}).get("context_tokens")
    said = []
    if stated:
        said.append(f"{stated:,} stated, a probe read no more than {relied:,}")
    if loaded and (relied is None or loaded != relied):
        said.append(f"loaded with {loaded:,} now, its server says")
    return relied, "; ".join(said) or ("stated" if relied else "")


def _licence(one: Mapping[str, Any]) -> tuple[str, str]:
    for name in (one["served_name"], one["id"]):
        found = open_model(name)
        if found is not None:
            return found.license, f"open model {found.name}, {found.maker}; as of {found.as_of}"
    return ("", "its maker's terms") if one["tier"] == "frontier" else ("", "no row knows it")
