"""How a card of scores is said: Chinese first, every figure with its sample; and as JSON. Names: docs/scores.md."""

from __future__ import annotations

from typing import Any

from detectors.scores.ranking import Place
from detectors.scores.rates import Rate, Spread
from domain.divisions import LEVELS, level

COUNTS = {
    "accepted": "受理", "finished": "办结", "running": "在办", "refused": "不予受理", "withdrawn": "撤回", "voided": "作废",
    "returned": "退件", "late": "逾期", "late_entered": "补录", "provisional": "暂定", "notice": "预警", "yellow": "黄牌",
    "red": "红牌", "revoked_notice": "撤销预警", "revoked_yellow": "撤销黄牌", "revoked_red": "撤销红牌", "appealed": "申诉中",
    "ratings": "评价", "default_ratings": "默认好评",
}  # fmt: skip
RATES = {
    "completion": "办结率", "promised": "承诺时限内", "legal": "法定时限内", "same_day": "日结率", "satisfaction": "满意率",
    "staffed": "在岗率",
}  # fmt: skip
LINES = {"warning_run": "连续预警", "gaps": "数据缺报", "early": "提前办结", "shorter": "承诺压缩"}
GRADES = {"pass": "合格", "basic": "基本合格", "fail": "不合格"}
WHY_NOT = {
    "no_figure": "无数据 no figure",
    "small_sample": "样本不足 sample too small",
    "nobody": "未注明 not named",
}
ALWAYS = ("accepted", "finished", "running", "yellow", "red")


def card_text(place: Place) -> str:
    """A few lines for a terminal."""
    card, score = place.card, place.card.score
    rank = f"{place.rank}/{place.of}" if place.rank is not None else WHY_NOT[place.why_not or "no_figure"]
    value = "–" if score.value is None else f"{score.value:.2f}"
    grade = f" {GRADES[card.grade]}" if card.grade else ""
    pending = "" if score.value == score.if_revoked else f"（申诉成立则 {score.if_revoked:.2f}）"
    who = " ".join(part for part in (card.key or "–", card.name) if part)
    rows = [
        f"{rank}  {value}{grade}{pending}  {who}  n={score.cases}",
        " · ".join(
            f"{word} {card.counts[name]}"
            for name, word in COUNTS.items()
            if card.counts[name] or name in ALWAYS
        ),
        " · ".join(f"{word} {_rate(card.rates[name])}" for name, word in RATES.items()),
        f"时限用去 {_spread(card.used)}；同行 {_spread(card.peers)}",
    ]
    rows += [
        f"{line.points:+g}  {LINES.get(line.what, line.what)} ×{line.count}"
        + (f"（申诉中 {line.pending}）" if line.pending else "")
        for line in score.lines
    ]
    if card.months:
        rows.append(
            " · ".join(
                f"{name} {'–' if found is None else f'{found:.2f}'}" for name, found in card.months.items()
            )
        )
    return "\n    ".join(rows)


def _rate(rate: Rate) -> str:
    if rate.value is None or rate.interval is None:
        return "–"
    low, high = rate.interval
    covered = "" if rate.coverage in (None, 1.0) else f"，覆盖 {rate.coverage:.0%}"
    return f"{rate.value:.1%}（{rate.good}/{rate.whole}，{low:.0%}–{high:.0%}{covered}）"


def _spread(found: Spread) -> str:
    if found.median is None or found.p90 is None:
        return "–"
    return f"中位 {found.median:.0%} P90 {found.p90:.0%} n={found.sample}"


def card_json(place: Place) -> dict[str, Any]:
    """One object; null is "no figure"."""
    card, score = place.card, place.card.score
    return {
        "by": card.by,
        "id": card.key,
        "name": card.name,
        "centre": card.centre,
        "level": LEVELS[level(card.centre)] if card.by == "centre" else None,
        "period": card.period,
        "rank": place.rank,
        "of": place.of,
        "unranked": place.why_not,
        "score": score.value,
        "score_if_revoked": score.if_revoked,
        "grade": card.grade,
        "cases": score.cases,
        "months": dict(card.months) or None,
        "lines": [
            {
                "what": line.what,
                "points": line.points,
                "count": line.count,
                "pending": line.pending,
                "part": line.part,
                "findings": list(line.findings),
            }
            for line in score.lines
        ],
        "counts": dict(card.counts),
        "rates": {name: _rate_json(rate) for name, rate in card.rates.items()},
        "used": _spread_json(card.used),
        "peers": _spread_json(card.peers),
    }


def _rate_json(rate: Rate) -> dict[str, Any]:
    return {
        "value": rate.value,
        "good": rate.good,
        "whole": rate.whole,
        "asked": rate.asked,
        "coverage": rate.coverage,
        "interval": list(rate.interval) if rate.interval is not None else None,
    }


def _spread_json(found: Spread) -> dict[str, Any]:
    return {"sample": found.sample, "median": found.median, "p90": found.p90}


__all__ = ["COUNTS", "LINES", "RATES", "card_json", "card_text"]
