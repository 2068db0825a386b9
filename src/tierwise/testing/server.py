"""The scripted upstream: a real server on loopback whose answers, bills and faults can be computed beforehand.

`async with ScriptedUpstream() as up`, or `with ScriptedUpstream.in_thread() as up` in a program without a loop.
Invariant: nothing is random and nothing depends on the clock but the pauses that a script asks for.
"""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import msgspec

from tierwise.testing import (
    speech_chat,
    speech_embeddings,
    speech_gemini,
    speech_messages,
    speech_ollama,
    speech_responses,
)
from tierwise.testing.connection import Connection, Received
from tierwise.testing.faults import ORDINARY, Script, read_script
from tierwise.testing.replies import reply_to
from tierwise.testing.speech import Speech, Unfit
from tierwise.testing.steps import Steps, instead, plain, refusal, steps_for

START_TIMEOUT_S = 10.0
COUNT_PATH = "/v1/messages/count_tokens"
EMBEDDINGS_PATH = "/v1/embeddings"
SPEECHES: Mapping[str, Speech] = {
    "/v1/chat/completions": speech_chat,
    "/v1/responses": speech_responses,
    "/v1/messages": speech_messages,
    "/api/chat": speech_ollama,
}

_decode = msgspec.json.Decoder().decode


class ScriptedUpstream:
    """A server that speaks Chat Completions, Responses, Messages, Embeddings, Gemini and Ollama on one port.

    `url` ends with the version path; `generate_url` with that of Gemini. With a `key` it wants that one, as a bearer
    token or in the header that the wire's vendor uses. It keeps every request in `received` and counts `connections`.
    `pages` are answered to GET as they stand, by path: text, or what is JSON. So it can play any server's status page.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        models: tuple[str, ...] = ("scripted-1",),
        context_tokens: int = 8192,
    ) -> None:
        self.host, self.port = host, port
        self.models, self.context_tokens = models, context_tokens
        self.received: list[Received] = []
        self.pages: dict[str, Any] = {}
        self.connections = 0
        self._key = key
        self._scripts: deque[Script] = deque()
        self._used: Counter[str] = Counter()
        self._open: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """The base URL to configure a client with."""
        return f"http://{self.host}:{self.port}/v1"

    @property
    def generate_url(self) -> str:
        """The base URL for clients that ask for `generateContent`."""
        return f"http://{self.host}:{self.port}/v1beta"

    @property
    def asked(self) -> list[Received]:
        """The requests for an answer, without those for the list of models."""
        return [request for request in self.received if request.method == "POST"]

    @property
    def cancelled(self) -> int:
        """How many answers were not finished because the client went away."""
        return sum(request.cancelled for request in self.received)

    @property
    def prompt_tokens(self) -> int:
        """All tokens read for answers, as a bill would show them."""
        return sum(request.prompt_tokens for request in self.received)

    @property
    def completion_tokens(self) -> int:
        """All tokens written, as a bill would show them."""
        return sum(request.completion_tokens for request in self.received)

    def script(self, *scripts: Script) -> None:
        """Answer the next requests by these scripts, one each; they come before what a model's name says."""
        self._scripts.extend(scripts)

    def hang_up(self) -> None:
        """Close every connection that is open, from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._close_all)

    async def __aenter__(self) -> Self:
        loop = self._loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._close_all()
        await self._server.wait_closed()

    def _close_all(self) -> None:
        for connection in list(self._open):
            connection.close()

    async def serve(self) -> None:
        """Answer until cancelled."""
        async with self:
            await asyncio.get_running_loop().create_future()

    @classmethod
    @contextmanager
    def in_thread(cls, **options: Any) -> Iterator[Self]:
        """Run a server in a thread of its own; the options are those of the class."""
        upstream = cls(**options)
        started = threading.Event()
        stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

        async def run() -> None:
            async with upstream:
                ended = asyncio.Event()
                stop.append((asyncio.get_running_loop(), ended))
                started.set()
                await ended.wait()

        thread = threading.Thread(target=asyncio.run, args=(run(),), name="scripted-upstream", daemon=True)
        thread.start()
        if not started.wait(START_TIMEOUT_S):
            raise TimeoutError("the scripted upstream did not start")
        try:
            yield upstream
        finally:
            loop, ended = stop[0]
            loop.call_soon_threadsafe(ended.set)
            thread.join(START_TIMEOUT_S)

    def _connection(self) -> Connection:
        self.connections += 1
        return Connection(self.connections, self._answer, self._open)

    def _answer(self, request: Received) -> Steps:
        self.received.append(request)
        path = urlsplit(request.path).path
        speech, name = _spoken_at(path)
        if self._key is not None and request.key != self._key:
            return refusal(401, "Wrong or missing key.", "invalid_api_key", speech=speech or speech_chat)
        if request.method == "GET" and (page := self.pages.get(request.path, self.pages.get(path))) is not None:
            return plain(200, page.encode() if isinstance(page, str) else msgspec.json.encode(page))
        if request.method == "GET" and path in ("/v1/models", "/v1beta/models"):
            return plain(200, speech_chat.models(self.models, self.context_tokens))
        if speech is None and path not in (COUNT_PATH, EMBEDDINGS_PATH):
            return refusal(404, "No such path.", "unknown_url")
        if request.method != "POST":
            return refusal(405, "Only POST.", "method_not_allowed")
        return self._complete(request, speech, name, path)

    def _complete(self, received: Received, speech: Speech | None, name: str | None, path: str) -> Steps:
        says = speech or (speech_messages if path == COUNT_PATH else speech_chat)
        try:
            request = _decode(received.body)
            if not isinstance(request, dict):
                return refusal(400, "The body must be an object.", "invalid_value", speech=says)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refusal(400, "The body is not JSON.", "invalid_json", speech=says)
        if name is not None:
            request |= {"model": name, "stream": ":stream" in path}
        fault = _shape_fault(request, says)
        if fault is not None:
            return fault
        try:
            model, script = read_script(request["model"])
        except ValueError as error:
            return refusal(400, str(error), "bad_script", speech=says)
        if model not in self.models:
            return refusal(404, f"The model {model!r} does not exist.", "model_not_found", speech=says)
        script = self._next_script(request["model"], script)
        try:
            if speech is None:
                return self._counted(request, received, path, model, script)
            steps = steps_for(request, model, script, len(self.received), speech, received.headers)
        except Unfit as unfit:
            return refusal(400, str(unfit), unfit.code, speech=says)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            return refusal(
                400, f"The scripted model cannot read this request: {error!r}.", "invalid_value", speech=says
            )
        if steps.prompt_tokens > self.context_tokens:
            return refusal(400, f"More than {self.context_tokens} tokens.", "context_length_exceeded", speech=says)
        return steps

    def _counted(self, request: dict[str, Any], received: Received, path: str, model: str, script: Script) -> Steps:
        """Answer what makes no text: a count of tokens, or vectors."""
        fault = instead(script, speech_messages if path == COUNT_PATH else speech_chat, stream=False)
        if fault is not None:
            return fault
        if path == COUNT_PATH:
            asked = speech_messages.normal(request | {"max_tokens": 1}, received.headers, script)
            return plain(200, speech_messages.count(request, reply_to(asked, model, ORDINARY).prompt_tokens))
        tokens = sum(len(text.split()) for text in speech_embeddings.texts(request))
        only_floats = script.fault == "only_floats"
        body = speech_embeddings.whole(request, model, tokens, only_floats=only_floats)
        return msgspec.structs.replace(plain(200, body), prompt_tokens=tokens)

    def _next_script(self, name: str, script: Script) -> Script:
        if self._scripts:
            return self._scripts.popleft()
        self._used[name] += 1
        return ORDINARY if script.times and self._used[name] > script.times else script


def _spoken_at(path: str) -> tuple[Speech | None, str | None]:
    """Return the wire of an address, and the model where the address names it."""
    named = speech_gemini.ADDRESS.fullmatch(path)
    return (speech_gemini, unquote(named[1])) if named else (SPEECHES.get(path), None)


def _shape_fault(request: dict[str, Any], speech: Speech) -> Steps | None:
    """Refuse what a real server would refuse too, as far as the rules of the answer depend on it."""
    if not isinstance(request.get("model"), str):
        return refusal(400, "model must be a string.", "invalid_value", speech=speech)
    messages = request.get("messages", [{}])
    if not isinstance(messages, list) or not messages or not all(isinstance(m, Mapping) for m in messages):
        return refusal(400, "messages must be a list of objects.", "invalid_value", speech=speech)
    if speech is speech_chat and "messages" not in request and "input" not in request:
        return refusal(400, "messages must be a list of objects.", "invalid_value", speech=speech)
    metadata = request.get("metadata")
    if isinstance(metadata, Mapping) and any(name.startswith("x-tierwise-") for name in metadata):
        return refusal(400, "metadata holds hints for a gateway.", "invalid_value", speech=speech)
    return None
