"""``mingjing camera pictures`` and ``mingjing camera deletions``: looks at pictures, on the record; what was deleted, and its proof."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import InputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mingjing.settings import Settings
    from store.connection import Connection
    from store.pictures import FindingPictures, PictureRow

DataOption = Annotated[
    Path | None, typer.Option("--data", help="数据目录 · data folder (MINGJING_DATA)", show_default=False)
]
ROLES = {
    "before": "离开前 before", "first": "首张空岗 first empty", "sample": "抽样 sample", "opened": "立案时 at the opening",
    "last": "末张空岗 last empty", "back": "返岗 back",
}  # fmt: skip
#: Why there is no picture.
REASONS = {
    "no_loop": "无录像记录 no machine has pictures of that time (yet)",
    "not_kept": "未留存 pictures stopped then: process or disk",
    "keep_none": "按设置不留存 not kept: the centre file says so",
    "disk": "磁盘已满 no room on the disk",
    "damaged": "文件已损 the file was damaged",
    "moved": "镜头移位，未留存 the camera had been moved; nothing was kept",
    "all_hidden": "全部遮挡 everything is to be hidden",
    "deleted_age": "到期已删除 deleted, too old",
    "deleted_disk": "磁盘不足已删除 deleted for want of room",
}


def pictures_command(
    finding: Annotated[str, typer.Argument(metavar="FINDING", help="监察发现编号 · finding_id")],
    who: Annotated[str, typer.Option("--who", help="查阅人 · who looks")] = "",
    why: Annotated[str, typer.Option("--why", help="查阅事由 · why")] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="图片存入该目录，即为查阅 · folder for the pictures: this is the look"),
    ] = None,
    data: DataOption = None,
) -> None:
    """证据图片 · The pictures of a finding. With --out they are taken out, and who and why goes into the evidence chain first."""
    from mingjing.finding import open_desk
    from store.pictures import look, pictures_of

    if out is None and (who or why):
        raise InputError("--out: names the folder for the pictures; without it nothing is looked at")
    with open_desk(data, finding) as desk:
        found = pictures_of(desk.connection, finding)
        typer.echo("\n".join(lines(found, desk.centre.zone)))
        if out is None:
            return
        taken = look(desk.connection, finding, who=who, why=why, now=desk.now, through="command")
        out.mkdir(parents=True, exist_ok=True)
        for row in found.pictures:
            if row.sha256 in taken:
                (out / file_name(row, desk.centre.zone)).write_bytes(taken[row.sha256])
    typer.echo(f"{out}: {len(taken)} pictures · {who}, {why}")


def lines(found: FindingPictures, zone: ZoneInfo) -> list[str]:
    """Facts about the pictures of a finding."""
    if not (found.pictures or found.missing or found.waiting):
        return ["无图片 · no pictures were wanted for this finding"]
    said = []
    for row in found.pictures:
        at = f"{row.taken_at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        clock = (
            "时钟偏差未知 camera clock unknown" if row.clock_offset is None else f"{row.clock_offset:+.1f} s"
        )
        gone = "" if row.deleted is None else f"  已删除 deleted ({row.deleted})"
        said.append(
            f"{at}  {row.camera}/{row.post}  {ROLES[row.role]}  {row.state or '-'}  {clock}  {row.sha256}{gone}"
        )
    said += [
        f"缺 missing  {row.camera}/{row.post}  {ROLES.get(row.role, row.role)}  {REASONS.get(row.reason, row.reason)}"
        for row in found.missing
    ]
    if found.waiting:
        said.append(
            f"待传 {found.waiting} · {found.waiting} questions to the cameras' machines are unanswered"
        )
    return said


def file_name(row: PictureRow, zone: ZoneInfo) -> str:
    """Safe on every disk, in the order of time."""
    place = re.sub(r"[^\w.-]+", "_", f"{row.camera}-{row.post}")[:60]
    return f"{row.taken_at.astimezone(zone):%Y%m%dT%H%M%S}-{place}-{row.role}-{row.sha256[:12]}.jpg"


def deletions_command(
    camera: Annotated[
        str | None, typer.Option(help="摄像机编号 · id of a camera", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="自该日 · pictures of this day and later, 2026-11-23", show_default=False),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            help="图片文件或其 SHA-256 · a picture, or its SHA-256: was it ours?", show_default=False
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 200,
    centre: Annotated[
        str | None, typer.Option(help="中心编号 · id of the centre, where there are several")
    ] = None,
    data: DataOption = None,
) -> None:
    """删除记录 · What was deleted of the cameras' loops; with --picture whether a picture was ours and what became of it."""
    from mingjing.finding import open_desk
    from mingjing.settings import load_settings
    from store.picture_deletions import deletions

    try:
        day = None if since is None else date.fromisoformat(since)
    except ValueError:
        raise InputError(f"--since: '{since}' is no day like 2026-11-23") from None
    with open_desk(data, centre=centre) as desk:
        if picture is not None:
            sha256 = name_of(picture)
            for line in fate(desk.connection, load_settings(data=data), sha256, desk.centre.zone):
                typer.echo(line)
            return
        rows = deletions(desk.connection, desk.centre.centre.id, camera=camera, since=day, limit=limit)
        for row in rows:
            at = f"{row.deleted_at.astimezone(desk.centre.zone):%Y-%m-%d %H:%M}"
            reason = REASONS.get(f"deleted_{row.reason}", row.reason)
            typer.echo(
                f"{at}  {row.camera}  {row.day}  {row.pictures} 张 pictures  {row.size} B  {reason}  {row.digest}"
            )
        if not rows:
            typer.echo("无删除记录 · nothing was deleted")


def name_of(picture: str) -> str:
    """The SHA-256 (hex) of a file, or the one that was given.

    Raises:
        InputError: neither.
    """
    if re.fullmatch("[0-9a-fA-F]{64}", picture):
        return picture.lower()
    try:
        return hashlib.sha256(Path(picture).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(
            f"--picture: {picture}: {error.strerror}; give a file or 64 hexadecimal digits"
        ) from None


def fate(connection: Connection, settings: Settings, sha256: str, zone: ZoneInfo) -> list[str]:
    """What is known of a picture here: in the database, in the deletions and in the loop of this machine."""
    from camera_adapters.pictures_loop import PictureLoop
    from store.picture_deletions import known_picture

    said = []
    known = known_picture(connection, sha256)
    if known is not None:
        gone = (
            ""
            if known.deleted_at is None
            else f"，已删除 deleted {known.deleted_at.astimezone(zone):%Y-%m-%d %H:%M} ({known.reason})"
        )
        said.append(f"证据 evidence of {', '.join(known.findings)}{gone}")
    loop = PictureLoop(settings.pictures_folder)
    for made in loop.deleted_with(sha256):
        said.append(
            f"曾在循环留存 was in the loop of {made.centre}/{made.camera}, {made.day};"
            f" 已删除 deleted {made.deleted_at.astimezone(zone):%Y-%m-%d %H:%M} ({made.reason}), {made.digest}"
        )
    said += [f"循环留存中 in the loop: {path.relative_to(loop.folder)}" for path in loop.find(sha256)]
    return said or ["本机未见 · not known here; the lists of a camera lie on the machine that watches it"]
