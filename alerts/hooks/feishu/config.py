"""Settings of the Feishu robot."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from alerts.hooks.robot import RobotConfig


class Config(RobotConfig):
    """A robot of a Feishu group (飞书自定义机器人).

    Args:
        secret, secret_file: for its signature (加签 / 签名校验); without one the robot must be guarded by a keyword or by address.
    """

    secret: SecretStr = SecretStr("")
    secret_file: Path | None = None
