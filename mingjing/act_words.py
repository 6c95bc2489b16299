"""Words for findings as acts: states, steps and people, for terminals and bundles. zh first."""

from __future__ import annotations

from collections.abc import Mapping

from domain.errors import InputError

LANGUAGES = ("zh", "en")

WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "finding": "监察发现",
        "rule": "规则",
        "severity": "级别",
        "notice": "预警",
        "yellow": "黄牌",
        "red": "红牌",
        "case": "办件",
        "window": "窗口",
        "issued": "发出",
        "due": "到期",
        "cause": "事由",
        "cause_open": "仍在持续",
        "cause_closed": "已结束（{at}）",
        "cause_revoked": "已撤销（{at}）：{reason}",
        "life": "处理状态",
        "open": "待确认",
        "acknowledged": "已确认",
        "answered": "已反馈",
        "appealed": "申诉中",
        "upheld": "维持",
        "revoked": "撤销",
        "rectified": "已整改",
        "closed": "办结",
        "opened": "发出",
        "amended": "更正",
        "reopened": "恢复",
        "acts": "经过",
        "rules": "规则",
        "awaited": "待办",
        "none_awaited": "无待办",
        "acknowledge": "确认",
        "answer": "反馈",
        "appeal": "申诉",
        "uphold": "裁定申诉",
        "revoke": "撤销",
        "rectify": "整改",
        "close": "办结",
        "handler": "经办人",
        "superior": "科室负责人",
        "leader": "分管领导",
        "inspector": "监察员",
        "until": "{at} 前",
        "late": "已逾期",
        "reminded": "已催办：",
        "appeal_until": "申诉截止",
        "number": "序号",
    },
    "en": {
        "finding": "Finding",
        "rule": "Rule",
        "severity": "Severity",
        "notice": "notice",
        "yellow": "yellow card",
        "red": "red card",
        "case": "Case",
        "window": "Window",
        "issued": "Issued",
        "due": "Due",
        "cause": "Cause",
        "cause_open": "goes on",
        "cause_closed": "ended ({at})",
        "cause_revoked": "revoked ({at}): {reason}",
        "life": "Life",
        "open": "to be acknowledged",
        "acknowledged": "acknowledged",
        "answered": "answered",
        "appealed": "appealed",
        "upheld": "upheld",
        "revoked": "revoked",
        "rectified": "rectified",
        "closed": "closed",
        "opened": "opened",
        "amended": "amended",
        "reopened": "reopened",
        "acts": "What was done",
        "rules": "the rules",
        "awaited": "Awaited",
        "none_awaited": "nothing is awaited",
        "acknowledge": "acknowledgement",
        "answer": "answer",
        "appeal": "appeal",
        "uphold": "decision of the appeal",
        "revoke": "revocation",
        "rectify": "rectification",
        "close": "closing",
        "handler": "handler",
        "superior": "superior",
        "leader": "leader",
        "inspector": "inspector",
        "until": "until {at}",
        "late": "overdue",
        "reminded": "reminded of:",
        "appeal_until": "Appeal until",
        "number": "Number",
    },
}


def words_of(language: str) -> Mapping[str, str]:
    """The words of a language.

    Raises:
        InputError: there are none in this one.
    """
    if language not in WORDS:
        raise InputError(f"--lang: expected zh or en, not '{language}'")
    return WORDS[language]
