"""Can the clients be kept off every network? A namespace of the kernel's that holds nothing but loopback (Linux).

Invariant: `isolated` runs with no way out, or says that it could not.
"""

import fcntl
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
WORDS = ("unshare", "--user", "--map-root-user", "--net")


def possible() -> bool:
    """Say whether this machine lets an ordinary user make such a namespace."""
    try:
        return subprocess.run([*WORDS, "true"], capture_output=True, timeout=10, check=False).returncode == 0
    except OSError:
        return False


def isolated(module: str, *arguments: str) -> int:
    """Run a module of this Python in a namespace of its own and return its exit status."""
    return subprocess.run([*WORDS, sys.executable, "-m", module, *arguments], check=False).returncode


def loopback_up() -> None:
    """Switch the loopback interface on, which is off in a new namespace (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked), 16)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
