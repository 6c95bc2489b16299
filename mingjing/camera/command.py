"""The group ``mingjing camera``. Each command lives in a module of its own and is added here."""

from __future__ import annotations

import typer

from mingjing.camera.address import address_command
from mingjing.camera.calibrate import calibrate_command
from mingjing.camera.models import models_command
from mingjing.camera.pictures import deletions_command, pictures_command
from mingjing.camera.trial import try_command

camera_app = typer.Typer(
    help="摄像机 · What an operator does about cameras.", no_args_is_help=True, rich_markup_mode=None
)


@camera_app.callback()
def _group() -> None:
    """A group, however few commands it has."""


camera_app.command("address")(address_command)
camera_app.command("try")(try_command)
camera_app.command("models")(models_command)
camera_app.command("pictures")(pictures_command)
camera_app.command("deletions")(deletions_command)
camera_app.command("calibrate")(calibrate_command)
