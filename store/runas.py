"""Running a child as an ordinary user when we are root, because PostgreSQL refuses root.

The child changes user and keeps one capability, and only where it needs it: the right to search folders. A checkout or a
data folder under ``/root`` (mode 0700) can be used then without opening it to every user of the machine.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from domain.errors import StoreError

#: Users that may own the cluster when we are root, best first. ``nobody`` exists everywhere.
CANDIDATES = ("mingjing", "postgres", "nobody")

# linux/prctl.h, linux/capability.h
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _AMBIENT_RAISE = 1, 8, 47, 2
_PR_SET_SECUREBITS, _NO_SETUID_FIXUP = 28, 1 << 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522

Setup = Callable[[], None]


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def choose_user(owned: Path) -> pwd.struct_passwd | None:
    """Who the cluster in ``owned`` belongs to, if we are root; None if we are an ordinary user and stay ourselves.

    A folder that an ordinary user made stays his, so that he can go on using it without root.

    Raises:
        StoreError: no user without rights exists on this machine.
    """
    if os.geteuid() != 0:
        return None
    for place in (owned, owned.parent):
        if place.exists() and (uid := place.stat().st_uid) != 0:
            try:
                return pwd.getpwuid(uid)
            except KeyError:
                continue
    for name in CANDIDATES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StoreError("PostgreSQL refuses to run as root and this machine has no user 'nobody' to run it as")


def reachable(user: pwd.struct_passwd, paths: Iterable[Path]) -> bool:
    """True if ``user`` may search every folder above the given paths by the ordinary permission bits."""
    groups = set(os.getgrouplist(user.pw_name, user.pw_gid))
    for path in paths:
        for folder in path.resolve().parents:
            status = folder.stat()
            if status.st_uid == user.pw_uid:
                bit = stat.S_IXUSR
            elif status.st_gid in groups:
                bit = stat.S_IXGRP
            else:
                bit = stat.S_IXOTH
            if not status.st_mode & bit:
                return False
    return True


def setup_for(user: pwd.struct_passwd | None, paths: Iterable[Path], *, follow_parent: bool) -> Setup | None:
    """What the child does between fork and exec.

    Args:
        user: whom to become; None stays.
        paths: what the child must be able to reach.
        follow_parent: the kernel sends the child SIGINT (PostgreSQL: fast shutdown) when our process dies, so that a
            ``kill -9`` of the parent leaves no server behind.

    Raises:
        StoreError: the paths cannot be reached as ``user`` and the kernel lets us keep no capability for it.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    capability: int | None = None
    if user is not None and not reachable(user, paths):
        capability = _capability(libc)
        if capability is None:
            places = ", ".join(str(path) for path in paths)
            raise StoreError(
                f"the user '{user.pw_name}' (PostgreSQL refuses root) cannot reach {places}: "
                "use another --data folder, or allow searching the folders above (chmod o+x)"
            )

    def setup() -> None:
        if user is not None:
            if capability is not None:
                libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
                # Without it access(2), with which PostgreSQL's programs look for each other, ignores the capability of
                # whoever is not root. Where the kernel says no, a checkout outside the closed folder still works.
                libc.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)
            os.setgroups([])
            os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
            os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
            if capability is not None:
                bit = 1 << capability
                data = (_Data * 2)()
                data[0] = _Data(bit, bit, bit)
                if libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), data) != 0:
                    raise OSError(ctypes.get_errno(), "capset")
                if libc.prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, capability, 0, 0) != 0:
                    raise OSError(ctypes.get_errno(), "prctl(PR_CAP_AMBIENT)")
            os.umask(0o077)
        if follow_parent:
            libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)

    return setup


def _capability(libc: ctypes.CDLL) -> int | None:
    """The weakest capability of ours that lets a process search every folder.

    Containers usually grant ``DAC_OVERRIDE`` and not ``DAC_READ_SEARCH``.
    """
    data = (_Data * 2)()
    if libc.capget(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), data) != 0:
        return None
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if data[0].permitted & (1 << capability):
            return capability
    return None
