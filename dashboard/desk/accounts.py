"""Accounts of the desk: a file with one account a line, ``name:role:hash:person:centre``; no password stands in it.

``person`` is the id in the centre file in whose name the account acts; without it it may only look. ``centre`` keeps an account
to one centre of several. The file is read again when it changes: who is struck out is out at once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from domain.errors import InputError, SettingsError
from domain.finding_life import INSPECTOR, STEPS, UNIT, LifeStep
from domain.finding_life import Role as Part

AccountRole = Literal["inspector", "director", "window", "viewer"]
#: What a role may act as, where the centre file says that its person is that.
PARTS: Mapping[AccountRole, frozenset[Part]] = {
    "inspector": INSPECTOR,
    "director": UNIT,
    "window": UNIT,
    "viewer": frozenset(),
}
#: scrypt: 32 MB and some 0.1 s a try.
N, R, P, LENGTH = 2**15, 8, 1, 32
LEAST_PASSWORD = 10
_NAME = re.compile(r"[\w.@-]{1,64}")
_CODE = re.compile(r"[^\s:#]{0,64}")
_HEAD = "# 明镜监察员工作台账号 name:role:hash:person:centre — mingjing desk account add NAME --role ROLE\n"


@dataclass(frozen=True, slots=True)
class Account:
    """Who may sign in, as what, and in whose name."""

    name: str
    role: AccountRole
    hash: str
    person: str = ""
    centre: str = ""

    @property
    def line(self) -> str:
        return ":".join((self.name, self.role, self.hash, self.person, self.centre)).rstrip(":")

    @property
    def parts(self) -> frozenset[Part]:
        return PARTS[self.role]

    @property
    def who(self) -> str:
        """Who is named in what is kept."""
        return self.person or self.name

    def may(self, step: LifeStep) -> bool:
        """Whether the role ever may; whether this finding allows it, its state and the centre file say."""
        return bool(self.person) and bool(STEPS[step].roles & self.parts)

    @property
    def sees_all(self) -> bool:
        """A window's people see what concerns their windows; everybody else sees the centre."""
        return self.role != "window"

    @property
    def is_inspector(self) -> bool:
        return self.role == "inspector"

    @property
    def sees_people(self) -> bool:
        """Whether figures about single persons are shown."""
        return self.role in ("inspector", "director")


def hash_password(password: str, *, n: int = N) -> str:
    """``scrypt$n$r$p$salt$key``, with a salt of its own."""
    salt = secrets.token_bytes(16)
    return "$".join(("scrypt", str(n), str(R), str(P), _text(salt), _text(_derive(password, salt, n, R, P))))


def check_password(password: str, kept: str) -> bool:
    """Whether it is the password of a hash; takes as long either way."""
    try:
        kind, n, r, p, salt, key = kept.split("$")
        if kind != "scrypt":
            return False
        derived = _derive(password, _bytes(salt), int(n), int(r), int(p))
        return hmac.compare_digest(derived, _bytes(key))
    except ValueError:
        return False


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode()[:1024], salt=salt, n=n, r=r, p=p, dklen=LENGTH, maxmem=256 * n * r * p + 2**20
    )


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parse_accounts(text: str, place: str) -> dict[str, Account]:
    """The accounts of a file by name.

    Raises:
        InputError: naming the line that is none.
    """
    found: dict[str, Account] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.strip().split(":")
        name, role, kept, person, centre = (parts + [""] * 5)[:5]
        if not 3 <= len(parts) <= 5 or not kept.startswith("scrypt$") or not _NAME.fullmatch(name):
            raise InputError(f"{place}:{number}: an account is written name:role:hash:person:centre")
        if role not in get_args(AccountRole):
            raise InputError(f"{place}:{number}: '{role}' is none of {', '.join(get_args(AccountRole))}")
        if name in found:
            raise InputError(f"{place}:{number}: the account {name} is there twice")
        found[name] = Account(name, role, kept, person, centre)  # type: ignore[arg-type]
    return found


class Accounts:
    """The accounts of a file, read again when it changes. A file that turns bad leaves nobody in.

    Args:
        path: None: the desk is closed.
        stat: says what tells one state of the file from another.
    """

    def __init__(self, path: Path | None, *, stat: Callable[[Path], object] | None = None) -> None:
        self.path = path
        self._stat = stat or _state
        self._seen: object = None
        self._accounts: dict[str, Account] = {}

    @property
    def open(self) -> bool:
        return self.path is not None

    def all(self) -> Mapping[str, Account]:
        """
        Raises:
            InputError: a line is no account.
            SettingsError: the file cannot be read.
        """
        if self.path is None:
            return {}
        try:
            state = self._stat(self.path)
            if state != self._seen:
                self._accounts = parse_accounts(self.path.read_text("utf-8"), str(self.path))
                self._seen = state
        except OSError as error:
            self._seen = None
            raise SettingsError(f"MINGJING_DESK_ACCOUNTS_FILE: {self.path}: {error.strerror}") from None
        except InputError:
            self._seen = None
            raise
        return self._accounts

    def get(self, name: str) -> Account | None:
        return self.all().get(name)


def _state(path: Path) -> tuple[int, int, int]:
    kept = path.stat()
    return kept.st_mtime_ns, kept.st_size, kept.st_ino


def write_account(path: Path, account: Account) -> bool:
    """Adds an account or puts it in the place of the one of its name; True if there was one. The file is its owner's alone.

    Raises:
        InputError: the account's name, person or centre cannot be written, or the file holds a line that is none.
    """
    if not _NAME.fullmatch(account.name):
        raise InputError(f"'{account.name[:64]}': a name has letters, digits and . _ @ - only, at most 64")
    for value in (account.person, account.centre):
        if not _CODE.fullmatch(value):
            raise InputError(f"'{value[:64]}': an id has neither spaces nor colons")
    text = path.read_text("utf-8") if path.exists() else _HEAD
    known = parse_accounts(text, str(path))
    _write(path, [*_without(text, account.name), account.line])
    return account.name in known


def remove_account(path: Path, name: str) -> bool:
    """Strikes an account out; True if there was one.

    Raises:
        InputError: the file holds a line that is none.
    """
    text = path.read_text("utf-8")
    known = parse_accounts(text, str(path))
    _write(path, _without(text, name))
    return name in known


def _without(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.partition(":")[0].strip() != name]


def _write(path: Path, lines: list[str]) -> None:
    """Whole or not at all: the wall reads it meanwhile. Whose the file was, his it stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, fresh = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        if path.exists():
            before = path.stat()
            os.fchmod(file.fileno(), before.st_mode & 0o777)
            if before.st_uid != os.geteuid():
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
    os.replace(fresh, path)


__all__ = [
    "LEAST_PASSWORD", "PARTS", "Account", "AccountRole", "Accounts", "check_password", "hash_password", "parse_accounts", "remove_account",
    "write_account",
]  # fmt: skip
