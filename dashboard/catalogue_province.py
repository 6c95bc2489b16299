"""Words of the wall of all centres; part of the catalogues."""

from __future__ import annotations

ZH: dict[str, str] = {
    "province_title": "{province}政务服务监察",
    "province_title_plain": "政务服务监察",
    "centres": "{n} 个中心",
    "centre_count": "{word} {n}",
    "centre_unknown": "未知 {n}/{of} 窗口",
    "centre_well": "没有未了结的监察发现",
    "centre_feeds_silent": "{n} 个业务系统无数据",
    "centres_well": "所有中心目前没有未了结的监察发现",
    "centres_more": "另有 {n} 个中心有待办，见下方",
    "centres_all": "全部中心（按地区）",
    "group_other": "其他",
    "centre_files": "{n} 个中心文件有误，沿用上次内容",
    "province_red": "红牌：有超法定时限或长时间空岗",
    "province_yellow": "黄牌：有超承诺时限或空岗",
    "province_notice": "预警",
    "province_green": "正常",
    "province_grey": "未知：数据或判定中断，或一成以上窗口未知",
    "province_off": "已下班",
    "rules_some": "规则 {n} 个中心停了",
}

EN: dict[str, str] = {
    "province_title": "{province} services",
    "province_title_plain": "Service centres",
    "centres": "{n} centres",
    "centre_count": "{word} {n}",
    "centre_unknown": "unknown {n}/{of} windows",
    "centre_well": "nothing open",
    "centre_feeds_silent": "{n} systems send no data",
    "centres_well": "No centre has an open finding",
    "centres_more": "{n} more centres below have open findings",
    "centres_all": "All centres by region",
    "group_other": "Other",
    "centre_files": "{n} centre files are broken; their last good content is used",
    "province_red": "Red: beyond a legal limit, or a long absence",
    "province_yellow": "Yellow: beyond a promise, or an absence",
    "province_notice": "Notice",
    "province_green": "Well",
    "province_grey": "Unknown: no data or rules, or over a tenth of windows",
    "province_off": "Closed",
    "rules_some": "Rules stopped in {n} centres",
}

__all__ = ["EN", "ZH"]
