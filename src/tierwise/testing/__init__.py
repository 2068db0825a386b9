"""For tests of your own application: an upstream whose answers, bills and faults you can compute; a frozen clock."""

from tierwise.testing.clock import FrozenClock
from tierwise.testing.connection import Received
from tierwise.testing.faults import FAULTS, Fault, Script
from tierwise.testing.server import ScriptedUpstream

__all__ = ["FAULTS", "Fault", "FrozenClock", "Received", "Script", "ScriptedUpstream"]
