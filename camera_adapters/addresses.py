"""Camera addresses: what kind of source they name, with credentials put in and kept out of sight."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_SECRET_KEY = re.compile(
    r"(?i)\b(pass(?:word|wd|w)?|pwd|psw|loginpas|loginpwd|token|secret|key|auth)=[^&\s'\"]*"
)
# To the last @ before the path; or, where a password was not encoded and holds a slash, to the last one of all.
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)(?:[^/\s@:]+:[^\s]*|[^/\s]*)@")


def masked(text: str) -> str:
    """The text with user names, passwords and tokens of any address in it replaced by ``***``.

    Meant for everything that is shown or logged: addresses and the error texts of libraries that quote them.

    >>> masked("rtsp://admin:p%40ss@10.0.0.8/Streaming/Channels/101")
    'rtsp://***@10.0.0.8/Streaming/Channels/101'
    """
    return _SECRET_KEY.sub(lambda match: f"{match.group(1)}=***", _USERINFO.sub(r"\1***@", text))


def with_credentials(url: str, user: str | None, password: str | None) -> str:
    """The address with user and password put in, percent-encoded (a password may hold ``@`` or ``/``)."""
    if not user:
        return url
    parts = urlsplit(url)
    userinfo = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{host}"))


def without_credentials(url: str) -> tuple[str, str | None, str | None]:
    """The address without its user part, the user and the password (decoded), None where there is none."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None, None
    user, colon, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), unquote(user), unquote(password) if colon else None


def scheme_of(url: str) -> str:
    """``rtsp``, ``http``, ``sim``, …, or ``file`` for a plain path."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", url)
    return match.group(1).lower() if match else "file"
