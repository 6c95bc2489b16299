"""The report of a calibration as lines for the terminal, Chinese first."""

from __future__ import annotations

from mingjing.camera.calibration import CameraReport, Errors, PostReport


def as_text(report: CameraReport) -> str:
    lines = [
        f"{report.name}: {report.size[0]}×{report.size[1]}, {report.looks} 次观察 looks, {report.seconds:.0f} s,"
        f" {'检测模型 detector' if report.method == 'detector' else '无模型 without weights'}"
    ]
    if report.interval is not None:
        lines.append(
            f"  画面间隔 interval: {report.interval:.2f} s (95 %: {report.interval_worst:.2f} s)"
            + (f"，有效期 good for {report.fresh:g} s" if report.fresh is not None else "")
        )
    known = f"{report.known:.0%}"
    moves = "" if report.known >= 0.01 else "：无法察觉摄像机移位 · too little to notice that it was moved"
    lines.append(
        f"  可识别背景 recognisable surroundings: {known}{moves}; 清晰度 sharpness {report.sharpness:.2f}"
    )
    if report.reasons:
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(report.reasons.items()))
        lines.append(f"  不可用画面 unfit pictures: {counts}")
    lines += [f"  ✗ {each.zh}\n    {each.en}" for each in report.refused]
    for post in report.posts:
        lines += _post(post)
    verdict = "可以使用 · fit for use" if report.good else "有岗位不可用 · refused as it stands"
    if report.good and not report.proven:
        verdict = "未拒绝，但尚未验证：不知何时有人 · not refused, but not proven: when somebody was there is not known"
    return "\n".join([*lines, verdict])


def _post(post: PostReport) -> list[str]:
    fill = "—" if post.fill is None else f"{post.fill:.0%}"
    lines = [
        f"岗位 post {post.name}: {'✗' if post.refused else '✓'} {post.size[0]}×{post.size[1]} px,"
        f" 纹理 texture {post.texture:.0%}, 亮度 level {post.level:.0f}, 噪声 noise {post.noise:.1f},"
        f" 一人占 a person fills {fill}",
        f"  阈值 thresholds: {post.limits.leave:g} / {post.limits.enter:g}"
        f" ({'由测量得出 measured' if post.chosen else '缺省 default'});"
        f" 误报缺岗 false absent {errors(post.false_absent)}; 误报在岗 false present {errors(post.false_present)}"
        + (f"; 逐段留一 {post.left_out} visits left out in turn" if post.left_out else ""),
    ]
    return lines + [f"  ✗ {each.zh}\n    {each.en}" for each in post.refused]


def errors(found: Errors) -> str:
    if found.share is None or found.highest is None:
        return "未知 unknown (0)"
    return f"{found.share:.1%} (≤ {found.highest:.1%}, n = {found.looks})"
