"""Reading a centre file: YAML with the line of every key, so that each error names its place."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from domain.centre import Centre, Rules
from domain.errors import CentreFileError
from domain.messages import broken_references
from domain.model import Model
from domain.working_time import WEEKDAYS

#: Where a value stands: keys and list positions from the top of the file.
Place = tuple[Hashable, ...]
MAX_BYTES = 8_388_608
#: pydantic's words are for programmers; these are for whoever writes the file.
PLAIN = {
    "string_type": "must be text; put it in quotes",
    "list_type": "must be a list",
    "dict_type": "must be a block of keys",
    "model_type": "must be a block of keys",
    "int_type": "must be a whole number",
}
#: The same nodes and lines by libyaml, in half the time, where PyYAML was built with it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
_TAGS = frozenset(
    _PREFIX + name for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
)


def read_centre(path: str | Path) -> Centre:
    """Reads and checks a centre file.

    Raises:
        CentreFileError: missing, unreadable, not UTF-8, broken YAML, duplicate or unknown key, bad value, a reference
            to something the file does not define. File and line are named, and for an unknown key the nearest known one.
    """
    file = str(path)
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise CentreFileError(file, None, f"cannot be read: {error.strerror or error}") from None
    if len(raw) > MAX_BYTES:
        raise CentreFileError(file, None, "is too large for a centre file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CentreFileError(file, raw[: error.start].count(b"\n") + 1, "is not UTF-8 text") from None
    return parse_centre(text, file)


def parse_centre(text: str, file: str = "centre.yaml") -> Centre:
    """As :func:`read_centre`, of text already read."""
    value, lines = _read_yaml(text, file)
    try:
        centre = Centre.model_validate(value)
    except ValidationError as error:
        raise _explain(error, lines, file) from None
    for place, reason in _broken_references(centre):
        raise CentreFileError(file, _line(place, lines), reason)
    return centre


class _RulesFile(Model):
    """A partial centre file: nothing but ``rules``."""

    rules: Rules


def parse_rules(text: str, file: str, centre: Centre) -> Centre:
    """The centre under the rules of a partial centre file: what it does not name stays as it is, ``null`` turns a family off.

    Raises:
        CentreFileError: as :func:`read_centre`; any key beside ``rules`` is an unknown one.
    """
    value, lines = _read_yaml(text, file)
    try:
        _RulesFile.model_validate(value)
        today = centre.rules.model_dump(mode="json")
        return centre.model_validate(
            centre.model_dump(mode="json") | {"rules": _merged(today, value["rules"])}
        )
    except ValidationError as error:
        raise _explain(error, lines, file, _RulesFile) from None


def _merged(today: dict[str, Any], proposed: dict[str, Any]) -> dict[str, Any]:
    merged = dict(today)
    for key, value in proposed.items():
        known = today.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = _merged(known, value)
        merged[key] = value
    return merged


def _read_yaml(text: str, file: str) -> tuple[dict[str, Any], dict[Place, int]]:
    """The values of a file, and the line of each."""
    lines: dict[Place, int] = {}
    try:
        node = yaml.compose(text, Loader=_LOADER)
        value = None if node is None else _construct(node, (), lines, file, yaml.SafeLoader(""), set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.problem, error.context) if part) or "cannot be read"
        raise CentreFileError(file, mark.line + 1 if mark else None, f"not YAML: {reason}") from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        line = text[:position].count("\n") + 1 if isinstance(position, int) else None
        raise CentreFileError(file, line, "not YAML: a character that is not allowed") from None
    except RecursionError:
        raise CentreFileError(file, None, "is nested too deeply") from None
    if not isinstance(value, dict):
        raise CentreFileError(file, None if value is None else 1, "must begin with keys such as 'centre:'")
    return value, lines


def _construct(
    node: yaml.Node,
    place: Place,
    lines: dict[Place, int],
    file: str,
    loader: yaml.SafeLoader,
    above: set[int],
) -> Any:
    """Plain Python values of a node tree; notes the line of every key and list entry."""
    lines.setdefault(place, node.start_mark.line + 1)
    if id(node) in above:
        raise CentreFileError(file, node.start_mark.line + 1, "an alias refers to what it stands in")
    if node.tag not in _TAGS:
        raise CentreFileError(
            file, node.start_mark.line + 1, f"'{node.tag.removeprefix(_PREFIX)}' is not allowed here"
        )
    if len(lines) > 500_000:
        raise CentreFileError(file, node.start_mark.line + 1, "has too many values")
    if isinstance(node, yaml.MappingNode):
        made: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise CentreFileError(file, line, "a key must be plain text")
            key = key_node.value
            if key in made:
                first = lines[(*place, key)]
                raise CentreFileError(file, line, f"the key '{key}' stands twice (first in line {first})")
            lines[(*place, key)] = line
            made[key] = _construct(value_node, (*place, key), lines, file, loader, above | {id(node)})
        return made
    if isinstance(node, yaml.SequenceNode):
        inner = above | {id(node)}
        return [_construct(n, (*place, i), lines, file, loader, inner) for i, n in enumerate(node.value)]
    try:
        return loader.construct_object(node, deep=True)
    except (ValueError, OverflowError) as error:  # 2026-13-45 looks like a date to YAML
        raise CentreFileError(file, node.start_mark.line + 1, f"'{node.value}': {error}") from None


def _line(place: Place, lines: dict[Place, int]) -> int | None:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place)


def _explain(
    error: ValidationError, lines: dict[Place, int], file: str, model: type[BaseModel] = Centre
) -> CentreFileError:
    """The first error, in the file's order, as one sentence; unknown keys first, for they often cause the others."""

    def real(loc: tuple[int | str, ...]) -> Place:
        # pydantic puts names of union members into the place; drop what the file does not have.
        place: Place = ()
        for part in loc:
            if (*place, part) in lines:
                place = (*place, part)
        return place

    problems = error.errors(include_url=False, include_context=False)
    unknown = [p for p in problems if p["type"] == "extra_forbidden" or p["loc"][-1:] == ("[key]",)]
    # A union of shapes fails once per shape: the deepest place is the shape that was meant.
    shape = ("dict_type", "list_type", "none_required")  # of a union, the branch that was not meant
    chosen = min(
        unknown or problems,
        key=lambda p: (
            p["type"] in shape,
            _line(real(p["loc"]), lines) or 0,
            -len(real(p["loc"])),
            len(p["loc"]),
        ),
    )
    place = real(chosen["loc"])
    line = _line(place, lines)
    if chosen in unknown:
        weekday = chosen["type"] != "extra_forbidden"  # the only keys that are words of their own
        key = str(place[-1]) if weekday else str(chosen["loc"][-1])
        known = list(WEEKDAYS) if weekday else _known_keys(chosen["loc"][:-1], model)
        near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
        where = _dotted(place[:-1])
        nearest = near[0] if near else None
        inside = f" in {where}" if where else ""
        hint = "" if nearest or not known else f"; known are {', '.join(sorted(known))}"
        return CentreFileError(file, line, f"unknown key '{key}'{inside}{hint}", nearest)
    if chosen["type"] == "missing":
        return CentreFileError(
            file, line, f"the key '{chosen['loc'][-1]}' is missing in {_dotted(place) or 'the file'}"
        )
    message = chosen["msg"].removeprefix("Value error, ")
    name = message.split(":", 1)[0]
    if (*place, name) in lines:  # a check of the whole object names the key it is about
        line = lines[(*place, name)]
    message = PLAIN.get(chosen["type"], message)
    shown = _dotted(place)
    return CentreFileError(file, line, f"{shown}: {message}" if shown else message)


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        for inner in typing.get_args(annotation):
            yield from _models(inner)


def _known_keys(loc: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The keys that may stand at a place of the file."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models(model.model_fields[part].annotation), model)
    return list(model.model_fields)


def _broken_references(centre: Centre) -> Iterator[tuple[Place, str]]:
    """Names used twice, and names used but not defined, each with its place."""
    lists: tuple[tuple[str, list[str]], ...] = (
        ("items", [item.code for item in centre.items]),
        ("windows", [window.id for window in centre.windows]),
        ("departments", [department.id for department in centre.departments]),
        ("people", [person.id for person in centre.people]),
        ("cameras", [camera.id for camera in centre.cameras]),
    )
    for key, codes in lists:
        seen: dict[str, int] = {}
        for i, code in enumerate(codes):
            if code in seen:
                yield (key, i), f"'{code}' stands twice in {key}"
            seen[code] = i
    windows, people = centre.window_ids, {person.id for person in centre.people}
    departments = {department.id for department in centre.departments}
    for i, window in enumerate(centre.windows):
        if window.department is not None and window.department not in departments:
            yield (
                ("windows", i, "department"),
                f"window {window.id}: there is no department '{window.department}'",
            )
        for role in ("handler", "superior", "leader"):
            person = getattr(window, role)
            if person is not None and person not in people:
                yield ("windows", i, role), f"window {window.id}: there is no person '{person}'"
        for j, person in enumerate(window.staff):
            if person not in people:
                yield ("windows", i, "staff", j), f"window {window.id}: there is no person '{person}'"
        for place, person in window.named():
            if person not in people:
                yield ("windows", i, *place), f"window {window.id}: there is no person '{person}'"
        if window.pair is not None and (window.pair not in windows or window.pair == window.id):
            yield ("windows", i, "pair"), f"window {window.id}: there is no other window '{window.pair}'"
    for i, camera in enumerate(centre.cameras):
        names: set[str] = set()
        for j, post in enumerate(camera.posts):
            if post.window not in windows:
                yield (
                    ("cameras", i, "posts", j, "window"),
                    f"camera {camera.id}: there is no window '{post.window}'",
                )
            if post.name in names:
                yield (
                    ("cameras", i, "posts", j, "name"),
                    f"camera {camera.id}: the post '{post.name}' stands twice",
                )
            names.add(post.name)
    for place, reason in broken_references(centre.messages, people, windows, departments):
        yield ("messages", *place), reason
