"""How does a browser show its key? In a cookie that only this installation can read, and a token for what it writes.

Knows no routes. Invariant: a cookie is taken for twelve hours at most, and what is in it has to be a key that is
taken at that moment; a token is worth something only together with the cookie that it was made for.
"""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken

from tierwise.core.secret import Secret

NAME = b"tierwise"
LASTS_S = 12 * 3600
MAX_COOKIE_BYTES = 4096


class Login:
    """Seals and opens cookies, with what is made of `secret`: equal in each gateway that shares it."""

    def __init__(self, secret: bytes) -> None:
        self._box = Fernet(base64.urlsafe_b64encode(_made_of(secret, b"cookie")))
        self._token = _made_of(secret, b"token")

    def cookie(self, key: Secret, *, secure: bool) -> bytes:
        """Return the value of the header that gives a browser this key to keep."""
        text = self._box.encrypt(key.reveal().encode())
        return b"%b=%b; Max-Age=%d%b" % (NAME, text, LASTS_S, _manners(secure=secure))

    def forget(self, *, secure: bool) -> bytes:
        """Return the value of the header that takes the key away again."""
        return b"%b=; Max-Age=0%b" % (NAME, _manners(secure=secure))

    def key(self, cookies: bytes) -> Secret | None:
        """Return the key in the header of cookies, None where there is none that is still taken."""
        text = _value(cookies)
        if not text or len(text) > MAX_COOKIE_BYTES:
            return None
        try:
            return Secret(self._box.decrypt(text, ttl=LASTS_S).decode())
        except (InvalidToken, UnicodeError):
            return None

    def token(self, cookies: bytes) -> str:
        """Return the token of what this browser writes."""
        return hmac.new(self._token, _value(cookies), hashlib.sha256).hexdigest()

    def fits(self, token: bytes, cookies: bytes) -> bool:
        """Say whether a token is this browser's."""
        return hmac.compare_digest(token, self.token(cookies).encode())


def _made_of(secret: bytes, what: bytes) -> bytes:
    return hmac.new(secret, b"tierwise pages " + what, hashlib.sha256).digest()


def _manners(*, secure: bool) -> bytes:
    return b"; Path=/ui; HttpOnly; SameSite=Lax" + (b"; Secure" if secure else b"")


def _value(cookies: bytes) -> bytes:
    for one in cookies.split(b";"):
        name, _, value = one.strip().partition(b"=")
        if name == NAME:
            return value
    return b""
