"""Settings of the WeCom robot."""

from __future__ import annotations

from alerts.hooks.robot import RobotConfig


class Config(RobotConfig):
    """A robot of a WeCom group (企业微信群机器人); its address holds its key."""
