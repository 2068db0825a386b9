"""Probes against servers that really misbehave, in every wire, and what the gateway does with the results."""

import asyncio
import json
import shutil
from collections.abc import Awaitable
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.gateway.conftest import text_of
from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.errors import NoCandidate
from tierwise.core.label import Tier
from tierwise.core.model import Capability
from tierwise.evals.probe import Unprobed, estimate, spoken
from tierwise.gateway.gateway import Gateway
from tierwise.providers.engine import installed
from tierwise.providers.transport import Transport
from tierwise.registry import kept
from tierwise.registry.probed import Probed, row_digest
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import Script, ScriptedUpstream
from tierwise.wires import chat
from tierwise.wires.known import ENDPOINTS

CONTEXT = 4_000
WIRES = ["chat", "responses", "messages", "gemini", "ollama"]
SCHEMA = {"type": "object", "properties": {"city": {"enum": ["Köln"]}}, "required": ["city"]}
WANTED = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
SMALL = str(resources.files("tierwise.registry").joinpath("shipped/banking77/small.gguf"))


def run(scene: Awaitable[None]) -> None:
    asyncio.run(scene)  # type: ignore[arg-type]


def settings_for(
    home: Path, up: ScriptedUpstream, served: str = "scripted-1", wires: tuple[str, ...] = ("chat",), **row: Any
) -> Settings:
    """One model `m` at one endpoint `up`."""
    url = up.generate_url if wires == ("gemini",) else up.url
    endpoint = EndpointRow(name="up", kind="scripted", url=url, wires=wires)
    model = ModelRow(**{"id": "m", "endpoint": "up", "served_name": served, "context_tokens": CONTEXT} | row)
    return Settings(document=Document(endpoint=(endpoint,), model=(model,)), home=home)


async def probe(settings: Settings, most_tokens: int = 100_000, model: str = "m") -> Probed:
    """Probe as `doctor` does, and keep it."""
    catalog, transport = bootstrap.promised(settings), Transport()
    target = catalog.models[model]
    endpoint = catalog.endpoints[target.endpoint]
    try:
        version = await bootstrap.version_of(endpoint, transport)
        async with bootstrap.prober(settings, most_tokens) as prober:
            found = await prober.probe(target, endpoint, version=version, tell=lambda _: None)
    finally:
        await transport.aclose()
    kept.keep(settings.probes_path, [found])
    return found


def verdicts(found: Probed) -> dict[str, str]:
    return {one.check: one.verdict for one in found.findings}


def asked(text: str = "where?", **more: Any) -> Any:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return chat.decode_request(json.dumps(body).encode())


def dry(settings: Settings) -> Gateway:
    return bootstrap.dry_gateway(settings)


# what is found


@pytest.mark.parametrize("wire", WIRES)
def test_an_endpoint_that_does_what_it_is_told_keeps_all_it_promises(wire: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            settings = settings_for(tmp_path, up, wires=(wire,))
            found = await probe(settings)
            assert not found.broken, found.broken
            told = verdicts(found)
            # The Responses wire has no stop sequences.
            expected = {name for name in told if not (wire == "responses" and name == "stop")}
            assert {name for name, verdict in told.items() if verdict == "honoured"} == expected
            assert {"context", "schema", "tools", "max_tokens", "stop", "stream_usage"} <= told.keys()
            before, after = bootstrap.promised(settings), bootstrap.rules_from(settings).catalog
            assert after.models == before.models
            assert after.digest == before.digest
            # The longest prompt nearly fills the context, and every prompt begins differently.
            assert CONTEXT * 0.8 < max(request.prompt_tokens for request in up.asked) < CONTEXT
            needs = estimate(before.models["m"], before.endpoints["up"], 100_000)
            assert len(up.asked) <= needs.requests
            assert up.prompt_tokens <= needs.input_tokens
            assert up.completion_tokens <= needs.output_tokens

    run(scene())


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("ignored", ["schema", "tools", "max_tokens", "stop", "logprobs"])
def test_what_is_ignored_is_found_and_nothing_else(ignored: str, wire: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            found = await probe(settings_for(tmp_path, up, f"scripted-1?ignores={ignored}", (wire,)))
            expected = [ignored]
            if (ignored, wire) == ("stop", "responses") or (ignored == "logprobs" and not ENDPOINTS[wire].LOGPROBS):
                expected = []
            if (ignored, wire) == ("tools", "ollama"):  # only asked for in words there, so nothing follows
                expected = []
                assert verdicts(found)["tools"] == "unclear"
            assert [one.check for one in found.broken] == expected, found.findings

    run(scene())


@pytest.mark.parametrize("wire", WIRES)
def test_a_prompt_that_is_cut_in_silence_is_found_with_what_was_read(wire: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            settings = settings_for(tmp_path, up, "scripted-1?reads=1024", (wire,))
            found = await probe(settings)
            assert [one.check for one in found.broken] == ["context"]
            assert found.read_tokens == 1024
            assert bootstrap.rules_from(settings).catalog.models["m"].context_tokens == 1024

    run(scene())


@pytest.mark.parametrize(
    ("served", "check", "verdict"),
    [
        ("scripted-1?ignores=logprobs", "logprobs", "ignored"),
        ("scripted-1?fault=no_usage", "stream_usage", "ignored"),
        ("scripted-1?fault=no_usage", "context", "unclear"),
        ("scripted-1?cached=500", "context", "honoured"),
        ("scripted-1?ping=true&crlf=true", "stream_usage", "honoured"),
    ],
)
def test_what_comes_along(served: str, check: str, verdict: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            assert verdicts(await probe(settings_for(tmp_path, up, served)))[check] == verdict

    run(scene())


def test_an_error_for_what_was_promised_counts_and_a_passing_one_does_not(tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            # a free answer, repeats, stop, max_tokens, then schema; tools are refused twice, at last logprobs
            good, no, later = Script(), Script(fault="error", status=422), Script(fault="error", status=503)
            up.script(good, good, good, good, no, no, no, later)
            settings = settings_for(tmp_path, up)
            told = verdicts(await probe(settings))
            assert (told["schema"], told["tools"], told["logprobs"]) == ("refused", "refused", "unclear")
            left = bootstrap.rules_from(settings).catalog.models["m"].capabilities
            assert {"schema", "tools", "logprobs"} & left == {"logprobs"}

    run(scene())


def test_a_model_that_wants_neither_temperature_nor_seed_is_asked_without(tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            up.script(Script(fault="error", status=400))
            found = await probe(settings_for(tmp_path, up))
            assert not found.broken
            assert verdicts(found)["repeats"] == "unclear"
            later = [json.loads(request.body) for request in up.asked[1:]]
            assert all("temperature" not in body and "max_tokens" not in body for body in later)
            assert all("max_completion_tokens" in body for body in later)

    run(scene())


def test_a_longer_prompt_than_the_server_takes_is_refused_not_cut(tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream(context_tokens=2_500) as up:
            settings = settings_for(tmp_path, up, context_tokens=CONTEXT)
            found = await probe(settings)
            assert not found.broken
            assert found.read_tokens is None
            assert "a longer one was refused" in found.findings[-1].detail

    run(scene())


@pytest.mark.parametrize("context", [None, 1, 64, 256, 512, 1_024])
def test_a_small_context_is_never_blamed_for_being_small(context: int | None, tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream(context_tokens=context or 8_192) as up:
            settings = settings_for(tmp_path, up, context_tokens=context)
            if context == 1:
                with pytest.raises(Unprobed, match="1 tokens"):
                    await probe(settings)
                return
            assert not (await probe(settings)).broken

    run(scene())


def test_the_longest_prompt_stays_below_what_is_allowed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            found = await probe(settings_for(tmp_path, up, context_tokens=1_000_000), most_tokens=1_000)
            assert verdicts(found)["context"] == "honoured"
            assert max(request.prompt_tokens for request in up.asked) <= 1_000

    run(scene())


@pytest.mark.parametrize(
    ("served", "down"), [("scripted-1?fault=error&status=500", False), ("scripted-1?fault=error&status=401", True)]
)
def test_an_endpoint_that_does_not_answer_leaves_no_result(served: str, down: bool, tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            settings = settings_for(tmp_path, up, served)
            with pytest.raises(Unprobed) as error:
                await probe(settings)
            assert error.value.down is down
            assert kept.read(settings.probes_path) == ()

    run(scene())


def test_one_that_is_not_there_is_said_to_be_down(tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            settings = settings_for(tmp_path, up)
        with pytest.raises(Unprobed, match="nothing listens there") as error:
            await probe(settings)
        assert error.value.down

    run(scene())


def test_every_wire_on_which_the_gateway_may_ask_is_probed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            settings = settings_for(tmp_path, up, wires=("chat", "messages", "embeddings"))
            found = await probe(settings)
            assert {one.wire for one in found.findings} == {"chat", "messages"}
            assert sum(one.check == "context" for one in found.findings) == 1

    run(scene())


def test_the_wire_that_alone_sets_the_context_is_the_one_to_probe(tmp_path: Path) -> None:
    rows = (EndpointRow(name="o", kind="ollama", tier=Tier.LOCAL, url="http://127.0.0.1:1/v1"),)
    models = (ModelRow(id="with", endpoint="o", context_tokens=99), ModelRow(id="without", endpoint="o"))
    catalog = bootstrap.promised(Settings(document=Document(endpoint=rows, model=models), home=tmp_path))
    endpoint = catalog.endpoints["o"]
    assert spoken(endpoint, catalog.models["with"]) == ("ollama",)
    assert spoken(endpoint, catalog.models["without"]) == ("chat", "ollama")


# what the gateway does with it


def test_a_schema_that_is_ignored_is_asked_for_in_words_and_checked(tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            settings = settings_for(tmp_path, up, "scripted-1?ignores=schema")
            await probe(settings)
            up.received.clear()
            async with bootstrap.opened(settings) as wired:
                up.script(Script(text='Sure: {"city":"Köln"}', ignores="schema"))
                reply = await wired.gateway.handle(asked(response_format=WANTED))
                assert await text_of(reply) == '{"city":"Köln"}'
            (request,) = up.asked
            assert "response_format" not in json.loads(request.body)
            assert "Köln" in request.body.decode()  # the schema stands in the prompt

    run(scene())


@pytest.mark.parametrize(
    ("served", "more", "by", "says"),
    [
        ("scripted-1?ignores=tools", {"tools": TOOLS}, "capability", "cannot do tools: tools ignored on chat"),
        ("scripted-1?ignores=logprobs", {"logprobs": True}, "capability", "cannot do logprobs: logprobs ignored on"),
        ("scripted-1?reads=1024", {"max_tokens": 2_000}, "context", "context is 1024, as the probe of 20"),
    ],
)
def test_the_reason_for_an_exclusion_names_the_probe_and_its_day(
    served: str, more: dict[str, Any], by: str, says: str, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            settings = settings_for(tmp_path, up, served)
            assert dry(settings).route(asked(**more)).chosen == "m"
            found = await probe(settings)
            decision = dry(settings).route(asked(**more))
            assert decision.chosen is None
            (candidate,) = decision.candidates
            assert candidate.excluded_by == by
            assert says in candidate.reason
            assert f"as the probe of {found.date} saw" in candidate.reason
            up.received.clear()
            async with bootstrap.opened(settings) as wired:
                with pytest.raises(NoCandidate, match="probe of"):
                    await wired.gateway.handle(asked(**more))
            assert not up.asked

    run(scene())


def test_a_changed_row_is_not_judged_by_the_old_result(tmp_path: Path) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as up:
            settings = settings_for(tmp_path, up, "scripted-1?ignores=tools")
            await probe(settings)
            mended = settings_for(tmp_path, up)
            catalog = bootstrap.rules_from(mended).catalog
            assert "row has changed" in catalog.probes["m"].stale
            assert "tools" in catalog.models["m"].capabilities
            await probe(mended)
            assert not bootstrap.rules_from(mended).catalog.probes["m"].stale

    run(scene())


# the engine for real

needs_engine = pytest.mark.skipif(not installed(), reason="the extra 'embedded' is not installed")


def embedded(home: Path, file: str, *wires: str, capabilities: tuple[Capability, ...] | None = None) -> Settings:
    endpoint = EndpointRow(
        name="e", kind="embedded", file=file, context_tokens=512, slots=1, threads=1, wires=wires or None
    )
    model = ModelRow(id="m", endpoint="e", context_tokens=512, capabilities=capabilities)
    return Settings(document=Document(endpoint=(endpoint,), model=(model,)), home=home)


@needs_engine
def test_the_embedded_engine_keeps_its_promises(tmp_path: Path) -> None:
    async def scene() -> None:
        settings = embedded(tmp_path, SMALL)
        found = await probe(settings)
        assert set(verdicts(found).values()) == {"honoured"}, found.findings
        assert found.version is not None
        assert bootstrap.rules_from(settings).catalog.models == bootstrap.promised(settings).models

    run(scene())


@needs_engine
def test_the_engine_drops_schemas_on_interfaces_that_it_only_translates(tmp_path: Path) -> None:
    """Why these stand in `also` of the engine's row, and not in its `wires`."""

    async def scene() -> None:
        settings = embedded(tmp_path, SMALL, "chat", "responses", "messages")
        found = await probe(settings)
        schema = {one.wire: one.verdict for one in found.findings if one.check == "schema"}
        assert schema == {"chat": "honoured", "responses": "ignored", "messages": "ignored"}
        model = bootstrap.rules_from(settings).catalog.models["m"]
        assert "schema" not in model.capabilities

    run(scene())


@needs_engine
def test_a_model_that_was_never_taught_tools_loses_them(tmp_path: Path) -> None:
    async def scene() -> None:
        settings = embedded(tmp_path, SMALL, capabilities=("stream", "schema", "tools"))
        found = await probe(settings)
        assert verdicts(found)["tools"] == "ignored"
        assert dry(settings).route(asked(tools=TOOLS)).chosen is None

    run(scene())


@needs_engine
def test_another_file_in_its_place_makes_the_result_stale(tmp_path: Path) -> None:
    async def scene() -> None:
        file = tmp_path / "model.gguf"
        shutil.copy(SMALL, file)
        settings = embedded(tmp_path, str(file), capabilities=("stream", "tools"))
        await probe(settings)
        rules = bootstrap.rules_from(settings)
        transport = Transport()
        assert (await bootstrap.rechecked(settings, rules, transport)).catalog.probes["m"].stale == ""
        shutil.copy(Path(SMALL).with_name("larger.gguf"), file)
        async with bootstrap.opened(settings) as wired:
            assert "runs" in wired.rules.catalog.probes["m"].stale
            assert "tools" in wired.rules.catalog.models["m"].capabilities
        (again,) = kept.read(settings.probes_path)
        assert again.stale
        await transport.aclose()

    run(scene())


# a server that tells its version


def test_a_server_that_was_updated_is_not_judged_by_the_old_result(tmp_path: Path) -> None:
    async def scene() -> None:
        version = "0.31.0"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Say what this kind of server says about itself."""
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                told: Any = {"version": version}
                if b"/models" in line:
                    told = {"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096}]}
                body = json.dumps(told).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        transport = Transport()
        try:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            endpoint = EndpointRow(name="up", kind="vllm", url=url, tier=Tier.LOCAL)
            document = Document(endpoint=(endpoint,), model=(ModelRow(id="m", endpoint="up"),))
            settings = Settings(document=document, home=tmp_path)
            catalog = bootstrap.promised(settings)
            assert await bootstrap.version_of(catalog.endpoints["up"], transport) == version
            async with ScriptedUpstream() as up:
                measured = await probe(settings_for(tmp_path / "elsewhere", up, "scripted-1?ignores=tools"))
            row = row_digest(catalog.endpoints["up"], catalog.models["m"])
            kept.keep(settings.probes_path, [msgspec.structs.replace(measured, row=row, version=version)])
            rules = bootstrap.rules_from(settings)
            assert (
                "tools" not in (await bootstrap.rechecked(settings, rules, transport)).catalog.models["m"].capabilities
            )
            version = "0.32.0"
            found = (await bootstrap.rechecked(settings, rules, transport)).catalog
            assert "ran 0.31.0, and runs 0.32.0" in found.probes["m"].stale
            assert "tools" in found.models["m"].capabilities
        finally:
            await transport.aclose()
            server.close()
            await server.wait_closed()

    run(scene())
