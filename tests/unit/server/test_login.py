"""The cookie that holds a browser's key, and the token of what it writes."""

from cryptography.fernet import Fernet

from tierwise.core.secret import Secret
from tierwise.server.login import MAX_COOKIE_BYTES, Login

KEY = Secret("tw-AbCdEfGh" + "x" * 40)


def _sent(header: bytes) -> bytes:
    return header.partition(b";")[0]


def test_a_key_comes_back_where_the_secret_is_the_same() -> None:
    cookie = _sent(Login(b"s" * 32).cookie(KEY, secure=False))
    assert KEY.reveal().encode() not in cookie
    found = Login(b"s" * 32).key(b"other=1; " + cookie)
    assert found is not None and found.reveal() == KEY.reveal()
    assert Login(b"t" * 32).key(cookie) is None


def test_what_is_not_a_cookie_of_ours_holds_no_key() -> None:
    login = Login(b"s" * 32)
    foreign = Fernet(Fernet.generate_key()).encrypt(b"tw-x")
    for cookies in (
        b"",
        b"tierwise=",
        b"tierwise=x",
        b"tierwise=" + foreign,
        b"tierwise=" + b"A" * (MAX_COOKIE_BYTES + 1),
        b"\xff=\xfe",
    ):
        assert login.key(cookies) is None


def test_no_script_reads_it_and_it_goes_nowhere_else() -> None:
    header = Login(b"s" * 32).cookie(KEY, secure=True)
    for word in (b"HttpOnly", b"SameSite=Lax", b"Path=/ui", b"Secure", b"Max-Age=43200"):
        assert word in header
    assert b"Secure" not in Login(b"s" * 32).forget(secure=False)


def test_a_token_fits_only_its_own_cookie() -> None:
    login = Login(b"s" * 32)
    mine, other = _sent(login.cookie(KEY, secure=False)), _sent(login.cookie(KEY, secure=False))
    token = login.token(mine).encode()
    assert login.fits(token, mine) and not login.fits(token, other) and not login.fits(b"", mine)
    assert not Login(b"t" * 32).fits(token, mine)
