"""Which checks must an answer pass before it is handed over? The table `gates` of a workflow.

Invariant: a check that is on and fails withholds the answer; one that cannot be made is recorded as not made, never as
passed.
"""

import msgspec


class Gates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`json`, `schema` and `tool_arguments` bite only where the call asked for such an answer.

    `min_logprob` is the least log-probability (at most 0) of an answer, for every model or by model id; a model that is
    not named in such a table has no threshold. `hold_back_chars` of a stream are held until the early checks have
    seen them; checks that need the whole answer hold all of it.
    """

    empty: bool = True
    truncated: bool = True
    json: bool = True
    schema: bool = True
    tool_arguments: bool = True
    repetition: bool = True
    refusal: bool = False
    min_logprob: float | dict[str, float] | None = None
    hold_back_chars: int = 256
