"""The command `tierwise config show`: each effective value, and where it came from."""

import asyncio

import typer

from tierwise import bootstrap, config
from tierwise.cli.content import kept
from tierwise.cli.options import ConfigFile, Json, print_json, say, table
from tierwise.cli.released import in_force, overruled
from tierwise.cli.telling import wrapped
from tierwise.core.errors import StoreError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="What is configured.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def show(file: ConfigFile = None, as_json: Json = False) -> None:
    """Print every effective value and its source: default, file, environment or flag. Secrets are references.

    What is printed is then checked as `tierwise serve` checks it: exit 2 where it
    leads nowhere, or where marked data could leave by it.

    Example:
      tierwise config show
    """
    settings = config.load(file)
    try:
        settings = asyncio.run(in_force(settings))
    except StoreError as error:
        say(f"which policy is in force cannot be read, so [labels] and [[rule]] are shown as configured: {error}")
    rows = config.effective(settings)
    if as_json:
        print_json([{"key": key, "value": value, "source": source} for key, value, source in rows])
    else:
        where = settings.file or "none: what exists on this machine is discovered"
        print(f"configuration file: {where}")
        if told := overruled(settings):
            print(wrapped(iter([told])))
        print(wrapped(iter([f"content: {kept(settings)}"])))
        print(table(("key", "value", "source"), rows))
    bootstrap.rules_from(settings)
