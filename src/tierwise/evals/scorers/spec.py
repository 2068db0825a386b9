"""Which scorer does this word mean? The grammar of a workflow's `scorer`: a name, and what it takes behind a colon."""

from collections.abc import Callable
from pathlib import Path

from tierwise.core.errors import ConfigError
from tierwise.evals.scorers import apart, citation, fields, number, overlap, pattern, text
from tierwise.evals.scorers.score import Function, Scorer, Simple

DEFAULT = "exact"
PLAIN: dict[str, tuple[str, Function]] = {
    "exact": ("accuracy", text.exact),
    "normalised": ("accuracy", text.normalised),
    "set_f1": ("F1 of entries", text.set_f1),
    "token_f1": ("F1 of words", text.token_f1),
    "rouge_1": ("ROUGE-1", overlap.rouge_1),
    "rouge_2": ("ROUGE-2", overlap.rouge_2),
    "rouge_l": ("ROUGE-L", overlap.rouge_longest),
}
WITH: dict[str, Callable[[str, str, Path], Scorer]] = {
    "numeric": number.numeric,
    "regex": pattern.regex,
    "json": fields.one_field,
    "fields": fields.each_field,
    "schema": fields.fits,
    "chrf": overlap.chrf,
    "citations": citation.citations,
    "command": apart.command,
    "python": apart.function,
}


def scorer(spec: str, base: Path = Path()) -> Scorer:
    """Return the scorer of a spec; its files are relative to `base`. ConfigError for a word that means none."""
    name, _, rest = spec.partition(":")
    if spec in PLAIN:
        metric, function = PLAIN[spec]
        return Simple(spec, metric, function)
    if name in WITH:
        return WITH[name](spec, rest, base)
    known = ", ".join([*PLAIN, *WITH])
    raise ConfigError(f"there is no scorer {spec!r}; there are {known} (docs/reference/scorers.md)", key="scorer")
