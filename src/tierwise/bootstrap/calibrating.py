"""How fast does the embedded engine work here? It is timed on a few made-up files, and what came out is kept.

The files are written into a folder of its own and gone afterwards; nothing is fetched. What to time and what it means
are `hardware.calibrate`'s. Invariant: what was measured with another processor, engine or count of cores is not used.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec

from tierwise.core.errors import ConfigError, Overloaded, ProviderError, TimedOut
from tierwise.core.model import EngineOptions
from tierwise.hardware.admit import admit
from tierwise.hardware.calibrate import ANSWER_TOKENS, PROMPT_TOKENS, PROMPTS, SAMPLES, Timing, measured
from tierwise.hardware.sample import Sample, content
from tierwise.hardware.speed import Measured
from tierwise.providers.engine import Engine, installed, missing, program
from tierwise.providers.transport import Address, Transport

ONE_SAMPLE_S = 1.0
"""How long one sample is timed at most, its loading apart."""
UNSTEADY = 1.3
"""How many times the fastest answer the middle one may take; beyond that, other work is what was timed."""
_LEAST_ANSWERS = 3
_CONTEXT_TOKENS = 512
_ANSWER_TIMEOUT_S = 60.0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, with what, and when."""

    measured: Measured
    cores: int
    engine: str
    as_of: date


class _Timings(msgspec.Struct):
    prompt_ms: float
    predicted_ms: float
    predicted_n: int


class _Answer(msgspec.Struct):
    timings: _Timings


def read(file: Path, part: str, cores: int) -> tuple[Measured, ...]:
    """Return what was measured here as it is now; nothing where that is not known."""
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError):  # a figure that is lost is measured again
        return ()
    same = (kept.measured.part, kept.cores, kept.engine) == (part, cores, program())
    return (kept.measured,) if same else ()


def keep(file: Path, found: Measured, cores: int, today: date) -> None:
    """Keep what was measured, in place of what was before. Raises OSError."""
    kept = Kept(measured=found, cores=cores, engine=program(), as_of=today)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=file.name, delete=False) as new:
        new.write(msgspec.json.encode(kept))
    Path(new.name).replace(file)


async def calibrate(
    folder: Path,
    part: str,
    samples: Mapping[str, Sample] = SAMPLES,
    for_s: float = ONE_SAMPLE_S,
    unsteady: float = UNSTEADY,
) -> Measured:
    """Time the samples one after the other in a folder with half a gigabyte to spare.

    Raises:
        ConfigError: the engine is not installed, or a file cannot be written or loaded here.
        Overloaded: the machine does other work, so that its speed cannot be told.
        ProviderError: the engine ended, or answered something else.
    """
    if not installed():
        raise ConfigError(missing("gguf"), key="embedded")
    transport = Transport()
    timings = {}
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix="calibrate-") as own:
            for name, sample in samples.items():
                file = Path(own, "sample.gguf")
                await asyncio.to_thread(_write, file, sample)
                timings[name] = await timed(file, transport, for_s, unsteady, PROMPTS[name])
    except OSError as error:
        raise ConfigError(f"{folder} cannot take the files to time: {error.strerror}", key="home") from error
    finally:
        await transport.aclose()
    return measured(timings, part)


async def timed(
    file: Path, transport: Transport, for_s: float, unsteady: float = UNSTEADY, prompt_tokens: int = PROMPT_TOKENS
) -> Timing:
    """Return the best of as many answers as fit into a time, three at least. Other work only ever makes one slower."""
    options = EngineOptions(file=str(file), context_tokens=_CONTEXT_TOKENS, slots=1)
    engine = Engine(options, name="calibrate", transport=transport, admit=admit)
    loop = asyncio.get_running_loop()
    try:
        address = await engine.start()
        until = loop.time() + for_s
        found: list[Timing] = []
        while len(found) < _LEAST_ANSWERS or loop.time() < until:
            found.append(await _answer(transport, address, prompt_tokens))
            tokens = [one.token_s for one in found]
            if len(found) >= _LEAST_ANSWERS and statistics.median(tokens) > unsteady * min(tokens):
                raise _busy()  # at once: what follows would take long, and be for nothing
    except TimedOut as error:
        raise _busy() from error
    finally:
        await engine.stop()
    return Timing(token_s=min(tokens), prompt_s=min(one.prompt_s for one in found))


def _busy() -> Overloaded:
    told = "this machine does other work, so that its speed cannot be told: calibrate again when it is idle"
    return Overloaded(told, code="busy")


async def _answer(transport: Transport, address: Address, prompt_tokens: int) -> Timing:
    root = msgspec.structs.replace(address, url=address.url.removesuffix("/v1"))
    asked = {
        "prompt": [7 * number % 4000 + 1 for number in range(prompt_tokens)], "n_predict": ANSWER_TOKENS,
        "ignore_eos": True, "cache_prompt": False, "samplers": ["top_k"], "top_k": 1,
    }  # fmt: skip
    deadline = asyncio.get_running_loop().time() + _ANSWER_TIMEOUT_S
    exchange = await transport.post(root, "/completion", msgspec.json.encode(asked), deadline=deadline, stream=False)
    body = await exchange.read_all()
    try:
        told = msgspec.json.decode(body, type=_Answer).timings
    except msgspec.DecodeError as error:
        raise ProviderError(f"the engine told no times (status {exchange.status})", code="no_times") from error
    steps = max(1, told.predicted_n - 1)  # the first token of an answer comes with the prompt
    return Timing(token_s=told.predicted_ms / 1000 / steps, prompt_s=told.prompt_ms / 1000)


def _write(file: Path, sample: Sample) -> None:
    with file.open("wb") as target:
        for piece in content(sample):
            target.write(piece)
