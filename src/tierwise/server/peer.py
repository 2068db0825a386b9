"""Whose program is at the other end of a connection on this machine? Linux says it in its table of sockets.

Knows no page. Invariant: a connection that its program has let go of is nobody's: such rows name root.
"""

import os
import socket
import sys
from pathlib import Path

End = tuple[str, int | None]
_TABLES = {socket.AF_INET: Path("/proc/net/tcp"), socket.AF_INET6: Path("/proc/net/tcp6")}
_ESTABLISHED = "01"
_ROOT = 0


def is_ours(client: End, server: End) -> bool | None:
    """Say whether the program is of the one person whom this process belongs to, or root's; None if unknowable here."""
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    try:
        table = _TABLES[family].read_text("ascii")
    except OSError:
        return None
    wanted = [_written(family, client), _written(family, server), _ESTABLISHED]
    for line in table.splitlines():
        row = line.split()
        if row[1:4] == wanted and row[9] != "0":
            return int(row[7]) in (os.getuid(), _ROOT)
    return False


def _written(family: int, end: End) -> str:
    """Write an end as the table does: each four bytes of the address as a number of this machine."""
    packed = socket.inet_pton(family, end[0])
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{end[1] or 0:04X}"
