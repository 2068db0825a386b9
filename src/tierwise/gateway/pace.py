"""How long does a model take for an answer of its own size? A running mean, moved by how far this call is from it.

Least squares over recent answers, each older one counting a little less: so many ms a token read and a token written.
Answers that waited for a slot or a load are not to be learned from. Pure but for its own sums.
Invariant: more tokens never take less time, and no answer takes less than nothing.
"""

WEIGHT = 0.1
"""What the newest answer counts, once there are ten."""
NOISE = 0.05
"""Sizes that differ by less than this share say nothing of what a token takes."""


class Pace:
    """The running figures of one model: `ms` is the mean, of answers of `written` tokens to requests of `read`."""

    __slots__ = ("_mr", "_mw", "_per_read", "_per_written", "_rr", "_rw", "_ww", "ms", "n", "read", "written")

    def __init__(self) -> None:
        self.n = 0
        self.ms = self.read = self.written = 0.0
        self._rr = self._ww = self._rw = self._mr = self._mw = 0.0
        self._per_read = self._per_written = 0.0

    def learn(self, read: float, written: float, ms: float) -> None:
        """Fold in one answer. `read` is what was estimated before, as that is what is known of the next one too."""
        self.n += 1
        weight = max(WEIGHT, 1 / self.n)
        more_r, more_w, more_ms = read - self.read, written - self.written, ms - self.ms
        self.read += weight * more_r
        self.written += weight * more_w
        self.ms += weight * more_ms
        kept, new = 1 - weight, weight * (1 - weight)
        self._rr = kept * self._rr + new * more_r * more_r
        self._ww = kept * self._ww + new * more_w * more_w
        self._rw = kept * self._rw + new * more_r * more_w
        self._mr = kept * self._mr + new * more_ms * more_r
        self._mw = kept * self._mw + new * more_ms * more_w
        self._fit()

    def answer_ms(self, read: float, written: float) -> float:
        """Return what such an answer takes."""
        return self.ms + self._per_read * (read - self.read) + self._per_written * (written - self.written)

    def _fit(self) -> None:
        rr = self._rr + (NOISE * self.read) ** 2 + 1e-9
        ww = self._ww + (NOISE * self.written) ** 2 + 1e-9
        spread = rr * ww - self._rw**2
        per_read = (self._mr * ww - self._mw * self._rw) / spread
        per_written = (self._mw * rr - self._mr * self._rw) / spread
        if per_read < 0:
            per_read, per_written = 0.0, self._mw / ww
        elif per_written < 0:
            per_read, per_written = self._mr / rr, 0.0
        per_read, per_written = max(per_read, 0.0), max(per_written, 0.0)
        # A line that would be below nothing for an empty answer goes through nothing instead.
        explained = per_read * self.read + per_written * self.written
        share = self.ms / explained if explained > self.ms else 1.0
        self._per_read, self._per_written = share * per_read, share * per_written
