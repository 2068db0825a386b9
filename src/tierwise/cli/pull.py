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
from tierwise.cli.options import ConfigFile, Json, plain, print_json, say
from tierwise.cli.pulls.offer import Offer, Pulled, Tell, Wish
from tierwise.core.errors import InvalidCall
from tierwise.providers.engine import installed, missing
from tierwise.registry.kinds import kinds

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
        str, typer.Argument(metavar="MODEL[:QUANT]", help="A known name, OWNER/NAME of a hub, or SOURCE:MODEL.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Fetch it without asking.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Fetch it even where it does not fit here.")] = False,
    revision: Annotated[str, typer.Option(help="Of a hub: a branch, tag or commit.")] = "main",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Get an open model onto this machine and add it to tierwise.toml.

    Says what it is, how large, under which licence and whether it fits, and asks before anything
    is fetched. Without QUANT it takes the largest quantization that fits. A download that was cut off
    goes on where it stopped; what came is kept only if its digest is the one that the hub told.
    Sources: hub (one GGUF file), ollama (an Ollama that runs gets it), file (a GGUF file that is here).

    Examples:
      tierwise pull gpt-oss-20b
      tierwise pull hub:OWNER/NAME-GGUF:Q4_K_M --yes
      tierwise pull ollama:gpt-oss:20b
      tierwise pull file:models/own.gguf
    """
    from tierwise.cli.app import DONE, NEGATIVE

    settings = config.load(file)
    source, name, quantization = parsed(model)
    wish = Wish(model=name, quantization=quantization, revision=revision, settings=settings)
    offered: Offer = importlib.import_module(f"tierwise.cli.pulls.{source}").offer(wish)
    if not as_json:
        _show(offered)
    if offered.refusal and not anyway:
        say(f"{offered.refusal}. --anyway gets it all the same")
        if as_json:
            print_json(_json(source, offered, None, None))
        return NEGATIVE
    if dry_run:
        if as_json:
            print_json(_json(source, offered, None, None))
        return DONE
    _consent(offered, yes=yes)
    pulled = _fetched(offered)
    written = _added(settings, pulled)
    if as_json:
        print_json(_json(source, offered, pulled, written))
    else:
        _say_how(settings, pulled, written)
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


def _show(offered: Offer) -> None:
    for name, value in offered.facts.items():
        if value is not None:
            told = f"{value / 1e9:.2f} GB" if name in _SIZES and isinstance(value, int) else str(value)
            print(f"  {name.removesuffix('_bytes').replace('_', ' '):<15} {plain(told)}")


def _consent(offered: Offer, *, yes: bool) -> None:
    """Ask, unless nothing is to be fetched. Raises InvalidCall where nobody can be asked, Abort where it is refused."""
    if yes or offered.to_fetch_bytes == 0:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise InvalidCall("nothing is fetched without consent: --yes gives it", param="--yes")
    size = "of a size not told before" if offered.to_fetch_bytes is None else f"{offered.to_fetch_bytes / 1e9:.2f} GB"
    typer.confirm(f"Fetch {size}?", abort=True, err=True)


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


def _added(settings: config.Settings, pulled: Pulled) -> Path | None:
    """Add the endpoint to the configuration, or to one that names what was found here; None: it is there already."""
    if settings.file is not None:
        added = adding.addition(settings, pulled.endpoint, pulled.model, pulled.note)
        if added:
            adding.add(settings, settings.file, settings.file.read_text("utf-8"), added)
        return settings.file if added else None
    empty = config.load_empty(frontier=False)
    found = asyncio.run(surroundings.looked_around(empty))
    text = init.starter(found.document.endpoint, found.document.model)
    empty = msgspec.structs.replace(empty, document=config.parse(text))
    file = Path(config.FILE).absolute()
    adding.add(empty, file, text, adding.addition(empty, pulled.endpoint, pulled.model, pulled.note))
    return file


def _json(source: str, offered: Offer, pulled: Pulled | None, written: Path | None) -> dict[str, Any]:
    told: dict[str, Any] = {"source": source, "offer": offered.facts, "refusal": offered.refusal or None}
    told |= {"pulled": pulled is not None, "facts": pulled.told if pulled else {}}
    told |= {"endpoint": pulled.endpoint.name if pulled else None, "model": pulled.model.id if pulled else None}
    return told | {"config": str(written) if written else None}


def _say_how(settings: config.Settings, pulled: Pulled, written: Path | None) -> None:
    for name, value in pulled.told.items():
        say(f"  {name:<15} {value}")
    say(f"added to {written}" if written else f"{settings.file} has it already")
    loads = kinds()[pulled.endpoint.kind].loads
    if loads is not None and not installed(loads):
        say(f"  {missing(loads)}")
    say(f'try it: tierwise ask "Who are you?" --model {pulled.model.id}')
