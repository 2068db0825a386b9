"""What can this machine run, and how does one get it? The answer of `tierwise fit`, and consent before anything is
fetched.

The machine is the gateway's: the pages run beside it. Invariant: nothing is fetched but what the catalogue names, and
only after a page that says what it is, how large, under which licence and from where.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.core.errors import InvalidCall
from tierwise.hardware.fit import mib
from tierwise.registry.open_models import OpenModel, open_model
from tierwise.web.commands import CommandFailed, shown
from tierwise.web.runs import started
from tierwise.web.site import Site

FIT_S = 120.0
CALIBRATION = "calibration.json"
VERDICTS = {"fits": ("fits", "answered"), "does_not_fit": ("does not fit", "failed"),
            "unknown": ("cannot be promised", "flagged")}  # fmt: skip
EVIDENCE = {
    "header": "each tensor in the header", "sizes": "the size of the file",
    "catalogue": "an estimate from the number of parameters",
}  # fmt: skip
SIZES = ("size_bytes", "to_fetch_bytes", "disk_free_bytes")


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the catalogue as it would run here."""

    name: str
    licence: str
    verdict: str
    kind: str
    reason: str
    quantization: str
    context: str
    memory: str
    speed: str
    evidence: str
    where: str
    pull: str
    words: str


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the machine has, and how that is known."""

    name: str
    value: str
    said: str = ""


def routes(site: Site) -> list[Route]:
    """Return the part about the machine, the page of consent, and what starts a download or a calibration."""

    async def machine(_request: Request) -> Response:
        async def values() -> dict[str, Any]:
            told = await site.commands.answer(("fit",), within_s=FIT_S)
            facts, notes = parts(told["machine"])
            fits = [fitting(one) for one in told["catalogue"]]
            return {"facts": facts, "notes": notes, "fits": fits, "calibrated": calibrated(site.home / CALIBRATION)}

        return site.slow("machine", values(), line=shown(("fit",)))

    async def consent(request: Request) -> Response:
        row, wanted = named(request.query_params.get("model", ""))
        return site.page(request, "pull", row=row, wanted=wanted)

    async def offer(request: Request) -> Response:
        row, wanted = named(request.query_params.get("model", ""))

        async def values() -> dict[str, Any]:
            told, problem = {}, ""
            try:
                told = await site.commands.answer(("pull", "--dry-run", wanted), within_s=FIT_S)
            except CommandFailed as error:
                problem = str(error)
            facts = told.get("offer", {})
            return {
                "problem": problem, "facts": offered(facts), "refusal": told.get("refusal") or "", "wanted": wanted,
                "licence": facts.get("licence") or row.license, "line": shown(_words(wanted)),
                "token": request.headers.get("x-tierwise-token", ""),
            }  # fmt: skip

        return site.slow("offer", values())

    async def pull(request: Request) -> Response:
        form = await site.form(request)
        row, wanted = named(form.get("model", ""))
        if form.get("consent") != "yes":
            raise InvalidCall(f"nothing was fetched: tick that {row.name} may be, under {row.license}")
        return started(site, request, _words(wanted), "/ui/models")

    async def calibrate(request: Request) -> Response:
        await site.form(request)
        return started(site, request, ("fit", "--calibrate"), "/ui/models")

    return [
        Route("/ui/models/machine", machine),
        Route("/ui/models/pull", consent),
        Route("/ui/models/pull", pull, methods=["POST"]),
        Route("/ui/models/offer", offer),
        Route("/ui/models/calibrate", calibrate, methods=["POST"]),
    ]


def named(text: str) -> tuple[OpenModel, str]:
    """Return the row of `MODEL[:QUANT]`, and what `tierwise pull` is given. Raises InvalidCall for any other name."""
    name, _, quantization = text.partition(":")
    row = open_model(name)
    if row is None or row.files is None or not (quantization or "Q").replace("_", "").isalnum():
        raise InvalidCall("the catalogue names no such model that can be fetched", param="model", status=404)
    return row, f"{row.name}:{quantization}" if quantization else row.name


def _words(wanted: str) -> tuple[str, ...]:
    return ("pull", "--yes", "--", wanted)


def parts(machine: Mapping[str, Any]) -> tuple[list[Fact], list[str]]:
    """Return what the machine has, each with where it is from, and the notes on what could not be asked."""
    cpu = machine["cpu"]
    physical = f", {cpu['physical_cores']} physical" if cpu["physical_cores"] else ""
    bound = "what a container may take" if machine["memory_limit"] == "container" else "asked of the system"
    rate = machine["memory_bandwidth_gb_s"]
    found = [
        Fact(name="Processor", value=f"{cpu['name'] or 'without a name'}: {machine['cores']} cores{physical}",
             said=" ".join(cpu["features"])),
        Fact(name="Memory", value=f"{_size(machine['memory_available_bytes'])} free of "
             f"{_size(machine['memory_total_bytes'])}", said=bound),
        Fact(name="Bandwidth", value="–" if rate is None else f"{rate:.1f} GB/s",
             said="could not be measured" if rate is None else "the best measured here"),
        Fact(name="Disk", value=f"{_size(machine['disk_free_bytes'])} free", said="where models are kept"),
    ]  # fmt: skip
    found += [_device(one) for one in machine["devices"]]
    if not machine["devices"]:
        found.append(Fact(name="Device", value="none beside the processor", said=machine["system"]))
    return found, list(machine["notes"])


def _device(one: Mapping[str, Any]) -> Fact:
    shared = " of the machine's memory" if one["unified"] else ""
    rate = f"; {one['bandwidth_gb_s']:.0f} GB/s is its maker's figure" if one["bandwidth_gb_s"] else ""
    free, total = _size(one["memory_free_bytes"]), _size(one["memory_total_bytes"])
    driver = f"driver {one['driver']}" if one["driver"] else "driver not known"
    return Fact(name=one["kind"], value=f"{one['name']}: {free} free of {total}{shared}", said=f"{driver}{rate}")


def fitting(judged: Mapping[str, Any]) -> Fit:
    """Return a row of the catalogue as the page shows it."""
    plan = judged["plan"]
    verdict, kind = VERDICTS[plan["verdict"]["fit"]]
    fits = plan["verdict"]["fit"] != "does_not_fit"
    speed = plan["decode"]
    setup, row = plan["setup"], open_model(judged["model"])
    some = f", {min(setup['layers_on_device'], plan['layers'])} of {plan['layers']} layers"
    where = "the processor" if plan["device"] is None else plan["device"] + ("" if plan["whole_on_device"] else some)
    return Fit(
        name=judged["model"],
        licence="–" if row is None else row.license,
        verdict=verdict,
        kind=kind,
        reason=plan["verdict"]["reason"],
        quantization=plan["quantization"],
        context=f"{setup['context_tokens']:,}" if fits else "–",
        memory=_size(plan["at_least_bytes"]),
        speed=f"{_figure(speed['low'])} to {_figure(speed['high'])}" if speed and fits else "–",
        evidence=EVIDENCE[plan["evidence"]] + (f"; pace: {speed['evidence']}" if speed and fits else ""),
        where=where if fits else "–",
        pull=judged["pull"] if judged["pull"] and plan["verdict"]["fit"] == "fits" else "",
        words=f"{judged['model']} {verdict} {plan['quantization']} {'' if row is None else row.license}".lower(),
    )


def calibrated(file: Path) -> str | None:
    """Say when and with what this machine was timed; None where it was not."""
    try:
        kept = msgspec.json.decode(file.read_bytes())
        day = datetime.fromisoformat(kept["as_of"]).date().isoformat()
        return f"timed on {day}: {kept['cores']} cores, {kept['engine']}"
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None


def offered(facts: Mapping[str, str | int | None]) -> list[Fact]:
    """Return what would be fetched, as the source tells it."""
    return [
        Fact(name=name.removesuffix("_bytes").replace("_", " "), value=_fact(name, it)) for name, it in facts.items()
    ]


def _fact(name: str, value: str | int | None) -> str:
    if value is None:
        return "not told"
    return f"{value / 1e9:.2f} GB" if name in SIZES and isinstance(value, int) else str(value)


def _size(count: int | None) -> str:
    return "unknown" if count is None else mib(count)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"
