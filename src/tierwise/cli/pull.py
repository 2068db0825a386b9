"""The command `tierwise pull`: the weights of an open model, with consent, and the endpoint that answers from them."""

import asyncio
import functools
import importlib
import sys
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise import config, surroundings
from tierwise.cli import adding, init
from tierwise.cli.options import ConfigFile, Json, plain, print_json, say, table
from tierwise.cli.pulls.offer import Offer, Pulled, Tell, Wish
from tierwise.core.errors import InvalidCall
from tierwise.providers.engine import installed, missing
from tierwise.registry.kinds import kinds
from tierwise.registry.open_models import open_models

_SIZES = frozenset({"size_bytes", "to_fetch_bytes", "disk_free_bytes"})


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where models come from: a module of `cli.pulls`. `suffix` is that of names which mean this source unsaid."""

    name: str
    quantized: bool = False
    suffix: str | None = None


@functools.cache
def sources() -> tuple[Source, ...]:
    """Return every source; the first is meant where none is named."""
    text = resources.files("tierwise.cli").joinpath("rows", "sources.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["source"], tuple[Source, ...])


def pull(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL[:QUANT]", help="A known name, OWNER/NAME of a hub, or SOURCE:MODEL.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Fetch it without asking.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Fetch it even where it does not fit here.")] = False,
    revision: Annotated[str, typer.Option(help="Of a hub: a branch, tag or commit.")] = "main",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Get an open model onto this machine and add it to tierwise.toml; without MODEL, list those known here.

    Says what it is, how large, under which licence and whether it fits, and asks before anything
    is fetched. Without QUANT it takes what `tierwise fit` would take on the processor. A download that was cut off
    goes on where it stopped; what came is kept only if its digest is the one that the hub told.
    Sources: hub (one GGUF file), ollama (an Ollama that runs gets it), file (a GGUF file that is here).

    Examples:
      tierwise pull
      tierwise pull gpt-oss-20b
      tierwise pull hub:OWNER/NAME-GGUF:Q4_K_M --yes
      tierwise pull ollama:gpt-oss:20b
      tierwise pull file:models/own.gguf
    """
    from tierwise.cli.app import DONE, NEGATIVE

    if model is None:
        _list(as_json=as_json)
        return DONE
    settings = config.load(file)
    source, name, quantization = parsed(model)
    wish = Wish(model=name, quantization=quantization, revision=revision, settings=settings)
    offered: Offer = importlib.import_module(f"tierwise.cli.pulls.{source}").offer(wish)
    if not as_json:
        _show(offered)
    plan = _planned(settings, offered)
    refused = bool(offered.refusal) and not anyway
    if refused or dry_run:
        say(f"{offered.refusal}. --anyway gets it all the same" if refused else "nothing is fetched: --dry-run")
        if as_json:
            print_json(_json(source, offered, None, None))
        return NEGATIVE if refused else DONE
    if not _consents(offered, yes=yes):
        say("nothing was fetched")
        return NEGATIVE
    pulled = _fetched(offered)
    written = _written(plan, offered, pulled)
    if as_json:
        print_json(_json(source, offered, pulled, written))
    else:
        _say_how(settings, offered, pulled, written)
    return DONE


def parsed(text: str) -> tuple[str, str, str | None]:
    """Return source, model and quantization. Names at Ollama hold a colon themselves, and so may paths."""
    named, colon, rest = text.partition(":")
    source = next((one for one in sources() if colon and one.name == named), None)
    if source is None:
        ends = (one for one in sources() if one.suffix is not None and text.lower().endswith(one.suffix))
        source, rest = next(ends, sources()[0]), text
    if not rest:
        names = ", ".join(one.name for one in sources())
        raise InvalidCall(f"{text!r} names no model: give MODEL[:QUANT], or SOURCE:MODEL, where SOURCE is {names}")
    if not source.quantized:
        return source.name, rest, None
    name, _, quantization = rest.partition(":")
    return source.name, name, quantization or None


def _list(*, as_json: bool) -> None:
    if as_json:
        print_json(open_models())
        return
    rows = [
        (
            row.name,
            f"{row.parameters / 1e9:g} B"
            + (f", {row.active_parameters / 1e9:g} used" if row.active_parameters else ""),
            f"{row.context_tokens:,}",
            row.license,
            row.files or "",
        )
        for row in open_models()
    ]
    print(table(("name", "parameters", "context", "licence", "GGUF files on the hub"), rows))


def _show(offered: Offer) -> None:
    for name, value in offered.facts.items():
        told = "not told" if value is None else str(value)
        told = f"{value / 1e9:.2f} GB" if name in _SIZES and isinstance(value, int) else told
        print(f"  {name.removesuffix('_bytes').replace('_', ' '):<15} {plain(told)}")


def _consents(offered: Offer, *, yes: bool) -> bool:
    """Ask, unless nothing is to be fetched. Raises InvalidCall where nobody can be asked."""
    if yes or offered.to_fetch_bytes == 0:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise InvalidCall("nothing is fetched without consent: --yes gives it", param="--yes")
    size = "of a size not told before" if offered.to_fetch_bytes is None else f"{offered.to_fetch_bytes / 1e9:.2f} GB"
    return typer.confirm(f"Fetch {size}?", err=True)


def _fetched(offered: Offer) -> Pulled:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        bar = bars.add_task("", total=offered.to_fetch_bytes)

        def tell(here: int, of: int | None) -> None:
            bars.update(bar, completed=here, total=of)

        heard: Tell = tell
        return offered.fetch(heard)


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration that gets the rows, as it is. `missing` False: it has them already."""

    settings: config.Settings
    file: Path
    text: str
    missing: bool


def _planned(settings: config.Settings, offered: Offer) -> _Plan:
    """Say where the rows will go, and see that they can, before anything is fetched. Raises ConfigError."""
    file, text = settings.file, ""
    if file is not None:
        text = file.read_text("utf-8")
    else:  # one that names what was found here: without a file all of that would be gone
        found = asyncio.run(surroundings.looked_around(config.load_empty(frontier=False)))
        text = init.starter(found.document.endpoint, found.document.model)
        settings = msgspec.structs.replace(settings, document=config.parse(text))
        file = Path(config.FILE).absolute()
    added = adding.addition(settings, offered.endpoint, offered.model, "")
    adding.check(settings, file, text, added)
    return _Plan(settings=settings, file=file, text=text, missing=bool(added))


def _written(plan: _Plan, offered: Offer, pulled: Pulled) -> Path | None:
    if not plan.missing:
        return None
    added = adding.addition(plan.settings, offered.endpoint, offered.model, pulled.note)
    adding.write(plan.file, adding.check(plan.settings, plan.file, plan.text, added), added)
    return plan.file


def _json(source: str, offered: Offer, pulled: Pulled | None, written: Path | None) -> dict[str, Any]:
    told: dict[str, Any] = {"source": source, "offer": offered.facts, "refusal": offered.refusal or None}
    told |= {"pulled": pulled is not None, "facts": pulled.told if pulled else {}}
    told |= {"endpoint": offered.endpoint.name, "model": offered.model.id}
    return told | {"config": str(written) if written else None}


def _say_how(settings: config.Settings, offered: Offer, pulled: Pulled, written: Path | None) -> None:
    for name, value in pulled.told.items():
        say(f"  {name:<15} {value}")
    say(f"added to {written}" if written else f"{settings.file} has it already")
    loads = kinds()[offered.endpoint.kind].loads
    if loads is not None and not installed(loads):
        say(f"  {missing(loads)}")
    say(f'try it: tierwise ask "Who are you?" --model {offered.model.id}')
