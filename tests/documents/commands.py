"""Which commands does a piece of shell call, and does the command line of Tierwise know them?"""

import re
import shlex
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from typer.core import TyperGroup

SEPARATORS = frozenset({"|", "||", "&&", ";", "&", "(", ")", "|&"})
REDIRECTS = frozenset({">", ">>", "<", ">&", "<<", "<<<", "&>"})
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def calls(shell: str) -> Iterator[list[str]]:
    """Yield the words of every call of Tierwise: `tierwise …`, `scripts/demo …` and `scripts/serve …`."""
    for words in _simple_commands(shell):
        program = PurePath(words[0])
        if program.name == "tierwise":
            yield words[1:]
        elif program.parent.name == "scripts" and program.name in ("demo", "serve"):
            yield [program.name, *words[1:]]


def scripts(shell: str) -> Iterator[str]:
    """Yield the scripts of the project that are called, as `scripts/test`."""
    yield from (
        words[0].removeprefix("./") for words in _simple_commands(shell) if re.match(r"(\./)?scripts/", words[0])
    )


def _simple_commands(shell: str) -> Iterator[list[str]]:
    for line in shell.replace("\\\n", " ").splitlines():
        words: list[str] = []
        without_numbers = re.sub(r"(?<=\s)\d(?=[<>])", "", line.removeprefix("$ "))
        lexer = shlex.shlex(without_numbers, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for token in [*lexer, ";"]:
            if token not in SEPARATORS:
                words.append(token)
                continue
            if command := _without_redirects(words):
                yield command
            words = []


def _without_redirects(words: list[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if not skip and word not in REDIRECTS:
            kept.append(word)
        skip = word in REDIRECTS
    while kept and ASSIGNMENT.match(kept[0]):
        kept = kept[1:]
    return kept


def unknown(words: list[str], command: Any) -> str | None:
    """Say what of a call does not exist, or None. `command` is what Typer makes of the application.

    Brackets and ellipses of a synopsis are not words; what follows `--` is for another program.
    """
    options = {"--help"}
    for word in (stripped for raw in words if (stripped := raw.strip("[]…."))):
        if word == "--":
            break
        options |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        if word.startswith("-") and word != "-" and word.partition("=")[0] not in options:
            return f"{command.name} has no option {word}"
        if not word.startswith("-") and isinstance(command, TyperGroup):
            child = command.get_command(None, word)
            if child is None:
                return f"{command.name} has no command {word}"
            command = child
    return None
