"""What the table is asked of by default: our gateway with keys, its twin without, the scripted upstream behind both.

Also writes the configuration with which LiteLLM leads to the same upstream under the same names.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import trustme

from tests.faults.doors import ALL, CALLS, Door
from tests.faults.lies import HURRIED as LATE
from tests.faults.lies import ROLES as LIES
from tests.faults.lies import WAITS, WIRES
from tests.faults.target import Inside, Target
from tests.integration.server.conftest import opened_door
from tierwise.config import Document, Settings
from tierwise.core.label import Label, Tier
from tierwise.core.model import Capability, Limits
from tierwise.core.usage import Price
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.settings import LedgerSettings
from tierwise.policy.settings import LabelSettings, Pattern
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.settings import KeyRow, ServerSettings
from tierwise.testing import ScriptedUpstream

KEY = "sk-faults-3f9a1c77d2e84b60"
UPSTREAM_KEY = "sk-upstream-5b1e8a90c4"
ROLES: dict[str, str] = {
    "ordinary": "",
    "slow": "fault=slow_chunks&delay_ms=200",
}
"""What a model is for, and the script behind its name at the upstream."""
UPSTREAM_MODEL = "m"
NEVER = 1_000_000_000
BODY_LIMIT = 16_000_000
# Small enough for a test to reach them.
LIMITS = ServerSettings(
    header_timeout_s=1, body_timeout_s=1, write_timeout_s=1, max_body_bytes=BODY_LIMIT, max_connections=200
)
HURRIED = Limits(first_byte_timeout_s=1, idle_timeout_s=1)
ASKED_FOR = (
    *(role for wire in WIRES for role in (*LIES[wire], *LATE[wire])),
    "refused",
    "unknown",
    "untrusted",
    "second",
    "redirected",
    "outside",
    "unpriced",
    "free",
)
"""The roles of the upstream's rows: `lies` has their scripts."""


WAITING = {
    f"wait-{status}-{place}-{door}": f"fault=error&status={status}&{urlencode({'retry_after': wait})}"
    for status in (429, 503, 529)
    for place, wait in enumerate(WAITS)
    for door in CALLS
}
NOBODY = {"refused": "http://127.0.0.1:9/v1", "unknown": "http://nobody.invalid/v1"}
"""Endpoints that are not there."""
FIRST = {"refused": "refused", "hang": "chat-59-hang", "html": "chat-62-html"}
WORKFLOWS: dict[str, tuple[str, ...]] = {
    **{f"{name}-first": (model, "second") for name, model in FIRST.items()},
    "either": ("second", "outside"),
    "down-inside": ("refused", "outside"),
    "climbs": ("chat-66-empty_content", "outside"),
}
LATE_KEY, NARROW_KEY = "sk-late-1c9be07a55d1", "sk-narrow-61f0a2b84e"
NARROW = ("ordinary", FIRST["html"], "chat-66-empty_content")
FAR = f"{UPSTREAM_MODEL}?text=from+outside"
PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
NO_PRICE = Price(input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0))
ABLE: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")


def served(script: str) -> str:
    """Return a name at the upstream."""
    return f"{UPSTREAM_MODEL}?{script}" if script else UPSTREAM_MODEL


def keys() -> tuple[KeyRow, ...]:
    """Return the keys: an ordinary one, one that is over, one for few models, and for each door one for few calls."""
    return (
        KeyRow(name="caller", secret="env:CALLER_KEY"),
        KeyRow(name="late", secret="env:LATE_KEY", expires=datetime(2020, 1, 1, tzinfo=UTC)),
        KeyRow(name="narrow", secret="env:NARROW_KEY", models=NARROW),
        *(KeyRow(name=f"few-{door}", secret=f"env:FEW_{n}", requests_per_minute=1) for n, door in enumerate(ALL)),
    )


def few(door: Door) -> str:
    """Return the key that may call once a minute, for this door."""
    return f"sk-few-{ALL.index(door)}-77aa10b2c3"


def document(upstream: ScriptedUpstream, untrusted: str, *, keyed: bool) -> Document:
    """Configure a model for each role, at endpoints of each wire."""

    def at(name: str, url: str, *wires: str, limits: Limits = Limits()) -> EndpointRow:
        return EndpointRow(
            name=name, kind="scripted", url=url, wires=wires or None, key="env:UPSTREAM_KEY", limits=limits,
            tier=Tier.SELF_HOSTED if name == "unknown" else Tier.LOCAL,
        )  # fmt: skip

    endpoints = [at("up", upstream.url)]
    models = [ModelRow(id=role, endpoint="up", served_name=served(script)) for role, script in ROLES.items()]
    for wire in WIRES:
        url = upstream.generate_url if wire == "gemini" else upstream.url
        endpoints += [at(wire, url, wire), at(f"{wire}-hurried", url, wire, limits=HURRIED)]
        for end, roles in ((wire, LIES[wire]), (f"{wire}-hurried", LATE[wire])):
            models += [
                ModelRow(id=role, endpoint=end, served_name=served(script), capabilities=ABLE)
                for role, script in roles.items()
            ]
    models += [ModelRow(id=role, endpoint="chat", served_name=served(script)) for role, script in WAITING.items()]
    for name, url in (NOBODY | {"untrusted": untrusted}).items():
        endpoints.append(at(name, url))
        models.append(ModelRow(id=name, endpoint=name))
    home = f"m?fault=redirect&{urlencode({'text': upstream.url + '/chat/completions'})}"
    models.append(ModelRow(id="redirected", endpoint="chat", served_name=home))
    models.append(ModelRow(id="second", endpoint="chat", served_name=UPSTREAM_MODEL, capabilities=ABLE))
    endpoints.append(
        EndpointRow(name="far", kind="scripted", url=upstream.url, key="env:UPSTREAM_KEY", tier=Tier.FRONTIER)
    )
    models += [
        ModelRow(id="outside", endpoint="far", served_name=FAR, capabilities=ABLE, price=PRICE, strength=99),
        ModelRow(id="unpriced", endpoint="far", served_name=UPSTREAM_MODEL),
        ModelRow(id="free", endpoint="far", served_name=UPSTREAM_MODEL, price=NO_PRICE),
    ]
    return Document(
        endpoint=tuple(endpoints),
        model=tuple(models),
        workflow=tuple(
            Workflow(name=name, candidates=candidates, strategy="best" if name == "either" else "cascade")
            for name, candidates in WORKFLOWS.items()
        ),
        server=LIMITS,
        labels=LabelSettings(patterns={"word": Pattern(pattern="(?i)kestrel-0417-lumen", label=Label.RESTRICTED)}),
        key=keys() if keyed else (),
        ledger=LedgerSettings(durability="normal"),
        breaker=BreakerSettings(failures=NEVER),
    )


@contextlib.contextmanager
def untrusted_server() -> Iterator[str]:
    """Listen with a certificate that nobody vouches for; yield the address."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    plain, _ = listener.accept()
                    with contextlib.suppress(OSError), plain, tls.wrap_socket(plain, server_side=True) as line:
                        line.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def upstream_at(port: int = 0) -> Iterator[ScriptedUpstream]:
    """Start the scripted upstream."""
    with ScriptedUpstream.in_thread(
        models=(UPSTREAM_MODEL,), port=port, key=UPSTREAM_KEY, context_tokens=1_000_000
    ) as upstream:
        yield upstream


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Target]:
    """Serve the default target until the block ends."""
    environ = {"UPSTREAM_KEY": UPSTREAM_KEY, "CALLER_KEY": KEY, "LATE_KEY": LATE_KEY, "NARROW_KEY": NARROW_KEY}
    environ |= {f"FEW_{n}": few(door) for n, door in enumerate(ALL)}
    with upstream_at() as upstream, untrusted_server() as untrusted, contextlib.ExitStack() as stack:

        def started(name: str, *, keyed: bool) -> tuple[int, Inside]:
            settings = Settings(document=document(upstream, untrusted, keyed=keyed), home=home / name, environ=environ)
            port = stack.enter_context(opened_door(settings, upstream)).port
            return port, stack.enter_context(contextlib.closing(Inside(settings.ledger_path)))

        models = {role: role for role in (*ROLES, *ASKED_FOR)}
        port, inside = started("open", keyed=False)
        twin = Target(
            host="127.0.0.1",
            port=port,
            models=models,
            body_limit=BODY_LIMIT,
            patience_s=1,
            upstream=upstream,
            inside=inside,
        )
        port, inside = started("keyed", keyed=True)
        yield Target(
            host="127.0.0.1", port=port, key=KEY, secrets=(KEY, UPSTREAM_KEY, LATE_KEY, NARROW_KEY), models=models, body_limit=BODY_LIMIT, patience_s=1, upstream=upstream,
            inside=inside, open=twin,
        )  # fmt: skip


def litellm_config(port: int) -> str:
    """Write LiteLLM's configuration: each role leads to the scripted upstream on this port."""
    lines = ["model_list:"]
    for role, script in (ROLES | LIES["chat"] | LATE["chat"]).items():
        lines += [
            f"  - model_name: {role}",
            "    litellm_params:",
            f'      model: "openai/{served(script)}"',
            f'      api_base: "http://127.0.0.1:{port}/v1"',
            f"      api_key: {UPSTREAM_KEY}",
        ]
    lines += [
        "litellm_settings: {callbacks: [], num_retries: 0, request_timeout: 3, telemetry: false}",
        "router_settings: {num_retries: 0, disable_cooldowns: true}",  # a row must not suffer for the one before it
        f"general_settings: {{master_key: {KEY}}}",
    ]
    return "\n".join(lines) + "\n"
