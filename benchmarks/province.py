"""A province to measure and test with: 145 centres of Yunnan's prefectures and counties, 62 windows each, invented people.

``python -m benchmarks.province_cost --write FOLDER`` writes the files, and ``MINGJING_CENTRE`` may then name the folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

#: Prefectures and their counties with the last two digits of the division code (GB/T 2260).
PREFECTURES: dict[str, tuple[str, str]] = {
    "5301": ("昆明市", "五华区02 盘龙区03 官渡区11 西山区12 东川区13 呈贡区14 晋宁区15 富民县24 宜良县25 石林县26 嵩明县27 禄劝县28 寻甸县29 安宁市81"),
    "5303": ("曲靖市", "麒麟区02 沾益区03 马龙区04 陆良县22 师宗县23 罗平县24 富源县25 会泽县26 宣威市81"),
    "5304": ("玉溪市", "红塔区02 江川区03 通海县23 华宁县24 易门县25 峨山县26 新平县27 元江县28 澄江市81"),
    "5305": ("保山市", "隆阳区02 施甸县21 龙陵县23 昌宁县24 腾冲市81"),
    "5306": ("昭通市", "昭阳区02 鲁甸县21 巧家县22 盐津县23 大关县24 永善县25 绥江县26 镇雄县27 彝良县28 威信县29 水富市81"),
    "5307": ("丽江市", "古城区02 玉龙县21 永胜县22 华坪县23 宁蒗县24"),
    "5308": ("普洱市", "思茅区02 宁洱县21 墨江县22 景东县23 景谷县24 镇沅县25 江城县26 孟连县27 澜沧县28 西盟县29"),
    "5309": ("临沧市", "临翔区02 凤庆县21 云县22 永德县23 镇康县24 双江县25 耿马县26 沧源县27"),
    "5323": ("楚雄州", "楚雄市01 禄丰市02 双柏县22 牟定县23 南华县24 姚安县25 大姚县26 永仁县27 元谋县28 武定县29"),
    "5325": ("红河州", "个旧市01 开远市02 蒙自市03 弥勒市04 屏边县23 建水县24 石屏县25 泸西县27 元阳县28 红河县29 金平县30 绿春县31 河口县32"),
    "5326": ("文山州", "文山市01 砚山县22 西畴县23 麻栗坡县24 马关县25 丘北县26 广南县27 富宁县28"),
    "5328": ("西双版纳州", "景洪市01 勐海县22 勐腊县23"),
    "5329": ("大理州", "大理市01 漾濞县22 祥云县23 宾川县24 弥渡县25 南涧县26 巍山县27 永平县28 云龙县29 洱源县30 剑川县31 鹤庆县32"),
    "5331": ("德宏州", "瑞丽市02 芒市03 梁河县22 盈江县23 陇川县24"),
    "5333": ("怒江州", "泸水市01 福贡县23 贡山县24 兰坪县25"),
    "5334": ("迪庆州", "香格里拉市01 德钦县22 维西县23"),
}  # fmt: skip
DEPARTMENTS = (
    "市场监督管理局",
    "自然资源局",
    "公安局",
    "人力资源和社会保障局",
    "卫生健康局",
    "住房和城乡建设局",
    "税务局",
    "医疗保障局",
)


def divisions() -> Iterator[tuple[str, str]]:
    """(code, name) of every prefecture, each followed by its counties: 145 in all."""
    for code, (prefecture, counties) in PREFECTURES.items():
        yield f"{code}00", prefecture
        for county in counties.split():
            yield f"{code}{county[-2:]}", county[:-2]


def make_centre(code: str, name: str, *, windows: int = 62, cameras: bool = True) -> dict[str, Any]:
    """A centre file as plain values. Window ids and people are the same in every centre, on purpose."""
    ids = [f"{'ABCDEFGH'[number * 8 // windows]}{number + 1:02d}" for number in range(windows)]
    return {
        "centre": {"id": code, "name": f"{name}政务服务中心"},
        "items": [
            {"code": f"I-{number:03d}", "name": f"事项{number}", "legal_limit": {"days": 20}, "promised_limit": {"days": 3 + number % 8},
             "supplement_limit": 5}
            for number in range(40)
        ],
        "departments": [{"id": f"d{number}", "name": each} for number, each in enumerate(DEPARTMENTS)],
        "people": [
            {"id": f"p{number:02d}", "name": f"窗口{number + 1}", "phone": f"139{code}{number:02d}"[:11], "title": "窗口人员", "invented": True}
            for number in range(windows)
        ]
        + [{"id": "chief", "name": "科长", "phone": f"138{code}00"[:11], "invented": True}],
        "windows": [
            {"id": each, "name": f"窗口{number + 1}", "department": f"d{number * 8 // windows}", "staff": [f"p{number:02d}"],
             "handler": f"p{number:02d}", "superior": "chief"}
            for number, each in enumerate(ids)
        ],
        "cameras": [
            {"id": f"K{number + 1:02d}", "url": f"rtsp://10.{int(code[2:4])}.{int(code[4:])}.{number + 1}/main",
             "posts": [{"name": "post", "window": each, "polygon": [[0.2, 0.1], [0.8, 0.1], [0.8, 0.9], [0.2, 0.9]]}]}
            for number, each in enumerate(ids)
        ] if cameras else [],
    }  # fmt: skip


def write_province(
    folder: Path, *, centres: int = 145, windows: int = 62, cameras: bool = True
) -> list[Path]:
    """One file for each centre; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for code, name in list(divisions())[:centres]:
        path = folder / f"{code}.yaml"
        made = make_centre(code, name, windows=windows, cameras=cameras)
        path.write_text(yaml.dump(made, Dumper=_Dumper, allow_unicode=True, sort_keys=False), "utf-8")
        written.append(path)
    return written


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
