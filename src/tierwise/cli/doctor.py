"""The command `tierwise doctor`: is everything as it should be? One line each, with the mend."""

import asyncio
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Annotated

import msgspec
import typer

from tierwise import bootstrap, config, installation, surroundings
from tierwise.audit.checkpoint import opened
from tierwise.cli import telling
from tierwise.cli.content import kept as kept_content
from tierwise.cli.incidents import open_now
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json
from tierwise.cli.released import drifted, in_force, overruled
from tierwise.core.errors import ConfigError, InvalidCall, ProviderError, StoreError, TierwiseError
from tierwise.core.extras import install
from tierwise.core.grant import Grant
from tierwise.core.model import Model
from tierwise.evals.certificates import asked
from tierwise.gateway.certified import day
from tierwise.gateway.rules import Rules
from tierwise.gateway.soundness import doubts, idle
from tierwise.hardware.detect import machine
from tierwise.incidents.conditions import sentence
from tierwise.ledger.notary import compare, seen_by
from tierwise.providers.engine import installed
from tierwise.providers.outlet import outlet
from tierwise.providers.transport import Transport
from tierwise.registry import kept
from tierwise.registry.catalog import Catalog, unpriced
from tierwise.registry.probed import FILTERS, Probed, renamed, unprobed
from tierwise.registry.probed import Finding as Check
from tierwise.telemetry.export import TRACES

LEAST_FREE_BYTES = 1024**3
# Earlier than this project: a clock that says so was never set.
LEAST_TIME = 1_760_000_000
# The longest prompt of a probe, unless another is asked for: small engines take minutes for more.
MOST_TOKENS = 16_384
# How many of the last decisions are searched for a model that answers under another name by now.
LOOKED_BACK = 500
OK = 200
# What a ledger that an earlier version made is told apart by; the message itself says the mend.
OLDER = "start `tierwise serve` once to bring it up to date"
# What a store answers that lets nobody put an object in the place of one that it has.
HAS_IT = (409, 412)
MOST_INCIDENTS = 5
_UNSET = re.compile(r"its key env:(\S+) is not set")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was checked. `mend` says what to do where it is not well."""

    what: str
    well: bool
    detail: str
    mend: str = ""


def doctor(
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Probe these; without any, all.")] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Find out what models do with what they are told, by small real requests.")
    ] = False,
    most: Annotated[
        int, typer.Option("--probe-tokens", min=256, max=10_000_000, help="The longest prompt that a probe sends.")
    ] = MOST_TOKENS,
    yes: Annotated[bool, typer.Option("--yes", help="Agree beforehand to ask models outside this machine.")] = False,
    file: ConfigFile = None,
    frontier: Frontier = False,
    as_json: Json = False,
) -> int:
    """Check configuration, endpoints, keys, disk, clock and hardware. Exit 1 where something needs mending.

    With --probe each model that has not been probed yet is asked a handful of
    questions: whether it reads a long prompt whole, and honours schemas, forced
    tools, stop sequences and limits. What it does not do, it is no longer asked
    to do. Nothing but made-up text is sent.

    Examples:
      tierwise doctor --config tierwise.toml
      tierwise doctor --probe qwen3:8b
    """
    if models and not probe:
        raise InvalidCall("models are named for --probe only", param="MODEL")

    def load() -> config.Settings:
        return config.load(file, flags={"frontier": frontier})

    failed: dict[str, str] = {}
    if probe:
        from tierwise.cli import probing

        failed = probing.probe(load(), models or [], most_tokens=most, yes=yes)
    found = asyncio.run(_examine(load, failed))
    if as_json:
        print_json(found)
    else:
        print(telling.wrapped(_told(found)))
    return 0 if all(finding.well for finding in found) else 1


def _told(found: list[Finding]) -> Iterator[str]:
    for finding in found:
        yield f"{'✓' if finding.well else '✗'} {finding.what}: {finding.detail}"
        if not finding.well and finding.mend:
            yield f"    → {finding.mend}"


async def _examine(load: Callable[[], config.Settings], failed: dict[str, str]) -> list[Finding]:
    """Return everything that was found; `failed` are the probes that could not be done."""
    try:
        settings = load()
        rules = await _rules(await surroundings.looked_around(settings))
    except ConfigError as error:
        return [Finding(what="configuration", well=False, detail=str(error), mend="correct the file, then run again")]
    where = str(settings.file) if settings.file else "no file; what listens on this machine is used"
    found = [Finding(what="configuration", well=True, detail=where), *_machine(settings), await _ledger(settings)]
    found.append(await _audit(settings))
    found.append(_at_start(settings))
    found += [
        await _policy(settings),
        await _incidents(settings),
        Finding(what="content", well=True, detail=kept_content(settings)),
    ]
    catalog = rules.catalog
    found += [*await _endpoints(catalog), *_unpriced(catalog), *_probes(catalog, failed)]
    found += await _certificates(settings)
    grants, document = await _grants(settings), settings.document
    scopes = [("limit", one.scope) for one in document.limit] + [("budget", one.scope) for one in document.budget]
    doubted = [*doubts(rules, document.rule, [grant.name for grant in grants]), *idle(rules, scopes, grants)]
    found += [Finding(what=doubt.what, well=doubt.well, detail=doubt.detail, mend=doubt.mend) for doubt in doubted]
    if settings.document.telemetry.url is not None:
        found.append(await _collector(settings))
    for row in settings.document.key:
        there = settings.secret(row.secret) is not None
        state = "set" if there else "not set"
        found.append(Finding(what=f"key {row.name}", well=there, detail=f"{row.secret} is {state}", mend="set it"))
    return found


async def _collector(settings: config.Settings) -> Finding:
    """Say whether the collector takes telemetry; it is sent a request without any."""
    row = settings.document.telemetry
    where = f"{row.url} ({row.lies_on}, {row.names}{', openinference' if row.openinference else ''})"
    mend = "start it, correct telemetry.url, or what telemetry.headers name; calls do not wait for it"
    try:
        address = bootstrap.collector(settings)
        if address is None:
            raise TypeError("a collector without an address")
        async with outlet(address) as collector:
            status = await collector.post(TRACES, b"", row.timeout_s)
    except TierwiseError as error:
        return Finding(what="telemetry", well=False, detail=f"{where}: {error}", mend=mend)
    detail = where if status == OK else f"{where} answers {status}"
    return Finding(what="telemetry", well=status == OK, detail=detail, mend=mend)


def _at_start(settings: config.Settings) -> Finding:
    """Name what runs at every start of this Python without a package that is needed; it keeps serve from starting
    only where that is asked for."""
    found = installation.strays(known=settings.document.server.known_pth)
    told = "; ".join(map(str, found)) or "only what needed packages installed"
    well = not found or not settings.document.server.refuse_unknown_pth
    mend = "look at it, then delete it, or name its package or its sha256:… in server.known_pth"
    return Finding(what="code at start", well=well, detail=told, mend=mend)


async def _policy(settings: config.Settings) -> Finding:
    """Say which policy is in force; a release that no gateway can take up needs another."""
    try:
        found = await in_force(settings)
        digest = bootstrap.rules_from(found).policy.digest
    except TierwiseError as error:
        if OLDER in str(error):  # a finding of its own
            return Finding(what="policy", well=True, detail="not known: the ledger cannot be read")
        mend = "put another in force: tierwise policy apply FILE, or tierwise policy rollback N"
        return Finding(what="policy", well=False, detail=str(error), mend=mend)
    where = f"release {found.release}" if found.release is not None else "as the configuration has it"
    return Finding(what="policy", well=True, detail=overruled(found) or f"{where}, {digest}")


async def _incidents(settings: config.Settings) -> Finding:
    """Name the incidents that are open."""
    try:
        found = await open_now(settings)
    except TierwiseError:  # that the ledger cannot be read is a finding of its own
        return Finding(what="incidents", well=True, detail="not known: the ledger cannot be read")
    told = "; ".join(f"{one.id} {one.severity}: {sentence(one)}" for one in found[:MOST_INCIDENTS])
    more = f"; and {len(found) - MOST_INCIDENTS} more" if len(found) > MOST_INCIDENTS else ""
    mend = "look: tierwise incidents show ID; then close it: tierwise incidents close ID --note TEXT"
    return Finding(what="incidents", well=not found, detail=f"{told}{more}" or "none is open", mend=mend)


async def _certificates(settings: config.Settings) -> list[Finding]:
    """Say of each certificate that a workflow names whether it counts, under the policy in force."""
    try:
        rules, drifting = bootstrap.rules_from(await in_force(settings)), await drifted(settings)
    except TierwiseError:  # a finding of its own
        return []
    found = []
    for name, one in rules.certified.items():
        void = one.void(time.time(), drifting)
        told = f"counts until {day(one.certificate.expires)}" if one.certificate else ""
        mend = f"measure and certify anew: tierwise compare {name}, then tierwise certify {name}"
        if one.subject in drifting:
            mend += "; or look at the incident, and close it if nothing is wrong: tierwise incidents"
        detail = f"{one.digest[:19]} " + (f"gives nothing: {'; '.join(void)}" if void else told)
        found.append(Finding(what=f"certificate of {name}", well=not void, detail=detail, mend=mend))
    return found


async def _grants(settings: config.Settings) -> list[Grant]:
    """Return what all keys may do, those of the file and those made here; of ended ones only who they were."""
    named = [row.grant for row in settings.document.key]
    try:
        async with bootstrap.reading(settings) as history:
            made = [] if history is None else await history.keys()
    except TierwiseError:  # that the ledger cannot be read is a finding of its own
        return named
    return named + [_ended(key.grant) if key.ended else key.grant for key in made]


def _ended(grant: Grant) -> Grant:
    return Grant(name=grant.name, team=grant.team)


async def _endpoints(catalog: Catalog) -> list[Finding]:
    """Ask each endpoint how it is, and whether it has the models that are asked of it."""
    wanted: dict[str, list[str]] = {name: [] for name in catalog.endpoints}
    for model in catalog.models.values():
        if not _embeds(model):  # some servers list only what can chat
            wanted[model.endpoint].append(model.served_name)
    states = await asyncio.gather(
        *(surroundings.reachable(e, catalog.unusable.get(n), wanted[n]) for n, e in catalog.endpoints.items())
    )
    found = []
    for name, (usable, detail) in zip(catalog.endpoints, states, strict=True):
        well = usable or "switched off" in detail
        mend = "start it, correct its url or key, or remove its row"
        if detail == (unusable := catalog.unusable.get(name)) and (key := _UNSET.fullmatch(unusable)):
            mend = f"set {key[1]}, or remove its row"
        found.append(Finding(what=f"endpoint {name}", well=well, detail=detail, mend="" if well else mend))
    return found


def _unpriced(catalog: Catalog) -> Iterator[Finding]:
    """Name the models that are refused because nobody said what they cost."""
    names = [model.id for model in unpriced(catalog)]
    if names:
        told = f"{', '.join(names)}: outside, and refused as long as no price is known"
        mend = 'add to each [[model]]: price = { input_usd_per_mtok = "…", output_usd_per_mtok = "…" }'
        yield Finding(what="prices", well=False, detail=told, mend=mend)


async def _rules(settings: config.Settings) -> Rules:
    """Return the rules in force, with what was probed in another version marked so."""
    transport = Transport()
    try:
        rules = await bootstrap.rechecked(settings, bootstrap.rules_from(settings), transport)
        rules = await asked(rules, settings, transport)
    finally:
        await transport.aclose()
    old = renamed(rules.catalog.probes.values(), await _served(settings, rules.catalog))
    if not old:
        return rules
    kept.keep(settings.probes_path, old)
    return bootstrap.rules_from(settings)  # with the weights that were just asked for


async def _served(settings: config.Settings, catalog: Catalog) -> dict[str, str]:
    """Return under which name each probed model answered last, of those that answered since."""
    probes = catalog.probes
    if not probes:
        return {}
    try:
        async with bootstrap.reading(settings) as history:
            decisions = [] if history is None else await history.latest(LOOKED_BACK)
    except TierwiseError:  # that the ledger cannot be read is a finding of its own
        return {}
    return {
        attempt.model: attempt.served_model
        for decision in reversed(decisions)
        for attempt in decision.attempts
        if attempt.served_model and attempt.model in probes and attempt.started > probes[attempt.model].ts
    }


def _probes(catalog: Catalog, failed: dict[str, str]) -> Iterator[Finding]:
    """Say of each model what its probe found; of those without one, why it failed or how to make it."""
    for name, why in failed.items():
        mend = "correct its endpoint or its served_name, then --probe it again"
        yield Finding(what=f"probe {name}", well=False, detail=f"not done: {why}", mend=mend)
    for name, probed in catalog.probes.items():
        if name in failed:
            continue
        if probed.stale:
            told = f"the one of {probed.date} no longer counts: {probed.stale}; `tierwise doctor --probe` makes another"
            yield Finding(what=f"probe {name}", well=True, detail=told)
            continue
        done = dict.fromkeys(one.check for one in probed.findings if one not in _telling(probed))
        parts = [f"{', '.join(done)} honoured"] if done else []
        parts += [f"{one.check} {one.verdict} on {one.wire} ({one.detail})" for one in _telling(probed)]
        well = all(one.check == "stream_usage" for one in probed.broken)  # what is missing there is estimated
        yield Finding(
            what=f"probe {name}", well=well, detail=f"on {probed.date}: {'; '.join(parts)}", mend=_mend(probed)
        )
    settled = catalog.probes.keys() | failed.keys()
    left = [
        name
        for name, model in catalog.models.items()
        if name not in settled and unprobed(catalog.endpoints[model.endpoint], model) is None
    ]
    if left:
        told = f"{len(left)} of {len(catalog.models)} models not probed yet; `tierwise doctor --probe` does it"
        yield Finding(what="probes", well=True, detail=told)


def _mend(probed: Probed) -> str:
    """Say what helps: where another wire does better, that one alone."""
    good = {one.check for one in probed.findings if one.verdict == "honoured"}
    worse = sorted({one.wire for one in probed.broken if one.check in good})
    if worse:
        return f"take {', '.join(worse)} out of the endpoint's wires: another one does it"
    filtered = any(one.check in FILTERS or one.check == "context" for one in probed.broken)
    until = "calls that need it go elsewhere" if filtered else "do not rely on it there"
    return f"{until}; update the server or correct the row, then --probe it again by name"


def _telling(probed: Probed) -> list[Check]:
    """Return what deserves its reason: all that was not honoured, and how far prompts were read."""
    return [one for one in probed.findings if one.verdict != "honoured" or one.check == "context"]


def _embeds(model: Model) -> bool:
    return "embeddings" in model.capabilities


def _machine(settings: config.Settings) -> list[Finding]:
    return [_home(settings), _disk(settings), _clock(), _port(settings), _engine(), _hardware()]


def _home(settings: config.Settings) -> Finding:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        mend = "make the folder writable, or set TIERWISE_HOME to another"
        return Finding(what="home", well=False, detail=f"{settings.home}: {error.strerror}", mend=mend)
    return Finding(what="home", well=True, detail=str(settings.home))


async def _audit(settings: config.Settings) -> Finding:
    """Say how far the log is signed, and whether its witnesses agree, as far as they can be read, or answer."""
    try:
        async with bootstrap.reading(settings) as history:
            notes = [] if history is None else await history.checkpoints()
        files = bootstrap.witness_files(settings)
        seen = {one.name: await seen_by(one) for one in files}
        if not notes and not any(seen.values()):
            return Finding(what="audit", well=True, detail="nothing is signed yet")
        signer = bootstrap.signer(settings, make=False)
        for name, last in seen.items():
            compare(last, notes, signer, name)
            if last is None:
                mend = "start the gateway, or start it anew if it runs: it tells its witnesses, or says why it cannot"
                return Finding(what="audit", well=False, detail=f"the witness {name} keeps nothing", mend=mend)
        told = [
            f"the witness {name} knows up to {opened(last, signer.keys).size}" for name, last in seen.items() if last
        ]
        size = opened(notes[-1], signer.keys).size
        told += await _deposits(settings, notes[-1], size)
    except TierwiseError as error:
        mend = "`tierwise audit verify` says more; docs/reference/audit.md says what to do"
        return Finding(what="audit", well=False, detail=str(error), mend=mend)
    told = told or ["no witness: an end that is cut off could not be seen ([[audit.witness]])"]
    return Finding(what="audit", well=True, detail="; ".join([f"signed up to record {size}", *told]))


async def _deposits(settings: config.Settings, note: str, size: int) -> list[str]:
    """Have the witnesses that are only written to keep the newest checkpoint. Raises StoreError where one does not."""
    transport = Transport()
    told = []
    try:
        for one in bootstrap.witness_places(settings, transport):
            try:
                await one.keep(size, note)
            except (ProviderError, TimeoutError) as error:
                if not isinstance(error, ProviderError) or error.status not in HAS_IT:
                    raise StoreError(f"the witness {one.name} does not keep checkpoints: {error}") from error
            told.append(f"the witness {one.name} answers")
    finally:
        await transport.aclose()
    return told


async def _ledger(settings: config.Settings) -> Finding:
    try:
        async with bootstrap.reading(settings) as history:
            if history is None:
                return Finding(what="ledger", well=True, detail="nothing is recorded yet")
            count = await history.count()
    except TierwiseError as error:
        return Finding(
            what="ledger",
            well=False,
            detail=str(error),
            mend="move the file away or restore a copy" if OLDER not in str(error) else "its records are kept",
        )
    return Finding(what="ledger", well=True, detail=f"{settings.ledger_name}, {count} decisions")


def _disk(settings: config.Settings) -> Finding:
    place = settings.home if settings.home.exists() else settings.home.anchor
    free = shutil.disk_usage(place).free
    mend = "free some space: without it calls are refused, as they could not be recorded"
    return Finding(what="disk", well=free > LEAST_FREE_BYTES, detail=f"{free / 1e9:.1f} GB free", mend=mend)


def _clock() -> Finding:
    now = time.time()
    detail = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    return Finding(what="clock", well=now > LEAST_TIME, detail=detail, mend="set the clock; budgets go by it")


def _port(settings: config.Settings) -> Finding:
    server = settings.document.server
    with socket.socket() as probe:
        probe.settimeout(0.5)
        taken = probe.connect_ex(("127.0.0.1", server.port)) == 0
    detail = "something listens there: perhaps `tierwise serve` itself" if taken else "free"
    return Finding(what=f"port {server.port}", well=True, detail=detail)


def _engine() -> Finding:
    there = installed()
    detail = "installed" if there else "not installed"
    return Finding(what="embedded engine", well=there, detail=detail, mend=install("embedded"))


def _hardware() -> Finding:
    here = machine()
    memory = here.memory_available_bytes
    told = "unknown" if memory is None else f"{memory / 1e9:.1f} GB"
    return Finding(what="hardware", well=True, detail=f"{here.cores} cores, {told} of memory available")
