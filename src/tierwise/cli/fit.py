"""The command `tierwise fit`: what can this machine run, how fast, with what memory, and what would be needed for more?

It looks at the machine, finds out which model is meant, and tells the best plan. Exit 1 where it does not surely fit.
"""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from tierwise import config
from tierwise.cli.fit_report import Judged, machine_lines, plan_lines, table_lines
from tierwise.cli.fit_subject import Subject, from_row, subject
from tierwise.cli.options import ConfigFile, Json, print_json, say
from tierwise.cli.telling import wrapped
from tierwise.core.errors import InvalidCall
from tierwise.hardware.admit import DEFAULT_CONTEXT_TOKENS
from tierwise.hardware.detect import whole_machine
from tierwise.hardware.parts import factors, offered
from tierwise.hardware.plan import LEAST_TOKENS_PER_S, Candidate, Pace, Wish, best, offers
from tierwise.hardware.snapshot import Machine
from tierwise.hardware.speed import Paces
from tierwise.registry.open_models import open_models

USUAL = "Q4_K_M"
CALIBRATION = "calibration.json"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """All that the command says: of one model, or of every row of the catalogue."""

    machine: Machine
    model: Judged | None = None
    catalogue: tuple[Judged, ...] = ()


def fit(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="A GGUF file, hub:OWNER/NAME, or a name that this lists.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=1, max=100_000_000, help="Tokens of one conversation; 32,768 by default.")
    ] = None,
    sequences: Annotated[int, typer.Option(min=1, max=10_000, help="Conversations at the same time.")] = 1,
    least: Annotated[
        float, typer.Option("--at-least", min=0, max=1e6, help="Tokens a second that are wanted.")
    ] = LEAST_TOKENS_PER_S,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Time the embedded engine first, on made-up files; kept for later.")
    ] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Tell what this machine can run: quantization, context, layers on a device, memory and speed.

    Without a model, every model of the catalogue, by estimate. With one, its best plan, or why
    there is none and which parts would do. No tensor is loaded, and nothing outside is asked
    unless hub: is written in front.

    Examples:
      tierwise fit
      tierwise fit models/small.gguf --context 8192
      tierwise fit gpt-oss-20b --sequences 4
      tierwise fit hub:ggml-org/gpt-oss-20b-GGUF --json
      tierwise fit --calibrate
    """
    settings = config.load(file)
    asked = None if model is None else subject(model, settings)
    here = whole_machine(settings.home, settings.environ.get("CUDA_VISIBLE_DEVICES"))
    pace = paces(settings, here, anew=calibrate)

    def judged(one: Subject, wanted: int | None) -> Judged:
        wish = _wish(one, wanted, sequences, least)
        plan = best(here, one.candidates, wish, pace)
        named = plan.evidence == "sizes" and plan.device is None  # pull counts on no device
        pull = f"{one.pull}:{plan.quantization}" if one.pull and named else one.pull
        return Judged(model=one.name, source=one.source, note=one.note, wish=wish, plan=plan, pull=pull)

    if asked is not None:
        found = Found(machine=here, model=_with_offers(judged(asked, context), asked, here, pace))
    else:
        rows = [from_row(row) for row in open_models()]
        some = tuple(judged(one, None if context is None else min(context, one.most_tokens)) for one in rows)
        found = Found(machine=here, catalogue=some)
    if as_json:
        print_json(found)
    else:
        print(wrapped(machine_lines(here)))
        print(wrapped(plan_lines(found.model)) if found.model else table_lines(found.catalogue))
    one = found.model
    return 0 if one is None or one.plan.verdict.fit == "fits" else 1


def paces(settings: config.Settings, here: Machine, *, anew: bool = False) -> Paces:
    """Return how fast parts work: by what was timed here, else by the factors of their kind."""
    kept, part = settings.home / CALIBRATION, here.cpu.name or here.system
    if not anew and not kept.is_file():
        return Paces(known=factors())
    from tierwise.bootstrap import calibrating

    if anew:
        say("timing the embedded engine on made-up files, for about ten seconds")
        settings.home.mkdir(parents=True, exist_ok=True)
        timed = asyncio.run(calibrating.calibrate(settings.home, part))
        calibrating.keep(kept, timed, here.cores, datetime.now(UTC).date())
    return Paces(known=factors(), measured=calibrating.read(kept, part, here.cores))


def _wish(one: Subject, context: int | None, sequences: int, least: float) -> Wish:
    """Return what is wanted of a model; more context than it was trained for is a mistake."""
    if context is not None and one.trained_tokens is not None and context > one.trained_tokens:
        raise InvalidCall(f"--context {context}: {one.name} was trained for {one.trained_tokens:,}", param="--context")
    wanted = context or min(one.most_tokens, DEFAULT_CONTEXT_TOKENS)
    return Wish(context_tokens=wanted, sequences=sequences, least_tokens_per_s=least)


def _with_offers(judged: Judged, one: Subject, here: Machine, pace: Pace) -> Judged:
    """Add the parts that would do, where this machine does not, or not as it is wanted."""
    plan, wish = judged.plan, judged.wish
    short = plan.setup.context_tokens < wish.context_tokens
    slow = plan.decode is not None and plan.decode.mid < wish.least_tokens_per_s
    if plan.verdict.fit == "fits" and not short and not slow:
        return judged
    return msgspec.structs.replace(judged, to_buy=offers(offered(), _usual(one.candidates), wish, here, pace))


def _usual(candidates: tuple[Candidate, ...]) -> Candidate:
    """Return the quantization that most people take, or the one in the middle."""
    by_size = sorted(candidates, key=lambda one: one.weights.total_bytes)
    return next((one for one in by_size if one.quantization == USUAL), by_size[len(by_size) // 2])
