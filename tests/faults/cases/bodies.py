"""Rows 20 to 38: bodies that are no request, or one that means something else to everybody who reads it."""

from tests.faults.doors import ALL
from tests.faults.scene import Scene, case


@case(20, ALL)
async def no_json(at: Scene) -> None:
    """Nothing, half, something else, and something behind it."""
    good = at.door.raw(at.target.model)
    for name, body in {"empty": b"", "cut": good[:-9], "no JSON": b"model=m", "text behind": good + b" {}"}.items():
        await at.refused(name, body)
