"""The table: 79 bad inputs and faults, what a gateway may answer, and what has to hold besides.

`status` are those allowed; none means that the answer is not what is judged. `openai` is type and code, `anthropic` the
type, in the caller's dialect; None there is left open. What is refused in an `unforwarded` row must not have been
asked upstream (ours asks for nothing that it refuses). `differs` says where our contract deliberately says otherwise.
"""

import msgspec

INVALID, PERMISSION, SERVER, RATE = "invalid_request_error", "permission_error", "server_error", "rate_limit_error"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    number: int
    given: str
    status: tuple[int, ...] = ()
    openai: tuple[str | None, str | None] = (None, None)
    anthropic: str | None = None
    also: str = ""
    differs: str = ""
    unforwarded: bool = False


def row(
    number: int,
    given: str,
    *status: int,
    openai: tuple[str | None, str | None] = (INVALID, None),
    anthropic: str | None = INVALID,
    also: str = "",
    differs: str = "",
    unforwarded: bool = False,
) -> Row:
    """Write a row; unless said otherwise the caller is told that the request is wrong."""
    return Row(
        number=number, given=given, status=status, openai=openai, anthropic=anthropic, also=also, differs=differs,
        unforwarded=unforwarded,
    )  # fmt: skip


OPEN: tuple[None, None] = (None, None)
ALONE = "nothing is passed on, and no byte behind it runs as a request"

ROWS: tuple[Row, ...] = (
    # on the wire
    row(1, "`Content-Length` and `Transfer-Encoding` in one head", 400, also=ALONE, unforwarded=True),
    row(2, "a length that is said twice, as a list, signed, in hex or with an underscore", 400, also=ALONE, unforwarded=True),
    row(3, "`Transfer-Encoding` twice, with an empty or unknown coding, or in odd white space", 400, 501, also=ALONE, unforwarded=True),
    row(4, "bare CR, LF or NUL in a field, bad chunk sizes, endings and extensions", 400, also=ALONE, unforwarded=True),
    row(5, "a `Host` that is missing, said twice, or holds `/ ? # @ \\ %`", 400, openai=(INVALID, "invalid_host"),
        also="on every address; the key is judged as in a clean request"),
    row(6, "a head of more than 64 KiB or 100 fields", 431),
    row(7, "an address of more than 8 KiB", 414),
    row(8, "a head that comes byte by byte", 408, openai=OPEN, anthropic=None,
        also="or closed; good clients beside them are answered"),
    row(9, "a body that comes too slowly", 408, openai=(INVALID, "request_timeout")),
    row(10, "a reader who stops reading a stream", openai=OPEN, anthropic=None,
        also="ended after a while, and recorded as left"),
    row(11, "a body over the limit, with its length said or not", 413, openai=(INVALID, "request_too_large"),
        anthropic="request_too_large", also="reading stops at the limit"),
    row(12, "a compressed body: a bomb, broken, an unknown coding", 400, 413, 415, anthropic=None,
        differs="nothing compressed is read, so nothing is unpacked: 415"),
    row(13, "another content type, or none", 415, openai=(INVALID, "unsupported_media_type")),
    row(14, "the wrong method", 405, openai=(INVALID, "method_not_allowed"), also="`allow` names the right one"),
    row(15, "an address that is not there: `//`, `/./`, `%2e%2e`, `;x`, other case, a dot at its end", 404,
        openai=(INVALID, "unknown_url"), anthropic="not_found_error", also="no other address answers for it"),
    row(16, "`Expect: 100-continue` with a wrong key", 401, openai=(INVALID, "invalid_api_key"),
        anthropic="authentication_error", also="before the body is asked for"),
    row(17, "two requests sent at once, the first streamed", openai=OPEN, anthropic=None,
        also="answered in order, or the second not at all; never mixed"),
    row(18, "an upgrade to h2c or to a WebSocket", 200, 400, 426),
    row(19, "a page of another origin, a rebound host, a form", 403, openai=(None, None), anthropic=None,
        also="no CORS grant", differs="a rebound host is told 400 `invalid_host`, a form 415"),
    # bodies
    row(20, "an empty, cut or no JSON body, or JSON with something behind it", 400, openai=(INVALID, "invalid_json")),
    row(21, "a list, a string, null or a number in place of an object", 400),
    row(22, "a member said twice, at any depth", 400, openai=(INVALID, "duplicate_key")),
    row(23, "100,000 levels, 1,000,000 members", 400, openai=(INVALID, "too_complex"),
        also="no crash, no hang, others are answered"),
    row(24, "a whole number of 5,000 digits, `1e400`, `NaN`, `Infinity`", 400, also="the field is named"),
    row(25, "half a surrogate pair in a text", 200, 400, also="never 500; in both directions alike"),
    row(26, "NUL in a text, a file's name, a key", 200, 400, also="the record is whole, and so are its neighbours"),
    row(27, "invalid UTF-8, UTF-16, a byte-order mark", 400, openai=(INVALID, "invalid_encoding")),
    row(28, "messages missing, null, none, 100,000", 400, also="the field is named"),
    row(29, "an unknown role, a tool's result to no call, a wrong order, an empty block", 400,
        also="the message is named"),
    row(30, "a model's name that is missing, null, a number, 10 KB, two lines, a path, an address, SQL", 400, 404,
        anthropic=None, also="a log line stays one line"),
    row(31, "numbers out of range: temperature 2000, top_p -1, n 1,000,000, no or too many tokens", 400,
        also="the field is named, nobody is asked", unforwarded=True),
    row(32, "10,000 stop texts, 1,000,000 biases", 400, also="the field is named"),
    row(33, "a bad or a costly pattern, a schema that refers to itself or has 5 MB", 400,
        also="the field is named, no engine sees it", unforwarded=True),
    row(34, "`stream` as text, as a number, as null; options of a stream without one", 200, 400,
        also="alike on every wire"),
    row(35, "fields that steer a gateway: `api_base`, `api_key`, `fallbacks`, prices", 400,
        openai=(INVALID, "forbidden_field"), also="nothing is routed otherwise", unforwarded=True),
    row(36, "a model's name in other case, full width, with what is not seen or a space behind it", 404,
        openai=(INVALID, "model_not_found"), anthropic="not_found_error", also="no other model answers for it"),
    row(37, "Messages without `max_tokens`, without `anthropic-version`", 400,
        differs="a missing `anthropic-version` is taken as the usual one: nothing else hangs on it here"),
    row(38, "a body in parts: 10,000 of them, a wrong boundary, names that climb, an empty file", 400, 413, 415,
        anthropic=None, also="no file is left", differs="no address here takes forms: 415"),
    # keys and money
    row(39, "no key, an empty one, two that disagree, a wrong scheme", 401, openai=(INVALID, "invalid_api_key"),
        anthropic="authentication_error", also="no key is repeated"),
    row(40, "quotes, comments, NUL, pictures, 10 KB in a key", 401, openai=(INVALID, "invalid_api_key"),
        anthropic="authentication_error", also="no other error, in the same time"),
    row(41, "a key that expired or was revoked, also while it is served", 401, openai=(INVALID, "invalid_api_key"),
        anthropic="authentication_error", also="within 2 s everywhere"),
    row(42, "a model that the key may not use: by name, alias, fallback, escalation, with either header", 403,
        openai=(PERMISSION, "model_not_allowed"), anthropic=PERMISSION, also="alike on every door"),
    row(43, "somebody else's response by its id", 404, openai=(INVALID, "not_found"), anthropic="not_found_error",
        also="as if it were not there",
        differs="one that is to be continued is a 400, as the vendor's own interface has it; a foreign one is as a missing one"),
    row(44, "200 at once, money for 10", 402, 429, openai=("insufficient_quota", "insufficient_quota"),
        anthropic="billing_error", also="not a cent over, and no repeat is advised"),
    row(45, "a model without a price, one whose price is 0, prices said by the caller", 403,
        openai=(PERMISSION, "price_unknown"), anthropic=PERMISSION, also="what is free stays usable"),
    row(46, "a window that ends across a change of the clocks, a leap day, in 30 zones", openai=OPEN, anthropic=None,
        also="one reset a window, never early, 1 s late at most"),
    row(47, "a rate limit, while the clock moves by an hour", 429, openai=(RATE, "rate_limit_exceeded"),
        anthropic=RATE, also="`retry-after` of 1 to 60"),
    row(48, "the caller leaves: before the first byte, amid a stream, at its last byte", openai=OPEN, anthropic=None,
        also="upstream left within 1 s, what was written is paid for once"),
    row(49, "an ordinary key at an administrator's address", 403, openai=(PERMISSION, None), anthropic=PERMISSION,
        also="nothing is started or asked"),
    # policy
    row(50, "a sensitive request while everything inside is down", 503, openai=(SERVER, "no_compliant_backend"),
        anthropic="overloaded_error", also="not a byte leaves",
        differs="who was asked and failed is told as `upstream_unavailable`; only where nobody is asked, there is nobody"),
    row(51, "sensitive text in every place of a request, split, encoded, spelled otherwise", 200, openai=OPEN,
        anthropic=None, also="served inside; not a byte of it leaves",
        differs="what is written in pictures or spoken is not read: their label is who sends them to say"),
    row(52, "the outside model is asked for, or escalated to, with sensitive text", 200, 403,
        openai=(PERMISSION, "policy_denied"), anthropic=PERMISSION, also="the record says by which rule"),
    row(53, "a picture's address: of this machine, of metadata, in odd spellings, `file:`", 400,
        also="no connection is opened"),
    row(54, "an endpoint that redirects to another host", 502, openai=(SERVER, "upstream_error"),
        anthropic="api_error", also="not followed, and no key goes there",
        differs="the code is `upstream_invalid`: a redirect is no answer"),
    row(55, "answers with pictures, links, HTML, scripts", openai=OPEN, anthropic=None,
        also="shown inert, nothing is fetched",
        differs="not built: nothing of ours shows an answer; the pages show records, which hold no content"),
    row(56, "documents that bomb, loop or lie", 400, 422, openai=(INVALID, "unreadable_file"),
        also="ended at 10 s or 512 MB",
        differs="not built: nothing of ours opens a document; files are passed on as they are"),
    row(57, "sound that is empty, lies or has no end", 400, 413, also="the same",
        differs="not built: nothing of ours opens sound; it is passed on as it is"),
    # upstream
    row(58, "refused, no such name, a bad certificate", 200, 503, openai=(SERVER, "upstream_unavailable"),
        anthropic="overloaded_error", also="TLS is never relaxed"),
    row(59, "no head in time, a late first word", 200, 504, openai=(SERVER, "upstream_timeout"),
        anthropic="timeout_error", also="another is asked only before the first byte"),
    row(60, "amid a stream: silence, a reset, an end without an end, a cut chunk, half a letter",
        openai=(SERVER, "upstream_incomplete"), anthropic="api_error",
        also="never looks finished; what came is paid for; no text of another stream"),
    row(61, "no `[DONE]`, data behind the end, two ends", 200, openai=OPEN, anthropic=None, also="once, and whole"),
    row(62, "200 with HTML, nothing, no JSON, another type, an error", 502, openai=(SERVER, "upstream_invalid"),
        anthropic="api_error",
        differs="an error in an answer is taken for the error that it says, so one of overload is a 503 and tried again"),
    row(63, "events with CR or CRLF, a mark, comments, no space, several lines, any split", 200, openai=OPEN,
        anthropic=None, also="the same meaning"),
    row(64, "a line without end, an event of 64 MB, a bomb", 502, openai=(SERVER, "upstream_too_large"),
        anthropic="api_error", also="8 MB an event at most",
        differs="a compressed answer was not asked for, so a bomb is `upstream_invalid`, and never opened"),
    row(65, "429, 503, 529 with any `Retry-After`", 429, 503, 529, openai=OPEN, anthropic=None,
        also="3 attempts at most, bounded waits, 1.2 times the load at 50 % errors"),
    row(66, "tool calls without id or index, mixed; no, negative or huge usage", 200, 502, openai=(SERVER, None),
        anthropic="api_error", also="usage is estimated and marked",
        differs="in the record and the bill; on its own wire an answer is passed on as it came, with what it says of usage"),
    row(67, "too long for the model", 200, 400, openai=(INVALID, "context_length_exceeded"),
        also="another model only as policy allows"),
    row(68, "an endpoint's error that repeats our key or address", openai=OPEN, anthropic=None, also="redacted everywhere"),
    row(69, "a wrong length, 1xx, 204, 304, a compressed stream", 200, 502, openai=(SERVER, None),
        anthropic="api_error"),
    # life
    row(70, "SIGKILL at any moment under load", openai=OPEN, anthropic=None,
        also="every answer is recorded, spending exact, ready within 5 s"),
    row(71, "a full or failing disk, each write in turn", 503, openai=(SERVER, "audit_unavailable"),
        anthropic="api_error", also="closed until it heals, without a restart"),
    row(72, "a database locked for 30 s, a backup under way", 200, 503, openai=(SERVER, "overloaded"),
        anthropic="overloaded_error", also="reading goes on"),
    row(73, "SIGTERM with 500 open streams, a second one", 503, openai=(SERVER, "shutting_down"),
        anthropic="overloaded_error", also="30 s to end, then told; all recorded"),
    row(74, "no descriptors, no memory left", 503, openai=(SERVER, "overloaded"), anthropic="overloaded_error",
        also="recovers; health answers"),
    row(75, "a record that was cut, flipped, removed, swapped", openai=OPEN, anthropic=None,
        also="the first bad one is named"),
    row(76, "the clock jumps by an hour, by a year", openai=OPEN, anthropic=None,
        also="ids unique, order kept, nothing expires wrongly"),
    row(77, "a bad configuration is loaded", openai=OPEN, anthropic=None, also="the old one stays; no request fails"),
    row(78, "a restart with 2,000 waiting, 500 alike at once, an endpoint that comes back", 200, 429, 503,
        openai=(SERVER, None), anthropic="overloaded_error", also="one probe; the configured load at most"),
    row(79, "line ends, escapes and marks of direction in what is logged", openai=OPEN, anthropic=None,
        also="one line each"),
)  # fmt: skip
BY_NUMBER = {row.number: row for row in ROWS}
