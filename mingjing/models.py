"""Detector models: which are known, where they lie, and how they are installed (``mingjing model``).

Models are not part of the project. They come from their public home, or in a closed network from a folder; either way
only files with the pinned SHA-256 are accepted. Models of one's own are in :mod:`mingjing.onnx_models`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from detectors.presence.nets.darknet import DarknetNet
from detectors.presence.nets.net import PersonNet
from domain.errors import ModelError, SettingsError
from mingjing.onnx_models import onnx_models

METHODS: Final = ("auto", "detector", "correlation")
_HOME = "https://raw.githubusercontent.com/dog-qiuqiu/Yolo-Fastest/master/ModelZoo"
_LICENCE = "YOLO LICENSE Version 2 (public domain: “Do whatever you want with it.”), github.com/dog-qiuqiu/Yolo-Fastest"
_LARGEST = 64 << 20
_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class ModelFile:
    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Model:
    """A detector model: its two Darknet files and the public folder they come from."""

    name: str
    about: str
    home: str
    cfg: ModelFile
    weights: ModelFile
    licence: str = _LICENCE

    @property
    def files(self) -> tuple[ModelFile, ModelFile]:
        return self.cfg, self.weights


CATALOGUE: Final = (
    Model(
        "yolo-fastest-1.1_body",
        "people only, 1.2 MB, about 12 ms a picture on one core",
        f"{_HOME}/yolo-fastest-1.1_body",
        ModelFile(
            "yolo-fastest-1.1_body.cfg",
            "045b8e276ebe3924474da8c866b7e709159ea067137b5d66bf9dd560411b2c1a",
            9679,
        ),
        ModelFile(
            "yolo-fastest-1.1_body.weights",
            "5bbb6d878f6e2eb3deee39e91dc6f9b39700e99ec83fa94d258670a554949728",
            1177604,
        ),
    ),
    Model(
        "yolo-fastest-1.1-xl",
        "80 classes of things, people among them, 3.7 MB, about 26 ms a picture on one core",
        f"{_HOME}/yolo-fastest-1.1_coco",
        ModelFile(
            "yolo-fastest-1.1-xl.cfg",
            "c458427acc4fbeabceff4528ef7b65b066c0308ce599460f8ba299eba63abad3",
            9696,
        ),
        ModelFile(
            "yolo-fastest-1.1-xl.weights",
            "fac5fb41786c1f38f04972a658443b189f48720d7d117f9a044100e98a35b0c5",
            3693964,
        ),
    ),
)
"""In the order in which an installed one is chosen."""


def model_named(name: str, catalogue: Sequence[Model] = CATALOGUE) -> Model:
    """Raises SettingsError for a name that is not in the catalogue."""
    for model in catalogue:
        if model.name == name:
            return model
    raise SettingsError(f"there is no model '{name}' (known: {', '.join(m.name for m in catalogue)})")


def model_folders(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Where models are looked for, first one first: ``$MINGJING_MODELS``, then ``models`` in the data folder."""
    data = environ.get("MINGJING_DATA") or "~/.local/share/mingjing"
    folders = [Path(data).expanduser() / "models"]
    if environ.get("MINGJING_MODELS"):
        folders.insert(0, Path(environ["MINGJING_MODELS"]).expanduser())
    return folders


def problem(model: Model, folder: Path) -> str | None:
    """Why the model in that folder cannot be used (one sentence), or None if it is the pinned one."""
    for file in model.files:
        path = folder / file.name
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return f"{file.name} is not in {folder}"
        except OSError as error:
            return f"{path} cannot be read ({error.strerror})"
        if digest != file.sha256:
            return f"{path} is not the pinned file (SHA-256 {digest[:12]}…, expected {file.sha256[:12]}…)"
    return None


@dataclass(frozen=True, slots=True)
class NetChoice:
    """The net to see with, or None for the method without weights. ``notice``: a sentence the user should read."""

    net: PersonNet | None
    notice: str | None = None
    model: str | None = None


def choose_net(
    method: str = "auto",
    folders: Sequence[Path] | None = None,
    catalogue: Sequence[Model] = CATALOGUE,
    named: str | None = None,
) -> NetChoice:
    """Finds the model for ``auto`` or ``detector``: one of one's own, else the first installed of the catalogue.

    ``correlation`` needs none.

    Args:
        named: this one and no other; default ``$MINGJING_MODEL``.

    Raises:
        SettingsError: no such method.
        ModelError: ``detector`` was asked for and no model is installed, or it cannot be read; or the named one cannot be used.
    """
    if method not in METHODS:
        raise SettingsError(f"--method: must be one of {', '.join(METHODS)}, not '{method}'")
    if method == "correlation":
        return NetChoice(None)
    folders = model_folders() if folders is None else folders
    named = named if named is not None else os.environ.get("MINGJING_MODEL") or None
    own, damaged = onnx_models(folders)
    for each in own:
        if named in (None, each.name):
            try:
                return NetChoice(each.load(), "; ".join(damaged) or None, each.name)
            except ModelError as error:
                if named is not None:
                    raise
                damaged.append(str(error))
    for folder in folders:
        for model in catalogue:
            if named not in (None, model.name):
                continue
            trouble = problem(model, folder)
            if trouble is None:
                net = DarknetNet(folder / model.cfg.name, folder / model.weights.name)
                return NetChoice(net, "; ".join(damaged) or None, model.name)
            if (folder / model.weights.name).exists():
                damaged.append(trouble)
    what = "no person detector" if named is None else f"no person detector called '{named}'"
    looked = f"{what} is installed (looked in " + ", ".join(str(f) for f in folders) + ")"
    if method == "detector" or named is not None:
        raise ModelError("; ".join([*damaged, looked]) + "; `mingjing model install NAME` installs one")
    fallback = "posts are compared with their empty pictures instead, which is slower to be sure"
    return NetChoice(None, "; ".join([*damaged, looked, fallback]))


def install(model: Model, target: Path, source: Path | None = None) -> list[Path]:
    """Puts the model's files into ``target``, from ``source`` (a folder) or its public home. All or nothing.

    Raises:
        ModelError: a file is missing, cannot be had, or has another checksum; the target is then as it was.
    """
    contents = [(file, _fetch(model, file, source)) for file in model.files]
    for file, blob in contents:
        digest = hashlib.sha256(blob).hexdigest()
        if digest != file.sha256:
            place = source / file.name if source else f"{model.home}/{file.name}"
            raise ModelError(f"{place}: SHA-256 is {digest}, expected {file.sha256}; nothing was installed")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file, blob in contents:
            _write_whole(target / file.name, blob)
    except OSError as error:
        raise ModelError(f"{target}: cannot be written ({error.strerror})") from error
    return [target / file.name for file in model.files]


def _fetch(model: Model, file: ModelFile, source: Path | None) -> bytes:
    if source is not None:
        try:
            return (source / file.name).read_bytes()
        except OSError as error:
            raise ModelError(f"{source / file.name}: cannot be read ({error.strerror})") from error
    address = f"{model.home}/{file.name}"
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:  # noqa: S310 - catalogue addresses only
            blob: bytes = answer.read(_LARGEST)
            return blob
    except (urllib.error.URLError, OSError, ValueError) as error:
        why = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        raise ModelError(
            f"{address}: cannot be fetched ({why}); in a closed network use --from FOLDER"
        ) from error


def _write_whole(path: Path, blob: bytes) -> None:
    """Writes beside the file and renames, so that nobody ever reads half of it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise


model_app = typer.Typer(
    help="人员检测模型 · Person-detector models.", no_args_is_help=True, rich_markup_mode=None
)


@model_app.command("list")
def list_command() -> None:
    """已知与已安装的模型 · Known and installed models."""
    folders = model_folders()
    for model in CATALOGUE:
        place = next((folder for folder in folders if problem(model, folder) is None), None)
        typer.echo(f"{model.name}: {model.about}")
        typer.echo(f"  {'已安装 installed: ' + str(place) if place else '未安装 not installed'}")
        for folder in folders:
            trouble = problem(model, folder)
            if trouble and (folder / model.weights.name).exists():
                typer.echo(f"  {trouble}")
        typer.echo(f"  licence: {model.licence}")
        typer.echo(f"  home: {model.home}")


@model_app.command("install")
def install_command(
    name: Annotated[str, typer.Argument(help="模型名称 · name, see `mingjing model list`")],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="从目录安装（离线网络）· a folder instead of the public home"),
    ] = None,
) -> None:
    """安装模型 · Install a model; only files with the pinned checksums are accepted."""
    model = model_named(name)
    target = model_folders()[0]
    for path in install(model, target, source):
        typer.echo(f"{path}")
    typer.echo(f"licence: {model.licence}")
