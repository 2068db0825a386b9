"""docs/grafana/tierwise.json, written from the panels below: `python -m tests.documents.dashboard`.

A panel is a title, a unit and its queries, each with a legend. The rows ask where, why, at what cost, how good.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "grafana" / "tierwise.json"
SPAN = "[$__rate_interval]"
Query = tuple[str, str]
Panel = tuple[str, str, tuple[Query, ...]]


def rate(metric: str, by: str, where: str = "") -> str:
    """Write the rate of a counter, by labels."""
    return f"sum by ({by}) (rate({metric}{where}{SPAN}))"


def share(part: str, whole: str) -> str:
    """Write one as a share of the other."""
    return f"({part}) / ({whole})"


def quantile(metric: str, at: float, by: str) -> str:
    """Write a quantile of a histogram, by labels."""
    return f"histogram_quantile({at}, sum by (le, {by}) (rate({metric}_bucket{SPAN})))"


FLOW = '{workflow=~"$workflow"}'
CALLS = f"sum(rate(tierwise_decisions_total{SPAN}))"
ROWS: dict[str, tuple[Panel, ...]] = {
    "Where": (
        ("Calls by tier", "reqps", ((rate("tierwise_decisions_total", "tier"), "{{tier}}"),)),
        ("Calls by workflow", "reqps", ((rate("tierwise_workflow_calls_total", "workflow", FLOW), "{{workflow}}"),)),
        ("Labels by tier", "reqps", ((rate("tierwise_decisions_total", "label, tier"), "{{label}} → {{tier}}"),)),
        ("Attempts by model", "reqps", ((rate("tierwise_attempts_total", "endpoint, model"), "{{endpoint}} {{model}}"),)),
        ("Duration of a call, p50 and p95", "s", (
            (quantile("tierwise_latency_seconds", 0.5, "tier"), "p50 {{tier}}"),
            (quantile("tierwise_latency_seconds", 0.95, "tier"), "p95 {{tier}}"),
        )),
        ("To the first byte of a stream, p95", "s", (
            (quantile("tierwise_attempt_first_chunk_seconds", 0.95, "model"), "{{model}}"),
        )),
        ("Requests at a model, and its slots", "short", (
            ("tierwise_model_requests", "{{model}}"),
            ("tierwise_model_slots", "slots of {{model}}"),
            ("tierwise_model_loaded", "{{model}} is loaded"),
        )),
        ("What a call would take now", "s", (("tierwise_model_latency_expected_seconds", "{{model}}"),)),
    ),
    "Why": (
        ("Reasons", "reqps", ((rate("tierwise_decisions_total", "reason"), "{{reason}}"),)),
        ("Moves to another model", "reqps", (
            (rate("tierwise_fallbacks_total", "cause, from, to"), "fallback {{cause}}: {{from}} → {{to}}"),
            (rate("tierwise_escalations_total", "cause, from, to"), "escalation {{cause}}: {{from}} → {{to}}"),
        )),
        ("Repeats at the same model", "reqps", ((rate("tierwise_retries_total", "cause"), "{{cause}}"),)),
        ("Failed attempts", "reqps", (
            (rate("tierwise_attempt_duration_seconds_count", "model, error", '{error!="none"}'), "{{model}} {{error}}"),
        )),
        ("What policy excluded", "ops", ((rate("tierwise_policy_denials_total", "by, tier"), "{{by}} {{tier}}"),)),
        ("Outcomes but answers", "reqps", (
            (rate("tierwise_decisions_total", "outcome", '{outcome!="answered"}'), "{{outcome}}"),
        )),
    ),
    "Cost": (
        ("Dollars an hour, by workflow", "currencyUSD", (
            (f"3600 * {rate('tierwise_cost_usd_total', 'workflow', FLOW)}", "{{workflow}}"),
        )),
        ("Dollars an hour, by model", "currencyUSD", (
            (f"3600 * {rate('tierwise_cost_usd_total', 'endpoint, model')}", "{{endpoint}} {{model}}"),
            (f"3600 * {rate('tierwise_cost_unknown_usd_total', 'endpoint, model')}", "at most, not told: {{model}}"),
            (f"3600 * {rate('tierwise_cost_own_usd_total', 'endpoint, model')}", "own machines, no bill: {{model}}"),
        )),
        ("Left of budgets", "currencyUSD", (
            ("tierwise_budget_remaining_usd", "{{scope}} {{window}} ({{budget}})"),
        )),
        ("Tokens", "short", (
            (rate("tierwise_tokens_input_total", "model"), "read {{model}}"),
            (rate("tierwise_tokens_output_total", "model"), "written {{model}}"),
            (rate("tierwise_tokens_reasoning_total", "model"), "of those as reasoning {{model}}"),
            (rate("tierwise_tokens_cache_write_total", "model"), "of those read into a cache {{model}}"),
        )),
        ("Share read from a cache", "percentunit", (
            (share(rate("tierwise_tokens_cache_read_total", "model"), rate("tierwise_tokens_input_total", "model")),
             "{{model}}"),
        )),
        ("Share of tokens that was estimated", "percentunit", (
            (share(f"sum(rate(tierwise_tokens_output_total{{source=\"estimated\"}}{SPAN}))",
                   f"sum(rate(tierwise_tokens_output_total{SPAN}))"), "estimated"),
        )),
    ),
    "Quality": (
        ("Answers that failed a gate", "ops", ((rate("tierwise_gate_failures_total", "model, gate"), "{{model}} {{gate}}"),)),
        ("Share of calls that escalate", "percentunit", (
            (share(f"sum(rate(tierwise_escalations_total{SPAN}))", CALLS), "escalated"),
        )),
        ("Handed over in spite of a gate, or for a person", "reqps", (
            (rate("tierwise_workflow_calls_total", "workflow, outcome", '{outcome=~"flagged|review"}'),
             "{{workflow}} {{outcome}}"),
        )),
        ("Answers whose numbers do not add up", "ops", ((rate("tierwise_suspicious_total", "model"), "{{model}}"),)),
        ("The gateway itself", "s", (
            (quantile("tierwise_ledger_write_seconds", 0.99, "what"), "ledger p99 {{what}}"),
        )),
        ("Waiting and lost", "short", (
            ("tierwise_ledger_pending_rows", "rows that wait"),
            ("tierwise_connections_open", "connections"),
            ("tierwise_shadows_dropped", "copies dropped"),
            (rate("tierwise_telemetry_dropped_total", "why"), "telemetry dropped: {{why}}"),
            ("rate(tierwise_telemetry_exported_total[$__rate_interval])", "telemetry sent"),
        )),
        ("Open incidents, and who does not sign or keep the log", "short", (
            ("sum by (kind, severity) (tierwise_incidents_open)", "{{kind}} {{severity}}"),
            ("tierwise_audit_failing", "signers and witnesses that fail"),
        )),
    ),
}  # fmt: skip


def queries() -> Iterator[str]:
    """Give every query of the dashboard."""
    return (query for panels in ROWS.values() for _, _, told in panels for query, _ in told)


def page() -> str:
    """Write the dashboard."""
    panels: list[dict[str, Any]] = []
    top = 0
    for name, row in ROWS.items():
        panels.append({"type": "row", "title": name, "collapsed": False, "panels": [], "id": len(panels) + 1,
                       "gridPos": {"h": 1, "w": 24, "x": 0, "y": top}})  # fmt: skip
        for place, (title, unit, told) in enumerate(row):
            where = {"h": 8, "w": 8, "x": place % 3 * 8, "y": top + 1 + place // 3 * 8}
            panels.append(_panel(len(panels) + 1, title, unit, told, where))
        top += 1 + (len(row) + 2) // 3 * 8
    return json.dumps(_dashboard(panels), indent=1) + "\n"


def _panel(number: int, title: str, unit: str, told: tuple[Query, ...], where: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": SOURCE}
        for place, (query, legend) in enumerate(told)
    ]
    return {
        "id": number, "type": "timeseries", "title": title, "datasource": SOURCE, "gridPos": where, "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    }  # fmt: skip


SOURCE = {"type": "prometheus", "uid": "${source}"}


def _dashboard(panels: list[dict[str, Any]]) -> dict[str, Any]:
    variables = [
        {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {"name": "workflow", "label": "Workflow", "type": "query", "datasource": SOURCE, "multi": True,
         "includeAll": True, "allValue": ".*", "refresh": 2,
         "query": "label_values(tierwise_workflow_calls_total, workflow)"},
    ]  # fmt: skip
    return {
        "title": "Tierwise", "uid": "tierwise", "schemaVersion": 39, "version": 1, "editable": True, "tags": ["tierwise"],
        "time": {"from": "now-6h", "to": "now"}, "refresh": "30s", "templating": {"list": variables}, "panels": panels,
    }  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
