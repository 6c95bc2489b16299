"""Health on real pictures: quiet in every light, and each fault noticed with its reason."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.presence_conditions import CONDITIONS
from detectors.presence.health import CameraHealth
from detectors.presence.picture import Picture
from tests.detectors.presence.scenes import clip
from tests.detectors.presence.test_person_detector import footage_posts

FAULT_AT = 12.0
HEALTHY = (
    "as it is", "dark x0.25", "bright x1.6", "washed out", "light drifts", "noise 15", "noise 30", "jpeg 30", "blur 2",
    "shaken 6 px", "glass", "nudged 8 px", "hard shadow", "creeping shadow", "sun patch", "dark, noise 8", "nudged, dark",
    "bright, jpeg 30, shaken", "drift, noise 15, shaken", "passer-by",
)  # fmt: skip
FAULTS = {
    "covered": "covered",
    "black": "dark",
    "out of focus": "blurred",
    "turned": "moved",
    "turned, dark": "moved",
}


@pytest.fixture(scope="module")
def footage(shared_data):
    """24 s of the recorded clip, somebody comes and goes; two looks a second."""
    return list(clip(shared_data / "footage" / "table.mp4", every=0.5, end=24.0))


def reasons(footage, shared_data, name, begins):
    condition, rng = CONDITIONS[name], np.random.default_rng(1)
    health = CameraHealth(footage_posts(shared_data / "footage" / "table.json"))
    found = []
    for picture in footage:
        image = picture.image
        if picture.t >= begins:
            # The changes of the table count from its own moment.
            image = condition.change(image, rng, picture.t - begins + condition.begins)
        found.append((picture.t, health.check(Picture(image, picture.t, picture.keyframe)).reason))
    return found


@pytest.mark.parametrize("name", HEALTHY)
def test_no_light_no_noise_and_nobody_who_walks_by_makes_a_picture_unfit(footage, shared_data, name):
    begins = FAULT_AT if CONDITIONS[name].begins else 0.0
    found = reasons(footage, shared_data, name, begins)
    # A sudden change of the light may be said for a second and a half.
    assert {reason for t, reason in found if not begins <= t <= begins + 1.5} == {None}
    assert {reason for _, reason in found} <= {None, "light_change"}


@pytest.mark.parametrize(("name", "reason"), FAULTS.items())
def test_each_fault_is_noticed_with_its_reason(footage, shared_data, name, reason):
    found = reasons(footage, shared_data, name, FAULT_AT)
    assert {said for t, said in found if t < FAULT_AT} == {None}
    assert {said for t, said in found if t > FAULT_AT + 4} == {reason}
    assert None not in {said for t, said in found if t > FAULT_AT + 2}
