"""What reads bytes that others wrote? One row for each decoder: its name, its good inputs, what it may raise.

Knows neither Hypothesis nor atheris, which both read this table. Invariant: a run raises nothing but what its row names,
and what a row can tell of a result (the same for any split, the same when written again) it asserts.
"""

import functools
import io
import json
import math
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, get_args

import msgspec

from tests.contract import (
    chat_recordings,
    gemini_recordings,
    messages_recordings,
    ollama_recordings,
    responses_recordings,
)
from tests.documents.markdown import Document
from tests.unit.hardware.files import TINY
from tests.unit.ledger.samples import a_decision, an_intent
from tests.unit.linear.files import TINY as LINEAR
from tests.unit.wires.callers import BODIES
from tierwise import bootstrap, config
from tierwise.cli.importing import translated
from tierwise.cli.imports import results
from tierwise.cli.imports.written import written
from tierwise.core.answer import Answer, Delta, assemble
from tierwise.core.call import Call, Part
from tierwise.core.errors import CallRejected, ConfigError, ProviderError, StoreError, TierwiseError
from tierwise.core.model import Capability
from tierwise.core.secret import Secret
from tierwise.evals import dataset, prompt
from tierwise.evals.data import read as items
from tierwise.gateway import masking, replay
from tierwise.gateway.restoring import Restoring
from tierwise.hardware.gguf import Unreadable, read_header
from tierwise.ledger.encode import decode_decision, decode_intent, encode_decision, encode_intent
from tierwise.linear.header import Unreadable as NotLinear
from tierwise.linear.model import from_bytes
from tierwise.policy import released
from tierwise.policy.detect import Detectors
from tierwise.policy.pseudonyms import Pseudonyms
from tierwise.policy.settings import LabelSettings
from tierwise.providers.address import Address
from tierwise.providers.address import parse as parse_address
from tierwise.quality.gate import check_answer
from tierwise.quality.schema import CannotCheck, problem
from tierwise.quality.settings import Gates
from tierwise.registry import kept
from tierwise.testing.faults import read_script
from tierwise.wires import responses
from tierwise.wires.error import error_from
from tierwise.wires.hints import read_hints
from tierwise.wires.known import APART, CALLERS, ENDPOINTS, SHARED
from tierwise.wires.messages_seals import seal_of as messages_seal
from tierwise.wires.opaque import document, seal_at
from tierwise.wires.responses_request import output_of, previous_of, with_references
from tierwise.wires.responses_sealed import seal_of as responses_seal
from tierwise.wires.schema import check_schemas
from tierwise.wires.seals import enclose, open_seal
from tierwise.wires.splice import edit, members, parse
from tierwise.wires.sse import SseDecoder
from tierwise.wires.stream import LineDecoder
from tierwise.wires.wire import EncodedRequest, Recipient

ROOT = Path(__file__).resolve().parents[2]
CANARY = "sk-canary-0123456789abcdef"
"""The key of the endpoint that is asked: no error may repeat it."""
KEY = Secret(CANARY)
RECORDED: Mapping[str, Any] = {
    "chat": chat_recordings,
    "responses": responses_recordings,
    "messages": messages_recordings,
    "gemini": gemini_recordings,
    "ollama": ollama_recordings,
}
Run = Callable[[bytes], object]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`run` takes any bytes; `seeds` are good ones; `refuses` is what it may raise. `limit_s` is of work, and
    `times` the input what is held at most: files that a command reads may cost it more, half a million rows in one MB."""

    run: Run
    seeds: Callable[[], Sequence[bytes]]
    refuses: tuple[type[Exception], ...] = (TierwiseError,)
    limit_s: float = 2.0
    times: int = 100


# what callers send


def _recipients() -> list[Recipient]:
    able: frozenset[Capability] = frozenset(get_args(Capability))
    named = {"endpoint": "e", "served_name": "s"}
    return [
        Recipient(**named, stream=True, capabilities=able, logprobs=True, no_store=True),
        Recipient(**named, stream=False, unseal=True, max_output_tokens=100, context_tokens=1000),
    ]


RECIPIENTS = _recipients()


def _asks(wire: str, body: bytes) -> None:
    """Read a request as the server does, and write it for every endpoint that could get it."""
    if wire == responses.WIRE:
        previous_of(body)
        body = with_references(body, lambda _name: None)
    call = CALLERS[wire].decode_request(body)
    for to in RECIPIENTS:
        parse(SHARED[wire].splice_request(call, to).body)
    if wire in APART:
        return
    conversation = CALLERS[wire].read_conversation(call)
    for to in RECIPIENTS:
        for spoken, endpoint in ENDPOINTS.items():
            if spoken not in APART:
                _written(endpoint.encode_request, conversation, to)


def _written(encode: Callable[[Any, Recipient], EncodedRequest], conversation: Any, to: Recipient) -> None:
    request = encode(conversation, to)
    json.loads(request.body)


def _masks(wire: str, body: bytes) -> None:
    """Take the values out, and see that a second look finds none."""
    call = CALLERS[wire].decode_request(body)
    masking.masked(call, Pseudonyms("q7Zk"), _detectors())


@functools.cache
def _detectors() -> Detectors:
    return Detectors(LabelSettings(), clock=time.monotonic)


def _detects(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    parts = [Part(kind="text", path="messages[0].content", text=text)]
    parts += [Part(kind="file", path="messages[0].content[1]", text=f"data:text/plain;base64,{text}")]
    for found in _detectors().scan(parts):
        assert "failed" not in found.detail, found


# what endpoints answer


@functools.cache
def _calls() -> dict[str, Call]:
    return {wire: CALLERS[wire].decode_request(_body(wire, more)) for wire, more in {
        "chat": {}, "responses": {}, "messages": {},
    }.items()}  # fmt: skip


def _body(wire: str, more: Mapping[str, Any]) -> bytes:
    return json.dumps(BODIES[wire] | more).encode()


EMBEDDING = CALLERS["embeddings"].decode_request(b'{"model":"m","input":"hi","encoding_format":"base64"}')
GATES = Gates(refusal=True, min_logprob=-1.0)


def _answers(wire: str, body: bytes) -> None:
    """Read a whole answer, check it, and write it for every caller."""
    answer = ENDPOINTS[wire].decode_answer(body, key=KEY, mark="m")
    if wire in APART:
        CALLERS[wire].encode_answer(answer, EMBEDDING, ident="i")
        return
    _handed_over(wire, answer)


def _handed_over(wire: str, answer: Answer) -> None:
    for caller, call in _calls().items():
        own = caller == wire
        given = answer if own else msgspec.structs.replace(answer, raw=b"")
        check_answer(GATES, call, given, model_id="m")
        said = CALLERS[caller].encode_answer(given, call, ident="i", strip_logprobs=own)
        json.loads(said)
        if caller == responses.WIRE:
            output_of(said)
        restored = Restoring(Pseudonyms("q7Zk"), "e", caller if own else "", json=False).whole(given)
        json.loads(CALLERS[caller].encode_answer(restored, call, ident="i"))


def _streams(wire: str, body: bytes) -> None:
    """Read a stream whole and in pieces, which must be the same, and write it for every caller."""
    deltas, error = _heard(wire, [body])
    assert _heard(wire, split(body)) == (deltas, error)
    for caller, call in _calls().items():
        given = deltas if caller == wire else [msgspec.structs.replace(one, raw=b"", event="") for one in deltas]
        restoring = Restoring(Pseudonyms("q7Zk"), "e", caller if caller == wire else "", json=False)
        writer = CALLERS[caller].answer_writer(call, ident="i")
        for delta in restoring.streamed(given):
            writer.write(delta)
        if error:
            writer.error(CALLERS[caller].error_body(502, "broken", "server_error", None, "upstream_incomplete"))
        else:
            writer.end()
    check_answer(GATES, _calls()["chat"], assemble(deltas), model_id="m")


def _heard(wire: str, parts: Sequence[bytes]) -> tuple[list[Delta], str]:
    decoder = ENDPOINTS[wire].answer_decoder(key=KEY, mark="m")
    deltas: list[Delta] = []
    try:
        for part in parts:
            deltas += decoder.feed(part)
        deltas += decoder.finish()
    except ProviderError as error:
        assert CANARY not in str(error)
        return deltas, f"{type(error).__name__} {error.code} {error}"
    return deltas, ""


def split(data: bytes) -> list[bytes]:
    """Cut bytes into pieces, always the same ones for the same bytes."""
    random, pieces, at = Random(zlib.crc32(data)), [], 0
    while at < len(data):
        step = random.choice((1, 1, 2, 7, 64, 1024))
        pieces.append(data[at : at + step])
        at += step
    return pieces


def _frames(make: Callable[[], Any], data: bytes) -> None:
    whole, cut = make(), make()
    found, error = _framed(whole, [data])
    assert _framed(cut, split(data)) == (found, error)


def _framed(decoder: Any, parts: Sequence[bytes]) -> tuple[list[Any], str]:
    events: list[Any] = []
    try:
        for part in parts:
            events += decoder.feed(part)
        events += decoder.finish()
    except ProviderError as error:
        return events, str(error)
    return events, ""


def _refusals(data: bytes) -> None:
    """Read an error: its first line is the header `retry-after`, the second that of the status."""
    wait, _, rest = data.partition(b"\n")
    status, _, body = rest.partition(b"\n")
    number = int(status) % 1000 if status.isdigit() and len(status) < 9 else 500
    headers = {b"retry-after": wait, b"retry-after-ms": wait[::-1]}
    error = error_from(number, headers, body, 1_800_000_000.0, key=KEY)
    assert len(str(error)) < 1000 and CANARY not in str(error) and CANARY not in str(error.code)
    for wire in CALLERS.values():
        json.loads(wire.error_body(500, str(error), "server_error", None, error.code))


# pieces that the wires share


def _splices(data: bytes) -> None:
    """Read JSON, and see that an edit changes what it names and nothing else."""
    tree = parse(data)
    spans = members(data)
    assert edit(data, spans=spans) == data
    assert set(spans) == set(tree)
    changed = parse(edit(data, put={"model": b'"other"'}, drop={"stream"}, spans=spans))
    same = {name: value for name, value in tree.items() if name not in ("model", "stream")}
    assert changed == same | {"model": "other"}


def _seals(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    seal = open_seal(text)
    if seal is not None:
        assert open_seal(enclose(seal)) == seal
    seal_at("messages[0].content[0].signature", text)
    for read in (messages_seal, responses_seal):
        for kind in ("thinking", "redacted_thinking", "reasoning"):
            read({"type": kind, "signature": text, "data": text, "encrypted_content": text, "id": text})
    found = document(text)
    if found is not None:
        found.written(found.text)


def _schemas(data: bytes) -> None:
    pair = parse(data)
    check_schemas([("schema", pair.get("schema"))])
    problem(pair.get("value"), pair.get("schema"))


def _hints(data: bytes) -> None:
    lines = [line.partition(": ") for line in data.decode("latin-1").split("\n")]
    read_hints([(name, value) for name, _, value in lines])


# what people and other programs write


def _configures(data: bytes) -> None:
    document = config.parse(data.decode("utf-8", "replace"))
    settings = config.Settings(document=document, home=Path("/nonexistent"))
    config.effective(settings)
    bootstrap.rules_from(settings)


def _linear(data: bytes) -> None:
    """Read a linear model; one that is read gives every text chances that add up, and is written as it was."""
    model = from_bytes(data)
    assert abs(sum(math.exp(one) for one in model.logprobs("card money refund")) - 1) < 1e-6
    assert from_bytes(model.to_bytes()).to_bytes() == model.to_bytes()


def _policies(data: bytes) -> None:
    policy = released.parse(data)
    assert released.parse(released.canonical(policy)) == policy


def _imports(gateway: str, data: bytes) -> None:
    """Read a file of another gateway; what is written of it must load here."""
    draft = translated(gateway, data.decode("utf-8", "replace"), "file")
    document = config.parse(written(draft))
    bootstrap.rules_from(config.Settings(document=document, home=Path("/nonexistent")))


def _records(data: bytes) -> None:
    replay.read(data)
    for decode, encode in ((decode_decision, encode_decision), (decode_intent, encode_intent)):
        try:
            record: Any = decode(data)
        except StoreError:
            continue
        again = encode(record)
        assert encode(decode(again)) == again


def _from_file(suffix: str, read: Callable[[Path], object], data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(data)
        file.flush()
        read(Path(file.name))


def _addresses(data: bytes) -> None:
    parse_address(Address(url=data.decode("latin-1"), key=KEY)).head("POST", "/x")


# good inputs


def _said(wire: str) -> Sequence[bytes]:
    return [json.dumps(body).encode() for body in SPOKEN[wire]]


LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
SPOKEN: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "chat": [BODIES["chat"], {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True,
                              "stream_options": {"include_usage": True}}],
    "responses": [BODIES["responses"], {"model": "m", "input": "hi", "stream": True, "tools": [
        {"type": "namespace", "name": "n", "tools": [LOOK]}, {"type": "custom", "name": "c", "format": {
            "type": "grammar", "syntax": "regex", "definition": "a+"}}]},
        {"model": "m", "input": [{"type": "item_reference", "id": "x"}, {"type": "custom_tool_call", "call_id": "c",
         "name": "c", "input": "y"}, {"type": "custom_tool_call_output", "call_id": "c", "output": "z"}]}],
    "messages": [BODIES["messages"], {"model": "m", "max_tokens": 9, "system": "s", "stream": True, "messages": [
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": [{"type": "redacted_thinking",
         "data": "tw1.x"}, {"type": "text", "text": "x"}]}, {"role": "user", "content": [{"type": "text", "text": "y",
         "cache_control": {"type": "ephemeral"}}]}], "context_management": {"edits": [{"type": "clear_thinking"}]}}],
    "count_tokens": [{name: value for name, value in BODIES["messages"].items() if name != "max_tokens"}],
    "embeddings": [{"model": "m", "input": ["a", "b"], "encoding_format": "float", "dimensions": 2,
                    "metadata": {"x-tierwise-label": "internal"}}],
}  # fmt: skip
SECRETS = (
    "card 4111 1111 1111 1111, DE89370400440532013000, password: hunter22x, AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\nhttps://u:p4ssw0rd@h.example/",
    "%34%31%31 \\u0034 &#52; NDExMSAxMTExIDExMTEgMTExMQ== 34313131203131313120313131312031313131",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefgh Bearer abcdef0123456789abcdef ssn 123456789",
)


def _masked_seeds(wire: str) -> Sequence[bytes]:
    return [
        body.replace(b"What is this?", json.dumps(text)[1:-1].encode()) for body in _said(wire)[:1] for text in SECRETS
    ]


def _whole(wire: str) -> Sequence[bytes]:
    return [recording.body for recording in RECORDED[wire].WHOLES]


def _streamed(wire: str) -> Sequence[bytes]:
    return [recording.body for recording in RECORDED[wire].STREAMS]


def _toml() -> Sequence[bytes]:
    pages = [*ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
    blocks = [block for page in sorted(pages) for block in Document.read(page, ROOT).blocks if block.language == "toml"]
    return [block.text.encode() for block in blocks]


def _policy_seeds() -> Sequence[bytes]:
    parsed = [config.parse(text.decode()) for text in _toml()]
    return [released.canonical(released.Written(labels=one.labels, rule=one.rule)) for one in parsed]


def _recorded() -> Sequence[bytes]:
    return [encode_decision(a_decision(1, dropped=("a",), reason="why")), encode_intent(an_intent(2))]


VECTORS = b'{"data":[{"index":0,"embedding":[0.5,-1]},{"index":1,"embedding":"AAAAPw=="}],"model":"m","usage":{"prompt_tokens":2}}'
ERRORS = [
    b"7\n429\n" + json.dumps({"error": {"message": f"key {CANARY} is wrong", "code": "x", "type": "y"}}).encode(),
    b"Wed, 21 Oct 2026 07:28:00 GMT\n400\n" + b'{"error":{"message":"maximum context length","param":null,"code":400}}',
    b"0\n500\n" + b'{"type":"error","error":{"type":"overloaded_error","message":"no"},"detail":[{"msg":"x"}]}',
    b"x\n502\n<html>no</html>",
]
SCHEMA = {
    "schema": {"type": "object", "$defs": {"a": {"enum": [1, None]}}, "required": ["x"], "properties": {
        "x": {"$ref": "#/$defs/a"}, "y": {"type": ["string", "null"], "pattern": "^a+$", "minLength": 1},
        "z": {"anyOf": [{"const": 1}, {"type": "array", "items": {"type": "number", "multipleOf": 0.5}}]}},
        "patternProperties": {"^q": {"not": {}}}, "additionalProperties": False},
    "value": {"x": None, "y": "aa", "z": [1.5]},
}  # fmt: skip
LITELLM = b"""\
model_list:
  - &first
    model_name: asked
    litellm_params: {model: openai/served, api_base: "http://127.0.0.1:9/v1", api_key: os.environ/K, weight: 2, order: 1}
    model_info: {mode: chat, supports_vision: true, input_cost_per_token: 0.000001, max_input_tokens: 8192}
  - <<: *first
    model_name: other
router_settings: {routing_strategy: simple-shuffle, fallbacks: [{asked: [other]}], model_group_alias: {a: asked}, num_retries: 2}
litellm_settings: {request_timeout: 30, drop_params: true}
general_settings: {master_key: sk-1234, max_budget: 10, budget_duration: 30d}
"""
PORTKEY = json.dumps({
    "strategy": {"mode": "conditional", "conditions": [{"query": {"$or": [{"params.model": "best"}, {"params.model":
     {"$in": ["top"]}}]}, "then": "b"}, {"query": {"metadata.plan": {"$eq": "paid"}}, "then": "a"}], "default": "a"},
    "retry": {"attempts": 2}, "request_timeout": 100, "cache": {"mode": "x"},
    "targets": [{"name": "a", "provider": "openai", "custom_host": "http://127.0.0.1:9/v1", "override_params":
                 {"model": "x"}, "weight": 0.5}, {"name": "b", "virtual_key": "openai-1", "api_key": "sk-x"}],
}).encode()  # fmt: skip
TENSORZERO = b"""\
[gateway]
bind_address = "127.0.0.1:3000"
[models.mini]
routing = ["first", "second"]
[models.mini.providers.second]
type = "vllm"
model_name = "q"
api_base = "http://gpu:8000/v1/"
[models.mini.providers.first]
type = "openai"
model_name = "gpt-x"
api_key_location = "env::MY_KEY"
timeouts.streaming.ttft_ms = 1500
[functions.write.variants.a]
type = "chat_completion"
model = "mini"
weight = 3
retries.num_retries = 2
[functions.write.variants.b]
type = "chat_completion"
model = "anthropic::claude-x"
"""
OLLAMA = [
    b'# mine\nfrom llama3.2:3b\nPARAMETER num_ctx 8192\nPARAMETER temperature 1\nSYSTEM """You\nFROM x\n"""\n',
    b"FROM ./models/My Model.gguf\nADAPTER x\nTEMPLATE {{ .Prompt }}\n",
    b"NAME ID SIZE MODIFIED\nllama3.2:3b        a80c4f17acd5    2.0 GB    3 weeks ago\n",
    b'{"models":[{"name":"a:1","model":"a:1","size":1,"details":{"family":"llama","context_length":4096},"capabilities":["completion","tools"]}]}',
]
PROBES = b'{"format":1,"probes":[]}'
ITEMS = [
    b'{"id":"a","text":"hello","label":"x"}\n{"text":"hi","expected":null,"document":3}',
    b'{"id":"a","fields":{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]},"split":"tune","label":"public"}',
    b'[{"text":"hello","category":{"a":[1,true]}},{"text":"hi","sensitivity":"internal","customer":"c"}]',
]
PROMPTS = [
    b'system = "s"\nuser = "{{text}}"\nstop = ["x"]\n[[example]]\nuser = "u"\nassistant = "a"\n[schema]\ntype = "object"'
]
RESULTS = [
    b'{"results":{"results":[{"vars":{"t":"x"},"provider":{"id":"p"},"response":{"output":"y","tokenUsage":{"prompt":1}},'
    b'"score":1,"latencyMs":3,"testCase":{"assert":[{"type":"equals","value":"y"}]}}]}}',
    b'{"status":"success","eval":{"model":"m"},"samples":[{"id":1,"epoch":1,"input":[{"role":"user","content":"x"}],'
    b'"target":"y","scores":{"s":{"value":"C"}},"output":{"choices":[{"stop_reason":"stop"}]}}]}',
    b'{"doc_id":0,"doc":{},"target":"1","arguments":{"gen_args_0":{"arg_0":"x","arg_1":"y"}},"filter":"none",'
    b'"metrics":["acc"],"acc":1.0}',
]
LABELLED = (b'text,label\n"a, b",x\nc,y\n', b'{"text":"a","label":"x"}\n{"text":"b","category":"y"}\n')
ADDRESSES = [b"http://127.0.0.1:8080/v1", b"https://[::1]:443/a/b", b"https://u:p@h.example/v1?x#y"]


def _rows() -> dict[str, Target]:
    rows: dict[str, Target] = {}
    for wire in CALLERS:
        refuses = (CallRejected, ProviderError)
        rows[f"ask-{wire}"] = Target(
            run=functools.partial(_asks, wire), seeds=functools.partial(_said, wire), refuses=refuses
        )
    for wire in ("chat", "responses", "messages"):
        rows[f"mask-{wire}"] = Target(
            run=functools.partial(_masks, wire), seeds=functools.partial(_masked_seeds, wire), refuses=(CallRejected,)
        )
    for wire in RECORDED:
        answers, streams = functools.partial(_whole, wire), functools.partial(_streamed, wire)
        rows[f"answer-{wire}"] = Target(run=functools.partial(_answers, wire), seeds=answers, refuses=(ProviderError,))
        rows[f"stream-{wire}"] = Target(run=functools.partial(_streams, wire), seeds=streams, refuses=(ProviderError,))
    rows |= {
        "answer-embeddings": Target(
            run=functools.partial(_answers, "embeddings"), seeds=lambda: [VECTORS], refuses=(ProviderError,)
        ),
        "answer-count_tokens": Target(
            run=functools.partial(_answers, "count_tokens"), seeds=lambda: [b'{"input_tokens":7}'], refuses=(ProviderError,)
        ),
        "detect": Target(run=_detects, seeds=lambda: [text.encode() for text in SECRETS], refuses=()),
        "error": Target(run=_refusals, seeds=lambda: ERRORS, refuses=()),
        "sse": Target(run=functools.partial(_frames, SseDecoder), seeds=lambda: _streamed("messages"), refuses=()),
        "lines": Target(run=functools.partial(_frames, LineDecoder), seeds=lambda: _streamed("ollama"), refuses=()),
        "splice": Target(run=_splices, seeds=lambda: _said("chat"), refuses=(CallRejected,)),
        "seal": Target(run=_seals, seeds=lambda: [b"tw1.k6FhoWKhYw", b"EqQBCgIYAhIM", b"data:text/plain;base64,YWJj"], refuses=()),
        "schema": Target(run=_schemas, seeds=lambda: [json.dumps(SCHEMA).encode()], refuses=(CallRejected, CannotCheck)),
        "hints": Target(
            run=_hints, seeds=lambda: [b"x-tierwise-label: internal\nx-tierwise-quality: 0.5\nx-tierwise-max-cost-usd: 1"],
            refuses=(CallRejected,),
        ),
        "config": Target(run=_configures, seeds=_toml, refuses=(ConfigError,)),
        "policy": Target(run=_policies, seeds=_policy_seeds, refuses=(ConfigError,)),
        "linear": Target(run=_linear, seeds=lambda: [LINEAR], refuses=(NotLinear,)),
        "gguf": Target(run=lambda data: read_header(io.BytesIO(data), len(data)), seeds=lambda: [TINY], refuses=(Unreadable,)),
        "record": Target(run=_records, seeds=_recorded, refuses=(StoreError,)),
        "probes": Target(run=functools.partial(_from_file, ".json", kept.read), seeds=lambda: [PROBES], refuses=(ConfigError,)),
        "labelled-csv": Target(run=functools.partial(_from_file, ".csv", _labelled), seeds=lambda: LABELLED, refuses=(ConfigError,)),
        "labelled-lines": Target(run=functools.partial(_from_file, ".jsonl", _labelled), seeds=lambda: LABELLED[::-1], refuses=(ConfigError,)),
        "items-csv": Target(limit_s=10.0, times=400, run=functools.partial(_from_file, ".csv", items.read), seeds=lambda: LABELLED, refuses=(ConfigError,)),
        "items-lines": Target(limit_s=10.0, times=400, run=functools.partial(_from_file, ".jsonl", items.read), seeds=lambda: ITEMS, refuses=(ConfigError,)),
        "items-array": Target(limit_s=10.0, times=400, run=functools.partial(_from_file, ".json", items.read), seeds=lambda: ITEMS, refuses=(ConfigError,)),
        "prompt": Target(run=lambda data: prompt.parse(data, "p"), seeds=lambda: PROMPTS, refuses=(ConfigError,)),
        "results": Target(run=functools.partial(_from_file, ".json", _results), seeds=lambda: RESULTS, refuses=(ConfigError,)),
        "results-lines": Target(run=functools.partial(_from_file, ".jsonl", _results), seeds=lambda: RESULTS[::-1], refuses=(ConfigError,)),
        "address": Target(run=_addresses, seeds=lambda: ADDRESSES, refuses=(ConfigError,)),
        "script": Target(
            run=lambda data: read_script(data.decode("latin-1")), seeds=lambda: [b"m?fault=error&status=503&times=2&delay_ms=1"],
            refuses=(ValueError, msgspec.ValidationError),
        ),
    }  # fmt: skip
    for gateway, seeds in {
        "litellm": [LITELLM],
        "portkey": [PORTKEY],
        "tensorzero": [TENSORZERO],
        "ollama": OLLAMA,
    }.items():
        rows[f"import-{gateway}"] = Target(
            run=functools.partial(_imports, gateway), seeds=functools.partial(list, seeds), refuses=(ConfigError,)
        )
    return rows


def _results(path: Path) -> object:
    found = results.gathered([path])
    return results.items_of(found, path)


def _labelled(path: Path) -> object:
    return dataset.read(path, ("x", "y"))


TARGETS: Mapping[str, Target] = _rows()
