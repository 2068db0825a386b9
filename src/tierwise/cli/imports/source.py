"""What does another gateway's file say, and on which line? YAML, JSON and TOML as plain values, hostile ones refused.

Knows no gateway. YAML is built here from its nodes: no object but text, numbers, lists and tables can come of it.
Invariant: what is read is bounded in bytes, depth and (aliases followed) in nodes; no key stands twice in a table.
"""

import json
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import msgspec

from tierwise.core.errors import ConfigError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 48
MAX_NODES = 100_000
Path = tuple[str | int, ...]
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_NESTED = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_PLAIN = tuple(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file as plain values; `lines` says where a value begins, as far as its format tells."""

    file: str
    value: Any
    lines: dict[Path, int] = {}

    def place(self, path: Path) -> str:
        """Say where a value stands, for people."""
        line = self.lines.get(path)
        return (f"line {line}: " if line else "") + (dotted(path) or "the file")

    def wrong(self, path: Path, message: str) -> ConfigError:
        """Return the error for a value."""
        return ConfigError(f"{self.file}: {self.place(path)} {message}", file=self.file, key=dotted(path))


def dotted(path: Path) -> str:
    """Write a path as people do: `model_list[0].litellm_params`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in path)
    return text.removeprefix(".")


def shown(word: str, most: int = 60) -> str:
    """Return a word of the source fit for a line of ours: short, and nothing in it steers a terminal."""
    plain = "".join(c if c.isprintable() else "�" for c in word)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def read(text: str, file: str, form: str) -> Source:
    """Read a file of the form `yaml`, `json` or `toml`; raises ConfigError with the line where the format tells it."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError(f"{file} is larger than {MAX_BYTES // 1024} KiB: no gateway's configuration is", file=file)
    try:
        return _FORMS[form](text, file)
    except RecursionError:
        raise ConfigError(f"{file} is nested more than {MAX_DEPTH} deep", file=file) from None


def _json(text: str, file: str) -> Source:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise ConfigError(f"{file}: the key {shown(name)!r} stands twice in one object", file=file)
            found[name] = value
        return found

    def refused(word: str) -> NoReturn:
        raise ConfigError(f"{file}: {word} is no JSON number", file=file)

    try:
        return Source(file=file, value=json.loads(text, object_pairs_hook=once, parse_constant=refused))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file}: line {error.lineno}: this is not JSON: {error.msg}", file=file) from None
    except ValueError as error:
        raise ConfigError(f"{file}: this is not JSON: {error}", file=file) from None


def _toml(text: str, file: str) -> Source:
    try:
        return Source(file=file, value=tomllib.loads(text))
    except ValueError as error:
        raise ConfigError(f"{file} is not TOML: {error}", file=file) from None


def _yaml(text: str, file: str) -> Source:
    try:
        import yaml
    except ImportError:
        raise ConfigError(f"{file} is YAML, and PyYAML is not installed: pip install pyyaml", file=file) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one written in C takes a tenth of the time
    try:
        _shallow(yaml.parse(text, Loader=loader), file)
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"{file}: {line}this is not YAML: {error.problem}", file=file) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{file} is not YAML: {str(error).splitlines()[0]}", file=file) from None
    built = _Builder(file, yaml.constructor.SafeConstructor())
    return Source(file=file, value=built.value(node, ()) if node is not None else None, lines=built.lines)


def _shallow(events: Iterator[Any], file: str) -> None:
    """Refuse depth before any recursion follows it."""
    depth = 0
    for event in events:
        name = type(event).__name__
        depth += name.endswith(("MappingStartEvent", "SequenceStartEvent"))
        depth -= name.endswith(("MappingEndEvent", "SequenceEndEvent"))
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1
            raise ConfigError(f"{file}: line {line}: nested more than {MAX_DEPTH} deep", file=file)


class _Builder:
    """Makes plain values of nodes. An alias is followed each time, and counted each time."""

    def __init__(self, file: str, scalars: Any) -> None:
        self.lines: dict[Path, int] = {}
        self._file, self._scalars, self._count = file, scalars, 0

    def value(self, node: Any, path: Path) -> Any:
        """Return the value of a node."""
        self._count += 1
        if self._count > MAX_NODES or len(path) > MAX_DEPTH:
            self._refuse(node, "its aliases grow or turn in a circle: write the values out")
        self.lines[path] = node.start_mark.line + 1
        if node.tag not in (*_TEXT, *_PLAIN, *_NESTED):
            self._refuse(node, f"the tag {shown(node.tag)} is not read: only plain values are")
        match node.id:
            case "mapping":
                return self._mapping(node, path)
            case "sequence":
                return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
            case _:
                return self._scalar(node)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if key.tag == _MERGE:
                for each in item.value if item.id == "sequence" else [item]:
                    if each.id != "mapping":
                        self._refuse(key, "<< takes a table or a list of tables")
                    merged = self.value(each, path) | merged
                continue
            if key.id != "scalar":
                self._refuse(key, "a key must be a plain word")
            if key.value in found:
                self._refuse(key, f"the key {shown(key.value)!r} stands twice in one table")
            found[key.value] = self.value(item, (*path, key.value))
        self.lines[path] = node.start_mark.line + 1
        return merged | found

    def _scalar(self, node: Any) -> Any:
        if node.tag in _TEXT:
            return node.value
        try:
            return self._scalars.construct_object(node)
        except ValueError:
            self._refuse(node, "this is no number that can be read")

    def _refuse(self, node: Any, message: str) -> NoReturn:
        raise ConfigError(f"{self._file}: line {node.start_mark.line + 1}: {message}", file=self._file)


_FORMS: dict[str, Callable[[str, str], Source]] = {"yaml": _yaml, "json": _json, "toml": _toml}
