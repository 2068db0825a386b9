"""How is a data set's report put together and told? Joins what the data hold with models, prices and criteria."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from tierwise import config
from tierwise.cli.options import plain, table
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.core.model import Model
from tierwise.evals import context
from tierwise.evals.data.estimate import Asked, Estimate, estimate, features
from tierwise.evals.data.needed import Need, needs
from tierwise.evals.data.read import read
from tierwise.evals.data.report import Findings
from tierwise.evals.data.report import report as look
from tierwise.evals.order import ASKED
from tierwise.evals.prompt import Prompt
from tierwise.evals.prompts import Prompts
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.policy.settings import ceilings

MAX_CLASSES = 8


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `tierwise dataset report --json` prints. Models and context are empty where no workflow is known, or where
    its prompt does not fit the items, which `asking` then says."""

    data: Findings
    workflow: str | None
    context: context.Context | None
    models: tuple[Estimate, ...]
    asking: str
    needs: tuple[Need, ...]


def looked_at(settings: config.Settings, rules: Rules, path: Path, workflow: Workflow | None, today: date) -> Report:
    """Read the file and reckon; what cannot be asked is said, and ends nothing."""
    dataset = read(path)
    findings, labels = look(dataset, rules.detectors, rules.labels, workflow.label if workflow else None)
    criteria = (workflow.criteria if workflow else None) or Criteria()
    told, shape, models = "", None, []
    try:
        prompt = prompt_of(settings, workflow)
        asked = [
            Asked(features=one, label=label)
            for one, label, item in zip(features(dataset.items, prompt), labels, dataset.items, strict=True)
            if item.split in ASKED
        ]  # fmt: skip
        shape = context.measure(dataset.items, prompt, today)
        reach = ceilings(rules.labels)
        models = [
            estimate(asked, model, rules.catalog.endpoints[model.endpoint], reach) for model in _models(rules, workflow)
        ]
    except ConfigError as error:
        told = str(error)
    return Report(
        data=findings,
        workflow=workflow.name if workflow else None,
        context=shape,
        models=tuple(models),
        asking=told,
        needs=needs(criteria, findings.splits),
    )


def prompt_of(settings: config.Settings, workflow: Workflow | None) -> Prompt | None:
    """Return the workflow's prompt; what is relative lies beside the configuration."""
    if workflow is None or workflow.prompt is None:
        return None
    return Prompts(settings.home).find(workflow.prompt, settings.file.parent if settings.file else Path())


def _models(rules: Rules, workflow: Workflow | None) -> list[Model]:
    if workflow is None:
        return []
    models = rules.catalog.models
    names = workflow.candidates or tuple(
        name for name, one in models.items() if not one.tasks or workflow.knows in one.tasks
    )
    more = (workflow.baseline,) if workflow.baseline else ()
    return [models[name] for name in dict.fromkeys((*names, *more))]


def in_words(found: Report) -> str:
    """Tell a report to people."""
    return "\n".join([*_data(found.data), *_asked(found), *_sizes(found), *_problems(found.data)])


def _data(data: Findings) -> Iterator[str]:
    yield f"{plain(data.name)}: {data.rows:,} items, {data.digest}"
    told = f"column {plain(data.reference)}" if data.reference else "no column says what is right"
    yield f"  references    {told}; {data.missing_references:,} missing"
    if data.classes:
        first = ", ".join(
            f"{plain(name)} {count:,}" for name, count in list(data.classes.largest.items())[:MAX_CLASSES]
        )
        more = ", …" if data.classes.count > MAX_CLASSES else ""
        yield f"  classes       {data.classes.count}: {first}{more}"
    by = "columns of the file" if data.clusters_by == "columns" else "texts that say nearly the same"
    yield f"  clusters      {data.clusters:,} by {by}, the largest of {data.largest_cluster:,} items"
    for split, size in data.splits.items():
        yield f"  {split:<13} {size.items:,} items in {size.clusters:,} clusters"
    twins = f"{data.duplicates:,} texts stand there again, {data.near_duplicates:,} nearly"
    yield f"  duplicates    {twins}; {data.leaks:,} items of prove leak from other splits"
    yield "  characters    " + ", ".join(f"{name} {count:,}" for name, count in data.chars.items())
    kinds = ", ".join(f"{name} in {one.items:,} ({one.label})" for name, one in data.personal.items())
    yield f"  personal data {kinds or 'none that a detector finds'}"
    yield "  sensitivity   " + ", ".join(f"{label} {count:,}" for label, count in data.labels.items())


def _asked(found: Report) -> Iterator[str]:
    if found.asking:
        yield f"Not reckoned what it costs: {found.asking}"
    if found.context:
        shares = ", ".join(f"{one.part} {one.share:.0%}" for one in found.context.parts)
        lengths = ", ".join(f"{name} {n:,}" for name, n in found.context.tokens.items())
        yield f"  a request     tokens at most: {lengths}; {shares}"
        if found.context.repeating:
            told = f"{found.context.repeating:,} requests say a passage twice"
            yield f"  repeated      {found.context.repeated_share:.1%} of all that is read; {told}"
        if found.context.stale:
            yield f"  stale         the newest date in {found.context.stale:,} requests is more than a year old"
        if found.context.unused_fields:
            yield f"  unused        fields that the prompt does not ask for: {', '.join(found.context.unused_fields)}"
    if found.models:
        head = ("model", "tier", "calls", "tokens in", "about $", "at most $", "may not", "too long")
        rows = [
            (
                one.model, str(one.tier), f"{one.calls:,}", f"{one.input_tokens:,}", _usd(one.expected_usd),
                _usd(one.worst_usd), f"{one.denied:,}", f"{one.too_long:,}",
            )
            for one in found.models
        ]  # fmt: skip
        yield table(head, rows)
        yield from _not_counted(found.data)


def _not_counted(data: Findings) -> Iterator[str]:
    if "train" in data.splits:
        yield f"  the {data.splits['train'].items:,} items of train are not asked"
    if data.missing_references:
        yield f"  the {data.missing_references:,} items without a reference are asked only where the scorer needs none"


def _usd(amount: object) -> str:
    return "unknown" if amount is None else f"{amount:.2f}"


def _sizes(found: Report) -> Iterator[str]:
    yield "Sizes (independent items; prove has so many clusters)"
    for need in found.needs:
        told = "no number does" if need.needed is None else f"{need.needed:,} of {need.there:,}"
        yield f"  {'enough ' if need.enough else 'too few'}  {told}  to {need.to}"


def _problems(data: Findings) -> Iterator[str]:
    for problem in data.problems:
        yield f"{problem.severity.upper()}: {problem.what}: {problem.mend}"
