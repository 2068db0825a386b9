"""Is the JSON right? `json:PATH` compares one field, `fields` each field of the reference, `schema:FILE` the form.

An answer that holds no JSON is unparsed. A fence or prose round the JSON does not count against it.
"""

import json
from pathlib import Path
from typing import Any

from tierwise.core.errors import ConfigError
from tierwise.evals.item import Item
from tierwise.evals.scorers.score import Score, Scorer, Simple, failed, unparsed, valued
from tierwise.quality.schema import CannotCheck, problem
from tierwise.wires.instruct import bare_json

NOTHING = object()


def one_field(spec: str, rest: str, _base: Path) -> Scorer:
    """Make the scorer of one field; its place is names and numbers with points between."""
    if not rest:
        raise ConfigError(f"scorer {spec!r}: say which field, such as json:intent", key="scorer")

    def function(text: str, reference: Any, _item: Item) -> Score:
        said = at(_json(text), rest)
        if said is NOTHING:
            return unparsed(f"the answer is no JSON with a field {rest}")
        right = at(reference, rest) if isinstance(reference, dict) else reference
        if right is NOTHING:
            raise ValueError(f"the reference has no field {rest}")
        return valued(same(said, right))

    return Simple(spec, "accuracy", function)


def each_field(spec: str, rest: str, _base: Path) -> Scorer:
    """Make the scorer of several fields: the share that is right, and each for itself."""
    wanted = tuple(filter(None, rest.split(",")))

    def function(text: str, reference: Any, _item: Item) -> Score:
        if not isinstance(reference, dict):
            raise TypeError("the reference is no object")
        said = _json(text)
        if not isinstance(said, dict):
            return unparsed("the answer is no JSON object")
        right = {name: at(reference, name) for name in wanted or reference}
        details: dict[str, float | None] = {name: float(same(at(said, name), one)) for name, one in right.items()}
        return valued(sum(one or 0.0 for one in details.values()) / len(details) if details else 1.0, details)

    return Simple(spec, "fields right", function)


def fits(spec: str, rest: str, base: Path) -> Scorer:
    """Make the scorer of a form. ConfigError for a file that holds no schema."""
    file = base / Path(rest).expanduser()
    try:
        schema = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"scorer {spec!r}: {file} holds no JSON schema: {error}", key="scorer") from error

    def function(text: str, _reference: Any, _item: Item) -> Score:
        said = _json(text)
        if said is NOTHING:
            return unparsed("the answer is no JSON")
        try:
            return valued(problem(said, schema) is None)
        except CannotCheck as error:
            return failed(str(error))

    return Simple(spec, "fits the schema", function, needs_reference=False)


def at(value: Any, path: str) -> Any:
    """Return what stands at a place, `NOTHING` where nothing does; a name with points in it comes before a path."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for name in path.split("."):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return NOTHING
    return value


def same(said: Any, right: Any) -> bool:
    """Say whether two values are the same; texts but for white space around them, a number and its text are."""
    if isinstance(said, bool) or isinstance(right, bool) or said is NOTHING or right is NOTHING:
        return said is right
    if isinstance(said, str | int | float) and isinstance(right, str | int | float):
        return said == right or str(said).strip() == str(right).strip()
    return bool(said == right)


def _json(text: str) -> Any:
    try:
        return json.loads(bare_json(text))
    except (ValueError, RecursionError):
        return NOTHING
