"""Ed25519 (RFC 8032) over the canonical head of a chain. Keys are PEM files, as ``openssl genpkey -algorithm ed25519`` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from domain.chain import Head, canonical, moment_text
from domain.errors import InputError

FORMAT = "mingjing-head-1"


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """A key to sign with.

    Raises:
        InputError: the file is no unencrypted Ed25519 private key in PEM.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(
            f"{path}: not an Ed25519 private key (openssl genpkey -algorithm ed25519 -out {path.name})"
        )
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """A key to verify with.

    Raises:
        InputError: the file is no Ed25519 public key in PEM.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path}: not an Ed25519 public key (openssl pkey -in KEY -pubout)")
    return key


def raw_key(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def head_text(head: Head, day: date, signed_at: datetime) -> str:
    """What is signed: canonical JSON of a head, its day (UTC) and the moment of signing."""
    return canonical(
        {
            "centre": head.centre,
            "day": day.isoformat(),
            "format": FORMAT,
            "hash": head.hash.hex(),
            "seq": head.seq,
            "signed_at": moment_text(signed_at),
        }
    )


def head_row(
    head: Head,
    day: date,
    signed_at: datetime | None = None,
    signature: bytes | None = None,
    public_key: bytes | None = None,
) -> dict[str, Any]:
    """A head as files hold it."""
    row: dict[str, Any] = {
        "centre": head.centre,
        "seq": head.seq,
        "hash": head.hash.hex(),
        "day": day.isoformat(),
    }
    if signed_at is not None and signature is not None and public_key is not None:
        row |= {
            "signed_at": moment_text(signed_at),
            "signature": signature.hex(),
            "public_key": public_key.hex(),
        }
    return row


def is_signed_by(row: Mapping[str, Any], key: Ed25519PublicKey) -> bool:
    """Whether a head of a file bears a right signature of a key."""
    try:
        head = Head(row["centre"], row["seq"], bytes.fromhex(row["hash"]))
        at = datetime.fromisoformat(row["signed_at"])
        text = head_text(head, date.fromisoformat(row["day"]), at)
        key.verify(bytes.fromhex(row["signature"]), text.encode())
    except (KeyError, ValueError, TypeError, AttributeError, InvalidSignature):
        return False
    return True
