"""What does a Portkey config mean here? https://portkey.ai/docs/product/ai-gateway/configs (read 2026-11-21).

A target becomes a model at an endpoint, the strategy a workflow: shares for `loadbalance`, weight 0 for what follows
in `fallback`. `conditional` on the asked model is a workflow that claims its names; on anything else callers name it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tierwise.cli.imports.draft import Draft, variable, word
from tierwise.cli.imports.facts import impossible, leftovers, seconds
from tierwise.cli.imports.place import Provider, address, guessed, provider
from tierwise.cli.imports.source import Source, read, shown
from tierwise.cli.imports.table import Table

Shares = list[tuple[str, float]]


def draft(text: str, file: str, _environ: Mapping[str, str]) -> Draft:
    """Return the draft of a file's text. A config as the admin API returns it is unwrapped."""
    source = read(text, file, "json")
    value = source.value
    for wrapper in ("data", "config"):
        if isinstance(value, dict) and isinstance(value.get(wrapper), dict | str):
            value = value[wrapper]
            if isinstance(value, str):
                value = read(value, file, "json").value
    return translate(Source(file=file, value=value))


def translate(source: Source) -> Draft:
    """Return the draft."""
    root, found = Table.whole(source), Draft(source.file, "portkey")
    if not {"targets", "provider", "virtual_key", "virtualKey", "override_params", "overrideParams"} & set(root.names):
        raise source.wrong((), "has neither targets nor a provider: is it a Portkey config?")
    whole = _Config(found)
    shares = whole.shares(root, {})
    if len(shares) > 1:
        asked = [whole.served[model] for model, share in shares if share]
        found.workflow(found.gateway, asked, shares, {})
    for name, (target, names) in whole.conditions.items():
        if target:
            notes = [] if names else [f"callers ask for auto:{name} where the condition holds"]
            found.workflow(name, names, target, {"notes": notes})
    found.section("fallback", retries_same=whole.retries)
    found.enough_attempts(whole.retries or 1)
    found.notes += leftovers(found, [root])
    return found


class _Config:
    """What the nested targets have in common while they are walked."""

    def __init__(self, found: Draft) -> None:
        self._draft = found
        self.retries: int | None = None
        self.served: dict[str, str] = {}
        self.conditions: dict[str, tuple[Shares, list[str]]] = {}

    def shares(self, config: Table, above: Mapping[str, Any]) -> Shares:
        """Return the models of a config and their shares; what only follows after failures has share 0."""
        strategy, targets = config.table("strategy"), config.tables("targets")
        self._retries(config.table("retry"))
        config.take("name")
        inherited = {**above, **self._said(config)}
        if not targets:
            return self._target(config, inherited)
        mode = (strategy.text("mode") if strategy else None) or "single"
        weights = [target.number("weight") for target in targets]
        parts = [self.shares(target, inherited) for target in targets]
        match mode:
            case "loadbalance":
                given = [1.0 if weight is None else float(weight) for weight in weights]
                return [
                    (model, share * weight) for part, weight in zip(parts, given, strict=True) for model, share in part
                ]
            case "fallback" | "single":
                later = parts[1:] if mode == "fallback" else []
                return parts[0] + [(model, 0.0) for part in later for model, _ in part]
            case "conditional" if strategy is not None:
                return self._conditional(strategy, targets, parts)
            case _:
                raise config.wrong("strategy", f"has the mode {shown(mode)!r}, which is not known here")

    def _conditional(self, strategy: Table, targets: Sequence[Table], parts: Sequence[Shares]) -> Shares:
        named = {
            target.text("name") or str(place): part
            for place, (target, part) in enumerate(zip(targets, parts, strict=True))
        }
        for condition in strategy.tables("conditions"):
            then = condition.must("then", "the name of a target")
            if then not in named:
                raise condition.wrong("then", f"names the target {shown(then)!r}, which is not there")
            names = _models_asked(condition.take("query"))
            if names is None:
                self._draft.notes.append(f"{condition.place}.query: conditions on other things than the asked model")
            before = self.conditions.get(word(then), (named[then], []))[1]
            self.conditions[word(then)] = (named[then], before + (names or []))
        default = strategy.text("default")
        if default is not None and default not in named:
            raise strategy.wrong("default", f"names the target {shown(default)!r}, which is not there")
        return named[default] if default is not None else []

    def _said(self, config: Table) -> dict[str, Any]:
        """Return what a config says for the targets inside it as well."""
        said = {
            "provider": config.text("provider"),
            "key": config.text("api_key", "apiKey"),
            "vault": config.text("virtual_key", "virtualKey"),
            "url": config.text("custom_host", "customHost"),
            "timeout_s": seconds(config.number("request_timeout", "requestTimeout"), 1000),
        }
        resource = config.text(*_ending(config, "resource_name", "ResourceName"))
        deployment = config.text(*_ending(config, "deployment_id", "DeploymentId"))
        if resource is not None:
            said["url"] = f"https://{resource}.openai.azure.com"
        said["model"] = deployment
        parameters = config.table("override_params", "overrideParams")
        if parameters is not None:
            said["model"] = parameters.text("model") or deployment
        return {name: value for name, value in said.items() if value is not None}

    def _target(self, target: Table, said: Mapping[str, Any]) -> Shares:
        model, notes = str(said.get("model", "")), list[str]()
        name, row = _provider(said)
        if model.startswith("@"):
            name, _, model = model.removeprefix("@").partition("/")
            row = row or provider(name.partition("-")[0]) or guessed(model)
            notes.append(f"@{shown(name)} is an entry of Portkey's catalog: check that this is its provider and key")
        if "vault" in said:
            notes.append(f"its key lies in Portkey's vault as {shown(str(said['vault']))!r}")
        url = address(str(said["url"]), notes) if "url" in said else None
        why = impossible(row, name, url)
        if not model and why is None:
            why = "it names no model, and takes whatever callers ask for: write a [[model]] for each of these names"
        rest = leftovers(self._draft, [target])
        if row is None or why is not None:
            self._draft.leave_out(f"{target.place}: {why}", *notes, *rest)
            return []
        limits = {"total_timeout_s": said["timeout_s"]} if said.get("timeout_s") else {}
        endpoint = self._draft.endpoint(row, url, said.get("key"), {"limits": limits, "notes": notes})
        ident = model if model not in self._draft.models else f"{model}-{endpoint}"
        ident = self._draft.model(ident, endpoint, model, {"notes": rest})
        self.served[ident] = model
        return [(ident, 1.0)]

    def _retries(self, retry: Table | None) -> None:
        attempts = retry.count("attempts") if retry is not None else None
        if attempts is not None:
            self.retries = max(attempts, self.retries or 0)


def _ending(config: Table, *endings: str) -> tuple[str, ...]:
    """Return the keys that end so: some stand with and without the provider's name before them."""
    return tuple(name for name in config.names if name.lower().endswith(tuple(map(str.lower, endings)))) or endings


def _provider(said: Mapping[str, Any]) -> tuple[str, Provider | None]:
    """Return the provider as stated, else as the name of the key in the vault begins."""
    stated = str(said.get("provider", ""))
    if stated:
        slug = stated.removeprefix("@")
        return slug, provider(slug) or (provider(slug.partition("-")[0]) if stated.startswith("@") else None)
    vault = str(said.get("vault", ""))
    if variable(vault) is None and vault:
        return vault, provider(vault.partition("-")[0])
    return vault, None


def _models_asked(query: Any) -> list[str] | None:
    """Return the model names that a condition asks for, or None where it asks for anything else."""
    if isinstance(query, str):
        query = _parsed(query)
    match query:
        case {"params.model": str(name), **rest} if not rest:
            return [name]
        case {"params.model": {"$eq": str(name), **rest}, **more} if not rest and not more:
            return [name]
        case {"params.model": {"$in": [*names], **rest}, **more} if not rest and not more:
            return [name for name in names if isinstance(name, str)]
        case {"$or": [*parts], **rest} if not rest:
            found = [_models_asked(part) for part in parts]
            return None if None in found else [name for part in found for name in part or ()]
        case _:
            return None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
