"""What do a Modelfile or a list of Ollama's models mean here? https://docs.ollama.com/modelfile and /api
(read 2026-11-21).

A model's name becomes a model at the server on this machine, a GGUF file one of the embedded engine. What else a
Modelfile sets lives on in Ollama: `ollama create` makes a name of it. Reads JSON of /api/tags, and `ollama list`.
"""

import re
from collections.abc import Iterator, Mapping

from tierwise.cli.imports.draft import Draft, Row, free, word
from tierwise.cli.imports.facts import leftovers
from tierwise.cli.imports.place import provider
from tierwise.cli.imports.source import MAX_BYTES, Source, read, shown
from tierwise.cli.imports.table import Table
from tierwise.core.errors import ConfigError
from tierwise.core.extras import install

_WORDS = ("FROM", "PARAMETER", "SYSTEM", "TEMPLATE", "ADAPTER", "LICENSE", "MESSAGE", "REQUIRES", "CAPABILITY")
_ABILITIES = {"tools": "tools", "vision": "images", "thinking": "thinking", "embedding": "embeddings"}
_LISTED = re.compile(r"NAME\s+ID\s+SIZE\s+MODIFIED", re.IGNORECASE)


def draft(text: str, file: str, _environ: Mapping[str, str]) -> Draft:
    """Return the draft of a file's text."""
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{file} is larger than {MAX_BYTES // 1024} KiB", file=file)
    found = Draft(file, "ollama")
    if text.lstrip().startswith(("{", "[")):
        _tags(found, read(text, file, "json"))
    elif _LISTED.match(text.lstrip()):
        for line in text.strip().splitlines()[1:]:
            if line.split():
                _served(found, line.split()[0], None, {})
    else:
        _modelfile(found, text, file)
    if not found.models:
        raise ConfigError(f"{file} names no model: `ollama pull NAME` fetches one, then `ollama list`", file=file)
    return found


def _served(found: Draft, name: str, context_tokens: int | None, more: dict[str, object]) -> None:
    row = provider("ollama")
    if row is not None and name not in found.models:
        endpoint = found.endpoint(row, None, None, {})
        found.model(name, endpoint, name, {"context_tokens": context_tokens, **more})


def _tags(found: Draft, source: Source) -> None:
    value = {"models": source.value} if isinstance(source.value, list) else source.value
    root = Table.whole(Source(file=source.file, value=value))
    for model in root.tables("models"):
        name = model.text("model", "name")
        if not name:
            raise model.wrong("name", "is missing: is this the answer of /api/tags?")
        can = model.texts("capabilities")
        details = model.table("details")
        context = (details.count("context_length") if details else None) or model.count("context_length")
        abilities = [_ABILITIES[each] for each in can if each in _ABILITIES]
        if "embeddings" in abilities:
            more: dict[str, object] = {"capabilities": ["embeddings"]}
        else:
            more = {"capabilities": ["stream", "schema", "json", *abilities]} if can else {}
        model.take(*model.names)
        if details is not None:
            details.take(*details.names)
        _served(found, name, context or None, more)
    found.notes += leftovers(found, [root])


def _modelfile(found: Draft, text: str, file: str) -> None:
    said = list(_instructions(text, file))
    bases = [(line, value) for line, name, value in said if name == "FROM"]
    if not bases:
        raise ConfigError(f"{file} has no FROM: is it a Modelfile, or the JSON of /api/tags?", file=file)
    context = None
    for line, name, value in said:
        parameter, _, setting = value.partition(" ")
        if name == "PARAMETER" and parameter == "num_ctx":
            if not setting.strip().isdigit() or not 0 < int(setting.strip()[:12]) < 10**9:
                raise ConfigError(f"{file}: line {line}: num_ctx must be a number of tokens", file=file)
            context = int(setting)
        elif name != "FROM":
            what = f"{name} {shown(parameter)}" if name == "PARAMETER" else name
            found.notes.append(f"line {line}: {what}: it lives on in Ollama, not here")
    base = bases[0][1]
    if base.lower().endswith(".gguf") or base.startswith(("/", "./", "../", "~")) or base == ".":
        _file(found, base, context, several=len(bases) > 1)
    else:
        _served(found, base, context, {})
    if found.notes:
        found.notes.append(
            f'to keep all of it: ollama create NAME -f {file}, and ask for NAME: set served_name = "NAME" above'
        )


def _file(found: Draft, path: str, context_tokens: int | None, *, several: bool) -> None:
    """Add a GGUF file as a model of the embedded engine."""
    if not path.lower().endswith(".gguf") or several or "*" in path:
        raise ConfigError(
            f"{found.file}: FROM {shown(path)} is not one GGUF file: make it a model of Ollama's"
            f" (ollama create NAME -f {found.file}) and import `ollama list`",
            file=found.file,
        )
    name = word(re.split(r"[/\\]", path)[-1].removesuffix(".gguf"))
    endpoint = free("embedded", found.endpoints)
    fields: dict[str, object] = {"name": endpoint, "kind": "embedded", "file": path}
    if context_tokens is not None:
        fields["context_tokens"] = context_tokens
    notes = [f"needs {install('embedded')}; a relative path is relative to this configuration"]
    found.endpoints[endpoint] = Row(fields=fields, notes=notes)
    found.model(name, endpoint, name, {"context_tokens": context_tokens})


def _instructions(text: str, file: str) -> Iterator[tuple[int, str, str]]:
    """Give each instruction with its line; a text in triple quotes runs over lines."""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, value = line.strip().partition(" ")
        if name.upper() not in _WORDS:
            raise ConfigError(f"{file}: line {number}: {shown(name)!r} is no instruction of a Modelfile", file=file)
        value = value.strip()
        for quote in ('"""', '"'):
            if value.startswith(quote):
                value = value[len(quote) :]
                while not value.rstrip().endswith(quote):
                    following = next(lines, None)
                    if following is None:
                        raise ConfigError(f"{file}: line {number}: the text in {quote} does not end", file=file)
                    value += "\n" + following[1]
                value = value.rstrip().removesuffix(quote)
                break
        yield number, name.upper(), value.strip()
