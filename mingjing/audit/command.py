"""``mingjing audit``: sign the ends of the chains, check them, make a bundle for an inspector, verify one."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.chain import Checker
from domain.errors import InputError

app = typer.Typer(help="证据 · The evidence chain: head, check, export, verify.", rich_markup_mode=None)

#: Exit status where something is not as it was written.
BROKEN = 3

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
SignOption = Annotated[
    Path | None, typer.Option("--sign", help="Ed25519 私钥（PEM）· private key to sign with")
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", help="Ed25519 公钥（PEM）· public key of who signed")
]
HeadsOption = Annotated[
    Path | None,
    typer.Option(
        "--heads", help="另存的链头 · heads kept elsewhere: a file, or the folder of the daily ones"
    ),
]


@app.command("head")
def head_command(
    sign: SignOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="追加到文件 · append to a file instead")] = None,
    data: DataOption = None,
) -> None:
    """链头 · The end of each chain, one JSON line each, to be kept elsewhere: a later rewrite of the whole then shows."""
    from datetime import UTC

    from mingjing.audit.exporting import sign_head
    from mingjing.audit.signing import head_row, load_private_key
    from mingjing.context import Context
    from mingjing.processes import open_database
    from mingjing.settings import load_settings
    from store import chain
    from store.chain import DayHead

    key = None if sign is None else load_private_key(sign)
    context = Context(load_settings(data=data))
    now = context.clock.now()
    lines = []
    with open_database(context.settings) as connection:
        for centre in chain.centres(connection):
            head = chain.end(connection, centre)
            kept = (
                DayHead(head, now.astimezone(UTC).date())
                if key is None
                else sign_head(connection, head, key, now)
            )
            row = head_row(kept.head, kept.day, kept.signed_at, kept.signature, kept.public_key)
            lines.append(json.dumps(row, ensure_ascii=False, sort_keys=True))
    if out is None:
        for line in lines:
            typer.echo(line)
        return
    with out.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    typer.echo(f"{len(lines)} heads appended to {out}")


@app.command("check")
def check_command(heads: HeadsOption = None, key: KeyOption = None, data: DataOption = None) -> None:
    """检查数据库中的链 · Every row of every chain in the database, every picture. Exit status 3 where one is broken."""
    from mingjing.processes import open_database
    from mingjing.settings import load_settings
    from store import chain
    from store.picture_deletions import broken_pictures

    kept = {} if heads is None else read_heads(heads, key)
    broken = False
    with open_database(load_settings(data=data)) as connection:
        for centre in sorted({*chain.centres(connection), *kept}):
            began, checker = time.perf_counter(), Checker(kept.get(centre))
            found = next(
                (wrong for row in chain.read(connection, centre) if (wrong := checker.take(row)) is not None),
                None,
            )
            found = found or checker.end()
            last, end = checker.last, chain.end(connection, centre)
            if found is None and (0 if last is None else last.seq) != end.seq:
                typer.echo(
                    f"{centre}: rows after {0 if last is None else last.seq} are missing, up to {end.seq}"
                )
                broken = True
                continue
            if found is not None:
                typer.echo(f"{centre}: {found}")
                broken = True
                continue
            rate = checker.count / max(time.perf_counter() - began, 1e-6)
            against = f", {len(kept[centre])} kept heads" if centre in kept else ""
            typer.echo(f"{centre}: {checker.count} rows whole{against} ({rate:,.0f} rows/s)")
        for wrong_picture in broken_pictures(connection):
            typer.echo(wrong_picture)
            broken = True
    if broken:
        raise typer.Exit(BROKEN)


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Option("--out", help="证据包 · the bundle, a ZIP file")],
    case: Annotated[str | None, typer.Option(help="办件号 · a case", show_default=False)] = None,
    finding: Annotated[str | None, typer.Option(help="监察发现编号 · a finding", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(help="自该时刻起 · all findings since a moment", show_default=False)
    ] = None,
    by: Annotated[str | None, typer.Option(help="经手人 · who exports; default: the login name")] = None,
    sign: SignOption = None,
    picture: Annotated[list[Path] | None, typer.Option(help="附图 · pictures to put in")] = None,
    centre: Annotated[str | None, typer.Option(help="中心编号 · centre, where there are several")] = None,
    data: DataOption = None,
) -> None:
    """导出证据包 · A bundle for an inspector: facts, counts, acts, messages, and the chain that vouches for them."""
    from mingjing.audit.exporting import Selection, export
    from mingjing.audit.signing import load_private_key
    from mingjing.finding import open_desk
    from mingjing.replay import parse_until

    if sum(each is not None for each in (case, finding, since)) != 1:
        raise InputError("one of --case, --finding and --since says what is wanted")
    if out.exists():
        raise InputError(f"{out}: exists already; evidence is not written over")
    key = None if sign is None else load_private_key(sign)
    with open_desk(data, finding, centre) as desk:
        moment = None if since is None else parse_until(since, desk.centre)
        made = export(
            desk.connection, desk.centre, Selection(case, finding, moment), desk.now,
            by=by or getpass.getuser(), key=key, pictures=picture or (),
        )  # fmt: skip
    out.write_bytes(made)
    typer.echo(f"{out}: {len(made)} bytes")


@app.command("verify")
def verify_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="证据包 · a bundle")],
    key: KeyOption = None,
    heads: HeadsOption = None,
) -> None:
    """核验证据包（离线）· Verifies a bundle without a database; names the first broken row. Exit status 3 if there is one."""
    from mingjing.audit.bundle import read_bundle
    from mingjing.audit.signing import load_public_key
    from mingjing.audit.verifying import verify

    content = read_bundle(file)
    kept = {} if heads is None else read_heads(heads, key)
    public = None if key is None else load_public_key(key)
    done = verify(content, public, kept)
    if done.broken is not None:
        typer.echo(f"{file}: 不可信 broken: {done.broken}")
        raise typer.Exit(BROKEN)
    signed = f", signed heads {done.signed}" if key is not None else ""
    typer.echo(f"{file}: 完好 whole: {done.rows} rows, {done.files} files{signed}")


def read_heads(path: Path, key: Path | None = None) -> dict[str, dict[int, bytes]]:
    """Heads of a file, or of all files of the folder that ``MINGJING_AUDIT_HEADS`` names, by centre and number; with a key only
    those it signed are believed.

    Raises:
        InputError: a line is no head, or bears no right signature.
    """
    from mingjing.audit.signing import is_signed_by, load_public_key

    public = None if key is None else load_public_key(key)
    found: dict[str, dict[int, bytes]] = {}
    for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
        for number, row in enumerate(_json_lines(file), 1):
            try:
                found.setdefault(row["centre"], {})[row["seq"]] = bytes.fromhex(row["hash"])
            except (KeyError, ValueError, TypeError):
                raise InputError(f"{file}:{number}: this is no head") from None
            if public is not None and not is_signed_by(row, public):
                raise InputError(f"{file}:{number}: this head is not signed by the key")
    return found


def _json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            yield json.loads(line)
        except ValueError:
            raise InputError(f"{path}:{number}: this is no JSON") from None
