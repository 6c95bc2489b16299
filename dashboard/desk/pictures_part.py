"""The pictures of a finding: which there are, and the one way to see them, by who signs in and says why."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from dashboard.desk.markup import Markup, Node, tag
from dashboard.desk.page import entry, form, joined
from dashboard.desk.visit import Visit
from dashboard.explaining import moment_words
from dashboard.lights import camera_text
from dashboard.words import Words
from store.pictures import LONGEST, FindingPictures, PictureRow


def may_look(visit: Visit) -> bool:
    """Whoever has a part in findings: the evidence is also that of the person accused. Who only reads about them has none."""
    return bool(visit.account.parts)


def pictures_part(
    visit: Visit, finding: str, found: FindingPictures, shown: Mapping[str, bytes], band: Node = None
) -> Markup:
    """What stands under the heading.

    Args:
        shown: by SHA-256 (hex): those whose look has just been written down.
    """
    words = visit.words
    if not found.pictures and not found.missing and not found.waiting:
        return tag("p", words("desk_no_pictures"), class_="soft")
    there = [each for each in found.pictures if each.deleted is None]
    ask = None
    if there and not shown and may_look(visit):
        ask = form(
            visit,
            f"/finding/{finding}/pictures",
            entry("why", words("desk_pictures_why"), required=True, maxlength=LONGEST, size=50),
            tag("button", words("desk_pictures_look", n=len(there)), type="submit"),
            class_="filters",
        )
    missing = [
        tag(
            "li",
            words(
                "pictures_missing",
                role=role_words(each.role, words),
                place=f"{each.camera}/{each.post}",
                why=_why(each.reason, words),
            ),
        )
        for each in found.missing
    ]
    return tag(
        "div",
        band,
        tag(
            "div",
            [_figure(each, shown.get(each.sha256), words) for each in found.pictures],
            class_="pictures",
        ),
        tag("ul", missing) if missing else None,
        tag("p", words("pictures_waiting"), class_="soft") if found.waiting else None,
        ask,
    )


def _figure(row: PictureRow, content: bytes | None, words: Words) -> Markup:
    image = None
    if content is not None:
        source = "data:image/jpeg;base64," + base64.b64encode(content).decode()
        image = tag("img", src=source, alt=words("desk_picture"))
    state = words(f"desk_picture_{row.state}") if row.state and words.has(f"desk_picture_{row.state}") else ""
    caption = joined(
        [
            tag("b", role_words(row.role, words)),
            joined([moment_words(row.taken_at, words), f"{row.camera}/{row.post}", state], " · "),
            _why(row.deleted, words) if row.deleted else None,
            tag("small", row.sha256, class_="code"),
        ],
        tag("br"),
    )
    return tag("figure", image, tag("figcaption", caption))


def role_words(role: str, words: Words) -> str:
    """What a picture shows of the matter."""
    key = f"pictures_{role}"
    return words(key) if words.has(key) else role


def _why(reason: str, words: Words) -> str:
    for key in (f"pictures_why_{reason}", f"pictures_why_deleted_{reason}"):
        if words.has(key):
            return words(key)
    return camera_text(reason, words)


__all__ = ["may_look", "pictures_part", "role_words"]
