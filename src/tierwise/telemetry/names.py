"""Under which name does each fact leave? One table: its name in both GenAI conventions, and in OpenInference.

`v1.41` is the last release of the conventions, `latest` what their own repository says since; whatever no convention
knows stands under `tierwise.`. Tests hold every name against pinned copies of both registries.
Invariant: a fact that is not in the table does not leave.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

Profile = Literal["v1.41", "latest"]

SOURCES = {
    "v1.41": "open-telemetry/semantic-conventions v1.41.0; opentelemetry-semantic-conventions 0.66b2, as of 2026-11-21",
    "latest": (
        "open-telemetry/semantic-conventions-genai, docs/gen-ai/client-inference.md at 024a4f9, gen-ai-token-metrics.md"
        " at 27f82f0, client-embeddings.md at 88eccb1, as of 2026-11-21"
    ),
    "openinference": "openinference-semantic-conventions 0.1.42, as of 2026-11-21",
}
SCHEMA_URLS: dict[Profile, str] = {"v1.41": "https://opentelemetry.io/schemas/1.41.0", "latest": ""}
"""Nothing of the new repository is released, so `latest` has no schema to name."""
OPT_IN = "gen_ai_latest_experimental"
"""The word in OTEL_SEMCONV_STABILITY_OPT_IN that asks for `latest`."""


class Name(msgspec.Struct, frozen=True):
    """One fact about a call or an attempt. `latest` None: as in v1.41; `v141` None: in neither.

    `private` is what a caller or an endpoint may have written, or tells who it was: it is left out where the label of
    the call does not reach the collector.
    """

    fact: str
    v141: str | None
    text: str
    latest: str | None = None
    openinference: tuple[str, ...] = ()
    private: bool = False


ATTRIBUTES = (
    # an attempt, in the words of the conventions
    Name("operation", "gen_ai.operation.name", "`chat` or `embeddings`"),
    Name("provider", "gen_ai.provider.name", "who serves, by the kind of its endpoint",
         openinference=("llm.provider", "llm.system")),
    Name("request_model", "gen_ai.request.model", "the model by the name that its endpoint knows",
         openinference=("llm.model_name", "llm.request.model_name")),
    Name("embedding_model", None, "the same, of an embedding", openinference=("embedding.model_name",)),
    Name("response_model", "gen_ai.response.model", "what the endpoint says that it is, if it looks like a name",
         openinference=("llm.response.model_name",), private=True),
    Name("response", "gen_ai.response.id", "what the endpoint calls its answer: report it once", private=True),
    Name("address", "server.address", "the endpoint's host"),
    Name("port", "server.port", "the endpoint's port"),
    Name("error", "error.type", "the class of what went wrong, `cancelled`, or `_OTHER`; never its text"),
    Name("stream", "gen_ai.request.stream", "set where the answer was streamed"),
    Name("max_tokens", "gen_ai.request.max_tokens", "the caller's limit of output tokens"),
    Name("choices", "gen_ai.request.choice.count", "how many answers were asked for, where not one"),
    Name("output_type", "gen_ai.output.type", "`json` where that was asked for"),
    Name("conversation", "gen_ai.conversation.id", "the caller's session", openinference=("session.id",), private=True),
    Name("first_chunk", "gen_ai.response.time_to_first_chunk", "seconds to the first byte of a stream"),
    Name("input", "gen_ai.usage.input_tokens", "tokens read, cached ones too",
         openinference=("llm.token_count.prompt",)),
    Name("output", "gen_ai.usage.output_tokens", "tokens written, reasoning too",
         openinference=("llm.token_count.completion",)),
    Name("cache_read", "gen_ai.usage.cache_read.input_tokens", "of those read, from a cache",
         openinference=("llm.token_count.prompt_details.cache_read",)),
    Name("cache_write", "gen_ai.usage.cache_creation.input_tokens", "of those read, into a cache",
         latest="gen_ai.usage.cache_write.input_tokens", openinference=("llm.token_count.prompt_details.cache_write",)),
    Name("reasoning", "gen_ai.usage.reasoning.output_tokens", "of those written, as reasoning",
         openinference=("llm.token_count.completion_details.reasoning",)),
    Name("total", None, "tokens read and written", openinference=("llm.token_count.total",)),
    Name("dollars", None, "what the attempt cost, in US dollars", openinference=("llm.cost.total",)),
    Name("kind", None, "`CHAIN` for the call, `LLM` or `EMBEDDING` for an attempt",
         openinference=("openinference.span.kind",)),
    # an attempt, in our words
    Name("attempt", "tierwise.route.attempt.index", "which attempt, from 0"),
    Name("endpoint", "tierwise.route.endpoint", "the endpoint's name in the configuration"),
    Name("model", "tierwise.route.model", "the model's id in the configuration"),
    Name("verdict", "tierwise.route.verdict", "what followed: `ok`, `retry_same`, `next`, `stop`, `escalate`, …"),
    Name("status", "tierwise.route.status", "the HTTP status of a failure"),
    Name("gate", "tierwise.route.gate", "the quality gate that failed"),
    Name("confidence", "tierwise.route.confidence", "how sure the model was, where a gate measured it"),
    Name("cost", "tierwise.cost.picousd", "what the attempt cost, in whole picodollars, a fraction rounded up"),
    Name("estimated", "tierwise.usage.estimated", "true where tokens were measured here, not reported"),
    Name("suspicious", "tierwise.usage.suspicious", "true where the reported tokens do not add up"),
    # the call
    Name("id", "tierwise.route.id", "the decision's id, for `tierwise show`"),
    Name("asked", "tierwise.route.requested_alias", "the model that the caller asked for", private=True),
    Name("workflow", "tierwise.route.workflow", "the call's workflow", private=True),
    Name("policy", "tierwise.route.policy.digest", "the policy it was decided by"),
    Name("registry", "tierwise.route.registry.digest", "what existed"),
    Name("prices", "tierwise.route.price.digest", "what it cost"),
    Name("tier", "tierwise.route.tier", "`local`, `self_hosted` or `frontier`; of a call, the last one asked"),
    Name("reason", "tierwise.route.reason", "a strategy, `pinned`, `fallback`, `escalation`, or what refused it"),
    Name("outcome", "tierwise.route.outcome", "how the call ended"),
    Name("considered", "tierwise.route.candidates.considered", "how many models were looked at"),
    Name("denied", "tierwise.route.candidates.denied", "how many of them policy excluded"),
    Name("attempts", "tierwise.route.attempt.count", "how many attempts there were"),
    Name("fallback", "tierwise.route.fallback", "true where another model was asked after a failure"),
    Name("cause", "tierwise.route.fallback.cause", "why: `timeout`, `rate_limit`, `gate_failed`, …"),
    Name("escalated", "tierwise.route.escalated", "true where an answer was not good enough"),
    Name("label", "tierwise.route.label.max", "the call's label"),
    Name("duties", "tierwise.route.obligations", "the duties it was under"),
    Name("review", "tierwise.review.required", "true where a person is to look at it"),
    Name("sum", "tierwise.cost.total_picousd", "what all attempts cost; never add it to theirs"),
    Name("unknown", "tierwise.cost.unknown_picousd", "what attempts may have cost at most whose bill was never told"),
    Name("currency", "tierwise.cost.currency", "`USD`"),
    Name("cost_source", "tierwise.cost.source", "`local`: counted here, from prices in the configuration"),
    Name("counted", "tierwise.usage.counted_by_caller", "true where the caller reports the tokens itself: not here"),
    Name("withheld", "tierwise.telemetry.withheld", "true where the label does not reach the collector"),
)  # fmt: skip


class Metric(msgspec.Struct, frozen=True):
    """What a metric of the conventions is called: of chat, and of embeddings where that is another one."""

    fact: str
    v141: str | None
    latest: str | None
    latest_embeddings: str | None
    unit: str
    text: str
    kind: Literal["counter", "histogram"] = "histogram"


METRICS = (
    Metric("duration", "gen_ai.client.operation.duration", "gen_ai.client.inference.duration",
           "gen_ai.client.embeddings.duration", "s", "duration of an attempt"),
    Metric("first_chunk", "gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.inference.time_to_first_chunk",
           None, "s", "time to the first byte of a stream"),
    Metric("input", "gen_ai.client.token.usage", "gen_ai.client.inference.operation.input_tokens",
           "gen_ai.client.embeddings.operation.input_tokens", "{token}", "tokens read by an attempt"),
    Metric("output", "gen_ai.client.token.usage", "gen_ai.client.inference.operation.output_tokens", None, "{token}",
           "tokens written by an attempt"),
    Metric("input_sum", None, "gen_ai.client.inference.usage.input_tokens", None, "{token}",
           "tokens read, cached ones too", "counter"),
    Metric("output_sum", None, "gen_ai.client.inference.usage.output_tokens", None, "{token}",
           "tokens written, reasoning too", "counter"),
    Metric("cache_read", None, "gen_ai.client.inference.usage.cache_read.input_tokens", None, "{token}",
           "of those read, from a cache", "counter"),
    Metric("cache_write", None, "gen_ai.client.inference.usage.cache_write.input_tokens", None, "{token}",
           "of those read, into a cache", "counter"),
    Metric("reasoning", None, "gen_ai.client.inference.usage.reasoning.output_tokens", None, "{token}",
           "of those written, as reasoning", "counter"),
)  # fmt: skip


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """The names in use: by fact, those under which it leaves, none where this profile has none."""

    profile: Profile
    names: Mapping[str, tuple[str, ...]]
    private: frozenset[str]
    openinference: bool = False


def naming(profile: Profile, *, openinference: bool = False) -> Naming:
    """Choose the column of the table, and OpenInference beside it if asked."""
    names = {}
    for row in ATTRIBUTES:
        own = (row.latest or row.v141) if profile == "latest" else row.v141
        names[row.fact] = ((own,) if own else ()) + (row.openinference if openinference else ())
    return Naming(
        profile=profile,
        names=names,
        private=frozenset(row.fact for row in ATTRIBUTES if row.private),
        openinference=openinference,
    )
