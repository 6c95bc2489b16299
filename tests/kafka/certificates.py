"""An authority of our own, a certificate of the brokers and one of a client, by OpenSSL's command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files.

    Attributes:
        ca: the authority's certificate, which clients trust.
        server: the brokers' key and certificate in one file, for 127.0.0.1 and localhost.
        client, client_key: certificate and key of a client.
        stranger_ca: another authority, which has signed nothing here.
    """

    ca: Path
    server: Path
    client: Path
    client_key: Path
    stranger_ca: Path


def make_certificates(folder: Path) -> Certificates:
    """Makes them in a new folder, valid for two days."""
    folder.mkdir(parents=True)
    for name in ("ca", "stranger"):
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN=Mingjing test {name}"),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"),
        )  # fmt: skip
    for name in ("server", "client"):
        extensions = folder / f"{name}.ext"
        extensions.write_text(
            "basicConstraints=CA:FALSE\n"
            "keyUsage=critical,digitalSignature,keyEncipherment\n"
            "extendedKeyUsage=serverAuth,clientAuth\n"
            "subjectAltName=IP:127.0.0.1,DNS:localhost\n"
        )
        key, request, signed = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        _openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request
        )
        _openssl(
            *("x509", "-req", "-days", "2", "-in", request, "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"),
            *("-CAcreateserial", "-extfile", extensions, "-out", signed),
        )  # fmt: skip
    both = folder / "server.pem"
    both.write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    return Certificates(
        ca=folder / "ca.pem",
        server=both,
        client=folder / "client.crt",
        client_key=folder / "client.key",
        stranger_ca=folder / "stranger.pem",
    )


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
