"""The command `tierwise advise`: what runs where, which gates decide it, what it costs, and what would turn the answer.

Reads a file, or asks on a terminal and writes one. Invariant: the answer is made of that file alone.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tierwise import config
from tierwise.cli.advise_file import read, written
from tierwise.cli.advise_told import told
from tierwise.cli.options import ConfigFile, Json, plain, print_json, say
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.economics.advice.advise import advise as advice_for


def advise(
    organisation: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="What is known, as TOML.")] = None,
    write: Annotated[Path | None, typer.Option(help="Where the answers to the questions are kept.")] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing: a file to begin with.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Tell which work should run where: gates first, then cost; how sure that is, and what would turn it.

    Without FILE it asks, keeps the answers in organisation.toml (or --write) and answers from that. Exit 1 where the
    evidence is not enough or nothing is permitted. What a file may say: docs/reference/advise.md

    Examples:
      tierwise advise
      tierwise advise organisation.toml
      tierwise advise --defaults --write start.toml
      tierwise advise organisation.toml --json
    """
    from tierwise.cli.app import DONE, NEGATIVE

    if organisation is None:
        organisation = _asked(write or Path("organisation.toml"), defaults, file)
    elif write is not None or defaults:
        raise InvalidCall("FILE is what to answer from; --write and --defaults are for a new one", param="--write")
    advice = advice_for(read(organisation))
    if as_json:
        print_json(advice)
    else:
        print("\n".join(plain(line) for line in told(advice)))
    return DONE if advice.verdict == "firm" else NEGATIVE


def _asked(path: Path, defaults: bool, file: Path | None) -> Path:
    """Ask, and keep the answers."""
    from tierwise.cli.advise_questions import Asking, organisation

    if path.exists():
        raise ConfigError(f"{path} is there already: `tierwise advise {path}`, or --write elsewhere", file=str(path))
    if not defaults and not sys.stdin.isatty():
        raise InvalidCall("no terminal to ask on: give FILE, or --defaults for one to begin with", param="FILE")
    found = organisation(Asking(silent=defaults), config.load(file))
    path.write_text(written(found), "utf-8")
    say(f"wrote {path}; change it as you learn more, and run: tierwise advise {path}")
    return path
