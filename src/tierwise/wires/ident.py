"""When was a decision made, by its id? The id begins with the time (ULID), so answers need no clock for theirs."""

_DIGITS = {digit: value for value, digit in enumerate("0123456789abcdefghjkmnpqrstvwxyz")}
_TIME_CHARS = 10


def created_s(ident: str) -> int:
    """Return Unix time in seconds; 0 for what is no such id."""
    value = 0
    for digit in ident[:_TIME_CHARS].lower():
        if digit not in _DIGITS:
            return 0
        value = value * 32 + _DIGITS[digit]
    return value // 1000 if len(ident) >= _TIME_CHARS else 0
