"""What servers of the chat wire send, written by hand from their published formats, and what it means.

Each recording is the body of one HTTP answer. The meaning was worked out by reading, not by running the decoder.
"""

from tests.contract.recording import Recording
from tierwise.core.answer import Answer, Choice, TokenLogprob, ToolCall
from tierwise.core.usage import Usage

STREAMS = [
    Recording(
        name="openai, usage asked for",
        body=b"""\
data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5-mini-2026-01-10","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x8Kd"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5-mini-2026-01-10","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"q"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5-mini-2026-01-10","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" \\u00e9\\ud83d\\ude00"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"Zz0"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5-mini-2026-01-10","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null,"obfuscation":""}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5-mini-2026-01-10","service_tier":"default","system_fingerprint":null,"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":12,"total_tokens":32,"prompt_tokens_details":{"cached_tokens":16,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":8,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"obfuscation":""}

data: [DONE]

""",
        answer=Answer(
            choices=(Choice(text="Hello é😀", finish="stop"),),
            usage=Usage(input=4, cache_read=16, output=4, reasoning=8),
            served_model="gpt-5-mini-2026-01-10",
        ),
        content_at=1,
    ),
    Recording(
        name="openai, two tools at once",
        body=b"""\
data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"g","choices":[{"index":0,"delta":{"role":"assistant","content":null,"refusal":null},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"g","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_A","type":"function","function":{"name":"get_weather","arguments":""}}]},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"g","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"ci"}}]},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"g","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"ty\\":\\"Bern\\"}"}}]},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"g","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_B","type":"function","function":{"name":"get_time","arguments":"{}"}}]},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"g","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: [DONE]

""",
        answer=Answer(
            choices=(
                Choice(
                    tool_calls=(
                        ToolCall(index=0, id="call_A", name="get_weather", arguments='{"city":"Bern"}'),
                        ToolCall(index=1, id="call_B", name="get_time", arguments="{}"),
                    ),
                    finish="tool_calls",
                ),
            ),
            served_model="g",
        ),
        content_at=1,
    ),
    Recording(
        name="azure, filter results first, no content in the first choice list",
        body=b"""\
data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}

data: {"choices":[{"content_filter_results":{},"delta":{"content":"","refusal":null,"role":"assistant"},"finish_reason":null,"index":0,"logprobs":null}],"created":1,"id":"c","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","system_fingerprint":"fp"}

data: {"choices":[{"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"delta":{"content":"Yes"},"finish_reason":null,"index":0,"logprobs":null}],"created":1,"id":"c","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","system_fingerprint":"fp"}

data: {"choices":[{"content_filter_results":{},"delta":{},"finish_reason":"stop","index":0,"logprobs":null}],"created":1,"id":"c","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","system_fingerprint":"fp"}

data: [DONE]

""",
        answer=Answer(choices=(Choice(text="Yes", finish="stop"),), served_model="gpt-4o-2024-11-20"),
        content_at=2,
    ),
    Recording(
        name="llama.cpp, log-probabilities, timings beside usage",
        body=b"""\
data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1764000001,"id":"chatcmpl-x","model":"small.gguf","system_fingerprint":"b9000","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"{\\""},"logprobs":{"content":[{"id":4895,"token":"{\\"","bytes":[123,34],"logprob":-0.0012,"top_logprobs":[]}]}}],"created":1764000001,"id":"chatcmpl-x","model":"small.gguf","system_fingerprint":"b9000","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"a\\"}"},"logprobs":{"content":[{"id":64,"token":"a","bytes":[97],"logprob":null,"top_logprobs":[]},{"id":9206,"token":"\\"}","bytes":[34,125],"logprob":-2.5,"top_logprobs":[]}]}}],"created":1764000001,"id":"chatcmpl-x","model":"small.gguf","system_fingerprint":"b9000","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"created":1764000001,"id":"chatcmpl-x","model":"small.gguf","system_fingerprint":"b9000","object":"chat.completion.chunk"}

data: {"choices":[],"created":1764000001,"id":"chatcmpl-x","model":"small.gguf","system_fingerprint":"b9000","object":"chat.completion.chunk","usage":{"completion_tokens":3,"prompt_tokens":40,"total_tokens":43},"timings":{"prompt_n":40,"prompt_ms":3.1,"predicted_n":3,"predicted_ms":4.4}}

data: [DONE]

""",
        answer=Answer(
            choices=(
                Choice(
                    text='{"a"}',
                    tokens=(TokenLogprob(b'{"', -0.0012), TokenLogprob(b"a", -9999.0), TokenLogprob(b'"}', -2.5)),
                    finish="stop",
                ),
            ),
            usage=Usage(input=40, output=3),
            served_model="small.gguf",
        ),
        content_at=1,
    ),
    Recording(
        name="vllm, reasoning and usage with each chunk",
        body=b"""\
data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1,"model":"r","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"usage":{"prompt_tokens":5,"total_tokens":5,"completion_tokens":0}}

data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1,"model":"r","choices":[{"index":0,"delta":{"reasoning_content":"Let me see"},"logprobs":null,"finish_reason":null,"token_ids":null}],"usage":{"prompt_tokens":5,"total_tokens":8,"completion_tokens":3}}

data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1,"model":"r","choices":[{"index":0,"delta":{"content":"4"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}],"usage":{"prompt_tokens":5,"total_tokens":9,"completion_tokens":4}}

data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1,"model":"r","choices":[],"usage":{"prompt_tokens":5,"total_tokens":9,"completion_tokens":4}}

data: [DONE]

""",
        answer=Answer(
            choices=(Choice(text="4", reasoning="Let me see", finish="length"),),
            usage=Usage(input=5, output=4),
            served_model="r",
        ),
        content_at=1,
    ),
    Recording(
        name="ollama, whole tool call in one chunk that ends with stop",
        body=b"""\
data: {"id":"chatcmpl-5","object":"chat.completion.chunk","created":1,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":[{"id":"call_x","index":0,"type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"}}]},"finish_reason":null}]}

data: {"id":"chatcmpl-5","object":"chat.completion.chunk","created":1,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}

data: [DONE]
""",
        answer=Answer(
            choices=(Choice(tool_calls=(ToolCall(id="call_x", name="f", arguments='{"a":1}'),), finish="tool_calls"),),
            served_model="qwen3:8b",
        ),
    ),
    Recording(
        name="a proxy with comments, CRLF, no space after the colon, and no [DONE]",
        body=b': PROCESSING\r\n\r\nid: 1\r\ndata:{"id":"g","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\r\n\r\n'
        b': PROCESSING\r\n\r\ndata:{"id":"g","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\r\n\r\n',
        answer=Answer(choices=(Choice(text="a", finish="stop"),), served_model="m"),
    ),
    Recording(
        name="two choices, interleaved",
        body=b"""\
data: {"model":"m","choices":[{"index":1,"delta":{"content":"B"},"finish_reason":null},{"index":0,"delta":{"content":"A"},"finish_reason":null}]}

data: {"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"model":"m","choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}

data: [DONE]

""",
        answer=Answer(
            choices=(Choice(text="A", finish="stop"), Choice(index=1, text="Bb", finish="length")), served_model="m"
        ),
    ),
    Recording(
        name="a refusal",
        body=b"""\
data: {"model":"m","choices":[{"index":0,"delta":{"role":"assistant","refusal":"I can't"},"finish_reason":null}]}

data: {"model":"m","choices":[{"index":0,"delta":{"refusal":" do that."},"finish_reason":null}]}

data: {"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

""",
        answer=Answer(choices=(Choice(refusal="I can't do that.", finish="stop"),), served_model="m"),
    ),
]

WHOLES = [
    Recording(
        name="openai",
        body=b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5-mini-2026-01-10","choices":[{"index":0,'
        b'"message":{"role":"assistant","content":"Hi","refusal":null,"annotations":[]},"logprobs":null,'
        b'"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,'
        b'"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},'
        b'"service_tier":"default","system_fingerprint":null}\n',
        answer=Answer(
            choices=(Choice(text="Hi", finish="stop"),),
            usage=Usage(input=9, output=2),
            served_model="gpt-5-mini-2026-01-10",
        ),
    ),
    Recording(
        name="llama.cpp with log-probabilities",
        body=b'{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"ok"},"logprobs":'
        b'{"content":[{"id":1,"token":"ok","bytes":[111,107],"logprob":-0.25,"top_logprobs":[]}]}}],"created":1,'
        b'"model":"small.gguf","system_fingerprint":"b9000","object":"chat.completion","usage":{"completion_tokens":1,'
        b'"prompt_tokens":4,"total_tokens":5},"id":"x","timings":{"prompt_n":4}}',
        answer=Answer(
            choices=(Choice(text="ok", tokens=(TokenLogprob(b"ok", -0.25),), finish="stop"),),
            usage=Usage(input=4, output=1),
            served_model="small.gguf",
        ),
    ),
    Recording(
        name="vllm with reasoning and a tool",
        body=b'{"id":"c","object":"chat.completion","created":1,"model":"r","choices":[{"index":0,"message":{"role":"assistant",'
        b'"reasoning_content":"hm","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f",'
        b'"arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls","stop_reason":null}],"usage":{"prompt_tokens":7,'
        b'"total_tokens":12,"completion_tokens":5,"prompt_tokens_details":null},"prompt_logprobs":null}',
        answer=Answer(
            choices=(
                Choice(reasoning="hm", tool_calls=(ToolCall(id="t1", name="f", arguments="{}"),), finish="tool_calls"),
            ),
            usage=Usage(input=7, output=5),
            served_model="r",
        ),
    ),
    Recording(
        name="the least that is an answer",
        body=b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}',
        answer=Answer(choices=(Choice(text="x", finish="stop"),)),
    ),
]
