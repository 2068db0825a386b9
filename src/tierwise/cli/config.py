"""The command `tierwise config show`: each effective value, and where it came from."""

import typer

from tierwise import bootstrap, config
from tierwise.cli.options import ConfigFile, Json, print_json, table

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
    rows = config.effective(settings)
    if as_json:
        print_json([{"key": key, "value": value, "source": source} for key, value, source in rows])
    else:
        where = settings.file or "none: what exists on this machine is discovered"
        print(f"configuration file: {where}")
        print(table(("key", "value", "source"), rows))
    bootstrap.rules_from(settings)
