"""What may an endpoint do instead of its work, and what is its caller told? The upstream's rows, as data.

A lie is a script of the scripted upstream. Every script but those that need none gives away the key it is asked with.
"""

from dataclasses import dataclass

WIRES = ("chat", "responses", "messages", "gemini", "ollama")
"""What an endpoint may speak; a gateway from elsewhere is asked with the first alone."""
TEXT = "grüße one two three"
WAITS = ("0", "-1", "Wed, 21 Oct 2126 07:28:00 GMT", "1000000000", "soon", "2")
STATUS = {
    "upstream_invalid": 502, "upstream_incomplete": 502, "upstream_too_large": 502, "upstream_error": 502,
    "upstream_unauthorized": 502, "upstream_timeout": 504, "upstream_unavailable": 503, "rate_limit_exceeded": 429,
    "context_length_exceeded": 400, "quality_gate": 502,
}  # fmt: skip


@dataclass(frozen=True)
class Lie:
    """`whole` and `stream`: `answered`; or the codes of the error, any of these; `broken:` before it, amid the stream.

    `estimated` says that the record's usage has to be an estimate that says so.
    """

    row: int
    script: str
    whole: str
    stream: str
    hurried: bool = False
    estimated: bool = False

    @property
    def name(self) -> str:
        return self.script.replace("fault=", "").replace("=", "-").replace("&", "-")

    @property
    def large(self) -> bool:
        """Whether one of it is enough: the limit of a whole answer is the same at every wire, and far."""
        return "size=" in self.script

    def role(self, wire: str) -> str:
        """Return the name of the model at which an endpoint of this wire lies so."""
        return f"{wire}-{self.row}-{self.name}"

    def expected(self, *, stream: bool) -> tuple[str, frozenset[str]]:
        """Return how it ends, and which codes that may have."""
        said = self.stream if stream else self.whole
        how, _, codes = said.rpartition(":")
        return ("whole", frozenset()) if said == "answered" else (how or "error", frozenset(codes.split("|")))


def _lies(
    row: int, whole: str, stream: str, *scripts: str, hurried: bool = False, estimated: bool = False
) -> tuple[Lie, ...]:
    return tuple(Lie(row, script, whole, stream, hurried, estimated) for script in scripts)


ANSWERED, CUT = "answered", "broken:upstream_incomplete"
INVALID = "upstream_invalid|upstream_incomplete"
LIES: tuple[Lie, ...] = (
    *_lies(54, INVALID, INVALID, "fault=redirect"),
    *_lies(59, "upstream_timeout", "upstream_timeout", "fault=hang", "fault=slow_first&delay_ms=5000",
           "fault=slow_chunks&delay_ms=5000", hurried=True),
    *_lies(60, "upstream_timeout", CUT, "fault=stall", hurried=True),
    *_lies(60, INVALID, CUT, "fault=cut", "fault=drop", "fault=reset", "fault=cut_chunk", "fault=cut_utf8"),
    *_lies(61, ANSWERED, ANSWERED, "fault=no_done", "fault=after_end", "fault=double_finish"),
    *_lies(62, INVALID, INVALID, "fault=html", "fault=empty_body", "fault=bad_json", "fault=wrong_type", "fault=bad_utf8"),
    *_lies(62, "upstream_unavailable|upstream_error", "upstream_unavailable|upstream_error", "fault=in_band_error&after=0"),
    *_lies(62, "upstream_unavailable|upstream_error", CUT, "fault=in_band_error&after=2"),
    *_lies(63, ANSWERED, ANSWERED, "fault=cr", "fault=bom", "fault=multiline", "fault=no_space", "fault=dribble",
           "ping=true&crlf=true"),
    *_lies(64, ANSWERED, "broken:upstream_too_large", "fault=huge_line"),
    *_lies(64, "upstream_too_large", "broken:upstream_too_large", "fault=huge_line&size=67200000"),
    *_lies(64, INVALID, INVALID, "fault=bomb"),
    *_lies(66, INVALID, CUT, "fault=no_finish"),
    *_lies(66, ANSWERED, ANSWERED, "fault=no_usage", "fault=usage_text", "fault=usage_negative", "fault=usage_huge",
           estimated=True),
    *_lies(66, "quality_gate", "quality_gate", "fault=empty_content"),
    *_lies(67, "context_length_exceeded", "context_length_exceeded", "fault=context"),
    *_lies(68, "upstream_unauthorized", "upstream_unauthorized", "fault=error&status=401", "fault=error&status=403"),
    *_lies(68, "upstream_unavailable", "upstream_unavailable", "fault=error&status=500", "fault=error&status=529"),
    *_lies(69, ANSWERED, ANSWERED, "fault=interim"),
    *_lies(69, INVALID, "answered", "fault=wrong_length"),
    *_lies(69, INVALID, INVALID, "fault=gzip", "fault=bodyless&status=204", "fault=bodyless&status=304"),
)  # fmt: skip
ROLES: dict[str, dict[str, str]] = {
    wire: {lie.role(wire): f"{lie.script}&leaks=true" for lie in LIES if not lie.hurried} for wire in WIRES
}
HURRIED: dict[str, dict[str, str]] = {
    wire: {lie.role(wire): f"{lie.script}&leaks=true" for lie in LIES if lie.hurried} for wire in WIRES
}
"""Those at an endpoint that is soon given up: nobody else should be hurried, who may only be slow here."""
