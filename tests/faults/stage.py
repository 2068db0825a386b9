"""What the table is asked of by default: our gateway with keys, its twin without, the scripted upstream behind both.

Also writes the configuration with which LiteLLM leads to the same upstream under the same names.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.faults.target import Inside, Target
from tests.integration.server.conftest import opened_door
from tierwise.config import Document, Settings
from tierwise.core.model import Limits
from tierwise.ledger.settings import LedgerSettings
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
BODY_LIMIT = 2_000_000
# Small enough for a test to reach them.
LIMITS = ServerSettings(
    header_timeout_s=1, body_timeout_s=1, write_timeout_s=1, max_body_bytes=BODY_LIMIT, max_connections=200
)
HURRIED = Limits(first_byte_timeout_s=1, idle_timeout_s=1)


def served(role: str) -> str:
    """Return a role's name at the upstream."""
    script = ROLES[role]
    return f"{UPSTREAM_MODEL}?{script}" if script else UPSTREAM_MODEL


def document(upstream: ScriptedUpstream, *, keyed: bool) -> Document:
    """Configure a model for each role."""
    return Document(
        endpoint=(EndpointRow(name="up", kind="scripted", url=upstream.url, key="env:UPSTREAM_KEY", limits=HURRIED),),
        model=tuple(ModelRow(id=role, endpoint="up", served_name=served(role)) for role in ROLES),
        server=LIMITS,
        key=(KeyRow(name="caller", secret="env:CALLER_KEY", scopes=("call",)),) if keyed else (),
        ledger=LedgerSettings(durability="normal"),
    )


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
    environ = {"UPSTREAM_KEY": UPSTREAM_KEY, "CALLER_KEY": KEY}
    with upstream_at() as upstream, contextlib.ExitStack() as stack:

        def started(name: str, *, keyed: bool) -> tuple[int, Inside]:
            settings = Settings(document=document(upstream, keyed=keyed), home=home / name, environ=environ)
            port = stack.enter_context(opened_door(settings, upstream)).port
            return port, stack.enter_context(contextlib.closing(Inside(settings.ledger_path)))

        models = {role: role for role in ROLES}
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
            host="127.0.0.1", port=port, key=KEY, secrets=(KEY, UPSTREAM_KEY), models=models, body_limit=BODY_LIMIT, patience_s=1, upstream=upstream,
            inside=inside, open=twin,
        )  # fmt: skip


def litellm_config(port: int) -> str:
    """Write LiteLLM's configuration: each role leads to the scripted upstream on this port."""
    lines = ["model_list:"]
    for role in ROLES:
        lines += [
            f"  - model_name: {role}",
            "    litellm_params:",
            f'      model: "openai/{served(role)}"',
            f'      api_base: "http://127.0.0.1:{port}/v1"',
            f"      api_key: {UPSTREAM_KEY}",
        ]
    lines += [
        "litellm_settings: {callbacks: [], num_retries: 0, request_timeout: 10, telemetry: false}",
        f"general_settings: {{master_key: {KEY}}}",
    ]
    return "\n".join(lines) + "\n"
