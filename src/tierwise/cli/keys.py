"""The commands `tierwise keys …`: who may call, what they may do, and who changed that."""

import asyncio
import getpass
import os
import time
from collections.abc import Sequence
from typing import Annotated, Any, get_args

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.options import ConfigFile, Json, moment_ts, print_json, say, span_s, table, utc
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.grant import Grant, Rate, Scope
from tierwise.core.label import Label
from tierwise.ledger.keys import KeyChange, StoredKey
from tierwise.ledger.protocol import Book

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Keys for callers.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")]


@app.command()
def create(
    name: Name,
    team: Annotated[str | None, typer.Option(help="The team that it belongs to.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends: 12h, 90d, or a date such as 2027-01-31.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="call, admin, metrics; call if none is given.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model that it may use, with * for any text.")] = None,
    label: Annotated[str | None, typer.Option(help="The highest label of data that it may send.")] = None,
    requests: Annotated[int | None, typer.Option(min=1, help="Requests a minute.")] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Tokens a minute, in and out.")] = None,
    concurrent: Annotated[int | None, typer.Option(min=1, help="Calls at once.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Make a key. Its text is shown once, here; only a keyed hash of it is kept. A running server takes it at once.

    From the first key on every caller has to show one, also when all are revoked.

    Examples:
      tierwise keys create alice --team red --expires 90d
      tierwise keys create ci --model 'small-*' --label internal --requests 60
    """
    settings = config.load(file)
    if any(row.name == name for row in settings.document.key):
        raise ConfigError(f"the configuration has a [[key]] named {name!r} already", key="key.name")
    grant = Grant(
        name=name,
        team=team,
        scopes=_scopes(scope),
        models=tuple(model or ()),
        label=_label(label),
        rate=Rate(requests_per_minute=requests, tokens_per_minute=tokens, concurrent=concurrent),
    )
    first = not settings.document.key and not asyncio.run(_read(settings, None))[0]
    made = _book(settings).create(grant, bootstrap.pepper(settings, make=True), _end(expires))
    if first:
        say("This is the first key: from now on every caller has to show one, also on this machine.")
    _show_once(*made, as_json=as_json)


@app.command("list")
def list_(file: ConfigFile = None, as_json: Json = False) -> None:
    """List all keys, those of the configuration and those made here, with their state.

    Example:  tierwise keys list
    """
    settings = config.load(file)
    stored, _ = asyncio.run(_read(settings, None))
    rows = [_configured(row) for row in settings.document.key] + [_row(key) for key in stored]
    if as_json:
        print_json(rows)
    elif not rows:
        print("No keys: only programs on this machine are served. Make one: tierwise keys create NAME")
    else:
        head = ("name", "key", "team", "state", "ends (UTC)", "may")
        print(table(head, [_told(row) for row in rows]))


@app.command()
def show(name: Name, file: ConfigFile = None, as_json: Json = False) -> None:
    """Tell what a key may do, and who did what to it when.

    Example:  tierwise keys show alice
    """
    settings = config.load(file)
    stored, changes = asyncio.run(_read(settings, name))
    rows = [_configured(row) for row in settings.document.key if row.name == name] + [_row(key) for key in stored]
    if not rows:
        raise InvalidCall(f"there is no key {name!r}; `tierwise keys list` lists them", param="NAME")
    if as_json:
        print_json({"keys": rows, "changes": changes})
        return
    print(table(("name", "key", "team", "state", "ends (UTC)", "may"), [_told(row) for row in rows]))
    for change in changes:
        print(f"  {utc(change.ts)}  {change.what} by {change.who}  {_detail(change)}".rstrip())


@app.command()
def revoke(name: Name, file: ConfigFile = None, as_json: Json = False) -> None:
    """End a key. A running server refuses it within two seconds and ends what is under way with it.

    Example:  tierwise keys revoke alice
    """
    settings = config.load(file)
    if any(row.name == name for row in settings.document.key):
        raise ConfigError(f"{name!r} stands in {settings.file}: remove its [[key]] there", key="key.name")
    live = _book(settings).revoke(name)
    if as_json:
        print_json({"name": name, "revoked": live})
    else:
        print(f"{name} is revoked" if live else f"{name} was revoked or expired before")


@app.command()
def rotate(
    name: Name,
    grace: Annotated[str, typer.Option(help="For how long the old text is still taken: 30s, 10m, 24h.")] = "0s",
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Give a key a new text, shown once; name, team, permissions and end stay.

    Example:  tierwise keys rotate alice --grace 24h
    """
    settings = config.load(file)
    made = _book(settings).rotate(name, bootstrap.pepper(settings, make=False), span_s(grace, "--grace"))
    _show_once(*made, as_json=as_json)


def person() -> str:
    """Return who is logged in here, as traces of changes name people, and for whose key, where a page was asked."""
    number = f" (uid {os.getuid()})" if hasattr(os, "getuid") else ""
    key = config.on_behalf()
    return f"{getpass.getuser()}{number}{f', for the key {key}' if key else ''}"


def _book(settings: config.Settings) -> Book:
    return bootstrap.books(settings).keys(person())


async def _read(settings: config.Settings, name: str | None) -> tuple[list[StoredKey], list[KeyChange]]:
    async with bootstrap.reading(settings) as history:
        return ([], []) if history is None else (await history.keys(name), await history.key_changes(name))


def _show_once(key: StoredKey, text: Any, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": text.reveal()} | _row(key))
        return
    say("This is the only time that the key is shown:")
    print(text.reveal())


def _row(key: StoredKey) -> dict[str, Any]:
    now = time.time()
    gone = key.ended or (key.revoked is not None and key.revoked <= now)
    expired = key.expires is not None and key.expires <= now
    state = "revoked" if gone else "expired" if expired else "live" if key.revoked is None else "being replaced"
    return _permissions(key.grant) | {
        "prefix": key.prefix,
        "state": state,
        "created": key.created,
        "expires": key.expires,
        "revoked": key.revoked,
    }


def _configured(row: Any) -> dict[str, Any]:
    expired = row.expires_ts is not None and row.expires_ts <= time.time()
    return _permissions(row.grant) | {
        "prefix": row.secret,
        "state": "expired" if expired else "configured",
        "created": None,
        "expires": row.expires_ts,
        "revoked": None,
    }


def _permissions(grant: Grant) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(grant)
    return found


def _told(row: dict[str, Any]) -> tuple[str, ...]:
    ends = [time_ for time_ in (row["expires"], row["revoked"]) if time_ is not None]
    may = [", ".join(row["scopes"])]
    may += [f"models {', '.join(row['models'])}"] if row["models"] else []
    may += [f"up to {row['label']}"] if row["label"] else []
    words = {"requests_per_minute": "requests/min", "tokens_per_minute": "tokens/min", "concurrent": "at once"}
    may += [f"{row['rate'][field]} {unit}" for field, unit in words.items() if row["rate"][field] is not None]
    shown = row["prefix"] if row["state"] == "configured" else f"{row['prefix']}…"
    end = utc(min(ends)) if ends else "–"
    return (row["name"], shown, row["team"] or "–", row["state"], end, "; ".join(may))


def _detail(change: KeyChange) -> str:
    """Say what was changed; what a new key may do stands in the table above."""
    return "" if change.what == "created" else change.detail


def _scopes(given: Sequence[str] | None) -> tuple[Scope, ...]:
    for scope in given or ():
        if scope not in get_args(Scope):
            raise InvalidCall(f"--scope {scope!r}: one of {', '.join(get_args(Scope))}", param="--scope")
    return tuple(dict.fromkeys(given)) if given else ("call",)  # type: ignore[arg-type]


def _label(given: str | None) -> Label | None:
    if given is not None and given not in tuple(Label):
        raise InvalidCall(f"--label {given!r}: one of {', '.join(Label)}", param="--label")
    return Label(given) if given else None


def _end(text: str | None) -> float | None:
    end = None if text is None else moment_ts(text, "--expires", ago=False)
    if end is not None and end <= time.time():
        raise InvalidCall(f"--expires {text!r} has passed", param="--expires")
    return end
