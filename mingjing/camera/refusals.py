"""Why a post cannot be watched as it is drawn or filmed: each with one sentence for the operator, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mingjing.camera.calibration import CameraReport, PostReport

LEAST_SIDE = 24
"""Pixels of the camera's picture on a post's narrower side."""
LEAST_FILL = 0.25
LEAST_TEXTURE = 0.03
LEAST_LEVEL = 16.0
"""Mean grey level (0 … 255); a room at a quarter of its usual light still has 22 and more."""
MOST_SHARED = 0.25
MOST_ERRORS = 0.03
ONE_PLACE = 0.9
_LEAST_LOOKS = 10


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    zh: str
    en: str


def refusals_of(report: CameraReport, shared: Sequence[tuple[str, str, float]]) -> None:
    """Writes into the report what is refused.

    Args:
        shared: two posts, and how much of the smaller lies in the other, 0 … 1.
    """
    slow = report.interval_worst or 0.0
    if report.fresh is not None and slow > report.fresh:
        report.refused.append(
            Refusal(
                "interval",
                f"画面间隔 {slow:.1f} 秒，超过有效期 {report.fresh:g} 秒：请调小关键帧间隔或调大 presence.fresh",
                f"a picture comes every {slow:.1f} s but is good for {report.fresh:g} s only:"
                " shorten the camera's keyframe interval, or raise presence.fresh",
            )
        )
    unfit = sum(report.reasons.values())
    if unfit * 2 > report.looks:
        worst = max(report.reasons, key=lambda reason: report.reasons[reason])
        report.refused.append(
            Refusal(
                "unfit",
                f"过半画面不可用（{worst}）：请先检查摄像机",
                f"more than half of the pictures are unfit ({worst}): look at the camera first",
            )
        )
    for post in report.posts:
        post.refused += _of_post(post)
        for one, other, part in shared:
            if post.name in (one, other) and part > MOST_SHARED and not part > ONE_PLACE:
                neighbour = other if post.name == one else one
                post.refused.append(
                    Refusal(
                        "overlap",
                        f"与岗位 {neighbour} 重叠 {part:.0%}：请分开绘制",
                        f"overlaps post {neighbour} by {part:.0%}: draw them apart",
                    )
                )


def _of_post(post: PostReport) -> list[Refusal]:
    found = []
    if min(post.size) < LEAST_SIDE or post.side < 12:
        found.append(
            Refusal(
                "too_small",
                f"岗位只有 {post.size[0]}×{post.size[1]} 像素，窄边至少需要 {LEAST_SIDE}：请拉近镜头或改用主码流",
                f"is {post.size[0]}×{post.size[1]} pixels, the narrower side needs {LEAST_SIDE} at least:"
                " zoom in or take the main stream",
            )
        )
    if post.level < LEAST_LEVEL:
        found.append(
            Refusal(
                "too_dark",
                f"太暗（平均灰度 {post.level:.0f}，至少需要 {LEAST_LEVEL:.0f}）：请补光",
                f"is too dark (mean level {post.level:.0f}, {LEAST_LEVEL:.0f} at least): give it light",
            )
        )
    if not post.references:
        found.append(
            Refusal(
                "no_empty",
                "没有已知的无人画面：请用 --empty 指明无人时段，或安装检测模型，或让系统在夜间学习",
                "no picture with nobody there is known: name such seconds with --empty, install a detector,"
                " or let the system learn at night",
            )
        )
        return found
    if post.fill is not None and post.fill < LEAST_FILL:
        found.append(
            Refusal(
                "fill",
                f"一个人只占岗位的 {post.fill:.0%}，至少需要 {LEAST_FILL:.0%}：请把多边形画得更贴近座位",
                f"a person fills only {post.fill:.0%} of it, {LEAST_FILL:.0%} at least:"
                " draw the polygon closer around the chair",
            )
        )
    if post.texture < LEAST_TEXTURE:
        found.append(
            Refusal(
                "no_texture",
                f"背景几乎没有纹理（{post.texture:.0%}，至少需要 {LEAST_TEXTURE:.0%}）：请让椅背或隔板入画",
                f"has hardly any structure ({post.texture:.0%}, {LEAST_TEXTURE:.0%} at least):"
                " let the chair's back or a partition be in it",
            )
        )
    enough = len(post.empties) >= _LEAST_LOOKS and len(post.occupied) >= _LEAST_LOOKS
    if enough:
        errors = max(post.false_absent.share or 0.0, post.false_present.share or 0.0)
        if errors > MOST_ERRORS:
            found.append(
                Refusal(
                    "errors",
                    f"有人与无人分不清：估计错误 {errors:.1%}，上限 {MOST_ERRORS:.0%}",
                    f"empty and occupied are not told apart: {errors:.1%} errors estimated, {MOST_ERRORS:.0%} at most",
                )
            )
    return found
