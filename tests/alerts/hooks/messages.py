"""A message for the tests of the hooks."""

from __future__ import annotations

from alerts.messages import Outgoing

VALUES = {
    "signature": "明镜",
    "level": "红牌",
    "subject": "A07窗口，",
    "rule": "离岗",
    "due": "自11月20日9时12分起已31分钟",
    "act": "请张伟立即到岗",
    "ack": "",
    "link": "",
}


def message(key: str = "f1:p1:opened", *, to: str = "13800000001", template: str = "finding.red") -> Outgoing:
    """One red card, as the sender hands it over."""
    return Outgoing(
        idempotency_key=key,
        to=to,
        template=template,
        values=VALUES,
        text="【明镜】红牌：A07窗口，离岗，自11月20日9时12分起已31分钟。请张伟立即到岗。",
        created_at="2026-11-20T09:43:00+08:00",
        facts={"finding": "f1", "rule": "absence.red", "severity": "red", "window": "A07"},
    )
