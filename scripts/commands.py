"""Print the reference of the commands as Markdown, read from what Typer knows of them. `scripts/docs` keeps it."""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from tierwise.cli.app import COMMANDS, app

HEAD = """# Commands

Written by `scripts/docs` from the program itself; do not edit.

Every command takes `--config FILE`; without it, `TIERWISE_CONFIG`, then `tierwise.toml` here or in `TIERWISE_HOME`.
With `--json` the result stands on stdout in a stable shape; what is said to people goes to stderr.

| exit | meaning |
|---|---|
| 0 | done |
| 1 | a check is negative |
| 2 | wrong use or configuration |
| 3 | no endpoint may serve this |
| 4 | every attempt failed |
"""


def reference() -> str:
    """Return the whole page."""
    group: Any = get_command(app)
    parts = [HEAD]
    for name in COMMANDS:
        command = group.get_command(None, name)
        inner = getattr(command, "commands", None)
        own = [(name, command)] if inner is None or command.invoke_without_command else []
        for full, one in own + [(f"{name} {n}", c) for n, c in (inner or {}).items()]:
            parts.append("\n".join(_command(full, one)))
    return "\n".join(parts)


def _command(name: str, command: Any) -> Iterator[str]:
    text, _, examples = inspect.cleandoc(command.help or "").partition("\n\nExample")
    yield f"## {name}\n"
    yield textwrap.fill(re.sub(r"\s+", " ", text), 120) + "\n"
    if examples:
        yield "```sh"
        lines = re.sub(r"^s?:", "", examples).splitlines()
        yield from (example.strip() for example in lines if example.strip())
        yield "```\n"
    parameters = [p for p in command.params if p.name != "help"]
    yield "| | |"
    yield "|---|---|"
    yield from map(_parameter, parameters)
    yield ""


def _parameter(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    said = (parameter.metavar or parameter.name).upper() if argument else ", ".join(parameter.opts)
    default = parameter.default
    shown = "" if default in (None, False, "") or callable(default) or parameter.required else f" Default: `{default}`."
    return f"| `{said}` | {parameter.help}{shown} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
