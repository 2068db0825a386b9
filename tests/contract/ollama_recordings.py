"""What Ollama's own interface sends, written by hand from the published formats, and what it means.

Source: Ollama's published API description (`/api/chat`, thinking, tool calling, errors in streams) and `api/types.go`,
read 2026-11. The meaning was worked out by reading, not by running the decoder.
"""

from tests.contract.recording import Recording
from tierwise.core.answer import Answer, Choice, Piece, TokenLogprob, ToolCall
from tierwise.core.usage import Usage

MARK = "m_"
LOOK = ToolCall(index=0, id="call_m_0_0", name="look", arguments='{"city":"K\u00f6ln"}')
HEAR = ToolCall(index=1, id="call_7", name="hear", arguments="{}")

STREAMS = [
    Recording(
        name="words, durations",
        body=b"""\
{"model":"qwen3:8b","created_at":"2026-11-02T10:00:00.1Z","message":{"role":"assistant","content":"Hello"},"done":false}
{"model":"qwen3:8b","created_at":"2026-11-02T10:00:00.2Z","message":{"role":"assistant","content":" \xc3\xa9\xf0\x9f\x98\x80"},"done":false}
{"model":"qwen3:8b","created_at":"2026-11-02T10:00:00.3Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":4935886791,"load_duration":534986708,"prompt_eval_count":26,"prompt_eval_duration":107345000,"eval_count":298,"eval_duration":4289432000}
""",
        answer=Answer(
            choices=(Choice(text="Hello \u00e9\U0001f600", finish="stop"),),
            usage=Usage(input=26, output=298),
            served_model="qwen3:8b",
        ),
        pieces=(Piece(text="Hello"), Piece(text=" \u00e9\U0001f600")),
    ),
    Recording(
        name="thinking, two calls of which the first has no id, a prompt that was all in the cache",
        body=b"""\
{"model":"gpt-oss:20b","message":{"role":"assistant","content":"","thinking":"Let me"},"done":false}
{"model":"gpt-oss:20b","message":{"role":"assistant","content":"","thinking":" see."},"done":false}
{"model":"gpt-oss:20b","message":{"role":"assistant","content":"I look.","tool_calls":[{"function":{"index":0,"name":"look","arguments":{"city":"K\xc3\xb6ln"}}}]},"done":false}
{"model":"gpt-oss:20b","message":{"role":"assistant","content":"","tool_calls":[{"id":"call_7","function":{"index":1,"name":"hear","arguments":{}}}]},"done":false}
{"model":"gpt-oss:20b","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":1,"eval_count":31}
""",
        answer=Answer(
            choices=(
                Choice(text="I look.", reasoning="Let me see.", tool_calls=(LOOK, HEAR), finish="tool_calls"),
            ),
            usage=Usage(output=31),
            served_model="gpt-oss:20b",
        ),
        pieces=(
            Piece(reasoning="Let me"),
            Piece(reasoning=" see."),
            Piece(text="I look."),
            Piece(tool_calls=(LOOK,)),
            Piece(tool_calls=(HEAR,)),
        ),
    ),
    Recording(
        name="an empty beginning, too long, CRLF, an empty line, no line end behind the last",
        body=b"""\
{"model":"m","message":{"role":"assistant","content":""},"done":false}\r\n\
\r\n\
{"model":"m","message":{"role":"assistant","content":"one\\n"},"done":false}\r\n\
{"model":"m","message":{"role":"assistant","content":"two"},"done":true,"done_reason":"length","prompt_eval_count":1,"eval_count":2}""",
        answer=Answer(
            choices=(Choice(text="one\ntwo", finish="length"),), usage=Usage(input=1, output=2), served_model="m"
        ),
        pieces=(Piece(text="one\n"), Piece(text="two")),
        content_at=1,
    ),
    Recording(
        name="an old server: no reason, no counts",
        body=b'{"model":"m","message":{"role":"assistant","content":"x"},"done":false}\n{"model":"m","message":{"role":"assistant","content":""},"done":true}\n',
        answer=Answer(choices=(Choice(text="x"),), served_model="m"),
        pieces=(Piece(text="x"),),
    ),
]  # fmt: skip

WHOLES = [
    Recording(
        name="words with log-probabilities",
        body=b"""\
{"model":"m","created_at":"2026-11-02T10:00:00Z","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop",
 "logprobs":[{"token":"H","logprob":-0.5,"bytes":[72],"top_logprobs":[{"token":"H","logprob":-0.5,"bytes":[72]}]},{"token":"i","logprob":0,"bytes":[105]}],
 "total_duration":5,"prompt_eval_count":3,"eval_count":2}
""",
        answer=Answer(
            choices=(
                Choice(text="Hi", tokens=(TokenLogprob(b"H", -0.5), TokenLogprob(b"i", 0.0)), finish="stop"),
            ),
            usage=Usage(input=3, output=2),
            served_model="m",
        ),
        pieces=(Piece(text="Hi", tokens=(TokenLogprob(b"H", -0.5), TokenLogprob(b"i", 0.0))),),
    ),
    Recording(
        name="thinking, words and calls at once",
        body=b'{"model":"m","message":{"role":"assistant","content":"I look.","thinking":"hm","tool_calls":[{"function":{"name":"look","arguments":{"city":"K\xc3\xb6ln"}}},{"id":"call_7","function":{"name":"hear","arguments":{}}}]},"done":true,"done_reason":"stop","prompt_eval_count":0,"eval_count":2}',
        answer=Answer(
            choices=(Choice(text="I look.", reasoning="hm", tool_calls=(LOOK, HEAR), finish="tool_calls"),),
            usage=Usage(output=2),
            served_model="m",
        ),
        pieces=(
            Piece(reasoning="hm"),
            Piece(text="I look."),
            Piece(tool_calls=(LOOK,)),
            Piece(tool_calls=(HEAR,)),
        ),
    ),
]  # fmt: skip
