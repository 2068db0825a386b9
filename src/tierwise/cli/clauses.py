"""Which part of a record answers which clause of which framework? The rows of `rows/clauses.toml`, for auditors.

Our own working map and no legal advice: `CAVEAT` goes wherever it is shown. It decides nothing.
"""

import tomllib
from importlib import resources

import msgspec

CAVEAT = "This map is our own working aid, not legal advice and no statement of conformity: have a lawyer check it."
FRAMEWORKS = {
    "eu_ai_act": "EU AI Act (Regulation 2024/1689), article",
    "iso_42001": "ISO/IEC 42001:2023, clause or control",
    "nist_rmf": "NIST AI RMF 1.0",
    "owasp_llm": "OWASP Top 10 for LLM applications (2025)",
}


class Clause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of a record's fields, the question that they answer, and the clauses that ask it."""

    group: str
    fields: tuple[str, ...]
    answers: str
    eu_ai_act: tuple[str, ...]
    iso_42001: tuple[str, ...]
    nist_rmf: tuple[str, ...]
    owasp_llm: tuple[str, ...]

    def of(self, framework: str) -> tuple[str, ...]:
        """Return the clauses of one of the `FRAMEWORKS`."""
        found: tuple[str, ...] = getattr(self, framework)
        return found


def clauses() -> tuple[Clause, ...]:
    """Return the whole map."""
    text = resources.files("tierwise.cli").joinpath("rows", "clauses.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["clause"], tuple[Clause, ...])
