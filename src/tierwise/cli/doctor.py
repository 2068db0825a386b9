"""The command `tierwise doctor`: is everything as it should be? One line each, with the mend."""

import asyncio
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator

import msgspec

from tierwise import bootstrap, config
from tierwise.cli import telling
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json
from tierwise.core.errors import ConfigError, TierwiseError
from tierwise.hardware.detect import machine
from tierwise.providers.engine import installed

LEAST_FREE_BYTES = 1024**3
# Earlier than this project: a clock that says so was never set.
LEAST_TIME = 1_760_000_000


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was checked. `mend` says what to do where it is not well."""

    what: str
    well: bool
    detail: str
    mend: str = ""


def doctor(file: ConfigFile = None, frontier: Frontier = False, as_json: Json = False) -> int:
    """Check configuration, endpoints, keys, disk, clock and hardware. Exit 1 where something needs mending.

    Example:  tierwise doctor --config tierwise.toml
    """
    found = asyncio.run(_examine(lambda: config.load(file, flags={"frontier": frontier})))
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


async def _examine(load: Callable[[], config.Settings]) -> list[Finding]:
    try:
        settings = load()
        rules = bootstrap.rules_from(await bootstrap.looked_around(settings))
    except ConfigError as error:
        return [Finding(what="configuration", well=False, detail=str(error), mend="correct the file, then run again")]
    where = str(settings.file) if settings.file else "no file; what listens on this machine is used"
    found = [Finding(what="configuration", well=True, detail=where), *_machine(settings), await _ledger(settings)]
    catalog = rules.catalog
    states = await asyncio.gather(
        *(bootstrap.reachable(e, catalog.unusable.get(n)) for n, e in catalog.endpoints.items())
    )
    for endpoint, (usable, detail) in zip(catalog.endpoints.values(), states, strict=True):
        off = "switched off" in detail
        mend = "" if off else "start it, correct its url or key, or remove its row"
        found.append(Finding(what=f"endpoint {endpoint.name}", well=usable or off, detail=detail, mend=mend))
    for row in settings.document.key:
        there = settings.secret(row.secret) is not None
        state = "set" if there else "not set"
        found.append(Finding(what=f"key {row.name}", well=there, detail=f"{row.secret} is {state}", mend="set it"))
    return found


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


async def _ledger(settings: config.Settings) -> Finding:
    history = bootstrap.reader(settings)
    if history is None:
        return Finding(what="ledger", well=True, detail="nothing is recorded yet")
    try:
        count = await history.count()
    except TierwiseError as error:
        return Finding(what="ledger", well=False, detail=str(error), mend="move the file away or restore a copy")
    finally:
        await history.close()
    return Finding(what="ledger", well=True, detail=f"{settings.ledger_path}, {count} decisions")


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
    return Finding(what="embedded engine", well=there, detail=detail, mend="pip install 'tierwise[embedded]'")


def _hardware() -> Finding:
    here = machine()
    memory = here.memory_available_bytes
    told = "unknown" if memory is None else f"{memory / 1e9:.1f} GB"
    return Finding(what="hardware", well=True, detail=f"{here.cores} cores, {told} of memory available")
