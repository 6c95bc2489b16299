"""Work outside the centre: what came in elsewhere, cases first seen closed, tickets and certificates without a case."""

from __future__ import annotations

import pytest

from detectors import unattached
from detectors.families import subjects_of
from tests.detectors.making import at, centre, judge, one, rows, show
from tests.detectors.told import told

WINDOWS = [{"id": "A01", "ticket_machine": True}, {"id": "A02"}]
ITEMS = [{"code": "A"}, {"code": "I", "case_type": "immediate"}, {"code": "E", "elsewhere": True}]
CENTRE = centre(items=ITEMS, windows=WINDOWS, rules__both_doors={})
NOW = at("03-31 23:00")


def rules_of(*events, now=NOW, centre=CENTRE):
    return [(f.rule, f.severity, f.state) for f in judge(*events, now=now, centre=centre).findings]


TICKET = told("queue.served", "03-02 09:00", ticket="A007")


@pytest.mark.parametrize(
    ("item", "channel", "found"),
    [
        ("A", "department", [("both_doors.accepted_outside", "yellow", "closed")]),
        ("A", "window", []),
        ("A", None, []),
        # Consented to (art. 56(1)).
        ("E", "department", []),
    ],
)
def test_accepted_outside(item, channel, found):
    accepted = told("accepted", "03-02 09:30", item=item, channel=channel)
    assert rules_of(TICKET, accepted) == found


SEEN = [
    # (accepted at, received, closed at, received): what is first heard of after the end, long after the beginning.
    ("03-02 09:30", "03-02 09:31", "03-10 10:00", "03-10 10:01", None),
    ("03-02 09:30", "03-12 08:00", "03-10 10:00", "03-12 08:00", "heard_after_the_end"),
    # A nightly feed tells of a quick case when it is over.
    ("03-02 09:30", "03-02 23:30", "03-02 16:00", "03-02 23:30", None),
    ("03-02 09:30", "03-03 08:00", "03-02 16:00", "03-03 08:00", None),
    # Nothing is known of when it came: nothing is said.
    ("03-02 09:30", None, "03-10 10:00", "03-12 08:00", None),
    ("03-02 09:30", None, "03-10 10:00", None, None),
    # Both in one second need no timestamps.
    ("03-10 10:00", None, "03-10 10:00", None, "same_second"),
]


@pytest.mark.parametrize(("accepted", "heard", "closed", "heard_closed", "sign"), SEEN)
def test_closed_first(accepted, heard, closed, heard_closed, sign):
    events = [
        told("accepted", accepted, received=heard, window="A02"),
        told("closed", closed, received=heard_closed, window="A02"),
    ]
    assert rules_of(*events) == ([("both_doors.closed_first", "notice", "closed")] if sign else [])
    found = judge(*events, now=NOW, centre=CENTRE).findings
    assert [f.explain["sign"] for f in found] == ([sign] if sign else [])


def test_the_senders_own_stamp_counts_where_ours_is_missing():
    late = {"entered": "03-12 08:00"}
    verdict = judge(
        told("accepted", "03-02 09:30", **late), told("closed", "03-10 10:00", **late), centre=CENTRE
    )
    assert one(verdict, "both_doors.closed_first").explain["sign"] == "heard_after_the_end"


def test_nothing_is_said_before_it_could_be_known():
    events = [
        told("accepted", "03-02 09:30", received="03-12 08:00", window="A02"),
        told("closed", "03-10 10:00", received="03-12 08:00", window="A02"),
    ]
    early = judge(*events, now="03-11 00:00", centre=CENTRE)
    assert early.findings == ()
    assert show(early.look_at) == "03-12 08:00"
    assert len(judge(*events, now=early.look_at, centre=CENTRE).findings) == 1


def test_an_end_without_a_beginning_waits_for_it():
    closed = told("closed", "03-02 10:00")
    early = judge(closed, now="03-03 16:59", centre=CENTRE)
    assert early.findings == ()
    assert show(early.look_at) == "03-03 17:00"
    late = judge(closed, now=early.look_at, centre=CENTRE)
    assert one(late, "both_doors.closed_first").explain["sign"] == "no_beginning"
    # Its beginning came after all.
    assert rules_of(closed, told("accepted", "03-01 09:00", window="A02")) == []


def test_immediate_cases_are_done_in_one_go():
    """By the centre file: what the event says of itself does not excuse it."""
    both = [told("accepted", "03-02 10:00", item="I"), told("closed", "03-02 10:00", item="I")]
    assert rules_of(TICKET, *both) == []
    claimed = [told("accepted", "03-02 10:00", type="immediate"), told("closed", "03-02 10:00")]
    assert rules_of(TICKET, *claimed) == [("both_doors.closed_first", "notice", "closed")]


def test_a_case_without_a_ticket():
    accepted = told("accepted", "03-02 09:30")
    early = judge(accepted, now="03-03 17:00", centre=CENTRE)
    assert early.findings == ()  # its ticket may be told of until the close of the next working day
    late = judge(accepted, now=early.look_at, centre=CENTRE)
    assert rows(late, "both_doors.case_without_ticket") == [("03-03 17:00", None, "03-03 17:00")]
    after = judge(accepted, told("queue.served", "03-05 09:00", ticket="7"), now=NOW, centre=CENTRE)
    assert rows(after, "both_doors.case_without_ticket") == [("03-03 17:00", "03-05 09:00", "03-03 17:00")]
    # A window without a machine, a case from the net, a ticket.
    assert rules_of(told("accepted", "03-02 09:30", window="A02")) == []
    assert rules_of(told("accepted", "03-02 09:30", channel="online")) == []
    assert rules_of(TICKET, accepted) == []


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (told("queue.served", "03-02 10:00", ticket="A007"), "both_doors.ticket_without_case"),
        (
            told("certificate.issued", "03-02 10:00", certificate_no="证1"),
            "both_doors.certificate_without_case",
        ),
    ],
)
def test_a_number_that_nobody_has_entered(event, rule):
    early = judge(event, now="03-03 17:00", centre=CENTRE)
    assert early.findings == ()
    (found,) = judge(event, now=early.look_at, centre=CENTRE).findings
    assert (found.rule, found.severity, found.case, found.window) == (rule, "notice", "c1", "A01")
    assert found.explain["articles"].startswith("安阳市")
    # Entered later the same day; entered days later; happened earlier and told of late.
    same = told("received", "03-02 16:00", window="A02")
    assert rule not in {f.rule for f in judge(event, same, now=NOW, centre=CENTRE).findings}
    after = judge(event, told("received", "03-10 09:00", window="A02"), now=NOW, centre=CENTRE)
    assert rows(after, rule) == [("03-03 17:00", "03-10 09:00", "03-03 17:00")]
    before = judge(event, told("received", "02-27 09:00", window="A02"), now=NOW, centre=CENTRE)
    assert rows(before, rule) == []


def test_a_ticket_that_names_no_case():
    served = told("queue.served", "03-02 10:00", ticket="A007", case=None)
    name = "2026-03-02/test/A007"
    assert [(f.subject, n) for f, n in subjects_of(served, CENTRE)] == [("ticket", name)]
    (found,) = unattached.TICKET_FAMILY.judge(name, [served], CENTRE, NOW).findings
    assert (found.rule, found.case, found.window) == ("both_doors.ticket_without_case", None, "A01")
    # The queue system names the case when it is known.
    names = told("queue.served", "03-02 16:00", ticket="A007")
    assert unattached.TICKET_FAMILY.judge(name, [served, names], CENTRE, NOW).findings == ()
    # Called and gone, or only a question: no case is missing.
    gone = told("queue.abandoned", "03-02 10:00", ticket="A007", case=None)
    asked = told("queue.served", "03-02 10:00", ticket="A007", case=None, service="咨询")
    assert unattached.TICKET_FAMILY.judge(name, [gone], CENTRE, NOW).findings == ()
    assert unattached.TICKET_FAMILY.judge(name, [asked], CENTRE, NOW).findings == ()


def test_a_certificate_that_names_no_case():
    issued = told("certificate.issued", "03-02 10:00", certificate_no="证1", case=None)
    assert [(f.subject, n) for f, n in subjects_of(issued, CENTRE)] == [("certificate", "证1")]
    early = unattached.CERTIFICATE_FAMILY.judge("证1", [issued], CENTRE, at("03-03 17:00"))
    assert early.findings == ()
    (found,) = unattached.CERTIFICATE_FAMILY.judge("证1", [issued], CENTRE, early.look_at).findings
    assert found.rule == "both_doors.certificate_without_case"
    later = told("certificate.issued", "03-09 10:00", certificate_no="证1")
    (found,) = unattached.CERTIFICATE_FAMILY.judge("证1", [later, issued], CENTRE, NOW).findings
    assert show(found.closed_at) == "03-09 10:00"


def test_off_without_its_section():
    plain = centre(items=ITEMS, windows=WINDOWS)
    assert rules_of(told("closed", "03-02 10:00"), TICKET, centre=plain) == []
    assert list(subjects_of(TICKET, plain)) == []
    assert judge(TICKET, now=NOW, centre=plain).status == {"phase": "new"}
