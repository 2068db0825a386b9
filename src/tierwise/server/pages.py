"""Who may see the pages, and how do they come? The gateway's side of them: the door, and the way to who draws.

Knows no page. A browser's key comes in a cookie, and is judged like any other key each time; what it writes carries a
token that another site cannot know. Under `/ui/v1/` lies the API itself, for the pages' own scripts.
Invariant: nothing is drawn here, and nothing of this is on the way of a call that comes to its own address.
"""

import asyncio
import contextlib
from html import escape
from urllib.parse import parse_qs, quote

import msgspec

from tierwise.core.errors import ProviderError, TierwiseError
from tierwise.core.secret import Secret
from tierwise.providers.exchange import Exchange
from tierwise.providers.transport import Address, Headers, Transport
from tierwise.server.drawing import Drawing
from tierwise.server.errors import INVALID, PERMISSION, Failure
from tierwise.server.http import SHUTTING_DOWN, Left, Message, Rejected, Request, Send
from tierwise.server.keys import both_loopback
from tierwise.server.login import Login
from tierwise.server.peer import is_ours
from tierwise.server.ring import Ring

ROOT, LOGIN, LOGOUT, API = b"/ui/", b"/ui/login", b"/ui/logout", b"/ui/v1/"
SCOPE = "admin"
MAX_FORM_BYTES = 256 * 1024
FORM, JSON_TYPE = b"application/x-www-form-urlencoded", b"application/json"
ANSWER_S = 3600.0
ASKED = (b"accept", b"if-none-match", b"last-event-id")
PASSED = (
    b"content-type", b"location", b"cache-control", b"etag", b"last-modified", b"content-security-policy",
    b"content-disposition", b"vary",
)  # fmt: skip
"""What of the drawn answer's head reaches the browser."""
POLICY = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MANNERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
OTHERS = "without keys the pages are for whom the gateway belongs to; make one: tierwise keys create NAME --scope admin"
HTML = (b"content-type", b"text/html; charset=utf-8")


class Pages:
    """The pages' door. `drawing` is who draws them."""

    def __init__(self, ring: Ring, login: Login, drawing: Drawing, transport: Transport) -> None:
        self._ring, self._login, self._drawing, self._transport = ring, login, drawing, transport

    def wanted(self, scope: Message, request: Request, *, known: bool) -> bool:
        """Say whether a request is the pages', by its address; at one that nobody serves a browser is shown the way."""
        if request.path == b"/ui" or request.path.startswith(ROOT):
            return True
        browses = scope["method"] in ("GET", "HEAD") and b"text/html" in request.headers.get(b"accept", b"")
        return browses and not known

    async def serve(self, scope: Message, request: Request) -> bool:
        """Answer; False where the request goes on to the API, as its own address and with the browser's key."""
        method = "GET" if scope["method"] == "HEAD" else str(scope["method"])
        request.send = _mannered(request.send)
        if request.path in (b"/", b"/ui"):
            await _redirect(request, ROOT)
            return True
        if not request.path.startswith(ROOT):
            await _page(request, "There is nothing here", _LOST, status=404)
            return True
        local = both_loopback(scope.get("server"), scope.get("client"))
        if request.path in (LOGIN, LOGOUT):
            await (self._enter if request.path == LOGIN else self._leave)(method, request, local=local)
            return True
        cookies = request.headers.get(b"cookie", b"")
        shown = request.headers.get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ")
        key = (
            Secret(shown) if shown else self._login.key(cookies)
        )  # one key is judged, and all that follows is under it
        if key is not None and not shown:
            request.headers[b"authorization"] = b"Bearer " + key.reveal().encode()
        try:
            await self._ring.identify(request, local=local)
        except Rejected as rejected:
            if rejected.failed.status != 401 or method != "GET" or request.path.startswith(API):
                raise
            await _redirect(request, LOGIN + b"?next=" + quote(request.path).encode())
            return True
        _allow(request)
        if request.grant is None and await asyncio.to_thread(is_ours, scope["client"], scope["server"]) is False:
            raise Rejected(_denied(OTHERS))
        if method != "GET":
            _refuse_foreign(request)
        elif _embedded(request):
            raise Rejected(_denied("pages of other origins may lead here, not load from here"))
        if request.path.startswith(API):
            token = request.headers.pop(b"x-tierwise-token", b"")
            if method != "GET" and not self._login.fits(token, cookies):
                raise Rejected(_denied("the page's token is missing or old: load the page again"))
            request.path = request.path[len(ROOT) - 1 :]
            return False
        with self._ring.watched(request):
            await self._draw(method, scope, request, key, self._login.token(cookies))
        return True

    # the door

    async def _enter(self, method: str, request: Request, *, local: bool) -> None:
        if method == "GET":
            wanted = parse_qs(request.query.decode("latin-1")).get("next", [""])[0]
            await _page(request, "Sign in", _form(wanted))
            return
        _refuse_foreign(request)
        fields = parse_qs((await _form_body(request)).decode("utf-8", "replace"))
        key, wanted = Secret(fields.get("key", [""])[0].strip()), fields.get("next", [""])[0]
        request.headers[b"authorization"] = b"Bearer " + key.reveal().encode("utf-8", "replace")
        request.headers.pop(b"x-api-key", None)
        try:
            await self._ring.identify(request, local=local)
            _allow(request)
        except Rejected as rejected:
            await _page(request, "Sign in", _form(wanted, rejected.failed.message), status=rejected.failed.status)
            return
        cookie = self._login.cookie(key, secure=_secure(request))
        await _redirect(request, _inside(wanted), (b"set-cookie", cookie))

    async def _leave(self, method: str, request: Request, *, local: bool) -> None:
        if method != "POST":
            raise Rejected(Failure(status=405, type=INVALID, code="method_not_allowed", message="only POST is allowed"))
        _refuse_foreign(request)
        await _redirect(request, LOGIN, (b"set-cookie", self._login.forget(secure=_secure(request))))

    # the way to who draws

    async def _draw(self, method: str, scope: Message, request: Request, key: Secret | None, token: str) -> None:
        try:
            exchange = await self._ask(method, scope, request, key, token)
        except TierwiseError as error:
            text = f"<p>{escape(str(error))}</p><p>The gateway itself goes on serving.</p>"
            await _page(request, "The pages are not there", text, status=503)
            return
        await _pass_on(exchange, request)

    async def _ask(self, method: str, scope: Message, request: Request, key: Secret | None, token: str) -> Exchange:
        address = await self._drawing.address()
        path = request.path.decode("latin-1") + (f"?{request.query.decode('latin-1')}" if request.query else "")
        head: list[tuple[str, str]] = [("x-tierwise-token", token), ("x-tierwise-gateway", _here(scope))]
        if key is not None:
            head.append(("x-tierwise-auth", f"Bearer {key.reveal()}"))
        if request.key_id is not None:
            head.append(("x-tierwise-key", quote(request.key_id)))
        known = (name for name in ASKED if name in request.headers)
        head += ((name.decode(), request.headers[name].decode("latin-1")) for name in known)
        headers: Headers = tuple(head)
        deadline = asyncio.get_running_loop().time() + ANSWER_S
        if method == "GET":
            return await self._transport.get(address, path, deadline=deadline, headers=headers, stream=True)
        if method != "POST":
            raise Rejected(Failure(status=405, type=INVALID, code="method_not_allowed", message="only GET and POST"))
        body = await _form_body(request)
        posted: Address = msgspec.structs.replace(address, media_type=FORM.decode())
        return await self._transport.post(posted, path, body, deadline=deadline, stream=True, headers=headers)


async def _pass_on(exchange: Exchange, request: Request) -> None:
    """Send the drawn answer on as it comes; a browser that leaves ends it."""
    head = [(name, exchange.headers[name]) for name in PASSED if name in exchange.headers]
    head += [] if b"content-security-policy" in exchange.headers else [(b"content-security-policy", POLICY)]
    request.answering = True
    await request.send({"type": "http.response.start", "status": exchange.status, "headers": head})
    gone = asyncio.create_task(_gone(request))
    try:
        while True:
            some = asyncio.create_task(exchange.read_some())
            await asyncio.wait((some, gone), return_when=asyncio.FIRST_COMPLETED)
            if not some.done():
                some.cancel()
                with contextlib.suppress(asyncio.CancelledError, ProviderError):
                    await some
                raise Left
            part = some.result()
            await request.send({"type": "http.response.body", "body": part, "more_body": bool(part)})
            if not part:
                return
    except asyncio.CancelledError:
        if request.ending is SHUTTING_DOWN:
            raise
        await request.send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()
        exchange.release()


def _mannered(send: Send) -> Send:
    """Say with every answer, the API's own too, what a browser may not do with it."""

    async def with_manners(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(one for one in MANNERS if one[0] not in said)]
        await send(message)

    return with_manners


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _allow(request: Request) -> None:
    grant = request.grant
    if grant is not None and SCOPE not in grant.scopes:
        raise Rejected(_denied(f"the key {grant.name!r} is not for the pages: it lacks the scope {SCOPE}"))


def _refuse_foreign(request: Request) -> None:
    """Raise Rejected for what a page of another origin sends; a browser says which it is."""
    site = request.headers.get(b"sec-fetch-site", b"same-origin")
    origin = request.headers.get(b"origin", b"")
    host = origin.partition(b"://")[2]
    if site not in (b"same-origin", b"none") or (origin and host != request.headers.get(b"host", b"")):
        raise Rejected(_denied("pages of other origins may not write here"))


def _embedded(request: Request) -> bool:
    """Say whether a page of another origin loads this as a part of itself: that costs work, and it could read none."""
    site, mode, what = (request.headers.get(b"sec-fetch-" + name, b"") for name in (b"site", b"mode", b"dest"))
    return site in (b"cross-site", b"same-site") and (mode, what) != (b"navigate", b"document")


def _denied(text: str) -> Failure:
    return Failure(status=403, type=PERMISSION, code="pages_denied", message=text)


def _secure(request: Request) -> bool:
    return request.headers.get(b"x-forwarded-proto", b"").lower() == b"https"


def _here(scope: Message) -> str:
    host, port = scope["server"]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _inside(wanted: str) -> bytes:
    """Return where to go after the door: one of the pages, wherever somebody else wants to send the browser."""
    fine = wanted.startswith("/ui/") and "//" not in wanted and wanted.isascii() and wanted.isprintable()
    return quote(wanted).encode() if fine else ROOT


async def _form_body(request: Request) -> bytes:
    kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != FORM:
        text = "a form is sent as application/x-www-form-urlencoded"
        raise Rejected(Failure(status=415, type=INVALID, code="unsupported_media_type", message=text))
    return await request.plain(MAX_FORM_BYTES)


async def _redirect(request: Request, where: bytes, *more: tuple[bytes, bytes]) -> None:
    await request.answer(b"", [(b"location", where), (b"cache-control", b"no-store"), *more], status=303, kind=HTML)


async def _page(request: Request, title: str, inner: str, *, status: int = 200) -> None:
    body = _SHELL.format(title=escape(title), inner=inner).encode()
    head = [(b"content-security-policy", POLICY), (b"cache-control", b"no-store")]
    await request.answer(body, head, status=status, kind=HTML)


def _form(wanted: str, problem: str = "") -> str:
    told = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return (
        f'{told}<form method="post" action="/ui/login"><input type="hidden" name="next" value="{escape(wanted)}">'
        '<p><label for="key">A key with the scope <code>admin</code></label></p>'
        '<p><input id="key" name="key" type="password" autocomplete="current-password" required autofocus size="44"> '
        "<button>Sign in</button></p></form><p>No key yet? <code>tierwise keys create NAME --scope admin</code></p>"
    )


_LOST = (
    '<p>A browser finds the pages at <a href="/ui/">/ui/</a>; programs call the API under <code>/v1/</code>, such as '
    "<code>/v1/chat/completions</code>.</p>"
)
_SHELL = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, '
    'initial-scale=1"><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
    "<title>{title} – Tierwise</title></head><body><main><h1>{title}</h1>{inner}</main></body></html>\n"
)
