"""HTML as values: every text is escaped where it enters, and nothing else writes a tag."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

#: Elements without an end.
VOID = frozenset(("input", "br", "link", "meta", "hr", "img", "col"))


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Node = Markup | str | int | float | None | Iterable["Node"]


def render(node: Node) -> Markup:
    """A node as HTML; None is nothing, of lists every part."""
    if node is None:
        return Markup("")
    if isinstance(node, Markup):
        return node
    if isinstance(node, str):
        return Markup(escape(node))
    if isinstance(node, int | float):
        return Markup(str(node))
    return Markup("".join(render(each) for each in node))


def tag(name: str, /, *children: Node, **attributes: object) -> Markup:
    """An element. ``class_`` and ``for_`` lose their underscore, others become hyphens; True is an attribute without a
    value, None and False are none."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        parts.append(label if value is True else f'{label}="{escape(str(value))}"')
    start = f"<{' '.join(parts)}>"
    return Markup(start) if name in VOID else Markup(f"{start}{render(children)}</{name}>")


def table(
    head: Iterable[Node], rows: Iterable[Iterable[Node]], *, caption: Node = None, class_: str | None = None
) -> Markup:
    """A table with a head; a row may be a ready ``tr``."""
    header = tag("tr", [tag("th", cell, scope="col") for cell in head])
    lines = [row if isinstance(row, Markup) else tag("tr", [tag("td", cell) for cell in row]) for row in rows]
    return tag(
        "table",
        tag("caption", caption) if caption is not None else None,
        tag("thead", header),
        tag("tbody", lines),
        class_=class_,
    )


def facts(pairs: Iterable[tuple[Node, Node]]) -> Markup:
    """Terms and what they are; empty ones are left out."""
    entries = [tag("div", tag("dt", term), tag("dd", value)) for term, value in pairs if render(value)]
    return tag("dl", entries, class_="facts")


__all__ = ["Markup", "Node", "facts", "render", "table", "tag"]
