"""The commands `tierwise models` and `tierwise endpoints`: what exists."""

import asyncio
from time import monotonic
from typing import Any

from tierwise import bootstrap, config, running, surroundings
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json, table
from tierwise.cli.telling import busy
from tierwise.core.capacity import CapacityRecord
from tierwise.core.label import Tier
from tierwise.gateway.rules import Rules
from tierwise.registry.probed import Probed


def models(file: ConfigFile = None, frontier: Frontier = False, as_json: Json = False) -> None:
    """List models: tier, endpoint, context, price, tasks, and how busy they are. No model is called.

    Example:
      tierwise models --json
    """
    rules, known = asyncio.run(_known(config.load(file, flags={"frontier": frontier})))
    rows = [_model(rules, name, known.get(name)) for name in rules.catalog.models]
    if as_json:
        print_json(rows)
    elif not rows:
        print("No models. `tierwise init` looks at this machine and writes a configuration.")
    else:
        head = ("model", "tier", "endpoint", "context", "price in/out", "notes")
        print(table(head, [_told(row) for row in rows]))


def endpoints(file: ConfigFile = None, frontier: Frontier = False, as_json: Json = False) -> None:
    """List endpoints and ask each that can be asked whether it answers. No model is called.

    Example:
      tierwise endpoints
    """
    rows = asyncio.run(_endpoints(config.load(file, flags={"frontier": frontier})))
    if as_json:
        print_json(rows)
    elif not rows:
        print("No endpoints. `tierwise init` looks at this machine and writes a configuration.")
    else:
        told = [(r["endpoint"], r["tier"], r["kind"], "yes" if r["usable"] else "no", r["detail"]) for r in rows]
        print(table(("endpoint", "tier", "kind", "usable", "detail"), told))


async def _known(settings: config.Settings) -> tuple[Rules, dict[str, CapacityRecord]]:
    """Return what exists and how busy it is: as the gateway that runs here says, else as the servers do."""
    found = await surroundings.looked_around(settings)
    told = await running.capacities(settings) if settings.document.live.every_s else {}
    if told is not None:
        return bootstrap.rules_from(found), told
    gateway = bootstrap.dry_gateway(found)
    await bootstrap.looked(gateway)
    return gateway.rules, gateway.facts.live.known(monotonic())


def _model(rules: Rules, name: str, capacity: CapacityRecord | None) -> dict[str, Any]:
    model = rules.catalog.models[name]
    endpoint = rules.catalog.endpoints[model.endpoint]
    return {
        "model": model.id,
        "served_name": model.served_name,
        "tier": endpoint.tier,
        "endpoint": endpoint.name,
        "context_tokens": model.context_tokens,
        "capabilities": sorted(model.capabilities),
        "tasks": model.tasks,
        "price": model.price,
        "own_cost": None if model.own is None else model.own.full,
        "unusable": rules.catalog.unusable.get(endpoint.name),
        "probe": rules.catalog.probes.get(name),
        "capacity": capacity,
    }


def _told(row: dict[str, Any]) -> tuple[str, ...]:
    price = row["price"]
    outside = row["tier"] is Tier.FRONTIER
    cost = "not known" if outside else "unmetered"
    if own := row["own_cost"]:
        cost = f"own ${own.input_usd_per_mtok:.3f}/${own.output_usd_per_mtok:.3f}"
    if price:
        cost = f"${price.input_usd_per_mtok}/${price.output_usd_per_mtok}"
    notes = [f"knows only {', '.join(row['tasks'])}"] if row["tasks"] else []
    notes += ["refused until it has a price"] if outside and not price else []
    notes += [row["unusable"]] if row["unusable"] else []
    notes += _probed(row["probe"]) if row["probe"] else []
    notes += [busy(row["capacity"])] if row["capacity"] else []
    context = "?" if row["context_tokens"] is None else str(row["context_tokens"])
    return (row["model"], row["tier"].value, row["endpoint"], context, cost, "; ".join(notes))


def _probed(probe: Probed) -> list[str]:
    if probe.stale:
        return [f"the probe of {probe.date} is stale"]
    broken = [f"{one.check} {one.verdict}" for one in probe.broken]
    return [f"{', '.join(dict.fromkeys(broken))} (probe of {probe.date})"] if broken else [f"probed {probe.date}"]


async def _endpoints(settings: config.Settings) -> list[dict[str, Any]]:
    found = bootstrap.rules_from(await surroundings.looked_around(settings)).catalog
    checks = [surroundings.reachable(endpoint, found.unusable.get(name)) for name, endpoint in found.endpoints.items()]
    states = await asyncio.gather(*checks)
    return [
        {
            "endpoint": e.name,
            "kind": e.kind,
            "tier": e.tier,
            "url": e.url or None,
            "region": e.region,
            "usable": usable,
            "detail": detail,
        }
        for e, (usable, detail) in zip(found.endpoints.values(), states, strict=True)
    ]
