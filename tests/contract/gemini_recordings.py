"""What Gemini sends, written by hand from the published formats, and what it means.

Source: Google's API reference (GenerateContentResponse, Candidate, Part, UsageMetadata) and its page on thought
signatures, read 2026-11. The meaning was worked out by reading, not by running the decoder.
"""

from tests.contract.recording import Recording
from tierwise.core.answer import Answer, Choice, Piece, TokenLogprob, ToolCall
from tierwise.core.usage import Usage

MARK = "m_"

STREAMS = [
    Recording(
        name="words in three parts, usage in each, the signature alone at the end",
        body=b"""\
data: {"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":1,"totalTokenCount":13,"promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]},"modelVersion":"gemini-3-pro-preview","responseId":"r1"}

data: {"candidates":[{"content":{"parts":[{"text":" \\u00e9\\ud83d\\ude00"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":3,"totalTokenCount":15},"modelVersion":"gemini-3-pro-preview","responseId":"r1"}

data: {"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"EqQB/x+y="}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":4,"totalTokenCount":56,"thoughtsTokenCount":40},"modelVersion":"gemini-3-pro-preview","responseId":"r1"}

""",
        answer=Answer(
            choices=(Choice(text="Hello \u00e9\U0001f600", finish="stop"),),
            usage=Usage(input=12, output=4, reasoning=40),
            served_model="gemini-3-pro-preview",
        ),
        pieces=(Piece(text="Hello"), Piece(text=" \u00e9\U0001f600"), Piece(seal="EqQB/x+y=")),
    ),
    Recording(
        name="thoughts in words, two calls at once of which the first is signed and neither has an id, cached input",
        body=b"""\
data: {"candidates":[{"content":{"parts":[{"text":"**Looking**","thought":true}],"role":"model"},"index":0}],"modelVersion":"gemini-3-flash"}

data: {"candidates":[{"content":{"parts":[{"text":" around","thought":true}],"role":"model"},"index":0}]}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"look","args":{"city":"K\\u00f6ln","days":[1,2]}},"thoughtSignature":"sig1"},{"functionCall":{"name":"hear"}}],"role":"model"},"index":0}]}

data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":2100,"cachedContentTokenCount":2000,"toolUsePromptTokenCount":7,"candidatesTokenCount":20,"thoughtsTokenCount":30,"totalTokenCount":2157}}

""",
        answer=Answer(
            choices=(
                Choice(
                    reasoning="**Looking** around",
                    tool_calls=(
                        ToolCall(
                            index=0, id="call_m_0_0", name="look", arguments='{"city":"K\u00f6ln","days":[1,2]}'
                        ),
                        ToolCall(index=1, id="call_m_0_1", name="hear", arguments="{}"),
                    ),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=107, cache_read=2000, output=20, reasoning=30),
            served_model="gemini-3-flash",
        ),
        pieces=(
            Piece(reasoning="**Looking**"),
            Piece(reasoning=" around"),
            Piece(seal="sig1"),
            Piece(
                tool_calls=(
                    ToolCall(index=0, id="call_m_0_0", name="look", arguments='{"city":"K\u00f6ln","days":[1,2]}'),
                )
            ),
            Piece(tool_calls=(ToolCall(index=1, id="call_m_0_1", name="hear", arguments="{}"),)),
        ),
    ),
    Recording(
        name="two candidates, one too long and one unsafe; CRLF, a comment, no blank line at the end",
        body=b"""\
: hello\r\n\
data: {"usageMetadata":{"promptTokenCount":3},"modelVersion":"gemini-2.5-flash"}\r\n\
\r\n\
data: {"candidates":[{"content":{"parts":[{"text":"one"}],"role":"model"}},{"content":{"parts":[{"text":"uno"}],"role":"model"},"index":1}]}\r\n\
\r\n\
data: {"candidates":[{"finishReason":"SAFETY","index":1,"safetyRatings":[{"category":"HARM_CATEGORY_HARASSMENT","probability":"HIGH","blocked":true}]}]}\r\n\
\r\n\
data: {"candidates":[{"content":{"parts":[{"text":" two"}],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],\r\n\
data: "usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":3,"totalTokenCount":6}}\r\n\
""",
        answer=Answer(
            choices=(
                Choice(index=0, text="one two", finish="length"),
                Choice(index=1, text="uno", finish="content_filter"),
            ),
            usage=Usage(input=3, output=3),
            served_model="gemini-2.5-flash",
        ),
        pieces=(Piece(text="one"), Piece(choice=1, text="uno"), Piece(text=" two")),
        content_at=1,
    ),
    Recording(
        name="a search by the server, code that it ran, a picture: what other wires cannot say is named",
        body=b"""\
data: {"candidates":[{"content":{"parts":[{"executableCode":{"language":"PYTHON","code":"print(1)"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1\\n"}},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}],"role":"model"},"index":0}]}

data: {"candidates":[{"content":{"parts":[{"text":"One."}],"role":"model"},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["one"]},"citationMetadata":{"citationSources":[]},"index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}}

""",
        answer=Answer(choices=(Choice(text="One.", finish="stop"),), usage=Usage(input=5, output=2)),
        pieces=(Piece(text="One."),),
        content_at=1,
        foreign=("executableCode", "codeExecutionResult", "inlineData", "citationMetadata", "groundingMetadata"),
    ),
    Recording(
        name="a question that is not answered",
        body=b"""\
data: {"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"gemini-2.5-pro"}

""",
        answer=Answer(
            choices=(Choice(finish="content_filter"),), usage=Usage(input=9), served_model="gemini-2.5-pro"
        ),
        content_at=-1,
    ),
]  # fmt: skip

WHOLES = [
    Recording(
        name="words signed at their end, log-probabilities",
        body=b"""\
{
  "candidates": [{"content": {"parts": [{"text": "Hi", "thoughtSignature": "c2ln"}], "role": "model"},
    "finishReason": "STOP", "index": 0, "avgLogprobs": -0.25,
    "logprobsResult": {"chosenCandidates": [{"token": "H", "tokenId": 72, "logProbability": -0.5}, {"token": "i", "tokenId": 105, "logProbability": 0}],
      "topCandidates": [{"candidates": [{"token": "H", "tokenId": 72, "logProbability": -0.5}]}]}}],
  "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 2, "totalTokenCount": 4},
  "modelVersion": "gemini-2.5-flash", "responseId": "r2"
}
""",
        answer=Answer(
            choices=(
                Choice(text="Hi", tokens=(TokenLogprob(b"H", -0.5), TokenLogprob(b"i", 0.0)), finish="stop"),
            ),
            usage=Usage(input=2, output=2),
            served_model="gemini-2.5-flash",
        ),
        pieces=(Piece(seal="c2ln"), Piece(text="Hi")),
    ),
    Recording(
        name="a thought with its own signature, words, a call with an id",
        body=b'{"candidates":[{"content":{"parts":[{"text":"hm","thought":true,"thoughtSignature":"t"},{"text":"Let me look."},{"functionCall":{"id":"fc-1","name":"look","args":{}},"thoughtSignature":"f"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":5,"thoughtsTokenCount":6,"totalTokenCount":15}}',
        answer=Answer(
            choices=(
                Choice(
                    text="Let me look.",
                    reasoning="hm",
                    tool_calls=(ToolCall(id="fc-1", name="look", arguments="{}"),),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=4, output=5, reasoning=6),
        ),
        pieces=(
            Piece(reasoning="hm", seal="thought:t"),
            Piece(text="Let me look."),
            Piece(seal="f"),
            Piece(tool_calls=(ToolCall(id="fc-1", name="look", arguments="{}"),)),
        ),
    ),
    Recording(
        name="a question that is not answered",
        body=b'{"promptFeedback":{"blockReason":"SAFETY","safetyRatings":[]},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}',
        answer=Answer(choices=(Choice(finish="content_filter"),), usage=Usage(input=9)),
    ),
]  # fmt: skip
