"""Which inputs once failed? Each with the target that it broke; the smallest that still shows it."""

PAST: tuple[tuple[str, bytes], ...] = (
    # Bytes that are no UTF-8 where a typed decoder does not look: the caller got them, or a 500.
    ("answer-chat", b'{"model":"m","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"\xff":1}'),
    ("answer-embeddings", b'{"data":[{"embedding":[1]}],"\xff":1}'),
    ("stream-chat", b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","\xff":1}]}\n\ndata: [DONE]\n\n'),
    # Half a character, which JSON can name and UTF-8 cannot write.
    ("labelled-lines", b'{"text":"a","label":"x"}\n{"text":"\\ud800","category":"y"}\n'),
    # A member twice in an endpoint's answer, for which the caller was blamed.
    ("answer-embeddings", b'{"x":1,"x":22,"data":[{"embedding":[5,5]}]}'),
    ("answer-responses", b'{"x":1,"x":22,"id":"r","status":"completed","output":[]}'),
)  # fmt: skip
