"""``pre_acceptance.notice | yellow | red``: an application made online waits for its first answer (网上预受理).

Hunan 2018 (P1): 2 working days; over by more than 0 a warning, 3 yellow, 5 red. Red is then beyond the five days of the
Licensing Law art. 32. The answer is the first of ``case.pre_reviewed``, a supplement notice, acceptance, refusal, decision,
closing and withdrawal. Suspensions do not lengthen it (nobody suspends what was not accepted).
"""

from __future__ import annotations

from detectors.own_limit import days_from, too_late
from detectors.verdict import Claim
from domain.cases import STOPS, Case
from domain.centre import Centre
from domain.findings import Severity
from domain.rules.time import PreAcceptance

ARTICLE = "湖南电子监察平台 2018 网上预受理 (P1); 行政许可法 art. 32"
ANSWERS = STOPS | {"case.supplement_requested", "case.accepted"}


def judge_pre_acceptance(case: Case, centre: Centre, settings: PreAcceptance) -> list[Claim]:
    """One claim a grade; the notice ends where yellow begins."""
    received = next((step for step in case.running if step.kind == "case.received"), None)
    if received is None or received.event.data.get("channel") not in settings.channels:
        return []
    answers = [step.at for step in case.steps[received.index :] if step.kind in ANSWERS]
    answers += [
        event.occurred_at
        for event in case.others
        if event.kind == "case.pre_reviewed" and event.occurred_at >= received.at
    ]
    ended = min(answers, default=None)
    grades: tuple[tuple[Severity, int], ...] = (
        ("notice", settings.notice_over), ("yellow", settings.yellow_over), ("red", settings.red_over),
    )  # fmt: skip
    deadlines = {severity: days_from(received.at, settings.days + over, centre) for severity, over in grades}
    yellow = deadlines["yellow"]
    claims: list[Claim] = []
    for severity, over in grades:
        deadline = deadlines[severity]
        if deadline is None or (severity == "notice" and yellow is not None and yellow.due <= deadline.due):
            continue
        claims += too_late(
            f"pre_acceptance.{severity}",
            severity,
            deadline,
            ended,
            ARTICLE,
            closed=yellow.passed if severity == "notice" and yellow is not None else None,
            receipt={"kind": received.kind, "event_id": received.event.event_id},
            promised_days=settings.days,
            over_by_more_than=over,
        )
    return claims
