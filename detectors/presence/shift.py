"""How far one view lies from another, by phase correlation.

As OpenCV's ``phaseCorrelate``, in two parts: a view that many pictures are compared with is transformed once.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.picture import Plane, Shift

Spectrum = NDArray[np.float32]
LEAST_RESPONSE = 0.05
"""Share of the correlation in its highest point (and two pixels around) below which the shift is not clear."""
_BRIGHTEST = 30.0
_AROUND = 2


def spectrum(relief: Plane) -> Spectrum:
    """The phases of a relief: what is left of its Fourier transform when all amplitudes are made equal."""
    height, width = relief.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    plane = np.asarray(np.clip(relief, -_BRIGHTEST, _BRIGHTEST) * window, dtype=np.float32)
    bottom, right = cv2.getOptimalDFTSize(height) - height, cv2.getOptimalDFTSize(width) - width
    if bottom or right:
        plane = np.pad(plane, ((0, bottom), (0, right)))
    found = np.asarray(cv2.dft(plane), dtype=np.float32)
    return np.asarray(found / (_amplitude(found) + np.finfo(np.float32).eps), dtype=np.float32)


def _amplitude(packed: Spectrum) -> Spectrum:
    """The amplitude of each number of a spectrum as OpenCV packs it, at both of its places (real, imaginary)."""
    height, width = packed.shape
    found = np.sqrt(np.maximum(cv2.mulSpectrums(packed, packed, 0, conjB=True), 0))
    across, down = (width - 1) // 2, (height - 1) // 2
    found[:, 2 : 2 * across + 1 : 2] = found[:, 1 : 2 * across : 2]
    # The first column, and of an even width the last, holds its pairs one below the other.
    for column in {0, width - 1 if width % 2 == 0 else 0}:
        found[2 : 2 * down + 1 : 2, column] = found[1 : 2 * down : 2, column]
    return np.asarray(found, dtype=np.float32)


def shift_between(reference: Spectrum, other: Spectrum) -> Shift:
    """How far ``other`` lies from the reference, in pixels (right, down); (0, 0) where that is not clear."""
    height, width = reference.shape
    product = cv2.mulSpectrums(reference, other, 0, conjB=True)
    plane = np.fft.fftshift(cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT))
    row, column = (int(each) for each in np.unravel_index(int(plane.argmax()), plane.shape))
    top, left = max(0, row - _AROUND), max(0, column - _AROUND)
    peak = plane[top : row + _AROUND + 1, left : column + _AROUND + 1].astype(np.float64)
    total = float(peak.sum())
    if total / (height * width) < LEAST_RESPONSE:
        return (0.0, 0.0)
    x = float((peak.sum(axis=0) * np.arange(left, left + peak.shape[1])).sum()) / total
    y = float((peak.sum(axis=1) * np.arange(top, top + peak.shape[0])).sum()) / total
    return (width // 2 - x, height // 2 - y)
