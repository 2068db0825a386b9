"""What has this machine? A `Machine` as it was at one moment. Values only; `detect` takes them.

Invariant: unknown is None, never 0.
"""

import msgspec


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a process may use here. `memory_limit` says what bounds the memory: the machine or a container."""

    system: str
    cores: int
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    memory_limit: str = "machine"
    disk_free_bytes: int | None = None
