"""What did another tool measure? Its results as items, and as the evidence of a run; which tool it was, files show.

Knows no tool's format: a module that carries its name does. Invariant: a result that has no usable score gets an
outcome class of its own; none is counted as zero, and none disappears.
"""

import hashlib
import importlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.evals import runs
from tierwise.evals.data.read import dataset, digest
from tierwise.evals.data.rows import content
from tierwise.evals.evidence import Header, Observation, OutcomeClass, Subject, Writer
from tierwise.evals.item import Item
from tierwise.evals.seal import sealed
from tierwise.gateway.workflow import Workflow

TOOLS = {"promptfoo": "promptfoo", "inspect": "Inspect", "lm_eval": "lm-evaluation-harness"}

MOST_COUNTED, MOST_MEASURED, MOST_REPEATS = 10**12, 1e9, 10**6
"""What a tool tells that is more was not measured; evidence would not hold it."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of one subject to one item, as far as the tool tells."""

    item: str
    subject: str
    repeat: int = 0
    outcome: OutcomeClass
    score: float | None = None
    scores: dict[str, float | None] = {}
    served: str | None = None
    duration_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    detail: str = ""


class Gathered:
    """What was read so far: `rows` are items by id, as a file of items would hold them."""

    def __init__(self) -> None:
        self.tool, self.metric = "", ""
        self.rows: dict[str, dict[str, Any]] = {}
        self.results: list[Result] = []
        self._notes: Counter[str] = Counter()
        self._repeats: Counter[tuple[str, str]] = Counter()

    @property
    def subjects(self) -> list[str]:
        """Whose results there are, in the order of the files."""
        return list(dict.fromkeys(one.subject for one in self.results))

    @property
    def notes(self) -> list[str]:
        """What had no counterpart, and how often."""
        return [note if count == 1 else f"{note} ({count} times)" for note, count in self._notes.items()]

    def note(self, text: str) -> None:
        """Remember what has no counterpart."""
        self._notes[text] += 1

    def item(self, fields: Mapping[str, Any], reference: Any, ident: str = "", cluster: str = "") -> str:
        """Take an item in, and return its id: given, or made of what is asked."""
        name = ident or hashlib.sha256(msgspec.json.encode(fields, order="deterministic")).hexdigest()[:16]
        row = {"id": name, "fields": dict(fields), "reference": reference} | ({"cluster": cluster} if cluster else {})
        before = self.rows.setdefault(name, row)
        if before["fields"] != row["fields"]:
            raise ConfigError(f"item {name!r} is not the same in all files: give results of the same items")
        if before["reference"] is None:
            before["reference"] = reference
        return name

    def result(self, result: Result, *, counted: bool = False) -> None:
        """Take a result in. `counted`: the tool says which repeat it is; else it is the next one."""
        if not counted:
            repeat = self._repeats[result.item, result.subject]
            self._repeats[result.item, result.subject] += 1
            result = msgspec.structs.replace(result, repeat=repeat)
        if result.outcome == "answered" and result.score is None:
            result = msgspec.structs.replace(result, outcome="scorer_failed", detail="no score between 0 and 1")
        self.results.append(
            msgspec.structs.replace(result, score=result.score if result.outcome == "answered" else None)
        )


def share(value: Any) -> float | None:
    """Return a score between 0 and 1, None for what is none."""
    if isinstance(value, bool | int | float) and 0 <= value <= 1:  # NaN is neither
        return float(value)
    return None


def whole(value: Any) -> int | None:
    """Return a count, None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNTED else None


def positive(value: Any) -> float | None:
    """Return a measured amount, None for what is none."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_MEASURED
    return float(value) if known else None


def amount(value: Any) -> Decimal | None:
    """Return an amount of money, None for what is none."""
    found = positive(value)
    return None if found is None else Decimal(str(found))


def table(value: Any) -> dict[str, Any]:
    """Return a table, an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def decoded(path: Path, data: bytes) -> Any:
    """Return what JSON says, NaN and infinity as None: tools write them where there is no score."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        import json

        try:
            found = json.loads(data, parse_constant=lambda _word: None)
            msgspec.json.encode(found)  # half a character is read, and is none
            return found
        except (ValueError, OverflowError, RecursionError) as error:
            raise ConfigError(f"{path} is not JSON: {error}", file=str(path)) from error


def gathered(files: Sequence[Path]) -> Gathered:
    """Read results, all of one tool."""
    found = Gathered()
    modules = {name: importlib.import_module(f"tierwise.cli.imports.{name}") for name in TOOLS}
    for path in files:
        data = content(path)
        name = next((name for name, module in modules.items() if module.is_one(path, data)), None)
        if name is None:
            known = ", ".join(TOOLS.values())
            raise ConfigError(f"{path} is none of the results that are read: {known}", file=str(path))
        if found.tool not in ("", TOOLS[name]):
            raise ConfigError(
                f"{path} is of {TOOLS[name]}, others are of {found.tool}: one tool at a time", file=str(path)
            )
        found.tool = TOOLS[name]
        modules[name].gather(path, data, found)
    if not found.results:
        raise ConfigError(f"{files[0]} holds no results", file=str(files[0]))
    return found


def items_of(found: Gathered, path: Path) -> tuple[Item, ...]:
    """Return the items, with clusters and splits as a file of them would have them."""
    return dataset(path, enumerate(found.rows.values(), 1)).items


def keep(home: Path, workflow: Workflow, found: Gathered, items: Sequence[Item], baseline: str | None) -> Path:
    """Write the results as a run of the workflow and return its folder. The criteria are sealed now, after the fact."""
    names, base = found.subjects, baseline or workflow.baseline
    if base not in names or len(names) < 2:
        have = ", ".join(names)
        told = f"--baseline {base!r} is none of the subjects" if base else "say --baseline"
        raise ConfigError(f"{told}: a comparison needs one and another; the results are of {have}", key="--baseline")
    now, criteria = time.time(), workflow.criteria or Criteria()
    by_id = {item.id: item for item in items}
    asked = {one.item for one in found.results}
    header = Header(
        run=runs.new_id(now),
        workflow=workflow.name,
        began=now,
        baseline=base,
        subjects=tuple(_subject(workflow, found, name) for name in sorted(names, key=lambda name: name == base)),
        dataset=digest(tuple(items)),
        items=dict(Counter(item.split for item in items if item.id in asked)),
        criteria=criteria,
        seal=sealed(criteria, now),
        scorer=f"{found.tool}:{found.metric}",
        metric=found.metric,
        repeats=1 + max(one.repeat for one in found.results),
        environment={"imported from": found.tool},
    )
    folder = runs.folder(home, workflow.name) / header.run
    writer = Writer.begin(folder / runs.EVIDENCE, header)
    writer.add(*(_observation(one, by_id[one.item]) for one in found.results))
    writer.close()
    return folder


def _subject(workflow: Workflow, found: Gathered, name: str) -> Subject:
    bundle = Bundle(workflow=workflow.name, models=((name, f"imported:{found.tool}"),), scorer=found.metric)
    return Subject(name=name, model=name, bundle=bundle)


def _observation(one: Result, item: Item) -> Observation:
    told = {name: getattr(one, name) for name in one.__struct_fields__}
    return Observation(cluster=item.cluster, split=item.split, reached=one.subject, **told)
