"""The command `tierwise budget`: what may still be spent, by whom, and until when."""

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tierwise import bootstrap, config
from tierwise.cli.options import ConfigFile, Json, print_json, table
from tierwise.economics.budget import Account, Budget, window_start
from tierwise.ledger.protocol import Reader

_EXAMPLE = '[[budget]]\nscope = "all"\nlimit_usd = "10"\nwindow = "1d"'
_STATES = {"open": "open", "soft": "soft limit reached", "spent": "spent"}


def budget(file: ConfigFile = None, as_json: Json = False) -> None:
    """Show every budget in its present window: what was spent, what open calls have set aside, what is left.

    Budgets are set in the configuration, in [[budget]].

    Examples:
      tierwise budget
      tierwise budget --json
    """
    settings = config.load(file)
    rows = asyncio.run(_rows(settings))
    if as_json:
        print_json(rows)
    elif not rows:
        print("No budgets are configured. One looks like this:\n\n" + _EXAMPLE)
    else:
        head = ("scope", "window", "spent", "set aside", "left", "limit", "next (UTC)", "state")
        print(table(head, [_told(row) for row in rows]))


async def _rows(settings: config.Settings) -> list[dict[str, Any]]:
    async with bootstrap.reading(settings) as reader:
        return [await _row(one, reader, time.time()) for one in settings.document.budget]


async def _row(one: Budget, reader: Reader | None, now: float) -> dict[str, Any]:
    start = window_start(one.window, now)
    account = Account(one, spent=Decimal(0), now=now)
    if reader is not None:
        account.spent = await reader.spent_usd(start, one.scope)
        held = [usd for call, usd in await reader.holds() if one.covers(call.workflow, call.key_id, call.team)]
        account.reserved = sum(held, Decimal(0))
    left = max(account.left(now), Decimal(0))
    return {
        "scope": one.scope,
        "window": one.window,
        "window_start": start,
        "next_window": start + one.window_s,
        "spent_usd": account.spent,
        "reserved_usd": account.reserved,
        "left_usd": left,
        "limit_usd": one.limit_usd,
        "soft_limit_usd": one.soft_limit_usd,
        "on_limit": one.on_limit,
        "state": "spent" if left == 0 else "soft" if account.over_soft_limit() else "open",
    }


def _told(row: dict[str, Any]) -> tuple[str, ...]:
    then = datetime.fromtimestamp(row["next_window"], UTC).strftime("%m-%d %H:%M")
    money = (f"${row[name]:.4f}" for name in ("spent_usd", "reserved_usd", "left_usd", "limit_usd"))
    state = _STATES[row["state"]]
    if row["state"] == "spent":
        state += ": only what costs nothing goes on" if row["on_limit"] == "downgrade" else ": calls are refused"
    return (row["scope"], row["window"], *money, then, state)
