"""How is the result told? One line for people who wait, one page for readers."""

from tests.clients.drive import Finding


def line(f: Finding) -> str:
    bad = "; ".join(f"{k}: {v}" for k, v in f.faults.items())
    return f"{f.client:28} {f.place:10} {len(f.steps) - len(f.faults)}/{len(f.steps)} steps, {f.requests} requests, tokens {f.inexact or 'exact'} {' dropped ' + ','.join(f.dropped) if f.dropped else ''} {bad}"


def page(*a, **k):
    return "x"
