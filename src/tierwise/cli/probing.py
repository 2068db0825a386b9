"""How is `doctor --probe` done? Says what it will take, asks leave for what lies outside, shows how it goes, keeps all.

What is asked and how it is judged is in `evals`. Invariant: nothing outside this machine is asked without leave.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

import msgspec
import typer

from tierwise import bootstrap, config, surroundings
from tierwise.cli.options import say, table
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.economics.price import worst_cost_usd
from tierwise.evals.probe import Unprobed, estimate
from tierwise.providers.transport import Transport
from tierwise.registry import kept
from tierwise.registry.load import nearest
from tierwise.registry.probed import unprobed


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A model to be probed."""

    model: Model
    endpoint: Endpoint

    @property
    def outside(self) -> bool:
        """True where a request leaves this machine."""
        return self.endpoint.tier is not Tier.LOCAL


def probe(settings: config.Settings, names: Sequence[str], *, most_tokens: int, yes: bool) -> dict[str, str]:
    """Probe the named models, or all that have no result that counts; the results are kept as they come.

    Returns which models could not be probed, and why.
    """
    settings = asyncio.run(surroundings.looked_around(settings))
    targets = _targets(settings, names)
    if not targets:
        say("Nothing to probe: what can be asked has been. A model that is named is probed again.")
        return {}
    say("A probe asks with made-up text only. It takes at most:")
    rows = [_estimated(target, most_tokens) for target in targets]
    say(table(("model", "endpoint", "tier", "requests", "tokens in", "tokens out", "cost"), rows))
    return asyncio.run(_probe(settings, _agreed(targets, yes=yes), most_tokens))


def _targets(settings: config.Settings, names: Sequence[str]) -> list[Target]:
    catalog = bootstrap.promised(settings)
    for name in names:
        if name not in catalog.models:
            raise InvalidCall(f"there is no model {name!r}{nearest(name, catalog.models)}", param="MODEL")
    known = bootstrap.rules_from(settings).catalog.probes
    targets = []
    for name, model in catalog.models.items():
        if (names and name not in names) or (not names and name in known and not known[name].stale):
            continue
        if (why := catalog.unusable.get(model.endpoint)) is not None:
            say(f"{name}: skipped: {why}")
        elif (why := unprobed(catalog.endpoints[model.endpoint], model)) is not None:
            if names:
                say(f"{name}: skipped: {why}")
        else:
            targets.append(Target(model=model, endpoint=catalog.endpoints[model.endpoint]))
    return targets


def _estimated(target: Target, most_tokens: int) -> tuple[str, ...]:
    needs = estimate(target.model, target.endpoint, most_tokens)
    price = target.model.price
    unpriced = "not known" if target.endpoint.tier is Tier.FRONTIER else "unmetered"
    cost = unpriced if price is None else f"${worst_cost_usd(price, needs.input_tokens, needs.output_tokens):.2f}"
    counts = (f"{needs.requests}", f"{needs.input_tokens:,}", f"{needs.output_tokens:,}")
    return (target.model.id, target.endpoint.name, target.endpoint.tier.value, *counts, cost)


def _agreed(targets: list[Target], *, yes: bool) -> list[Target]:
    """Return those that may be asked: what lies outside only with leave."""
    outside = [target.model.id for target in targets if target.outside]
    if not outside or yes:
        return targets
    question = f"Ask {', '.join(outside)} outside this machine?"
    if sys.stdin is not None and sys.stdin.isatty() and typer.confirm(question, err=True):
        return targets
    if len(outside) == len(targets):
        raise ConfigError("nothing was sent: agree at the prompt, or say --yes", key="--yes")
    say(f"{', '.join(outside)}: skipped: outside this machine; agree at the prompt, or say --yes")
    return [target for target in targets if not target.outside]


async def _probe(settings: config.Settings, targets: Sequence[Target], most_tokens: int) -> dict[str, str]:
    down: dict[str, str] = {}
    failed: dict[str, str] = {}
    for place, target in enumerate(targets, 1):
        model, endpoint = target.model, target.endpoint
        if (why := down.get(endpoint.name)) is not None:
            say(f"{model.id}: skipped: {why}")
            failed[model.id] = why
            continue
        with _progress(f"{model.id} ({place} of {len(targets)})") as tell:
            try:
                # One at a time: an engine that was started for a model has ended before the next one starts.
                async with bootstrap.prober(settings, most_tokens) as prober:
                    version = await _version(endpoint)
                    probed = await prober.probe(model, endpoint, version=version, tell=tell)
            except Unprobed as error:
                say(f"{model.id}: skipped: {error}")
                failed[model.id] = str(error)
                if error.down:
                    down[endpoint.name] = str(error)
                continue
        kept.keep(settings.probes_path, [probed])
        say(f"{model.id}: {', '.join(f'{one.check} {one.verdict}' for one in probed.findings)}")
    return failed


async def _version(endpoint: Endpoint) -> str | None:
    transport = Transport()
    try:
        return await bootstrap.version_of(endpoint, transport)
    finally:
        await transport.aclose()


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is being asked on one line that moves; off a terminal, one line when a model begins."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        say(f"{what} …")
        yield lambda _step: None
        return
    with console.status(what) as status:
        yield lambda step: status.update(f"{what}: {step}")
