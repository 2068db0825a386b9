"""What do the wires cost? Prints microseconds on this machine for the steps that every request and chunk takes.

Run: python benchmarks/wires.py
"""

import json
import time
from collections.abc import Callable

from tierwise.core.call import Hints
from tierwise.wires import chat
from tierwise.wires.splice import parse
from tierwise.wires.wire import Recipient

MESSAGES = [
    {"role": "system", "content": "You sort the messages of bank customers. " * 10},
    {"role": "user", "content": "How do I change the PIN of my card? " * 30},
    {"role": "assistant", "content": "Open the app and choose Card."},
    {"role": "user", "content": "Merci, et à l'étranger? " * 18},
]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{index}",
            "description": "Looks something up",
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}},
        },
    }
    for index in range(3)
]
PLAIN = json.dumps({"model": "auto", "messages": MESSAGES, "temperature": 0.2, "max_tokens": 200}).encode()
STREAMED = json.dumps({"model": "auto", "messages": MESSAGES, "stream": True}).encode()
WITH_TOOLS = json.dumps({"model": "auto", "messages": MESSAGES, "tools": TOOLS}).encode()
LARGE = json.dumps(
    {"model": "auto", "messages": [{"role": "user", "content": 'a line\n of "text" ' * 1000}] * 50}
).encode()

CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"small",'
    b'"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
)
LOGPROBS = CHUNK.replace(
    b'"logprobs":null',
    b'"logprobs":{"content":[{"token":" word","bytes":[32,119,111,114,100],"logprob":-0.25,"top_logprobs":[]}]}',
)
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "small",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 60}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 60, "total_tokens": 460},
    }
).encode()


def measure(name: str, step: Callable[[], object], size_bytes: int) -> None:
    """Print the best of seven runs."""
    runs = 2_000_000 // max(size_bytes, 200)
    best = float("inf")
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(runs):
            step()
        best = min(best, (time.perf_counter() - start) / runs)
    print(f"{name:48} {size_bytes:>10,} B {best * 1e6:>10.2f} us")


def main() -> None:
    """Measure each step."""
    for name, body in (("plain", PLAIN), ("with tools", WITH_TOOLS), ("large", LARGE)):
        call = chat.decode_request(body, Hints())
        measure(f"parse, {name}", lambda body=body: parse(body), len(body))
        measure(f"decode_request, {name}", lambda body=body: chat.decode_request(body, Hints()), len(body))
        measure(
            f"splice_request, {name}",
            lambda call=call: chat.splice_request(call, Recipient(endpoint="e", served_name="small", stream=False)),
            len(body),
        )
    call = chat.decode_request(STREAMED, Hints())
    measure(
        "splice_request, streamed with usage",
        lambda: chat.splice_request(call, Recipient(endpoint="e", served_name="small", stream=True, logprobs=True)),
        len(STREAMED),
    )
    for name, chunk, strip in (("text", CHUNK, False), ("log-probabilities stripped", LOGPROBS, True)):
        decoder = chat.AnswerDecoder()
        writer = chat.AnswerWriter(call, strip_logprobs=strip)

        def step(
            decoder: chat.AnswerDecoder = decoder, writer: chat.AnswerWriter = writer, chunk: bytes = chunk
        ) -> None:
            for delta in decoder.feed(chunk):
                writer.write(delta)

        measure(f"feed and write, {name}", step, len(chunk))
    measure("decode_answer", lambda: chat.decode_answer(ANSWER), len(ANSWER))


if __name__ == "__main__":
    main()
