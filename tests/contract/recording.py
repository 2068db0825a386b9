"""One HTTP answer as a server of some wire sends it, and what it means."""

from dataclasses import dataclass

from tierwise.core.answer import Answer, Piece


@dataclass(frozen=True)
class Recording:
    """`body` as sent, `answer` as meant (choices, usage and served model), `pieces` with content in order.

    `content_at` is the number of the first event with content, -1 for none; `foreign` is what only this wire can say.
    """

    name: str
    body: bytes
    answer: Answer
    pieces: tuple[Piece, ...] = ()
    content_at: int = 0
    foreign: tuple[str, ...] = ()


def named(recording: Recording) -> str:
    """Return the name under which a recording's tests are listed."""
    return recording.name
