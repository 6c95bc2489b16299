"""The words of the messages: zh-CN first, English second.

Each rule has a name and what is to be done about it. Placeholders are the values of :mod:`alerts.messages`; a
sentence never holds a citizen's name. No no-break spaces: one of them makes an English message three times as long.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.rule_names import NAMES, rule_name

LANGUAGES = ("zh-CN", "en")

#: Templates, as they are registered with a provider. {ack} is empty where nothing can be acknowledged.
TEXTS: dict[str, dict[str, str]] = {
    "zh-CN": {
        "finding.notice": "【{signature}】{level}：{subject}{rule}，{due}。{act}。{ack}",
        "finding.yellow": "【{signature}】{level}：{subject}{rule}，{due}。{act}。{ack}",
        "finding.red": "【{signature}】{level}：{subject}{rule}，{due}。{act}。{ack}",
        "finding.correction": "【{signature}】更正：{subject}{rule}（{level}，{due}）已撤销，无须处理，特此说明。",
        "finding.reminder": "【{signature}】催办：{subject}{rule}（{level}）应于{answer_due}前{step}，已逾期。请{who}立即办理。{ack}",
        "finding.again": "【{signature}】第{number}次提醒：{subject}{rule}（{level}，{due}）尚未{step}。{act}。{ack}",
        "finding.escalated": "【{signature}】{level}升级：{subject}{rule}（{due}），{why}，升级至您。{act}。{ack}",
        "digest.group": "【{signature}】{subject}监察发现{total}项：{counts}。{worst}。{desk}",
        "digest.flood": "【{signature}】{subject}通知过多，{span}的{total}项合并告知：{counts}。{worst}。{desk}",
        "digest.corrections": "【{signature}】{subject}更正：{total}项监察发现（{counts}）已撤销，无须处理。{worst}。{desk}",
        "digest.daily": "【{signature}】{subject}监察日报：{span}新增{counts}；黄红牌结束{closed}、撤销{revoked}；待反馈{unanswered}，其中逾期{overdue}。{worst}。{desk}",
        "system.test": "【{signature}】测试信息：{subject}{at}经{channel}发出。收到即为通畅，无须处理。",
        "system.trouble": "【{signature}】系统故障：{subject}{what}，自{since}起。{act}。",
        "system.clear": "【{signature}】系统恢复：{subject}{what}，自{since}起，现已解除（{at}）。",
    },
    "en": {
        "finding.notice": "[{signature}] {level}: {subject}: {rule}, {due}. {act}. {ack}",
        "finding.yellow": "[{signature}] {level}: {subject}: {rule}, {due}. {act}. {ack}",
        "finding.red": "[{signature}] {level}: {subject}: {rule}, {due}. {act}. {ack}",
        "finding.correction": "[{signature}] Correction: {subject}: {rule} ({level}, {due}) is revoked. Nothing to do.",
        "finding.reminder": "[{signature}] Reminder: {subject}: {rule} ({level}): {step} was due {answer_due}. {who}: act now. {ack}",
        "finding.again": "[{signature}] Reminder {number}: {subject}: {rule} ({level}, {due}): no {step} yet. {act}. {ack}",
        "finding.escalated": "[{signature}] {level} escalated to you: {subject}: {rule} ({due}): {why}. {act}. {ack}",
        "digest.group": "[{signature}] {subject}: {total} findings: {counts}. {worst}. {desk}",
        "digest.flood": "[{signature}] {subject}: too many messages; {total} findings, {span}, in one: {counts}. {worst}. {desk}",
        "digest.corrections": "[{signature}] {subject}: correction: {total} findings ({counts}) are revoked. Nothing to do. {worst}. {desk}",
        "digest.daily": "[{signature}] {subject}: day's report: new {span}: {counts}; cards closed {closed}, revoked {revoked}; unanswered {unanswered}, of these late {overdue}. {worst}. {desk}",
        "system.test": "[{signature}] Test from {subject}, {at}, by {channel}. If you read this it works; nothing to do.",
        "system.trouble": "[{signature}] {subject}: trouble: {what}, since {since}. {act}.",
        "system.clear": "[{signature}] {subject}: over: {what}; from {since} to {at}.",
    },
}

LEVELS = {
    "zh-CN": {"notice": "预警", "yellow": "黄牌", "red": "红牌"},
    "en": {"notice": "Notice", "yellow": "Yellow card", "red": "Red card"},
}


#: Without these no centre can do; the others a centre needs only where its settings lead to them.
ALWAYS = frozenset(
    ("finding.notice", "finding.yellow", "finding.red", "finding.correction", "finding.reminder")
)

#: What is late, in a reminder.
LATE = {
    "zh-CN": {"acknowledge": "确认", "answer": "反馈", "uphold": "对申诉作出决定", "rectify": "整改"},
    "en": {
        "acknowledge": "acknowledgement",
        "answer": "the answer",
        "uphold": "the decision on the appeal",
        "rectify": "rectification",
    },
}


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A rule's short name and the request that goes with it; {who} is who must act, {by} the deadline."""

    name: str
    act: str


_ZH = {
    "time_limit.notice": RuleWords("即将超承诺时限", "请{who}在此之前办结"),
    "time_limit.warning": RuleWords("临近承诺时限", "请{who}抓紧办理"),
    "time_limit.promised": RuleWords("超承诺时限", "请{who}立即办理"),
    "time_limit.legal": RuleWords("超法定时限", "请{who}立即办理并说明"),
    "acceptance.overdue": RuleWords("逾期未作受理决定", "请{who}立即决定是否受理"),
    "stage.overdue": RuleWords("环节超时", "请{who}立即完成该环节"),
    "suspension.overrun": RuleWords("特别程序超期未恢复", "请{who}立即恢复计时或说明"),
    "extension.late": RuleWords("逾期后申请延期，延期无效", "请{who}立即核实办理"),
    "delivery.overdue": RuleWords("证照逾期未送达", "请{who}立即送达"),
    "absence": RuleWords("无人在岗", "请{who}立即安排人员到岗"),
    "rating": RuleWords("差评未按时处理", "请{who}立即联系并整改"),
    "complaint": RuleWords("投诉工单处理逾期", "请{who}立即办理或按规定退回、延期"),
    "complaint.notice": RuleWords("投诉工单即将到期", "请{who}在此之前答复"),
    "complaint.unassigned": RuleWords("投诉工单未派发", "请{who}立即派发"),
    "complaint.late_return": RuleWords("投诉工单逾期退回", "请{who}核实说明"),
    "complaint.invalid_extension": RuleWords("投诉工单延期无效", "请{who}立即核实办理"),
    "staffing": RuleWords("窗口人员安排不当", "请{who}立即安排人员"),
    "staffing.no_substitute": RuleWords("请假无人替岗", "请{who}立即安排替岗"),
    "staffing.ab_away": RuleWords("A、B岗同时离岗", "请{who}立即安排人员"),
    "attendance": RuleWords("考勤异常", "请{who}核实"),
    "commission": RuleWords("中介服务异常", "请{who}核实督促"),
    "commission.overdue": RuleWords("中介服务超承诺时限", "请{who}立即督促"),
    "bid": RuleWords("投标异常信号", "请{who}组织核实判定"),
    "calendar": RuleWords("工作日历缺失", "请{who}补充工作日历"),
    "rule": RuleWords("监察规则停止产出", "请{who}检查系统"),
    "camera": RuleWords("摄像头无画面", "请{who}检查摄像头"),
    "source": RuleWords("数据中断", "请{who}检查来源系统"),
    "": RuleWords("监察发现（{id}）", "请{who}立即核实处理"),
}
_EN = {
    "time_limit.notice": RuleWords("promised limit is near", "{who}: close it before then"),
    "time_limit.warning": RuleWords("promised limit comes nearer", "{who}: close it before then"),
    "time_limit.promised": RuleWords("past the promised limit", "{who}: handle now"),
    "time_limit.legal": RuleWords("past the legal limit", "{who}: handle now and explain"),
    "acceptance.overdue": RuleWords("acceptance not decided in time", "{who}: accept or refuse now"),
    "stage.overdue": RuleWords("stage overdue", "{who}: finish this stage now"),
    "suspension.overrun": RuleWords("suspension longer than announced", "{who}: resume now or explain"),
    "extension.late": RuleWords("extension after the limit, without effect", "{who}: check now"),
    "delivery.overdue": RuleWords("certificate not delivered in time", "{who}: deliver now"),
    "absence": RuleWords("nobody at the post", "{who}: staff the window now"),
    "rating": RuleWords("bad review not dealt with in time", "{who}: call back and put it right now"),
    "complaint": RuleWords("complaint overdue", "{who}: answer, return or extend it now"),
    "complaint.notice": RuleWords("complaint is near its limit", "{who}: answer it before then"),
    "complaint.unassigned": RuleWords("complaint given to nobody", "{who}: assign it now"),
    "complaint.late_return": RuleWords("complaint returned late", "{who}: explain"),
    "complaint.invalid_extension": RuleWords("complaint extended without effect", "{who}: check now"),
    "staffing": RuleWords("window not staffed as required", "{who}: send somebody now"),
    "staffing.no_substitute": RuleWords("on leave without a substitute", "{who}: send a substitute now"),
    "staffing.ab_away": RuleWords("A-post and B-post both away", "{who}: send somebody now"),
    "attendance": RuleWords("attendance irregular", "{who}: check"),
    "commission": RuleWords("intermediary irregular", "{who}: check"),
    "commission.overdue": RuleWords("intermediary past its promise", "{who}: press for it now"),
    "bid": RuleWords("sign of collusion between bidders", "{who}: have it judged"),
    "calendar": RuleWords("calendar missing", "{who}: provide the calendar"),
    "rule": RuleWords("a rule has stopped", "{who}: check the system"),
    "camera": RuleWords("camera delivers nothing", "{who}: check the camera"),
    "source": RuleWords("data source silent", "{who}: check the source system"),
    "": RuleWords("finding ({id})", "{who}: check now"),
}
_RULES = {"zh-CN": _ZH, "en": _EN}
#: Families whose rules are one to a reader; the level stands beside it.
_AS_ONE = frozenset(("absence", "source"))

PHRASES = {
    "zh-CN": {
        "window": "{id} {name}窗口",
        "window_named": "{id} {name}",
        "case": "办件{case}",
        "due": "时限{moment}",
        "found": "{moment}发现",
        "since": "自{moment}起已满{minutes}分钟",
        "waiting": "，有群众等候",
        "source": "数据源{source}",
        "source_camera": "摄像头{source}",
        "source_site": "{source}全部摄像头",
        "stage": "（{stage}）",
        "provisional": "（次年日历未公布，暂定）",
        "ack": "{moment}前确认：{link}",
        "nobody": "窗口负责人",
        "day": "{month}月{day}日{hour:02d}:{minute:02d}",
        "year": "{year}年",
        "acknowledged": "确认",
        "answered": "反馈",
        "waited": "已逾{minutes}分钟未{step}",
        "waited_hours": "已逾{hours}小时未{step}",
        "unreached": "通知未能送达责任人",
        "span": "{since}至{until}",
        "count": "{level}{number}",
        "counts_join": "、",
        "none": "无",
        "worst": "重点：{names}",
        "all_told": "明细见监察台",
        "worst_one": "{subject}{rule}",
        "worst_times": "{times}件",
        "worst_join": "；",
        "desk": "详见{link}",
        "no_desk": "详见监察台",
        "signature": "明镜",
        "trouble": "系统",
        "join": "，",
    },
    "en": {
        "window": "window {id} {name}",
        "window_named": "{id} {name}",
        "case": "case {case}",
        "due": "due {moment}",
        "found": "found {moment}",
        "since": "for {minutes} minutes, since {moment}",
        "waiting": ", citizens waiting",
        "source": "source {source}",
        "source_camera": "camera {source}",
        "source_site": "all cameras of {source}",
        "stage": " ({stage})",
        "provisional": " (provisional: next year's calendar is not published)",
        "ack": "Acknowledge by {moment}: {link}",
        "nobody": "Head of the window",
        "day": "{month:02d}-{day:02d} {hour:02d}:{minute:02d}",
        "year": "{year}-",
        "acknowledged": "acknowledgement",
        "answered": "answer",
        "waited": "no {step} for {minutes} minutes",
        "waited_hours": "no {step} for {hours} hours",
        "unreached": "nobody in charge could be reached",
        "span": "{since} to {until}",
        "count": "{level} {number}",
        "counts_join": ", ",
        "none": "none",
        "worst": "First of all: {names}",
        "all_told": "All of them are at the desk",
        "worst_one": "{subject}: {rule}",
        "worst_times": " ({times})",
        "worst_join": "; ",
        "desk": "See {link}",
        "no_desk": "See the desk",
        "signature": "Mingjing",
        "trouble": "System",
        "join": ", ",
    },
}


def rule_words(rule: str, language: str) -> RuleWords:
    """Words for a rule id. A rule without its own is called as everywhere and asks for what its family, or any finding, asks
    for; one that nobody knows gets the general words with its id."""
    table = _RULES[language]
    family = rule.split(".", 1)[0]
    found, general = table.get(rule) or table.get(family), table[""]
    if rule not in table and rule in NAMES and family not in _AS_ONE:
        return RuleWords(rule_name(rule, "en" if language == "en" else "zh"), (found or general).act)
    if found is not None:
        return found
    return RuleWords(general.name.format(id=rule), general.act)
