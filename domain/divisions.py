"""Division codes (行政区划代码, GB/T 2260 and GB/T 10114): which province and prefecture a centre's code speaks of.

Six digits name province, prefecture and county (two each), nine a township, twelve a village; a prefecture's own code ends in
``00``. Codes of any other form name nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PROVINCES: Mapping[str, str] = {
    "11": "北京市", "12": "天津市", "13": "河北省", "14": "山西省", "15": "内蒙古自治区", "21": "辽宁省", "22": "吉林省",
    "23": "黑龙江省", "31": "上海市", "32": "江苏省", "33": "浙江省", "34": "安徽省", "35": "福建省", "36": "江西省",
    "37": "山东省", "41": "河南省", "42": "湖北省", "43": "湖南省", "44": "广东省", "45": "广西壮族自治区", "46": "海南省",
    "50": "重庆市", "51": "四川省", "52": "贵州省", "53": "云南省", "54": "西藏自治区", "61": "陕西省", "62": "甘肃省",
    "63": "青海省", "64": "宁夏回族自治区", "65": "新疆维吾尔自治区", "71": "台湾省", "81": "香港特别行政区", "82": "澳门特别行政区",
}  # fmt: skip

_CODE = re.compile(r"\d{6}(\d{3}(\d{3})?)?", re.ASCII)
#: What the names of centres have in common, and a list of them need not repeat.
_ENDINGS = ("政务服务中心", "政务服务大厅", "便民服务中心", "行政服务中心", "为民服务中心", "人民政府")


def is_division(code: str) -> bool:
    """Whether a code is of six, nine or twelve digits."""
    return _CODE.fullmatch(code) is not None


def prefecture(code: str) -> str:
    """The four digits of the prefecture; empty for a code that names nothing."""
    return code[:4] if is_division(code) else ""


#: From the top; '' = a code that names nothing.
LEVELS: Mapping[str, str] = {
    "province": "省级", "prefecture": "市级", "county": "县级", "township": "乡镇级", "village": "村级", "": "其他",
}  # fmt: skip


def level(code: str) -> str:
    """``province``, ``prefecture``, ``county``, ``township`` or ``village``, by the groups that are not zero; '' otherwise."""
    if not is_division(code):
        return ""
    padded = code.ljust(12, "0")
    groups = (padded[2:4], padded[4:6], padded[6:9], padded[9:12])
    deepest = max((depth for depth, group in enumerate(groups, start=1) if int(group)), default=0)
    return ("province", "prefecture", "county", "township", "village")[deepest]


def province_name(codes: Iterable[str]) -> str:
    """The province that all codes lie in; empty where they lie in several, or one names nothing."""
    heads = {code[:2] if is_division(code) else "" for code in codes}
    return PROVINCES.get(heads.pop(), "") if len(heads) == 1 else ""


def short_name(name: str, code: str) -> str:
    """``隆阳区`` of ``隆阳区政务服务中心``; the code where there is no name."""
    for ending in _ENDINGS:
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending)
    return name or code


__all__ = ["LEVELS", "PROVINCES", "is_division", "level", "prefecture", "province_name", "short_name"]
