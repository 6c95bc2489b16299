"""``mingjing camera models``: which person detectors there are, under which licence, and which one is used."""

from __future__ import annotations

import importlib.util

import typer

from domain.errors import ModelError
from mingjing.models import CATALOGUE, choose_net, model_folders, problem
from mingjing.onnx_models import onnx_models


def models_command() -> None:
    """人员检测模型、校验与许可证 · Person detectors: checksum, licence, input, and which one is used."""
    folders = model_folders()
    notice: str | None = None
    try:
        choice = choose_net("auto", folders)
        used, notice = choice.model, choice.notice
    except ModelError as error:
        used, notice = None, str(error)
    own, troubles = onnx_models(folders)
    for model in own:
        said, trouble = model.manifest, model.problem()
        family, size = said.family, said.input
        if trouble is None:
            try:
                net = model.load()
                family, size = net.family, net.size
            except ModelError as error:
                trouble = str(error)
        shape = f"{size[0]}×{size[1]}" if size else "?"
        _tell(model.name, family or "?", shape, trouble, said.licence, said.source, model.name == used)
    for known in CATALOGUE:
        places = [folder for folder in folders if (folder / known.weights.name).exists()]
        trouble = problem(known, places[0]) if places else "未安装 not installed"
        _tell(known.name, "darknet", "320×320", trouble, known.licence, known.home, known.name == used)
    for trouble in troubles:
        typer.echo(f"  ! {trouble}")
    runtime = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "opencv"
    typer.echo(f"ONNX: {runtime}")
    if notice:
        typer.echo(f"mingjing: {notice}", err=True)


def _tell(
    name: str, family: str, size: str, trouble: str | None, licence: str, source: str, used: bool
) -> None:
    mark = "  ← 使用中 in use" if used else ""
    typer.echo(f"{name}{mark}")
    typer.echo(f"  {family}  {size}  SHA-256 {'✓' if trouble is None else '✗ ' + trouble}")
    typer.echo(f"  licence: {licence}")
    typer.echo(f"  source: {source}")
