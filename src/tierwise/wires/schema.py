"""May these JSON schemas be handed to an engine that other callers share?

Engines turn schemas into grammars; recursion, sheer size and wild patterns have brought whole servers down.
Does not know whether an answer fits a schema. Invariant: the cost of a check is bounded by the limits below.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from tierwise.core.errors import InvalidCall

MAX_SCHEMA_BYTES = 256 * 1024
MAX_SCHEMA_DEPTH = 64
MAX_PATTERN_BYTES = 1024
MAX_PATTERNS_BYTES = 32 * 1024
"""All patterns of one request together."""
MAX_REPEAT = 10_000

_encode = msgspec.json.Encoder().encode
_TELLING = re.compile(rb'"(?:pattern|regex|\$ref)')
"""Without one of these and with few brackets, as most tools are, there is nothing to walk through."""
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[[^\]]*\]")
_GROUP = re.compile(r"\(([^()]*)\)([+*]|\{\d*,\d*\})?")
_UNBOUNDED = re.compile(r"[+*]|\{\d*,\}")
_FOREIGN = (
    (re.compile(r"\(\?<(?![=!])"), "(?P<"),
    (re.compile(r"\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\c[A-Za-z]|\\k<[^>]*>"), "x"),
)
"""What ECMA-262 patterns have and Python's do not, with something of the same shape."""


def unread_schemas(tree: Mapping[str, Any], read: frozenset[str]) -> list[tuple[str, Any]]:
    """Return the members of a body that are not read by name: engines take schemas and patterns of their own there."""
    places: list[tuple[str, Any]] = []
    for name, value in tree.items():
        if name in read:
            continue
        if isinstance(value, (dict, list)):
            places.append((name[:64], value))
        elif isinstance(value, str) and name.endswith("regex"):
            places.append((name[:64], {"pattern": value}))
    return places


def check_schemas(schemas: Iterable[tuple[str, Any]]) -> None:
    """Check (place, schema) pairs of one request.

    Raises `InvalidCall` (`invalid_schema`, the place as `param`) for a schema that is too large or too deep, refers
    to itself or to another document, or has a pattern that is too long, malformed or open to catastrophic matching.
    """
    patterns_bytes = 0
    for place, schema in schemas:
        text = _encode(schema)
        if len(text) > MAX_SCHEMA_BYTES:
            raise _refused(place, f"has {len(text):,} bytes, more than {MAX_SCHEMA_BYTES:,}")
        if text.count(b"{") + text.count(b"[") <= MAX_SCHEMA_DEPTH and not _TELLING.search(text):
            continue
        patterns, refers = _walk(schema, place)
        patterns_bytes += sum(map(len, patterns))
        if patterns_bytes > MAX_PATTERNS_BYTES:
            raise _refused(place, f"brings the patterns of the request over {MAX_PATTERNS_BYTES:,} bytes")
        for pattern in patterns:
            _check_pattern(pattern, place)
        if refers:
            _check_references(schema, place)


def _walk(schema: Any, place: str) -> tuple[list[str], bool]:
    """Return the patterns in the schema, and whether anything in it is a reference."""
    patterns: list[str] = []
    refers = False
    waiting = [(schema, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_SCHEMA_DEPTH:
            raise _refused(place, f"is nested deeper than {MAX_SCHEMA_DEPTH} levels")
        if isinstance(node, dict):
            patterns += [node[name] for name in ("pattern", "regex") if isinstance(node.get(name), str)]
            if isinstance(named := node.get("patternProperties"), dict):
                patterns += named
            refers = refers or isinstance(node.get("$ref"), str)
            node = node.values()
        waiting += [(value, depth + 1) for value in node if isinstance(value, (dict, list))]
    return patterns, refers


def _check_pattern(pattern: str, place: str) -> None:
    if len(pattern.encode()) > MAX_PATTERN_BYTES:
        raise _refused(place, f"has a pattern of more than {MAX_PATTERN_BYTES:,} bytes")
    if any(int(bound) > MAX_REPEAT for bounds in _REPEAT.findall(pattern) for bound in bounds if bound):
        raise _refused(place, f"has a pattern that repeats more than {MAX_REPEAT:,} times")
    if _repeats_a_repeat(pattern):
        raise _refused(place, "has a pattern with a repeat inside a repeat")
    for foreign, own in _FOREIGN:
        pattern = foreign.sub(own, pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        raise _refused(place, "has a pattern that is not a regular expression") from None


def _repeats_a_repeat(pattern: str) -> bool:
    """Say whether an unbounded repeat encloses another, as in `(a+)+`; groups are folded from the inside out."""
    rest = _CLASS.sub("x", _ESCAPE.sub("x", pattern))
    found = False

    def fold(group: re.Match[str]) -> str:
        nonlocal found
        inner_repeats = _UNBOUNDED.search(group[1]) is not None
        outer_repeats = group[2] is not None and _UNBOUNDED.match(group[2]) is not None
        found = found or (inner_repeats and outer_repeats)
        return "x+" if inner_repeats or outer_repeats else "x"

    folded = _GROUP.sub(fold, rest)
    while folded != rest and not found:
        rest, folded = folded, _GROUP.sub(fold, folded)
    return found


def _check_references(schema: Any, place: str) -> None:
    """Follow references depth first; one that leads back into what encloses it has no end."""
    done: set[int] = set()
    entered: set[int] = set()
    stack: list[tuple[Any, bool]] = [(schema, False)]
    while stack:
        node, leaving = stack.pop()
        if leaving:
            entered.discard(id(node))
            done.add(id(node))
            continue
        if id(node) in entered:
            raise _refused(place, "refers to itself")
        if id(node) in done:
            continue
        entered.add(id(node))
        stack.append((node, True))
        inner = list(node.values() if isinstance(node, dict) else node)
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            inner.append(_target(schema, node["$ref"], place))
        stack += [(value, False) for value in inner if isinstance(value, (dict, list))]


def _target(schema: Any, reference: str, place: str) -> Any:
    """Resolve a local JSON pointer (RFC 6901, section 6)."""
    start, *steps = unquote(reference).split("/")
    if not reference.startswith("#"):
        raise _refused(place, "refers to another document")
    node = schema
    for step in steps:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdecimal() and int(name[:9]) < len(node):
            node = node[int(name[:9])]
        else:
            start = ""
            break
    if start != "#":
        raise _refused(place, "has a reference that leads nowhere")
    return node


def _refused(place: str, what: str) -> InvalidCall:
    return InvalidCall(f"The schema {what}.", param=place, code="invalid_schema")
