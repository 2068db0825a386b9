"""What does the page of the policy show, and do? What is in force, a request tested against it, releases, the audit.

What is in force is asked of `tierwise policy`, which reads what gateways over the same ledger serve by; a test is the
gateway's own `POST /v1/route`. Invariant: a text that is tested, and a policy that is pasted, stand in no address, no
log and no command; nothing is released but after a page that names it.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.policy.released import Written
from tierwise.web import policy_told
from tierwise.web.commands import Run, shown
from tierwise.web.drafts import Drafts
from tierwise.web.site import Site

BACK = "/ui/policy"
SPANS = {"1d": "the last day", "7d": "the last week", "30d": "the last 30 days", "90d": "the last 90 days"}
COMPARE_S = 900.0
MAX_WHY_CHARS = 500
PASTED = "pasted"
"""What a pasted policy is called where a release's number would stand; `own` is the configuration file's."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which policy is looked at: a release's number, `pasted` with the name of its text, or `own`."""

    new: str
    draft: str = ""
    against: str = ""
    since: str = "30d"

    @property
    def query(self) -> str:
        """It as a query."""
        return urlencode({name: value for name, value in msgspec.to_builtins(self).items() if value})

    @property
    def named(self) -> str:
        """What it is called."""
        return {PASTED: "the pasted policy", "own": "the configuration file's own policy"}.get(
            self.new, f"the policy of release {self.new}"
        )

    def diff(self, file: str) -> tuple[str, ...]:
        """Return the command that compares; `file` is where a pasted text lies."""
        more = (f"--against={self.against}",) if self.against else ()
        return ("policy", "diff", f"--since={self.since}", *more, "--", file if self.new == PASTED else self.new)

    def release(self, file: str, why: str, by: str, *, widen: bool) -> tuple[str, ...]:
        """Return the command that puts it in force."""
        said = (f"--why={why}", *([f"--by={by}"] if by else []), *(["--widen"] if widen else []))
        if self.new == "own":
            return ("policy", "detach", *said)
        if self.new == PASTED:
            return ("policy", "apply", *said, f"--since={self.since}", "--", file)
        return ("policy", "rollback", *said, "--", self.new)


def wanted(fields: Mapping[str, str]) -> Wanted:
    """Read which policy is meant. Raises InvalidCall."""
    new, against = fields.get("new", ""), fields.get("against", "")
    since = fields.get("since", "30d")
    number = re.compile(r"[1-9][0-9]{0,8}")
    if not (new in (PASTED, "own") or number.fullmatch(new)) or not (against == "" or number.fullmatch(against)):
        raise InvalidCall("say which release: a number")
    if since not in SPANS:
        raise InvalidCall(f"recorded decisions are compared of {', '.join(SPANS)}")
    return Wanted(new=new, draft=fields.get("draft", "") if new == PASTED else "", against=against, since=since)


def routes(site: Site) -> list[Route]:
    """Return the page of the policy, its parts, and what it does."""
    view = _Views(site)
    return [
        Route(BACK, view.page),
        Route("/ui/policy/force", view.force),
        Route("/ui/policy/releases", view.releases),
        Route("/ui/policy/beside", view.beside),
        Route("/ui/policy/test", view.test, methods=["POST"]),
        Route("/ui/policy/pasted", view.pasted, methods=["POST"]),
        Route("/ui/policy/compare", view.compare),
        Route("/ui/policy/difference", view.difference),
        Route("/ui/policy/confirm", view.confirm, methods=["POST"]),
        Route("/ui/policy/release", view.release, methods=["POST"]),
        Route("/ui/policy/verify", view.verify, methods=["POST"]),
    ]


class _Views:
    def __init__(self, site: Site) -> None:
        self._site, self._drafts = site, Drafts(site.home / "pages" / "drafts")
        self._tasks: set[asyncio.Task[None]] = set()

    async def page(self, request: Request) -> Response:
        status = await self._site.gateway(request).status() or {}
        flows = [one["name"] for one in status.get("workflows", ())]
        workflow = request.query_params.get("workflow", "")
        return self._site.page(
            request, "policy", workflows=flows, workflow=workflow if workflow in flows else "", status=status,
            labels=[label.value for label in Label], models=[one["id"] for one in status.get("models", ())],
            spans=SPANS, audit=await self._audit(), verify=shown(("audit", "verify")),
        )  # fmt: skip

    # parts

    async def force(self, request: Request) -> Response:
        workflow = request.query_params.get("workflow", "")
        told = ("policy", "show", *((f"--workflow={workflow}",) if workflow else ()))

        async def values() -> dict[str, Any]:
            found = await self._site.commands.answer(told)
            status = await self._site.gateway(request).status()
            policy = msgspec.convert(found["policy"], Written)
            return {
                "found": found, "labels": policy.labels, "rules": policy_told.rules(policy), "line": shown(told),
                "found_by": policy_told.detectors(policy.labels), "columns": policy_told.matrix(found["reach"]),
                "status": status, "scale": [label.value for label in Label],
            }  # fmt: skip

        return self._site.slow("policy_force", values())

    async def releases(self, request: Request) -> Response:
        told = ("policy", "list")

        async def values() -> dict[str, Any]:
            return {"releases": await self._site.commands.answer(told), "line": shown(told)}

        return self._site.slow("policy_releases", values())

    async def beside(self, request: Request) -> Response:
        async def values() -> dict[str, Any]:
            kept, now = await self._site.commands.answer(("declassify", "--list")), time.time()
            standing = [one for one in kept if one["ended"] is None and one["declassified"]["until"] > now]
            found = await self._site.commands.answer(("incidents",))
            return {"declassified": standing, "over": len(kept) - len(standing), "incidents": found}

        return self._site.slow("policy_beside", values())

    # a request tested

    async def test(self, request: Request) -> Response:
        fields = await self._site.form(request)
        body: dict[str, Any] = {
            "model": fields.get("model") or "auto",
            "messages": [{"role": "user", "content": fields.get("text", "")}],
        }
        told = {f"x-tierwise-{name}": fields[name] for name in ("label", "workflow", "session") if fields.get(name)}
        if told:
            body["metadata"] = told
        error, decision = None, None
        try:
            decision = await self._site.gateway(request).decision("/v1/route", body)
        except InvalidCall as refused:
            error = str(refused)
        if fields.get("part"):
            return self._site.part("policy_tested", decision=decision, error=error)
        return self._site.page(request, "policy_tested", decision=decision, error=error)

    # another policy

    async def pasted(self, request: Request) -> Response:
        fields = await self._site.form(request)
        draft = self._drafts.keep(fields.get("policy", ""))
        one = wanted({**fields, "new": PASTED, "draft": draft})
        return RedirectResponse(f"/ui/policy/compare?{one.query}", 303)

    async def compare(self, request: Request) -> Response:
        one = wanted(request.query_params)
        text = self._drafts.text(one.draft) if one.new == PASTED else ""
        line = "" if one.new == "own" else shown(one.diff("new.toml"))
        key = request.headers.get("x-tierwise-key", "")
        return self._site.page(request, "policy_compare", one=one, line=line, spans=SPANS, who=key, text=text)

    async def difference(self, request: Request) -> Response:
        one = wanted(request.query_params)

        async def found() -> dict[str, Any]:
            if one.new != PASTED:
                answer = await self._site.commands.answer(one.diff(""), within_s=COMPARE_S)
            else:
                with self._drafts.file(one.draft) as path:
                    answer = await self._site.commands.answer(one.diff(str(path)), within_s=COMPARE_S)
            return {"found": answer, "one": one, "kinds": policy_told.KINDS, "wider": policy_told.WIDER}

        return self._site.slow("policy_difference", found())

    async def confirm(self, request: Request) -> Response:
        fields = await self._site.form(request)
        one, why = wanted(fields), _why(fields)
        by, widen = fields.get("by", "").strip(), fields.get("widen") == "yes"
        line = shown(one.release("new.toml", why, by, widen=widen))
        return self._site.page(request, "policy_confirm", one=one, why=why, by=by, widen=widen, line=line)

    async def release(self, request: Request) -> Response:
        fields = await self._site.form(request)
        one, why = wanted(fields), _why(fields)
        by, widen = fields.get("by", "").strip(), fields.get("widen") == "yes"
        if one.new != PASTED:
            return self._led(self._start(request, one.release("", why, by, widen=widen)))
        lent = self._drafts.file(one.draft)
        path = lent.__enter__()
        try:
            run = self._start(request, one.release(str(path), why, by, widen=widen))
        except InvalidCall:
            lent.__exit__(None, None, None)
            raise

        async def until_read() -> None:
            try:
                async for _ in run.follow(0):
                    pass
            finally:
                lent.__exit__(None, None, None)

        task = asyncio.create_task(until_read())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return self._led(run)

    # the audit

    async def verify(self, request: Request) -> Response:
        await self._site.form(request)
        return self._led(self._start(request, ("audit", "verify")))

    async def _audit(self) -> dict[str, Any]:
        """Return what is signed, as the ledger says it; whether that is true, only verifying tells."""
        async with self._site.reading() as ledger:
            notes = [] if ledger is None else await ledger.checkpoints()
        signed = _size(notes[-1]) if notes else 0
        recorded, _ = self._site.index.followed
        runs = [run for run in self._site.commands.runs if run.words[:2] == ("audit", "verify")]
        return {
            "checkpoints": len(notes), "signed": signed, "unsigned": max(0, recorded - signed),
            "verified": next((run for run in runs if run.code in (0, 1)), None),
        }  # fmt: skip

    def _start(self, request: Request, told: tuple[str, ...]) -> Run:
        return self._site.commands.start(told, self._site.gateway(request), BACK)

    def _led(self, run: Run) -> Response:
        return RedirectResponse(f"/ui/runs/{run.ident}", 303)


def _why(fields: Mapping[str, str]) -> str:
    why = fields.get("why", "").strip()
    if not why or len(why) > MAX_WHY_CHARS:
        raise InvalidCall(f"say why, in 1 to {MAX_WHY_CHARS} characters, for those who read the list later")
    return why


def _size(note: str) -> int:
    """Return how many records a checkpoint speaks of, 0 where it is none: whether it is true is not looked at."""
    lines = note.split("\n")
    return int(lines[1]) if len(lines) > 2 and lines[1].isdecimal() and len(lines[1]) < 19 else 0
