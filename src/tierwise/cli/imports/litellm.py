"""What does a LiteLLM proxy configuration mean here? https://docs.litellm.ai/docs/proxy/configs (read 2026-11-21).

A deployment becomes a model at an endpoint; a name that several share, an alias, or one with fallbacks becomes a
workflow that claims the name. Fallbacks are weighted 0: they follow in order when the others failed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tierwise.cli.imports.draft import Draft, Row, variable, word
from tierwise.cli.imports.facts import can_embed, impossible, leftovers, price, seconds, window
from tierwise.cli.imports.place import address, general, guessed, provider
from tierwise.cli.imports.source import Source, read, shown
from tierwise.cli.imports.table import Table

_STRATEGIES = {
    "simple-shuffle": "weighted",
    "latency-based-routing": "fastest",
    "cost-based-routing": "cascade",
}
_SUPPORTS = {
    "supports_function_calling": "tools",
    "supports_vision": "images",
    "supports_response_schema": "schema",
    "supports_pdf_input": "files",
    "supports_reasoning": "thinking",
}
_SERVED = ("chat", "completion", "responses", "embedding")
Group = list[tuple[str, float]]


def translate(source: Source, environ: Mapping[str, str]) -> Draft:
    """Return the draft. Addresses that stand in the environment are read from `environ`; keys never are."""
    root, draft = Table.whole(source), Draft(source.file, "litellm")
    deployments = root.tables("model_list")
    if not deployments:
        others = "import each file that it includes" if "include" in root else "is it a LiteLLM proxy configuration?"
        raise source.wrong((), f"has no model_list: {others}")
    groups: dict[str, Group] = {}
    for deployment in deployments:
        name = deployment.must("model_name", "the name that callers ask for")
        ident = _deployment(draft, deployment, name, environ)
        if ident is not None:
            groups.setdefault(name, []).append(ident)
    router, library = root.table("router_settings"), root.table("litellm_settings")
    settings = [table for table in (router, library) if table is not None]
    server = root.table("general_settings")
    _workflows(draft, groups, settings)
    _limits(draft, settings)
    if server is not None:
        _server(draft, server)
    draft.notes += leftovers(draft, [root])
    return draft


def _deployment(draft: Draft, deployment: Table, name: str, environ: Mapping[str, str]) -> tuple[str, float] | None:
    """Add one deployment; return its model's id and share, or None where it can only be named in a comment."""
    parameters = deployment.table("litellm_params")
    if parameters is None:
        raise deployment.wrong("litellm_params", "is missing: it says which model is meant")
    info = deployment.table("model_info")
    model, notes = parameters.must("model", "provider/name"), list[str]()
    url = _address(parameters.text("api_base", "base_url"), notes, environ)
    prefix, row, served = _provider(model, parameters.text("custom_llm_provider"), url)
    weight, key, connections = parameters.number("weight"), parameters.text("api_key"), _most(parameters)
    facts = _facts(parameters, info)
    why = impossible(row, prefix, url) or (
        "a pattern of names stands for no model here: write each one" if "*" in model else None
    )
    mode = info.text("mode") if info else None
    if mode not in (None, *_SERVED):
        why = f"Tierwise serves no {shown(mode or '')}"
    order = parameters.number("order")
    rest = leftovers(draft, [deployment])
    if row is None or why is not None:
        draft.leave_out(f"{deployment.place}: the model {shown(name)!r} ({shown(model)}): {why}", *notes)
        return None
    limits = {"total_timeout_s": seconds(parameters.number("timeout")), "max_connections": connections}
    more = {"limits": {key: value for key, value in limits.items() if value}, "notes": notes}
    endpoint = draft.endpoint(row, url, key, more)
    if mode == "embedding":
        facts["capabilities"] = ["embeddings"]
        if not can_embed(draft, endpoint):
            draft.leave_out(f"{deployment.place}: the model {shown(name)!r}: its provider makes no embeddings here")
            return None
    if order is not None:
        rest.append("its place in `order` is kept as weight 0 for all but the first places")
    ident = name if name not in draft.models else f"{name}-{endpoint}"
    more = facts | {"notes": rest}
    share = float(weight) if weight is not None else 1.0
    return draft.model(ident, endpoint, served, more), share if not order or order <= 1 else 0.0


def _address(given: str | None, notes: list[str], environ: Mapping[str, str]) -> str | None:
    """Return the address, read from the environment where it is only named; None where it is not known."""
    if given is None:
        return None
    name = variable(given)
    if name is None:
        return address(given, notes)
    found = address(environ.get(name, ""), notes)
    said = "as it stood there" if found else "which holds no address here: set it and import again, or write it as url"
    notes.append(f"its address was named as the variable {name}, {said}")
    return found


def _provider(model: str, stated: str | None, url: str | None) -> tuple[str, Any, str]:
    """Return the provider's name as written, its row, and the name under which it serves the model."""
    head, slash, tail = model.partition("/")
    if stated:
        return stated, provider(stated), tail if slash and provider(head) == provider(stated) else model
    if slash and provider(head) is not None:
        return head, provider(head), tail
    row = guessed(model) or (general() if url else None)
    return head if slash else model, row, model


def _most(parameters: Table) -> int | None:
    return parameters.count("max_parallel_requests") or None


def _facts(parameters: Table, info: Table | None) -> dict[str, Any]:
    """Return what is said of the model itself."""
    facts: dict[str, Any] = {"price": price(parameters) or price(info)}
    if info is not None:
        facts["context_tokens"] = info.count("max_input_tokens") or None
        facts["max_output_tokens"] = info.count("max_output_tokens") or None
        said = {ours: info.flag(theirs) for theirs, ours in _SUPPORTS.items()}
        if any(value is not None for value in said.values()):
            facts["capabilities"] = ["stream", *(name for name, can in said.items() if can)]
        info.take("id", "base_model", "db_model", "description")
    return facts


def _workflows(draft: Draft, groups: Mapping[str, Group], settings: Sequence[Table]) -> None:
    """Turn groups, fallbacks and aliases into workflows that claim the names which callers ask for."""
    after, aliases = _followers(groups, settings), _aliases(settings)
    asked = next((found for table in settings if (found := table.text("routing_strategy"))), None) or "simple-shuffle"
    strategy = _STRATEGIES.get(asked, "weighted")
    if asked not in _STRATEGIES:
        draft.notes.append(f"routing_strategy {shown(asked)!r}: no counterpart; shares are drawn by weight instead")
    for name, group in groups.items():
        names = [name, *(alias for alias, target in aliases.items() if target == name)]
        missing = [other for other in after[name] if other not in groups]
        notes = [f"the fallback {shown(other)!r} is left out: it is no model here" for other in missing]
        last = [(ident, 0.0) for other in after[name] for ident, _ in groups.get(other, [])]
        if len(group) + len(last) == 1 and len(names) == 1:
            draft.notes += notes
            continue
        if last and strategy != "weighted":
            notes.append(f"{asked} has no counterpart beside fallbacks; shares are drawn by weight instead")
        more = {"notes": notes, "strategy": "weighted" if last else strategy}
        draft.workflow(word(name), names, [*group, *last], more)
    for alias, target in aliases.items():
        if target not in groups:
            draft.notes.append(f"the alias {shown(alias)!r} is left out: {shown(target)!r} is no model here")


def _followers(groups: Mapping[str, Group], settings: Sequence[Table]) -> dict[str, list[str]]:
    """Return the fallbacks of each name in order; those for too long a context are candidates like any other."""
    found = {name: list[str]() for name in groups}
    for table in settings:
        for key in ("fallbacks", "context_window_fallbacks"):
            for each in table.tables(key):
                for name in each.names:
                    found.setdefault(name, []).extend(each.texts(name))
    default = [other for table in settings for other in table.texts("default_fallbacks")]
    found |= {name: default for name in groups if not found[name]}
    return {name: [other for other in dict.fromkeys(others) if other != name] for name, others in found.items()}


def _aliases(settings: Sequence[Table]) -> dict[str, str]:
    found: dict[str, str] = {}
    for table in settings:
        inner = table.table("model_group_alias")
        for name in inner.names if inner is not None else ():
            said = inner.take(name) if inner is not None else None
            target = said.get("model") if isinstance(said, dict) else said
            if not isinstance(target, str) and inner is not None:
                raise inner.wrong(name, "must be the name of a model")
            found[name] = str(target)
    return found


def _limits(draft: Draft, settings: Sequence[Table]) -> None:
    """Carry over what holds for every call."""

    def first(*names: str) -> Any:
        found = [each for table in settings for name in names if (each := table.number(name)) is not None]
        return found[0] if found else None

    retries = first("num_retries")
    draft.section("fallback", retries_same=None if retries is None else int(retries))
    draft.enough_attempts(int(retries) if retries is not None else 1)
    draft.section("fallback", total_timeout_s=seconds(first("timeout", "request_timeout")))
    fails = first("allowed_fails")
    # There the failure after the allowed ones opens; here the last of so many does.
    draft.section("breaker", failures=None if fails is None else int(fails) + 1)
    draft.section("breaker", open_s=seconds(first("cooldown_time")))
    for table in settings:
        limit, duration = table.number("max_budget"), table.text("budget_duration")
        if limit is not None:
            notes = []
            if window(duration) is None:
                notes.append(f"a budget window is 1h, 1d, 7d or 30d; {shown(duration or 'none')!r} became 30d")
            fields = {"scope": "all", "limit_usd": limit, "window": window(duration) or "30d"}
            draft.budgets.append(Row(fields=fields, notes=notes))


def _server(draft: Draft, server: Table) -> None:
    """Carry over the one key that stands in a file; keys that callers were given lie in a database."""
    notes = ["keys that LiteLLM gave out itself are in its database: give each caller a [[key]] of its own"]
    secret = draft.key_of(server.text("master_key"), "master", notes)
    if secret is not None:
        draft.keys.append(Row(fields={"name": "master", "secret": secret}, notes=notes))


def draft(text: str, file: str, environ: Mapping[str, str]) -> Draft:
    """Return the draft of a file's text."""
    return translate(read(text, file, "yaml"), environ)
