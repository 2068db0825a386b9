"""How many tokens could this text be? An upper estimate from its bytes, without a tokenizer.

Vendors' tokenizers differ by 1.15 to 1.55 times on the same text, so a route that must fit is taken on this bound:
two ASCII bytes or one and a half other bytes to a token. Prose and code measure far below it; long runs of
random symbols can come near one token a byte and are the known exception.
"""

MESSAGE_TOKENS = 8
"""What a chat template adds to one message, at most."""
IMAGE_TOKENS = 1_600
"""What the dearest common image encoding makes of one picture."""


def tokens_upper(text: str) -> int:
    """Estimate the tokens of `text` from above."""
    if text.isascii():
        return (len(text) + 1) // 2
    total = len(text.encode("utf-8", "surrogatepass"))
    ascii_bytes = len(text.encode("ascii", "ignore"))
    return (ascii_bytes + 1) // 2 + ((total - ascii_bytes) * 2 + 2) // 3
