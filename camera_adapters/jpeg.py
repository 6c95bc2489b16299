"""JPEG pictures as cameras send them: whole ones only."""

from __future__ import annotations

import cv2
import numpy as np

from camera_adapters.source import SourceError
from detectors.presence.picture import Image


def decode_jpeg(body: bytes, name: str) -> Image:
    """A whole JPEG as a BGR picture.

    Raises:
        SourceError: it is no JPEG, is cut off, or cannot be decoded.
    """
    if not body.startswith(b"\xff\xd8"):
        raise SourceError("undecodable", f"{name}: does not send a JPEG picture")
    # Decoders fill the missing half of a picture with grey, which would look like a covered camera.
    if b"\xff\xd9" not in body[-64:]:
        raise SourceError("undecodable", f"{name}: sends half a picture")
    image = cv2.imdecode(np.frombuffer(body, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError("undecodable", f"{name}: sends a picture that cannot be decoded")
    return np.asarray(image, dtype=np.uint8)
