"""What may a user say about telemetry? The table `[telemetry]` of the configuration.

Invariant: nothing is sent unless a collector is named, and one outside this machine has to say how far it is.
"""

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.telemetry.names import Profile

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where spans and metrics go: `url` is the collector's, without `/v1/traces`; None sends nothing anywhere.

    `headers` are references, as keys are. `tier` is how far from the data the collector lies: `local` on this machine,
    to be said for any other. `names` is the GenAI convention; `openinference` adds that one's names. `sample` is the
    share of traces that is sent, metrics count everything. `max_queued` decisions wait at most; more are dropped and
    counted. `pass_on_to` is the farthest tier whose endpoints get a `traceparent`; None passes it on to nobody.
    """

    url: str | None = None
    headers: dict[str, str] = {}
    ca_file: str | None = None
    tier: Tier | None = None
    names: Profile = "v1.41"
    openinference: bool = False
    service: str = "tierwise"
    sample: Share = 1.0
    metrics: bool = True
    metrics_every_s: Seconds = 60.0
    every_s: Seconds = 1.0
    timeout_s: Seconds = 10.0
    flush_s: Seconds = 5.0
    max_queued: Count = 4096
    pass_on_to: Tier | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be obeyed (`ConfigError`)."""
        if self.url is None:
            return
        if self.tier is None and not self.near:
            raise ConfigError(
                f"telemetry.tier: {self.url} is not on this machine: say how far from the data it lies, self_hosted or"
                " frontier",
                key="telemetry.tier",
            )
        if self.tier is Tier.LOCAL and not self.near:
            raise ConfigError('telemetry.tier = "local" is for a collector on this machine', key="telemetry.tier")

    @property
    def near(self) -> bool:
        """Say whether the collector is on this machine."""
        try:
            host = urlsplit(self.url or "").hostname or ""
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def lies_on(self) -> Tier:
        """Return how far from the data the collector lies."""
        return self.tier or (Tier.LOCAL if self.near else Tier.FRONTIER)
