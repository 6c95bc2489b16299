"""Secrets: files that are there, that only their owner reads, that hold what they should."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from domain.errors import SettingsError
from mingjing.doctor.report import Result, fault, ok, some, warning
from mingjing.doctor.scene import Scene


def secret_files(scene: Scene) -> Iterator[Result]:
    """Every file of secrets the settings and centre files name, and those made in the data folder."""
    files = _named(scene)
    missing = [f"{name}={file}" for name, file in files if not file.exists()]
    if missing:
        yield fault(
            "secrets.files",
            f"密钥文件不存在：{some(missing)}",
            f"files of secrets are missing: {some(missing)}",
            "写入文件或改正变量 · write the file, or mend the variable",
        )
    there = {file for _, file in files if file.is_file()}
    hidden = scene.settings.data / "secrets"
    if hidden.is_dir() and os.access(hidden, os.R_OK | os.X_OK):
        there |= {file for file in hidden.iterdir() if file.is_file()}
    everyone = sorted(str(file) for file in there if file.stat().st_mode & 0o004)
    group = sorted(str(file) for file in there if file.stat().st_mode & 0o044 == 0o040)
    if everyone:
        yield fault(
            "secrets.mode",
            f"所有用户可读：{some(everyone)}",
            f"every user of the machine may read {some(everyone)}",
            "chmod 600 " + " ".join(everyone),
        )
    if group:
        yield warning(
            "secrets.mode",
            f"同组用户可读：{some(group)}",
            f"the group may read {some(group)}",
            "chmod 600 " + " ".join(group),
        )
    if not everyone and not group:
        yield ok(
            "secrets.mode",
            f"{len(there)} 个密钥文件，仅属主可读",
            f"{len(there)} files of secrets, for their owner only",
        )


def _named(scene: Scene) -> list[tuple[str, Path]]:
    settings = scene.settings
    found = [
        ("MINGJING_" + name.upper(), value)
        for name in type(settings).model_fields
        if name.endswith(("secret_file", "password_file", "keys_file", "token_file", "key_file"))
        and isinstance(value := getattr(settings, name), Path)
        # Made at the first start.
        and not (name == "ack_secret_file" and not value.exists())
    ]
    for centre in (scene.centres or {}).values():
        found += [
            (f"cameras.{camera.id}.password_file", Path(camera.password_file).expanduser())
            for camera in centre.cameras
            if camera.password_file
        ]
    return found


def api_keys(scene: Scene) -> Iterator[Result]:
    from streams.access import load_api_keys

    file = scene.settings.api_keys_file
    if file is None:
        yield ok(
            "door.keys",
            "未设置 MINGJING_API_KEYS_FILE（mingjing start 会自动生成）",
            "MINGJING_API_KEYS_FILE is not set (mingjing start makes one)",
        )
        return
    try:
        count = len(load_api_keys(file))
    except SettingsError as error:
        yield fault(
            "door.keys",
            "接口密钥不可用",
            str(error),
            "每行一个 name:key，密钥至少 16 位 · one name:key a line",
        )
        return
    yield ok("door.keys", f"{count} 个系统可使用事件入口", f"{count} systems may use the door")


CHECKS = (secret_files, api_keys)
