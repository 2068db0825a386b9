"""The command `tierwise certify`: what can be promised of answers that are kept, from a comparison that was run."""

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tierwise import bootstrap, config
from tierwise.cli.options import ConfigFile, Json, plain, print_json
from tierwise.cli.released import in_force
from tierwise.core.certificate import Accepts
from tierwise.core.errors import ConfigError
from tierwise.core.extras import without
from tierwise.evals import certificates, evidence, runs
from tierwise.evals.bundles import bundle_now
from tierwise.evals.lines import promise
from tierwise.evals.signals import LOGPROB, signal
from tierwise.gateway.certified import Certified, day
from tierwise.registry.load import nearest

if TYPE_CHECKING:
    from tierwise.evals.certify import Proven, Step


def certify(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="The workflow that was compared.")],
    run: Annotated[str | None, typer.Option("--run", help="The run to certify from; without it the newest.")] = None,
    file_of: Annotated[Path | None, typer.Option("--evidence", help="An evidence file instead of a run.")] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option("--step", help="A candidate whose answers may be kept; again for the next one in the cascade."),
    ] = None,
    by: Annotated[
        str, typer.Option("--signal", help="logprob, agreement (of repeats), or the name of a score in the evidence.")
    ] = LOGPROB,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Certify from which confidence on answers may be kept, or say how much evidence is missing. Exit 1 for the latter.

    Thresholds are chosen on the items of the split tune and proven on those of
    prove. Without --step all candidates that answer inside are the steps, in the
    order of the comparison. The certificate is kept; the line that puts it in
    force is printed, and yours to enter.

    Examples:
      tierwise certify tickets
      tierwise certify tickets --step small --step larger
      tierwise certify tickets --evidence evidence.jsonl --json
    """
    settings = config.load(file)
    path = file_of or runs.named(settings.home, workflow, run) / runs.EVIDENCE
    known = evidence.read(path)
    if known.header.workflow != workflow:
        raise ConfigError(f"{path} is evidence of the workflow {known.header.workflow!r}, not of {workflow!r}")
    found = _prove(known, steps or [], by, path.with_name(runs.ANSWERS))
    if found.certificate is not None:
        certificates.keep(settings, found.certificate)
    void, route = _here(settings, found) if found.certificate else ((), ())
    if as_json:
        print_json(_twin(found, void, route))
    else:
        print("\n".join(map(plain, _page(workflow, found, void, route))))
    return 0 if found.certificate is not None else 1


def _prove(known: evidence.Evidence, steps: list[str], by: str, answers: Path) -> "Proven":
    try:
        from tierwise.evals.certify import prove, usual_order
    except ImportError as error:
        raise without(error, "evals", "certificates") from error
    order = steps or usual_order(known)
    if not order:
        raise ConfigError("no candidate of the evidence answers inside; name those to certify with --step")
    return prove(known, order, time.time(), signal=by, read=signal(by, answers))


def _here(settings: config.Settings, found: "Proven") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return why the certificate would not count here, were it named; and the candidates that it wants, if others."""
    certificate = found.certificate
    if certificate is None:
        return (), ()
    rules = bootstrap.rules_from(asyncio.run(in_force(settings)))
    workflow = rules.workflows.get(certificate.workflow)
    if workflow is None:
        return (
            f"no workflow {certificate.workflow!r} is configured{nearest(certificate.workflow, rules.workflows)}",
        ), ()
    now = bundle_now(rules, workflow, [name for name, _ in certificate.bundle.models], settings)
    void = Certified.of(workflow, certificate.digest, certificate, now).void(time.time())
    steps = [one.accepts.model for one in found.steps if one.accepts.threshold is not None]
    wanted = tuple(dict.fromkeys((*steps, *((workflow.baseline,) if workflow.baseline else ()))))
    behind = workflow.baseline is None or workflow.baseline in (workflow.candidates or (workflow.baseline,))
    return void, () if behind else wanted


def _page(workflow: str, found: "Proven", void: tuple[str, ...], route: tuple[str, ...]) -> list[str]:
    certificate = found.certificate
    head = "certified" if certificate else "not enough evidence"
    lines = [f"{workflow}: {head}", f"  {'Promised' if certificate else 'Asked'}: {promise(found.criteria)}."]
    lines += [f"  {at}. {_told(step)}" for at, step in enumerate(found.steps, 1)]
    lines.append(f"  Thresholds chosen on {found.tune:,} clusters of tune, proven on {found.prove:,} others of prove.")
    if certificate is None:
        return lines
    for one in certificate.quality:
        span = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
        lines.append(
            f"  {one.model} alone scores {_points(one.score)}, the baseline {_points(one.baseline_score)} on "
            f"{one.n:,} items: {_points(one.difference, '+')} points ({span})."
        )
    lines.append(f"  Valid until {day(certificate.expires)}, for this bundle alone: {certificate.bundle.digest[:19]}")
    lines += [f"  It would not count here: {why}" for why in void]
    lines += [f"Put it in force in [[workflow]] {workflow}:", f'  certificate = "{certificate.digest}"']
    if route:
        lines.append(
            "No other model is asked for what is not kept: `on_gate_failure` says what becomes of it. To pass it on:"
        )
        lines.append(f"  candidates = {json.dumps(route)}")
    return lines


def _points(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{100 * value:{sign}.1f}"


def _told(step: "Step") -> str:
    one = step.accepts
    if one.threshold is not None and one.bound is not None:
        return (
            f"{one.model}: kept from {one.signal} {one.threshold:.6g} on, {one.accepted:,} of {one.n:,}; "
            f"{_wrong(one)}, at most {100 * one.bound:.1f} %"
        )
    needed = f"; about {step.needed:,} clusters in prove would do, as it looks" if step.needed else ""
    return f"{one.model}: nothing is kept, {step.why}{needed}"


def _wrong(one: Accepts) -> str:
    share = f" ({100 * one.wrong / one.accepted:.1f} %)" if one.accepted else ""
    return f"{one.wrong:,} of them wrong{share}"


def _twin(found: "Proven", void: tuple[str, ...], route: tuple[str, ...]) -> dict[str, Any]:
    certificate = found.certificate
    return {
        "certified": certificate is not None,
        "promise": promise(found.criteria),
        "digest": certificate.digest if certificate else None,
        "steps": [
            {"subject": one.subject, "accepts": one.accepts, "needed": one.needed, "why": one.why}
            for one in found.steps
        ],
        "tune": found.tune,
        "prove": found.prove,
        "quality": certificate.quality if certificate else [],
        "issued": certificate.issued if certificate else None,
        "expires": certificate.expires if certificate else None,
        "bundle": certificate.bundle.digest if certificate else None,
        "void_here": void,
        "candidates": route,
    }
