"""The command `tierwise launch`: a tool with Tierwise behind it."""

import asyncio
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from tierwise import config, running
from tierwise.cli.options import ConfigFile, Json, print_json, say
from tierwise.cli.tools import Start, Tool, Use, environment, lines, start, tools
from tierwise.core.errors import ConfigError
from tierwise.registry.load import nearest

UNUSED = "unused"
_FIRST = "auto"


def launch(
    tool: Annotated[
        str, typer.Argument(metavar="TOOL", help="claude, codex, opencode, aider, llm, goose, qwen, or any.")
    ] = "",
    arguments: Annotated[list[str] | None, typer.Argument(help="After --: what the tool gets.")] = None,
    run: Annotated[bool, typer.Option("--run", help="Start it, instead of printing how.")] = False,
    model: Annotated[str | None, typer.Option(help="Which model it asks for; without, the first served: auto.")] = None,
    host: Annotated[str | None, typer.Option(help="Where the gateway listens, if not as configured.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Its port, if not as configured.")] = None,
    show_key: Annotated[bool, typer.Option("--show-key", help="Print the key itself, not its variable.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print the exact environment and arguments with which a tool uses Tierwise; with --run, start it so.

    The tool takes the place of this command: signals and the exit code are its
    own. `any` sets what the official SDKs read, for a program that you name.

    Examples:
      tierwise launch claude
      tierwise launch codex --run -- exec "mend the tests"
      tierwise launch any --run -- python app.py
    """
    if not tool:
        raise ConfigError(f"name a tool: tierwise launch TOOL, one of {', '.join(sorted(tools()))}")
    if tool not in tools():
        raise ConfigError(f"there is no tool {tool!r}{nearest(tool, tools())}; `any` starts whatever stands after --")
    settings = config.load(file, flags={"server.host": host, "server.port": port})
    row, root = tools()[tool], running.address_of_server(settings)
    served = asyncio.run(running.served_models(settings))
    use = Use(root=root, model=_model(model, served), folder=settings.home / "launch" / tool)
    begin = start(row, use, arguments or ())
    if run:
        _run(row, begin, settings, answered=served is not None)
    key = _key(settings) if show_key else _variable(settings)
    if as_json:
        files = {str(path): text for path, text in begin.files.items()}
        told = {"environment": environment(begin, key, {}), "unset": begin.unset}
        print_json(told | {"arguments": begin.command, "files": files})
    else:
        print("\n".join(lines(begin, shlex.quote(key) if show_key else f'"{key}"')))
    if row.note:
        say(f"# {row.note}")
    if served is None:
        say(f"# no Tierwise answers at {root}: start it with `tierwise serve`, or name its --port")


def _model(wanted: str | None, served: tuple[str, ...] | None) -> str:
    """Return the model to ask for; a name that the running gateway does not list is refused here, not by the tool."""
    if wanted is None:
        return served[0] if served else _FIRST
    if served and wanted not in served and not wanted.startswith("tier:"):
        raise ConfigError(f"the gateway serves no model {wanted!r}{nearest(wanted, served)}")
    return wanted


def _variable(settings: config.Settings) -> str:
    """Return how a shell names the key that callers send."""
    return f"${{{settings.own_key.removeprefix('env:')}}}" if settings.own_key else UNUSED


def _key(settings: config.Settings) -> str:
    """Return the key that callers send."""
    if settings.own_key is None:
        return UNUSED
    secret = settings.secret(settings.own_key)
    if secret is None:
        row = settings.document.key[0]
        raise ConfigError(f"the gateway wants a key, and {row.secret} of the key {row.name!r} is not set: set it")
    return secret.reveal()


def _run(row: Tool, begin: Start, settings: config.Settings, *, answered: bool) -> None:
    """Become the tool; returns never."""
    if not begin.command:
        raise ConfigError(f"give the program after --: tierwise launch {row.name} --run -- PROGRAM")
    found = shutil.which(begin.command[0], path=settings.environ.get("PATH"))
    if found is None:
        how = f": {row.install}" if row.install else ""
        raise ConfigError(f"{begin.command[0]} is not installed, or not on the PATH{how}")
    if not answered:
        root = running.address_of_server(settings)
        raise ConfigError(f"no Tierwise answers at {root}: start it with `tierwise serve`, or name its --port")
    told = environment(begin, _key(settings), settings.environ)
    for path, text in begin.files.items():
        _write(path, text)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(found, begin.command, told)  # noqa: S606


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; TIERWISE_HOME names another place") from error
