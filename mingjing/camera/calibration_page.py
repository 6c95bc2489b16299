"""The page of a calibration: one file, nothing from outside, Chinese first. Pictures in it are blackened but for staff sides."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from html import escape

import cv2
import numpy as np

from camera_adapters.pictures_mask import Mask
from detectors.presence.picture import Image
from domain.centre import Camera
from domain.pictures import PictureSettings
from mingjing.camera.calibration import CameraReport, Errors, PostReport
from mingjing.camera.refusals import LEAST_FILL, LEAST_LEVEL, LEAST_SIDE, LEAST_TEXTURE, Refusal

_STYLE = """
:root { font-size: clamp(16px, 0.84vw, 34px) }
body { font: 1rem/1.5 "Noto Sans CJK SC", "Noto Sans SC", system-ui, sans-serif; margin: 0; color: #1b2430; background: #eef1f5 }
main { max-width: 100rem; margin: 0 auto; padding: 1.5rem 2rem 3rem }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.25rem; margin: 0 }
small, .en { color: #5a6675; font-weight: 400 }
header { display: flex; flex-wrap: wrap; gap: .4rem 1.5rem; align-items: baseline; justify-content: space-between }
.card { background: #fff; border-radius: .6rem; padding: 1.2rem 1.4rem; margin-top: 1.2rem; border: 1px solid #d6dde6 }
.badge { border-radius: 1rem; padding: .15rem .9rem; font-weight: 700; white-space: nowrap }
.good { background: #d9f2e1; color: #0a5c2b } .bad { background: #fbdcdc; color: #8f1020 }
.open { background: #fdf0cf; color: #6b4a00 }
.bad li { margin: .3rem 0 } ul.bad { padding: .6rem 1rem .6rem 2rem; border-radius: .4rem }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin-top: .8rem }
figure { margin: 0 } figure img { width: 100%; max-height: 30rem; object-fit: contain; background: #0b0e12; border-radius: .3rem; display: block }
figcaption { color: #46505c; margin-top: .3rem }
.post { display: grid; grid-template-columns: minmax(0, 26rem) minmax(0, 1fr); gap: 1.4rem; margin-top: .8rem }
.post .pair { margin-top: 0; align-content: start } .post figure img { max-height: 20rem }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 400; color: #46505c }
td, th { padding: .28rem .5rem; border-bottom: 1px solid #e3e8ee; vertical-align: top }
td { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; font-weight: 600 }
td.why { color: #5a6675; font-weight: 400; white-space: normal; text-align: left; padding-left: 1.5rem }
svg { width: 100%; height: 8.5rem; display: block; margin-top: .8rem } svg text { font-size: 12px; fill: #46505c }
.none { background: #f3f5f8; color: #5a6675; border-radius: .3rem; padding: 2rem 1rem; text-align: center }
"""
_BINS = 40
_OPEN = '<span class="badge open">尚未验证 not proven: when somebody was there is not known</span>'


def render(report: CameraReport, camera: Camera, at: datetime, kept: Sequence[str] = ()) -> str:
    """The page as HTML.

    Args:
        camera: says what must not be shown of its pictures.
        at: when it was made, in the reader's zone.
        kept: names of posts whose measurements were accepted.
    """
    badge = _badge(report.good, "可以使用", "fit for use", "不可直接使用", "refused as it stands")
    if report.good and not report.proven:
        badge = _OPEN
    cards = "".join(_post(number, post, camera, kept) for number, post in enumerate(report.posts, start=1))
    return (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>校准 {escape(report.name)}</title><style>{_STYLE}</style><main><header><div>"
        f'<h1>摄像机校准 {escape(report.name)} <span class="en">Calibration</span></h1>'
        f"<small>{at:%Y-%m-%d %H:%M} · {report.looks} 次观察 looks · {report.seconds:.0f} s · {_method(report)}</small></div>"
        f"{badge}</header>{_camera(report, camera)}{cards}</main></html>\n"
    )


def _method(report: CameraReport) -> str:
    if report.method == "detector":
        return "无人与有人由检测模型区分 · the person detector told empty from occupied"
    return "无检测模型 · without weights"


def _badge(good: bool, zh: str, en: str, bad_zh: str, bad_en: str) -> str:
    words, kind = (f"{zh} {en}", "good") if good else (f"{bad_zh} {bad_en}", "bad")
    return f'<span class="badge {kind}">{words}</span>'


def _refused(found: Sequence[Refusal]) -> str:
    if not found:
        return ""
    rows = "".join(
        f'<li>{escape(each.zh)}<br><span class="en">{escape(each.en)}</span></li>' for each in found
    )
    return f'<ul class="bad">{rows}</ul>'


def _camera(report: CameraReport, camera: Camera) -> str:
    empty = next((post.empty_picture for post in report.posts if post.empty_picture), None)
    there = next((post.occupied_picture for post in report.posts if post.occupied_picture), None)
    good = [not post.refused for post in report.posts]
    rows = _row("画面", "picture", f"{report.size[0]} × {report.size[1]}", "")
    if report.interval is not None and report.interval_worst is not None:
        limit = "" if report.fresh is None else f"有效期 good for {report.fresh:g} s"
        rows += _row(
            "画面间隔（95 %）", "interval", f"{report.interval:.2f} s ({report.interval_worst:.2f} s)", limit
        )
    rows += _row(
        "可识别背景",
        "recognisable surroundings",
        f"{report.known:.0%}",
        "移位检查的依据；不足 1 % 时无法察觉 · what tells that the camera was moved; under 1 % nothing does",
    )
    if report.matches is not None:
        lowest, usual = report.matches
        rows += _row(
            "与基准相符", "match", f"{usual:.0%} (min {lowest:.0%})", "低于 50 % 视为移位 · below 50 %: moved"
        )
    rows += _row(
        "清晰度", "sharpness", f"{report.sharpness:.2f}", "降到 45 % 以下视为模糊 · below 45 % of it: blurred"
    )
    if report.reasons:
        counts = ", ".join(f"{escape(reason)} {count}" for reason, count in sorted(report.reasons.items()))
        rows += _row("不可用画面", "unfit pictures", counts, "")
    pictures = _figure(empty, camera, good, "无人时", "with nobody there") + _figure(
        there, camera, good, "有人时", "with somebody there"
    )
    return (
        f'<section class="card"><h2>看到的画面 <span class="en">What it sees</span></h2>'
        f"<small>只显示工作人员一侧，其余涂黑 · staff sides only, everything else is blackened</small>{_refused(report.refused)}"
        f'<div class="pair">{pictures}</div><table style="margin-top:1rem">{rows}</table></section>'
    )


def _post(number: int, post: PostReport, camera: Camera, kept: Sequence[str]) -> str:
    mine = [each for each in camera.posts if each.name == post.name]
    others = [*camera.blackout, *(each.public for each in camera.posts if each.public)]
    alone = camera.model_copy(update={"posts": mine, "blackout": others})
    good = [not post.refused]
    pictures = _figure(post.empty_picture, alone, good, "无人", "empty", number) + _figure(
        post.occupied_picture, alone, good, "有人", "occupied", number
    )
    badge = _badge(not post.refused, "看得清", "seen well", "看不清", "refused")
    if not post.refused and not post.occupied:
        badge = _OPEN
    if post.name in kept:
        badge += ' <span class="badge good">已采用 kept</span>'
    source = {
        "detector": "由检测框估计 · from the detector's boxes",
        "change": "由画面变化估计 · from how much of it changes",
        "others": "由相邻岗位的人估计 · from people at the other posts",
    }.get(post.fill_from, "样本不足 · too few looks with somebody there")
    rows = (
        _row("大小", "size", f"{post.size[0]} × {post.size[1]} px", f"窄边 ≥ {LEAST_SIDE} · narrower side")
        + _row("纹理", "structure", f"{post.texture:.0%}", f"≥ {LEAST_TEXTURE:.0%}")
        + _row(
            "一人占岗位",
            "a person fills",
            "—" if post.fill is None else f"{post.fill:.0%}",
            f"≥ {LEAST_FILL:.0%} · {source}",
        )
        + _row("亮度", "level", f"{post.level:.0f}", f"≥ {LEAST_LEVEL:.0f}")
        + _row("噪声", "noise", f"{post.noise:.1f}", "灰度 · grey levels")
        + _row(
            "阈值",
            "thresholds",
            f"{post.limits.leave:g} / {post.limits.enter:g}",
            "由测量得出 · measured"
            if post.chosen
            else "缺省值，样本不足 · default, too few looks of either kind",
        )
        + _row("学到的无人画面", "empty pictures", str(len(post.references)), "≤ 6")
        + _row("误报缺岗（估计）", "false absent, estimated", _errors(post.false_absent), _out(post))
        + _row("误报在岗（估计）", "false present, estimated", _errors(post.false_present), "")
    )
    return (
        f'<section class="card"><header><h2>{number}. 岗位 {escape(post.name)} <span class="en">post</span></h2><div>{badge}</div>'
        f'</header>{_refused(post.refused)}<div class="post"><div class="pair">{pictures}</div>'
        f"<div><table>{rows}</table>{_histogram(post)}</div></div></section>"
    )


def _out(post: PostReport) -> str:
    bounds = "95 % 上限 upper bound, Clopper–Pearson"
    return f"{bounds}; 逐段留一 {post.left_out} visits left out in turn" if post.left_out else bounds


def _errors(found: Errors) -> str:
    if found.share is None or found.highest is None:
        return "—"
    return f"{found.share:.1%} (≤ {found.highest:.1%}), n = {found.looks}"


def _row(zh: str, en: str, value: str, why: str) -> str:
    return (
        f'<tr><th>{escape(zh)} <span class="en">{escape(en)}</span></th><td>{escape(value)}</td>'
        f'<td class="why">{escape(why)}</td></tr>'
    )


def _figure(
    blob: bytes | None, camera: Camera, good: Sequence[bool], zh: str, en: str, number: int | None = None
) -> str:
    caption = f'<figcaption>{zh} <span class="en">{en}</span></figcaption>'
    shown = _shown(blob, camera, good, number) if blob else None
    if shown is None:
        return f'<figure><div class="none">没有这样的画面<br>none was seen</div>{caption}</figure>'
    return f'<figure><img alt="{zh} {en}" src="data:image/jpeg;base64,{b64encode(shown).decode()}">{caption}</figure>'


def _shown(blob: bytes, camera: Camera, good: Sequence[bool], number: int | None) -> bytes | None:
    """The picture with the polygons drawn, and nothing that may not be kept."""
    image: Image = np.asarray(cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    height, width = image.shape[:2]
    for index, (post, fine) in enumerate(zip(camera.posts, good, strict=True), start=1):
        corners = np.round(np.asarray(post.polygon) * (width, height)).astype(np.int32)
        colour = (80, 200, 60) if fine else (60, 60, 230)
        cv2.polylines(image, [corners], True, colour, 2, cv2.LINE_AA)
        if number is None:
            x, y = corners[np.lexsort((corners[:, 0], corners[:, 1]))[0]]
            place = (int(x) + 6, int(y) + 22)
            cv2.putText(image, str(index), place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 4, cv2.LINE_AA)
            cv2.putText(image, str(index), place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2, cv2.LINE_AA)
    settings = PictureSettings(width=960, quality=85)
    return Mask(camera.model_copy(update={"evidence": settings})).jpeg(image)


def _histogram(post: PostReport) -> str:
    """How many looks had which share of the post unlike its empty pictures: empty ones and occupied ones."""
    if not post.empties and not post.occupied:
        return ""
    width, height, base = 640.0, 130.0, 104.0
    bars = ""
    for scores, colour, shift in ((post.empties, "#2d7dd2", 0.0), (post.occupied, "#e07a1f", 0.5)):
        counts, _ = np.histogram(np.clip(scores, 0, 0.9999), bins=_BINS, range=(0.0, 1.0))
        top = max(1, int(counts.max()))
        for index, count in enumerate(counts):
            if count:
                tall = 78 * float(np.sqrt(count / top)) + 2
                x = (index + shift) * width / _BINS
                bars += (
                    f'<rect x="{x:.1f}" y="{base - tall:.1f}" width="{width / _BINS / 2 - 1:.1f}" height="{tall:.1f}"'
                    f' fill="{colour}"/>'
                )
    lines = "".join(
        f'<line x1="{x * width:.1f}" x2="{x * width:.1f}" y1="14" y2="{base}" stroke="#8f1020" stroke-dasharray="4 3"/>'
        for x in (post.limits.leave, post.limits.enter)
    )
    ticks = "".join(
        f'<text x="{x * width:.0f}" y="{base + 18}" text-anchor="{"start" if x == 0 else "end" if x == 1 else "middle"}">'
        f"{x:.0%}</text>"
        for x in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="scores">'
        f'<line x1="0" x2="{width}" y1="{base}" y2="{base}" stroke="#9aa6b2"/>{bars}{lines}{ticks}'
        f'<text x="{width}" y="12" text-anchor="end"><tspan fill="#2d7dd2">■ 无人 empty</tspan>'
        f'<tspan fill="#e07a1f" dx="12">■ 有人 occupied</tspan><tspan fill="#8f1020" dx="12">┆ 阈值 thresholds</tspan></text></svg>'
        f"<small>与无人画面不同的面积 · share of the post unlike its empty pictures</small>"
    )
