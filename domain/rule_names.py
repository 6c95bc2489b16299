"""What the rules are called, in Chinese and English, for every screen, message and report that names one.

A rule's own words on a screen (with a span, or a request to act) stand in that room's catalogue.
"""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]

#: Rule → (Chinese, English). docs/rules.md lists the same rules.
NAMES: dict[str, tuple[str, str]] = {
    # always on
    "time_limit.notice": ("承诺时限预警", "promised limit is near"),
    "time_limit.warning": ("承诺时限提前预警", "promised limit comes nearer"),
    "time_limit.promised": ("超承诺时限", "past the promised limit"),
    "time_limit.legal": ("超法定时限", "past the legal limit"),
    "acceptance.overdue": ("超期未受理", "acceptance not decided in time"),
    "stage.overdue": ("环节超时", "stage overdue"),
    "suspension.overrun": ("特别程序超期", "suspension longer than announced"),
    "extension.late": ("过期延期", "extension after the limit"),
    "delivery.overdue": ("证照超期未送达", "certificate not delivered in time"),
    "absence.notice": ("空岗预警", "window empty"),
    "absence.yellow": ("空岗", "window empty"),
    "absence.red": ("长时间空岗", "window empty for long"),
    "source.silent": ("数据源无数据", "source silent"),
    # time
    "suspension.ending": ("特别程序即将到期", "suspension about to end"),
    "suspension.overrun_red": ("特别程序严重超期", "suspension far longer than announced"),
    "parallel.overdue": ("并联审批超总时限", "parallel handling past its total limit"),
    "parallel.agency_overdue": ("并联审批部门超时", "an agency's share overdue in parallel handling"),
    "lower_review.overdue": ("下级初审超时", "lower agency's review overdue"),
    "pre_acceptance.notice": ("网上预受理超时预警", "online application unanswered"),
    "pre_acceptance.yellow": ("网上预受理超时", "online application unanswered"),
    "pre_acceptance.red": ("网上预受理严重超时", "online application unanswered for long"),
    "immediate.overdue": ("即办件未当日办结", "immediate case not ended the same day"),
    "deemed_approval.passed": ("超时默认批准", "deemed approved: the limit passed"),
    "deemed_approval.delivery": ("默认批准证照未送达", "certificate of a deemed approval not delivered"),
    "deemed_approval.contradicted": ("默认批准后又否决", "denied after it was deemed approved"),
    "licence.overdue": ("电子证照超期未签发", "electronic licence not issued in time"),
    "extension.too_many": ("延期次数过多", "too many extensions"),
    "extension.too_long": ("延期天数过长", "extended by too many days"),
    "extension.short_notice": ("延期申请过迟", "extension asked for too late"),
    "extension.unexplained": ("延期无批准或无理由", "extension without approver or reason"),
    # procedure
    "procedure.out_of_order": ("环节顺序颠倒", "stages out of order"),
    "procedure.skipped_stage": ("跳过环节", "stage skipped"),
    "procedure.decided_before_accepted": ("先批后受理", "decided before accepted"),
    "procedure.second_acceptance": ("重复受理", "accepted twice"),
    "procedure.resume_without_suspension": ("无特别程序而恢复", "resumed without a suspension"),
    "procedure.refused_without_reason": ("不予受理未说明理由", "refused without a reason"),
    "procedure.denied_without_reason": ("不予批准未说明理由", "denied without a reason"),
    "procedure.no_receipt": ("未出具受理凭证", "no dated receipt"),
    "procedure.refused_though_complete": ("材料齐全不予受理", "refused though complete"),
    "procedure.second_supplement_notice": ("未一次性告知补正", "supplements not named at once"),
    # fees
    "fees.not_published": ("收费项目未公布", "fee not in the published list"),
    "fees.above_standard": ("超标准收费", "fee above the standard"),
    "fees.outside": ("中心外收费", "fee collected outside the centre"),
    "fees.after_closing": ("办结后收费", "fee after closing"),
    "fees.no_basis": ("收费无依据", "fee without a basis"),
    # both doors
    "both_doors.accepted_outside": ("中心外受理", "accepted outside the centre"),
    "both_doors.closed_first": ("先办结后补录", "appeared already closed"),
    "both_doors.case_without_ticket": ("有办件无取号", "case without a queue ticket"),
    "both_doors.ticket_without_case": ("有取号无办件", "queue ticket without a case"),
    "both_doors.certificate_without_case": ("有证照无办件", "certificate without a case"),
    # truthfulness
    "truthfulness.late_entry": ("补录不及时", "entered late"),
    "truthfulness.entered_ahead": ("提前录入", "entered before it happened"),
    "truthfulness.entry_batch": ("集中批量补录", "entered in a batch"),
    "truthfulness.stamped_together": ("多环节同一时刻", "several steps in one second"),
    "truthfulness.zero_stages": ("环节用时为零", "stages of no length"),
    "truthfulness.unknown_handler": ("经办人不明", "unknown handler"),
    "truthfulness.suspended_at_the_end": ("临期启动特别程序", "suspended on the last day"),
    "truthfulness.suspended_again": ("反复启动特别程序", "suspended again and again"),
    "truthfulness.no_trace": ("办理无旁证", "no other trace of the handling"),
    # ratings and complaints
    "rating.contact_overdue": ("差评未按时联系", "bad review: nobody called back in time"),
    "rating.fix_overdue": ("差评未按时整改", "bad review not put right in time"),
    "complaint.notice": ("投诉工单即将到期", "complaint is near its limit"),
    "complaint.overdue": ("投诉工单逾期", "complaint overdue"),
    "complaint.criticism": ("投诉工单催办后仍未办结", "complaint still open after the reminder"),
    "complaint.red": ("投诉工单严重逾期", "complaint far overdue"),
    "complaint.late_return": ("投诉工单逾期退回", "complaint returned late"),
    "complaint.invalid_extension": ("投诉工单延期无效", "complaint extended without effect"),
    "complaint.unassigned": ("投诉工单未派发", "complaint given to nobody"),
    # staff
    "staffing.no_substitute": ("请假无人替岗", "on leave without a substitute"),
    "staffing.ab_away": ("A、B岗同时离岗", "A-post and B-post both away"),
    "staffing.short": ("在岗人数不足", "fewer people than the post needs"),
    "attendance.late": ("迟到", "late"),
    "attendance.early": ("早退", "left early"),
    "attendance.unauthorised": ("擅自离岗", "left the post without permission"),
    "attendance.missing": ("漏打卡", "clocking missing"),
    "attendance.half_day": ("半天未打卡", "no clocking for half a day"),
    "attendance.no_trace": ("全天无考勤记录", "no clocking for a day"),
    # intermediaries and bids
    "commission.overdue": ("中介服务超承诺时限", "intermediary past its promise"),
    "commission.unpromised": ("中介服务无承诺时限", "intermediary has promised no days"),
    "commission.designated": ("指定中介服务机构", "intermediary named by an agency"),
    "commission.charged": ("中介费用转嫁申请人", "applicant pays for the agency's service"),
    "bid.same_ip": ("投标IP地址相同", "bids from one IP address"),
    "bid.same_mac": ("投标网卡地址相同", "bids from one network card"),
    "bid.same_cpu_serial": ("投标CPU序列号相同", "bids from one CPU"),
    "bid.same_disk_serial": ("投标硬盘序列号相同", "bids from one disk"),
    "bid.same_dongle": ("计价软件加密锁号相同", "bids priced with one dongle"),
    "bid.same_file_id": ("投标文件标识相同", "bids with one file id"),
    "bid.same_agent": ("投标经办人相同", "bids handled by one person"),
    "bid.same_project_manager": ("项目经理相同", "bids with one project manager"),
    "bid.same_deposit_account": ("保证金账户相同", "deposits from one account"),
    "bid.price_near": ("投标报价异常接近", "prices abnormally alike"),
    "bid.price_regular": ("投标报价呈规律性差异", "prices differ regularly"),
    # blindness
    "calendar.missing": ("工作日历缺失", "calendar missing"),
    "rule.stopped": ("监察规则停止产出", "a rule has stopped"),
    "camera.down": ("摄像头无画面", "camera delivers nothing"),
    "camera.frozen": ("摄像头画面冻结", "camera picture is frozen"),
    "camera.dark": ("摄像头画面过暗", "camera picture is dark"),
    "camera.flat": ("摄像头画面无内容", "camera picture shows nothing"),
    "camera.covered": ("摄像头被遮挡", "camera is covered"),
    "camera.blurred": ("摄像头画面模糊", "camera picture is blurred"),
    "camera.moved": ("摄像头已移位", "camera was moved"),
    "camera.clock": ("摄像头时钟不准", "camera's clock is wrong"),
    "camera.light": ("摄像头光线骤变", "light of the camera keeps jumping"),
}


def rule_name(rule: str, language: Language) -> str:
    """A rule's name; a rule unknown here is called by its id."""
    names = NAMES.get(rule)
    return rule if names is None else names[language == "en"]
