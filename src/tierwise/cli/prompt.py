"""The commands `tierwise prompt …`: prompts by name and digest, and how they differ."""

import difflib
import time
from pathlib import Path
from typing import Annotated

import typer

from tierwise import config
from tierwise.cli.keys import person
from tierwise.cli.options import ConfigFile, Json, plain, print_json, say, table, utc
from tierwise.evals import prompt as prompts
from tierwise.evals.prompt import Prompt
from tierwise.evals.prompts import Entry, Prompts

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Prompts, each by its digest.")
Which = Annotated[str, typer.Argument(metavar="PROMPT", help="A name, a digest or its beginning, or a .toml file.")]
SHOWN_DIGEST_CHARS = len("sha256:") + 12


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A prompt as TOML.")],
    name: Annotated[str | None, typer.Option(help="What to call it; the file's name if not given.")] = None,
    why: Annotated[str, typer.Option(help="What is new about it.")] = "",
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Keep a prompt under its digest, and let a name mean it from now on; earlier ones stay.

    A file holds `system`, `user` with places such as {{text}} for the fields of an item, any
    number of [[example]], a `schema`, `max_output_tokens`, `temperature`, `top_p`, `seed`, `stop`.

    Examples:
      tierwise prompt add sorting.toml
      tierwise prompt add sorting.toml --name sorting --why "two more examples"
    """
    prompt = prompts.read(path)
    entry = Entry(name=name or path.stem, digest=prompt.digest, ts=time.time(), who=person(), why=why)
    new = Prompts(config.load(file).home).add(prompt, entry)
    if as_json:
        print_json({"name": entry.name, "digest": entry.digest, "added": new})
    else:
        print(f"{entry.name} is {entry.digest}" + ("" if new else ", as it was"))


@app.command("list")
def list_(file: ConfigFile = None, as_json: Json = False) -> None:
    """List which prompts were added, newest first.

    Examples:
      tierwise prompt list
      tierwise prompt list --json
    """
    entries = Prompts(config.load(file).home).history()[::-1]
    if as_json:
        print_json(entries)
    elif not entries:
        say("No prompt was added yet: `tierwise prompt add FILE`")
    else:
        rows = [(one.name, one.digest[:SHOWN_DIGEST_CHARS], utc(one.ts), one.who, one.why) for one in entries]
        print(table(("name", "digest", "when (UTC)", "by", "why"), rows))


@app.command()
def show(which: Which, file: ConfigFile = None, as_json: Json = False) -> None:
    """Print a prompt and its digest.

    Examples:
      tierwise prompt show sorting
      tierwise prompt show sha256:3f8a11 --json
    """
    prompt = Prompts(config.load(file).home).find(which)
    if as_json:
        print_json({"digest": prompt.digest, "prompt": prompt})
    else:
        print("\n".join((prompt.digest, *map(plain, _lines(prompt)))))


@app.command()
def diff(before: Which, after: Which, file: ConfigFile = None, as_json: Json = False) -> int:
    """Print how two prompts differ, line by line. Exit 1 where they do.

    Examples:
      tierwise prompt diff 3f8a11 sorting
      tierwise prompt diff sorting sorting.toml
    """
    from tierwise.cli.app import DONE, NEGATIVE

    store = Prompts(config.load(file).home)
    one, other = store.find(before), store.find(after)
    lines = list(difflib.unified_diff(_lines(one), _lines(other), one.digest, other.digest, lineterm="", n=2))
    if as_json:
        changed = [name for name in Prompt.__struct_fields__ if getattr(one, name) != getattr(other, name)]
        print_json({"before": one.digest, "after": other.digest, "changed": changed, "diff": lines})
    else:
        print("\n".join(map(plain, lines)) if lines else f"no difference: {one.digest}")
    return NEGATIVE if one.digest != other.digest else DONE


def _lines(prompt: Prompt) -> list[str]:
    """Return a prompt as lines that can be compared: each part under its name, texts line by line."""
    found: list[str] = []
    for name in Prompt.__struct_fields__:
        value = getattr(prompt, name)
        if name == "example":
            for number, example in enumerate(value, 1):
                found += [f"[example {number}]", f"user: {example.user}", f"assistant: {example.assistant}"]
        elif isinstance(value, str) and value:
            found += [f"[{name}]", *value.splitlines()]
        elif value not in ("", None, ()):
            found += f"{name} = {prompts.written(value)}".splitlines()
    return found
