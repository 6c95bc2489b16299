"""Detector models of one's own: an ONNX file in a models folder, with a manifest ``NAME.model.json`` beside it.

The manifest pins the file's SHA-256 and says its licence; a file with another hash is not used. What it leaves out is
what is usual in the family, and the family is found by the net's outputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from detectors.presence.nets.boxes import Fit
from detectors.presence.nets.families import DEFAULTS, Family
from detectors.presence.nets.onnx import OnnxNet, Runtime
from domain.errors import ModelError
from domain.model import Code, Model

ENDING = ".model.json"
_LARGEST = 512 << 20
Three = tuple[float, float, float]
Side = Annotated[int, Field(ge=32, le=2048)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Manifest(Model):
    """What stands in ``NAME.model.json``.

    ``input``: width and height. ``mean`` and ``std`` per channel in the order of the input, ``rgb`` that order, ``fit`` how a
    picture of another shape is put in, ``pad`` the level of its borders. ``person``: number of the class. ``seen`` and
    ``doubt``: scores from which on somebody is there, and below which nobody is. ``decoded``: YOLOX exports with boxes in pixels.
    """

    name: Code
    file: Code
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: Code
    source: Code
    family: Family | None = None
    input: tuple[Side, Side] | None = None
    rgb: bool | None = None
    mean: Three | None = None
    std: Three | None = None
    fit: Fit | None = None
    pad: Annotated[int, Field(ge=0, le=255)] | None = None
    person: Annotated[int, Field(ge=0, le=10_000)] | None = None
    seen: Share | None = None
    doubt: Share | None = None
    decoded: bool = False
    runtime: Runtime | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if "/" in self.file or "\\" in self.file:
            raise ValueError("file: must lie beside the manifest")
        if self.std is not None and not all(self.std):
            raise ValueError("std: must not be 0")
        if (self.seen is None) != (self.doubt is None) or (
            self.seen is not None and self.doubt is not None and self.doubt >= self.seen
        ):
            raise ValueError("seen, doubt: both or none, and doubt below seen")
        if self.family is None and self.own_preparation():
            raise ValueError(f"family: must be said where {', '.join(sorted(self.own_preparation()))} is")
        return self

    def own_preparation(self) -> dict[str, object]:
        """What the manifest says of the preparation."""
        names = ("rgb", "mean", "std", "fit", "pad", "person", "seen", "doubt")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class OnnxModel:
    """A model described by a manifest."""

    manifest: Manifest
    folder: Path

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def path(self) -> Path:
        return self.folder / self.manifest.file

    def problem(self) -> str | None:
        """Why the file cannot be used (one sentence), or None if it is the pinned one."""
        try:
            self._blob()
        except ModelError as error:
            return str(error)
        return None

    def load(self) -> OnnxNet:
        """Raises:
        ModelError: the file is not the pinned one, or not a net of a family we know.
        """
        said = self.manifest
        own = said.own_preparation()
        preparation = replace(DEFAULTS[said.family], **own) if said.family and own else None  # type: ignore[arg-type]
        return OnnxNet(
            self._blob(),
            str(self.path),
            family=said.family,
            size=said.input,
            preparation=preparation,
            decoded=said.decoded,
            runtime=said.runtime,
        )

    def _blob(self) -> bytes:
        """The file, read once: what is checked is what is used."""
        try:
            if self.path.stat().st_size > _LARGEST:
                raise ModelError(f"{self.path} is too large for a model")
            blob = self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"{self.path} cannot be read ({error.strerror})") from error
        digest = hashlib.sha256(blob).hexdigest()
        if digest != self.manifest.sha256:
            raise ModelError(
                f"{self.path} is not the pinned file (SHA-256 {digest[:12]}…, expected {self.manifest.sha256[:12]}…)"
            )
        return blob


def onnx_models(folders: Sequence[Path]) -> tuple[list[OnnxModel], list[str]]:
    """The models of all manifests, by folder and name; and one sentence for each manifest that is none."""
    models: list[OnnxModel] = []
    troubles: list[str] = []
    for folder in folders:
        for path in sorted(folder.glob(f"*{ENDING}")):
            try:
                models.append(OnnxModel(_read(path), folder))
            except ModelError as error:
                troubles.append(str(error))
    return models, troubles


def _read(path: Path) -> Manifest:
    try:
        return Manifest.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise ModelError(f"{path}: {place + ': ' if place else ''}{message}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error})") from error
