"""An outage of an hour is a hundred lines in the log, not a hundred thousand."""

from __future__ import annotations

import logging

import pytest

from streams.seldom import Seldom


def test_one_kind_of_message_is_said_once_in_a_while_with_the_number_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [100.0]
    logger = logging.getLogger("tests.seldom")
    seldom = Seldom(30, monotonic=lambda: now[0])
    logger.addFilter(seldom)
    try:
        for number in range(100):
            logger.error("node %s is away", number)
            now[0] += 0.5
        logger.error("something else: %d%%", 5)
    finally:
        logger.removeFilter(seldom)
    assert [record.getMessage() for record in caplog.records] == [
        "node 0 is away",
        "node 60 is away (and 59 more of the kind since)",
        "something else: 5%",
    ]
