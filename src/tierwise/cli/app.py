"""Which commands are there, and what becomes of their errors? The table of commands and of exit codes.

Each command's module is imported when its name is given, so that a quick command stays quick.
Exit: 0 done; 1 a check is negative; 2 wrong use or configuration; 3 no endpoint may serve this; 4 every attempt failed.
"""

import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from tierwise.core.errors import CallRejected, ConfigError, InvalidCall, ProviderError, StoreError, TierwiseError

# name: (module, function, what stands in the list)
COMMANDS = {
    "demo": ("demo", "demo", "The main job, end to end, on the shipped models."),
    "init": ("init", "init", "Look at this machine and write a starter tierwise.toml."),
    "import": ("importing", "import_", "Another gateway's configuration as a tierwise.toml."),
    "pull": ("pull", "pull", "An open model onto this machine, with consent, and its endpoint."),
    "doctor": ("doctor", "doctor", "Check everything; one line each, with the mend."),
    "serve": ("serve", "serve", "Start the gateway."),
    "launch": ("launch", "launch", "A tool that you use already, with Tierwise behind it."),
    "ask": ("ask", "ask", "One request through the gateway."),
    "route": ("route", "route", "The decision, without asking any model."),
    "log": ("decisions", "log", "Decisions, newest first."),
    "show": ("decisions", "show", "One decision, whole."),
    "train": ("train", "train", "A linear model: the candidate that costs next to nothing."),
    "compare": ("compare", "compare", "Candidates and a baseline on your data, scored."),
    "certify": ("certify", "certify", "What can be promised of answers that are kept."),
    "review": ("review", "review", "People's verdicts on answers, blind, with their seconds."),
    "decide": ("decide", "decide", "The verdict on a comparison: expand, adjust, stop, or not enough evidence."),
    "report": ("decide", "report", "A comparison as one HTML file: plots, and the tables behind them."),
    "feedback": ("feedback", "feedback", "What you say of an answer, kept beside its decision."),
    "declassify": ("declassify", "declassify", "The way out of a wrong pin: by whom, why, until when."),
    "replay": ("replay", "replay", "Recorded traffic under other rules: what would move."),
    "policy": ("policy", "app", "The policy as releases: show, compare, apply, roll back."),
    "dataset": ("dataset", "app", "Data sets: what they hold, made of traffic or of others' results."),
    "prompt": ("prompt", "app", "Prompts by name and digest, and how they differ."),
    "rollout": ("rollout", "app", "A model on trial in a share of a workflow's calls: start, status, stop, promote."),
    "rollback": ("rollout", "rollback", "An earlier release of a workflow, whole, in force again."),
    "export": ("export", "export", "Records for other tools: JSON Lines or Parquet."),
    "fit": ("fit", "fit", "What this machine can run: the best plan for a model, or why there is none."),
    "cost": ("cost", "cost", "What was spent, what it would have cost elsewhere, and whether machines pay."),
    "drill": ("drill", "drill", "What survives without an endpoint, dearer, with less capacity, with more traffic."),
    "advise": ("advise", "advise", "Which work should run where, and what would turn that."),
    "measure": ("measure", "measure_", "How many tokens a second a machine of yours serves, within a latency target."),
    "reconcile": ("reconcile", "reconcile_", "A provider's usage export against the ledger."),
    "erase": ("content", "erase", "Kept content of calls, destroyed; the records stay."),
    "models": ("models", "models", "Models: tier, context, price, tasks."),
    "endpoints": ("models", "endpoints", "Endpoints: tier, address, whether they answer."),
    "keys": ("keys", "app", "Keys for callers: make, list, replace, revoke."),
    "budget": ("budget", "budget", "What may still be spent, by whom, until when."),
    "audit": ("audit", "app", "Proof that the log is whole, and what follows from it."),
    "sbom": ("sbom", "sbom_", "What is installed here: packages, licences, digests."),
    "incidents": ("incidents", "app", "Broken promises: what led to them, who was told, how they ended."),
    "config": ("config", "app", "What is configured, and where each value comes from."),
}
DONE, NEGATIVE, WRONG, NOBODY, FAILED = 0, 1, 2, 3, 4


class Commands(TyperGroup):
    """A group that imports a command when it is asked for, and none for its own help."""

    _listing = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the list of commands from the table."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module, name, told = COMMANDS[cmd_name]
        if self._listing:
            return TyperCommand(cmd_name, short_help=told)
        found: Any = getattr(importlib.import_module(f"tierwise.cli.{module}"), name)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False)
            found.command(name=cmd_name)(function)
        command = get_command(found)
        command.name, command.short_help = cmd_name, told
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; for a name that is none, say the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"there is no command {args[0]!r}{hint}; `tierwise --help` lists them")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Each task handled by the right intelligence tier: local, self-hosted, frontier.",
    epilog="Start with: tierwise demo",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tierwise {version('tierwise')}")
        raise typer.Exit


@app.callback()
def _root(
    _wanted: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    # A closed stdout or stderr is None: what would be said there is dropped.
    sys.stdout, sys.stderr = sys.stdout or io.StringIO(), sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character gets its number.
            stream.reconfigure(errors="backslashreplace")
    if odd := next((word for word in arguments if not word.isascii() and not _is_text(word)), None):
        sys.stderr.write(f"tierwise: {odd!r} is not text in this terminal's encoding ({sys.getfilesystemencoding()})\n")
        return WRONG
    try:
        code = get_command(app).main(list(arguments), prog_name="tierwise", standalone_mode=False)
        sys.stdout.flush()
    except typer.Exit as ended:
        return ended.exit_code
    except typer.TyperException as error:
        # Without any argument the help was shown, and nothing is left to say.
        sys.stderr.write(
            f"tierwise: {text.rstrip('.')}{_help(error)}\n" if (text := error.format_message().strip()) else ""
        )
        return WRONG
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except (BrokenPipeError, SystemExit):
        # The reader of a pipe has gone (Typer exits then); nothing is left to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return DONE
    except TierwiseError as error:
        sys.stderr.write(f"tierwise: {_place(error)}{error}\n")
        if error.decision is not None:
            sys.stderr.write(f"decision: {error.decision.id}\n")
        return exit_code(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"tierwise: {where}{error.strerror or error}\n")
        return WRONG
    return code if isinstance(code, int) else DONE


def _help(error: typer.TyperException) -> str:
    """Say where the right use of a command stands."""
    context = getattr(error, "ctx", None)
    return f"; `{context.command_path} --help` tells how" if context is not None else ""


def _is_text(word: str) -> bool:
    """Say whether an argument could be decoded; bytes that could not stand in it as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


def _place(error: TierwiseError) -> str:
    """Say whose error it is, where an endpoint failed."""
    if not isinstance(error, ProviderError) or error.decision is None or not error.decision.attempts:
        return ""
    last = error.decision.attempts[-1]
    return f"{last.model} at {last.endpoint}: "


def exit_code(error: TierwiseError) -> int:
    """Return the exit code for an error."""
    match error:
        case InvalidCall() | ConfigError() | StoreError():
            return WRONG
        case CallRejected():
            return NOBODY
        case _ if error.decision is not None and error.decision.outcome == "refused":
            # A running gateway was asked: its refusals come over HTTP.
            return NOBODY
        case _:
            return FAILED
