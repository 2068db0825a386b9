"""Where are certificates kept, and which of them count now? Files by digest, read beside the rules in force.

A certificate that is missing, damaged or of another bundle is a value that says so, never an error: the gateway serves
on without it. Invariant: what is read is exactly what its digest names.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from tierwise.core.certificate import Certificate
from tierwise.core.errors import ConfigError
from tierwise.evals.bundles import Place, bundle_now
from tierwise.evals.weights import FILE, ask
from tierwise.gateway.certified import Certified
from tierwise.gateway.rules import Rules
from tierwise.providers.transport import Transport
from tierwise.registry.kept import put

FOLDER = "certificates"
LOOK_S, POLL_S = 30.0, 0.4
"""How often a running gateway looks whether what it serves is still what was certified, and whether a release of a
workflow names another certificate."""
_log = logging.getLogger("tierwise.certificates")


def path_of(place: Place, digest: str) -> Path:
    """Return the file of a certificate."""
    return place.home / FOLDER / f"{digest.removeprefix('sha256:')}.json"


def keep(place: Place, certificate: Certificate) -> Path:
    """Write a certificate; ConfigError where that fails."""
    path = path_of(place, certificate.digest)
    try:
        put(path, msgspec.json.format(msgspec.json.encode(certificate, order="deterministic"), indent=1) + b"\n")
    except OSError as error:
        mend = "make the folder writable, or set TIERWISE_HOME to another"
        raise ConfigError(f"{path} cannot be written: {error.strerror}; {mend}", file=str(path)) from error
    return path


def read(place: Place, digest: str) -> Certificate:
    """Read the certificate of this digest. ConfigError where there is none, or another thing in its place."""
    path = path_of(place, digest)
    name = path.stem
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise ConfigError(f"{digest!r} is no digest of a certificate: sha256: and 64 hexadecimal digits")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Certificate)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is no certificate: {error}", file=str(path)) from error
    if found.digest != f"sha256:{name}":
        raise ConfigError(f"{path} is not what its name says: it has the digest {found.digest}", file=str(path))
    return found


def certified(rules: Rules, place: Place) -> dict[str, Certified]:
    """Return the certificates that workflows name, beside what answers in them now."""
    found: dict[str, Certified] = {}
    for flow, digest in _named(rules):
        try:
            one = read(place, digest)
        except ConfigError as error:
            found[flow] = Certified(digest=digest, problems=(str(error),))
            continue
        models, workflow = [name for name, _ in one.bundle.models], rules.workflows[flow]
        now = bundle_now(rules, workflow, models, place)
        found[flow] = Certified.of(workflow, digest, one, now)
    return found


async def asked(rules: Rules, place: Place, transport: Transport) -> Rules:
    """Return the rules with certificates beside what answers now, after asking servers which weights they serve."""
    known = (one.certificate for one in rules.certified.values() if one.certificate is not None)
    models = sorted({name for one in known for name, _ in one.bundle.models})
    if models:
        await ask(rules.catalog, models, transport, place.home / FILE)
    return msgspec.structs.replace(rules, certified=await asyncio.to_thread(certified, rules, place))


class InForce(Protocol):
    """Whose rules carry the certificates."""

    rules: Rules


class Followed:
    """Keeps the certificates of one running gateway up to date, and says in the log which of them do not count."""

    def __init__(self, gateway: InForce, place: Place, transport: Transport) -> None:
        self._gateway, self._place, self._transport = gateway, place, transport
        self._said: dict[str, tuple[str, ...]] = {}

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        looked = time.monotonic()
        while True:
            self.say()
            await asyncio.sleep(POLL_S)
            rules = self._gateway.rules
            named = dict(_named(rules))
            late = time.monotonic() - looked > LOOK_S and named
            if late or named != {flow: one.digest for flow, one in rules.certified.items()}:
                await self.look()
                looked = time.monotonic()

    async def look(self) -> None:
        """Look once what answers now. A defect of ours must not end the following in silence."""
        try:
            found = (await asked(self._gateway.rules, self._place, self._transport)).certified
        except Exception:
            _log.exception("certificates could not be looked at")
            return
        rules = self._gateway.rules  # another policy may be in force by now
        now = {name: one.under(rules.policy.digest) for name, one in found.items()}
        if now != rules.certified:
            self._gateway.rules = msgspec.structs.replace(rules, certified=now)

    def say(self) -> None:
        """Log each certificate that has begun not to count, or to count again."""
        now = {name: one.void(time.time()) for name, one in self._gateway.rules.certified.items()}
        for name, void in now.items():
            if void and void != self._said.get(name):
                _log.warning("the certificate of workflow %s does not count: %s", name, "; ".join(void))
            elif not void and self._said.get(name):
                _log.warning("the certificate of workflow %s counts again", name)
        self._said = now


def _named(rules: Rules) -> Iterator[tuple[str, str]]:
    """Return workflows and the digests that they name."""
    return ((name, flow.certificate) for name, flow in rules.workflows.items() if flow.certificate is not None)
