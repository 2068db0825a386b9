"""Which commands are workflows' buttons? One table, from which forms, lines and refusals are made.

Pure. Invariant: what was typed is the value of one option, or a word after `--`: it is never an option, and the
workflow is the page's.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from tierwise.core.errors import InvalidCall

Kind = Literal["text", "share", "number", "model", "models", "run", "flag"]
LONGEST = 500
MOST_DIGITS = 9


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked. Without an `option` it is a word after the workflow; `value` is what stands there."""

    name: str
    title: str
    kind: Kind
    option: str = ""
    value: str = ""
    required: bool = False
    told: str = ""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One button. `warns` is what must be read and agreed to first, because calls of others will notice it."""

    name: str
    title: str
    words: tuple[str, ...]
    told: str
    fields: tuple[Field, ...] = ()
    warns: str = ""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What a workflow's fields can name."""

    workflow: str
    models: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    def of(self, field: Field) -> tuple[str, ...]:
        """Return what this field can be; a comparison can also have the workflow's whole route."""
        match field.kind:
            case "run":
                return self.runs
            case "models":
                return (*self.models, f"auto:{self.workflow}")
            case _:
                return self.models


_WHY = Field(name="why", title="Why", kind="text", option="--why", told="for those who read the list later")
_AGREE = Field(
    name="yes", title="Agree to the estimated cost", kind="flag", option="--yes",
    told="above $0.50 nobody is asked without it; the command says the estimate first",
)  # fmt: skip
_RUN = Field(name="run", title="Comparison", kind="run", option="--run", told="the newest, if none is named")
ACTIONS = {
    one.name: one
    for one in (
        Action(
            name="compare", title="Compare", words=("compare",),
            told="Asks the candidates and the baseline the same items, through the gateway, and scores the answers.",
            fields=(
                Field(name="candidates", title="Candidates", kind="models", option="--candidates",
                      told="the workflow's own, if none is marked"),
                Field(name="limit", title="Only so many items", kind="number", option="--limit"),
                Field(name="repeats", title="Each so often", kind="number", option="--repeats"),
                _AGREE,
            ),
        ),
        Action(
            name="resume", title="Go on", words=("compare", "--resume"),
            told="Goes on with the newest comparison where it stood; no answer that is there is asked for again.",
            fields=(_AGREE,),
        ),
        Action(
            name="decide", title="Decide", words=("decide",),
            told="Says what follows from a comparison. A look before its end widens the bounds, for good.",
            fields=(_RUN,),
        ),
        Action(
            name="certify", title="Certify", words=("certify",),
            told="Says from which confidence on answers may be kept. Puts nothing in force.",
            fields=(_RUN,),
        ),
        Action(
            name="start", title="Put a model on trial", words=("rollout", "start"),
            told="As a canary it is asked first in its share of the calls, and stopped once it is shown to do harm.",
            fields=(
                Field(name="model", title="Model", kind="model", required=True),
                Field(name="share", title="Share of the calls", kind="share", option="--share", value="0.05",
                      required=True),
                Field(name="shadow", title="As a shadow", kind="flag", option="--shadow",
                      told="gets copies of answered calls; callers see none"),
                _WHY,
            ),
            warns="Within a second this share of the workflow's calls is answered by that model first. As a shadow it "
            "gets copies of them instead, which cost what calls cost.",
        ),
        Action(
            name="stop", title="End the trial", words=("rollout", "stop"),
            told="Ends what is on trial, the canary and the shadow; the bundle stays.",
            fields=(_WHY,),
            warns="Within a second nothing is on trial any more: the share goes back to who answered before.",
        ),
        Action(
            name="promote", title="Promote", words=("rollout", "promote"),
            told="Asks the canary first in every call, as it was in its share.",
            fields=(
                _WHY,
                Field(name="unproven", title="Although it is not shown to be good enough", kind="flag",
                      option="--unproven"),
            ),
            warns="Within a second every call of the workflow is answered by the canary's model first.",
        ),
        Action(
            name="rollback", title="Roll back", words=("rollback",),
            told="Puts the whole bundle of an earlier release in force again, as a new release; a trial ends.",
            fields=(
                Field(name="number", title="To release", kind="number",
                      told="0 for the file's word; the bundle before this one, if none is named"),
                msgspec.structs.replace(_WHY, required=True),
            ),
            warns="Within a second who answers this workflow, and what is good enough, is what that release says.",
        ),
    )
}  # fmt: skip


def words(action: Action, given: Mapping[str, str], choices: Choices) -> tuple[str, ...]:
    """Return the command. InvalidCall, naming the field, for what it cannot be given."""
    options, after = list(action.words), []
    for field in action.fields:
        value = _value(field, given, choices)
        if not value:
            if field.required:
                raise InvalidCall(f"{field.title}: this is needed", param=field.name)
        elif field.kind == "flag":
            options.append(field.option)
        elif field.option:
            options.append(f"{field.option}={value}")
        else:
            after.append(value)
    return (*options, "--", choices.workflow, *after)


def usual(action: Action, choices: Choices) -> dict[str, str]:
    """Return what a form holds before anybody typed."""
    found = {field.name: field.value for field in action.fields if field.value}
    needed = (field for field in action.fields if field.required and not field.value)
    return found | {field.name: next(iter(choices.of(field)), "") for field in needed if field.kind == "model"}


def _value(field: Field, given: Mapping[str, str], choices: Choices) -> str:
    value = given.get(field.name, "").strip()
    if field.kind == "models":
        return ",".join(_marked(field, given, choices))
    if value:
        _CHECKS[field.kind](field, value, choices)
    return value


def _marked(field: Field, given: Mapping[str, str], choices: Choices) -> Iterator[str]:
    """Give what is marked, in the order of the choices; each has a field of its own."""
    known = choices.of(field)
    for name in given:
        place, _, chosen = name.partition(".")
        if place == field.name and (chosen not in known or "," in chosen):
            raise InvalidCall(f"{field.title}: there is no {chosen[:80]!r} here", param=field.name)
    yield from (one for one in known if given.get(f"{field.name}.{one}"))


def _text(field: Field, value: str, _choices: Choices) -> None:
    if len(value) > LONGEST or any(unicodedata.category(character)[0] == "C" for character in value):
        raise InvalidCall(f"{field.title}: at most {LONGEST} characters on one line", param=field.name)


def _share(field: Field, value: str, _choices: Choices) -> None:
    whole, _, part = value.partition(".")
    digits = f"{whole}{part}"
    plain = digits.isascii() and digits.isdecimal() and len(whole) <= 1 and len(part) <= MOST_DIGITS
    if not plain or not 0 < Decimal(value) <= 1:
        raise InvalidCall(f"{field.title}: more than 0 and at most 1, such as 0.05", param=field.name)


def _number(field: Field, value: str, _choices: Choices) -> None:
    if not (value.isascii() and value.isdecimal() and len(value) <= MOST_DIGITS):
        raise InvalidCall(f"{field.title}: a whole number", param=field.name)


def _known(field: Field, value: str, choices: Choices) -> None:
    if value not in choices.of(field):
        raise InvalidCall(f"{field.title}: there is no {value[:80]!r} here", param=field.name)


def _flag(field: Field, value: str, _choices: Choices) -> None:
    if value != "on":
        raise InvalidCall(f"{field.title}: a mark", param=field.name)


_CHECKS: Mapping[str, Callable[[Field, str, Choices], None]] = {
    "text": _text, "share": _share, "number": _number, "model": _known, "run": _known, "flag": _flag,
}  # fmt: skip
