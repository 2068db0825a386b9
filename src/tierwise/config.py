"""What is configured, and where does each value come from? File, then environment, then flags.

The only reader of the environment. Wires nothing: `bootstrap` does.
Invariant: an unknown key is an error with its path and the nearest valid name; a secret is a reference until asked for.
"""

import enum
import functools
import os
import sys
import time
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tierwise.audit.settings import AuditSettings
from tierwise.core.errors import ConfigError
from tierwise.core.prices import PriceRow, Prices, day_of
from tierwise.core.secret import Secret
from tierwise.economics.budget import Budget
from tierwise.economics.limits import Limit
from tierwise.economics.own import Machine
from tierwise.fallback.breaker import BreakerSettings
from tierwise.fallback.plan import FallbackSettings
from tierwise.gateway.live import LiveSettings
from tierwise.gateway.workflow import Workflow
from tierwise.incidents.settings import IncidentSettings, NotifyRow
from tierwise.ledger.releases import Release
from tierwise.ledger.settings import LedgerSettings
from tierwise.policy.released import Written
from tierwise.policy.released import parse as parse_policy
from tierwise.policy.settings import LabelSettings, Rule
from tierwise.postgres.connect import Place, place
from tierwise.registry.load import nearest
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.settings import KeyRow, ServerSettings
from tierwise.telemetry.names import OPT_IN
from tierwise.telemetry.settings import TelemetrySettings

FILE = "tierwise.toml"
PREFIX = "TIERWISE_"
OWN_KEY = "TIERWISE_API_KEY"
ON_BEHALF = "TIERWISE_ON_BEHALF"
CONVENTIONS = "OTEL_SEMCONV_STABILITY_OPT_IN"
"""The one variable that is not ours: who sets it means every program on the machine."""


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a `tierwise.toml` may say."""

    server: ServerSettings = ServerSettings()
    endpoint: tuple[EndpointRow, ...] = ()
    model: tuple[ModelRow, ...] = ()
    price: tuple[PriceRow, ...] = ()
    machine: tuple[Machine, ...] = ()
    labels: LabelSettings = LabelSettings()
    rule: tuple[Rule, ...] = ()
    workflow: tuple[Workflow, ...] = ()
    budget: tuple[Budget, ...] = ()
    limit: tuple[Limit, ...] = ()
    key: tuple[KeyRow, ...] = ()
    ledger: LedgerSettings = LedgerSettings()
    audit: AuditSettings = AuditSettings()
    fallback: FallbackSettings = FallbackSettings()
    breaker: BreakerSettings = BreakerSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    live: LiveSettings = LiveSettings()
    incidents: IncidentSettings = IncidentSettings()
    notify: tuple[NotifyRow, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The effective configuration. `file` None: nothing was written, so what exists is discovered.

    `sources` says of dotted keys that were set where they were set; every other value is a default.
    `release` is the number of the policy's release in force, None where the policy is `written`, as here; `rollouts`
    are the releases of workflows in force.
    """

    document: Document
    home: Path
    file: Path | None = None
    sources: dict[str, str] = {}
    frontier: bool = False
    environ: Mapping[str, str] = msgspec.field(default_factory=dict)
    release: int | None = None
    overruled: Written | None = None
    rollouts: tuple[Release, ...] = ()

    @property
    def written(self) -> Written:
        """Return the policy that stands here, in force or not."""
        return self.overruled or self.policy

    @property
    def policy(self) -> Written:
        """Return the policy in force."""
        return Written(labels=self.document.labels, rule=self.document.rule)

    def under(self, release: Release | None) -> "Settings":
        """Return the settings with the policy in force: the release's, where one was applied. Raises ConfigError."""
        if release is None or release.body is None:
            return self
        policy = parse_policy(release.body)
        document = msgspec.structs.replace(self.document, labels=policy.labels, rule=policy.rule)
        told = _leaves({"labels": msgspec.to_builtins(policy.labels), "rule": msgspec.to_builtins(policy.rule)})
        sources = {key: source for key, source in self.sources.items() if not key.startswith(("labels.", "rule."))}
        sources |= dict.fromkeys(told, f"release {release.number}")
        return msgspec.structs.replace(
            self, document=document, sources=sources, release=release.number, overruled=self.written
        )

    def secret(self, reference: str) -> Secret | None:
        """Resolve a reference such as `env:NAME`; None where the variable is unset or empty."""
        text = self.environ.get(reference.removeprefix("env:"), "").strip()
        return Secret(text) if text else None

    @property
    def prices(self) -> Prices:
        """Return the rows of prices, and that those of today are meant."""
        return Prices(rows=self.document.price, day=day_of(time.time()))

    @property
    def own_key(self) -> str | None:
        """Return the reference of the key that our own commands show: TIERWISE_API_KEY, else the first one."""
        if self.environ.get(OWN_KEY):
            return f"env:{OWN_KEY}"
        return self.document.key[0].secret if self.document.key else None

    @property
    def ledger_path(self) -> Path:
        """Return the ledger's file."""
        path = self.document.ledger.path
        return Path(path).expanduser() if path else self.home / "ledger.sqlite"

    @property
    def ledger_place(self) -> Place | None:
        """Return the database that keeps the ledger, None where a file does; `ConfigError` for a password not set."""
        row = self.document.ledger
        if row.url is None:
            return None
        password = None if row.password is None else self.secret(row.password)
        if row.password is not None and password is None:
            raise ConfigError(f"ledger.password: {row.password} is not set", key="ledger.password")
        return msgspec.structs.replace(place(row.url), password=password, ca_file=row.ca_file)

    @property
    def ledger_name(self) -> str:
        """Say where the ledger is, for people."""
        return str(self.ledger_place or self.ledger_path)

    @property
    def pepper_path(self) -> Path:
        """Return the file with the secret that keys are hashed with."""
        return self.ledger_path.with_name("key.pepper")

    @property
    def audit_key_path(self) -> Path:
        """Return the file with the key that the ledger's log is signed with."""
        return self.ledger_path.with_name("audit.key")

    @property
    def declassified_path(self) -> Path:
        """Return the file of declassifications, beside the ledger."""
        return self.ledger_path.with_name("declassified.sqlite")

    @property
    def base(self) -> Path:
        """Return the folder where relative paths of the file start."""
        return self.file.parent if self.file else Path.cwd()

    @property
    def probes_path(self) -> Path:
        """Return the file in which the results of probes are kept."""
        return self.home / "probes.json"


def load(
    file: Path | None = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Settings:
    """Read the file (given, or named by TIERWISE_CONFIG, or `tierwise.toml` here or in the home) and what overrides it.

    `flags` are dotted keys such as `server.port`; `frontier` lets discovered outside endpoints join.
    """
    environ = os.environ if environ is None else environ
    home = _home(environ)
    found = _file(file, environ, home)
    raw: dict[str, Any] = {}
    sources: dict[str, str] = {}
    if found is not None:
        raw = _read(found)
        sources = dict.fromkeys(_leaves(raw), f"file {found}")
    frontier = bool((flags or {}).get("frontier"))
    for key, value, source in [*_from_environ(environ), *_from_flags(flags or {})]:
        _set(raw, key, value)
        sources[key] = source
    document = _document(raw, str(found) if found else None, base=found.parent if found else Path.cwd())
    kept = {name: value for name, value in environ.items() if value}
    return Settings(document=document, home=home, file=found, sources=sources, frontier=frontier, environ=kept)


def load_empty(*, frontier: bool) -> Settings:
    """Return the settings of a machine without any file, for looking around."""
    kept = {name: value for name, value in os.environ.items() if value}
    return Settings(document=Document(), home=_home(kept), frontier=frontier, environ=kept)


def parse(text: str, file: str | None = None) -> Document:
    """Read a document from text, as `load` does from a file."""
    return _document(_toml(text, file), file, base=Path.cwd())


def on_behalf(environ: Mapping[str, str] | None = None) -> str:
    """Return the name of the key for which the pages run this command, empty where a person does."""
    return (os.environ if environ is None else environ).get(ON_BEHALF, "")


def effective(settings: Settings) -> list[tuple[str, str, str]]:
    """Return every value as `(dotted key, value, source)`; references stand in for secrets."""
    values = _leaves(msgspec.to_builtins(settings.document))
    rows = [("home", str(settings.home), "env TIERWISE_HOME" if settings.environ.get("TIERWISE_HOME") else "default")]
    rows += [(key, str(value), settings.sources.get(key, "default")) for key, value in values.items()]
    return rows


# reading


def _home(environ: Mapping[str, str]) -> Path:
    if environ.get("TIERWISE_HOME"):
        return Path(environ["TIERWISE_HOME"]).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "tierwise"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tierwise"
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tierwise"


def _file(given: Path | None, environ: Mapping[str, str], home: Path) -> Path | None:
    named = given or (Path(environ["TIERWISE_CONFIG"]) if environ.get("TIERWISE_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"there is no configuration file {named}; `tierwise init` writes one", file=str(named))
        return named.absolute()
    return next((place.absolute() for place in (Path(FILE), home / FILE) if place.is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        return _toml(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text", file=str(path)) from error


def _toml(text: str, file: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file or 'the configuration'} is not TOML: {error}", file=file) from error


def _document(raw: dict[str, Any], file: str | None, *, base: Path) -> Document:
    where = f"{file}: " if file else ""
    _check_keys(raw, Document, "", where, file)
    try:
        document = msgspec.convert(raw, Document)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}{error}", file=file) from error
    for said, key, reference in references(document):  # before anything can print one
        if reference is not None and not reference.startswith("env:"):
            told = f'{said} must be a reference such as "env:MY_KEY", not the key itself'
            raise ConfigError(where + told, file=file, key=key)
    return _anchored(document, base)


def references(document: Document) -> Iterator[tuple[str, str, str | None]]:
    """Return every place where a secret is named: for people, as a key, and what stands there."""
    for row in document.endpoint:
        yield f"endpoint {row.name!r}: key", "endpoint.key", row.key
    for one in document.key:
        yield f"key {one.name!r}: secret", "key.secret", one.secret
    for notifier in document.notify:
        yield f"notify {notifier.name!r}: secret", "notify.secret", notifier.secret
    yield "ledger.password", "ledger.password", document.ledger.password
    yield "audit.key", "audit.key", document.audit.key
    for witness in document.audit.witness:
        yield "audit.witness: key", "audit.witness.key", witness.key
    yield "server.key_pepper", "server.key_pepper", document.server.key_pepper
    for name, reference in document.telemetry.headers.items():
        yield f"telemetry.headers: {name}", "telemetry.headers", reference


Setting = TypeVar("Setting")
PATHS = frozenset(("file", "ca_file", "path", "data"))
"""Settings that name a file."""


def _anchored(value: Setting, base: Path) -> Setting:
    """Read a relative path, wherever it is set, as relative to the file that says it."""
    if isinstance(value, tuple):
        return type(value)(_anchored(one, base) for one in value)
    if not isinstance(value, msgspec.Struct):
        return value
    changed = {}
    for name in value.__struct_fields__:
        before = getattr(value, name)
        is_path = name in PATHS and isinstance(before, str)
        after = str((base / Path(before).expanduser()).absolute()) if is_path else _anchored(before, base)
        if after is not before:
            changed[name] = after
    return msgspec.structs.replace(value, **changed) if changed else value


def _check_keys(value: Any, declared: Any, path: str, where: str, file: str | None) -> None:
    """Refuse an unknown key, and a word that is none of a closed set, by its path; walks the types beside the data."""
    struct = next((t for t in _alternatives(declared) if isinstance(t, type) and issubclass(t, msgspec.Struct)), None)
    if isinstance(value, list):
        for item in value:
            for inner in _inner(declared):
                _check_keys(item, inner, path, where, file)
    elif isinstance(value, dict) and struct is None:
        for key, item in value.items():
            for inner in _inner(declared):
                _check_keys(item, inner, f"{path}.{key}".strip("."), where, file)
    elif isinstance(value, dict) and struct is not None:
        fields = _hints(struct)
        known = {field.encode_name: fields[field.name] for field in msgspec.structs.fields(struct)}
        for key, item in value.items():
            dotted = f"{path}.{key}".strip(".")
            if key not in known:
                raise ConfigError(f"{where}unknown key {dotted!r}{nearest(key, known)}", file=file, key=dotted)
            _check_keys(item, known[key], dotted, where, file)
    elif isinstance(value, str) and (words := _words(declared)) and value not in words:
        raise ConfigError(f"{where}{path} = {value!r}: one of {', '.join(words)}", file=file, key=path)


@functools.cache
def _hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return typing.get_type_hints(struct)


def _words(declared: Any) -> tuple[str, ...]:
    """Return the closed set that a text must be of; empty where any text will do."""
    found: list[str] = []
    for one in _alternatives(declared):
        if one is str:
            return ()
        if typing.get_origin(one) is typing.Literal:
            found += [word for word in typing.get_args(one) if isinstance(word, str)]
        elif isinstance(one, type) and issubclass(one, enum.StrEnum):
            found += [word.value for word in one]
    return tuple(found)


def _alternatives(declared: Any) -> tuple[Any, ...]:
    union = typing.get_origin(declared) in (typing.Union, types.UnionType)
    return typing.get_args(declared) if union else (declared,)


def _inner(declared: Any) -> list[Any]:
    """Return what the items of a tuple, or the values of a dict, are declared to be."""
    found: list[Any] = []
    for alternative in _alternatives(declared):
        args = [arg for arg in typing.get_args(alternative) if arg is not Ellipsis]
        found += args[-1:]
    return found


# overriding


def _from_environ(environ: Mapping[str, str]) -> list[tuple[str, object, str]]:
    """Read `TIERWISE_SERVER_PORT` and the like: one variable for each plain value of a plain section."""
    found: list[tuple[str, object, str]] = []
    if OPT_IN in (word.strip() for word in environ.get(CONVENTIONS, "").split(",")):
        found.append(("telemetry.names", "latest", f"env {CONVENTIONS}"))
    for section in msgspec.structs.fields(Document):
        declared = typing.get_type_hints(Document)[section.name]
        if not (isinstance(declared, type) and issubclass(declared, msgspec.Struct)):
            continue
        types = typing.get_type_hints(declared, include_extras=True)
        for field in msgspec.structs.fields(declared):
            name = f"{PREFIX}{section.name}_{field.name}".upper()
            if environ.get(name):
                key = f"{section.name}.{field.name}"
                found.append((key, _fitting(environ[name], types[field.name], name, key), f"env {name}"))
    return found


def _from_flags(flags: Mapping[str, object]) -> list[tuple[str, object, str]]:
    return [(key, value, "flag") for key, value in flags.items() if value is not None and "." in key]


def _fitting(text: str, declared: Any, variable: str, key: str) -> object:
    """Read a variable as the TOML value it looks like, else as text: a ledger may lie at `2026`."""
    plain = _plain(text)
    try:
        msgspec.convert(plain, declared)
        return plain
    except msgspec.ValidationError as error:
        try:
            msgspec.convert(text, declared)
            return text
        except msgspec.ValidationError:
            told = str(error).partition(" - at ")[0]
            raise ConfigError(f"{variable}={text[:40]!r} does not fit {key}: {told}", key=key) from error


def _plain(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(raw: dict[str, Any], key: str, value: object) -> None:
    *sections, last = key.split(".")
    for section in sections:
        raw = raw.setdefault(section, {})
    raw[last] = value


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Return the plain values of nested tables by dotted key; rows are named by their `name`, `id` or place."""
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= _leaves(item, f"{path}.{key}".strip("."))
        return found
    if isinstance(value, list | tuple) and value and all(isinstance(item, dict) for item in value):
        found = {}
        for place, item in enumerate(value):
            found |= _leaves(item, f"{path}.{item.get('name') or item.get('id') or place}")
        return found
    return {path: value} if path else {}
