"""A span without length beside a real one: the order in which the store gives them changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from detectors.presence_timeline import window_timeline
from domain.observations import PresenceSpan

AT = datetime(2026, 11, 23, 1, 37, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_span_without_length_swallows_nothing_that_begins_with_it():
    spans = [
        PresenceSpan("C", "p", "present", AT - 5 * MINUTE, AT, None, AT),
        PresenceSpan("C", "p", "unknown", AT, AT, "few_looks", AT + MINUTE),
        PresenceSpan("C", "p", "absent", AT, None, None, AT + 30 * MINUTE),
    ]
    lines = {
        tuple(
            (s.state, s.since, s.until)
            for s in window_timeline(
                order, frozenset({("C", "p")}), AT - 5 * MINUTE, AT + 20 * MINUTE, 20 * MINUTE
            )
        )
        for order in permutations(spans)
    }
    assert lines == {(("present", AT - 5 * MINUTE, AT), ("absent", AT, AT + 20 * MINUTE))}
