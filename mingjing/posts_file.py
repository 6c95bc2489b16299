"""Reading a posts file of the contract (section 5, ``watch``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from detectors.presence.posts import Post
from domain.errors import MediaError


def read_posts(path: Path) -> list[Post]:
    """Reads a posts file of the contract: pixel polygons of the width and height it names.

    Raises:
        MediaError: one sentence that names the file and the place in it.
    """
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise MediaError(f"{path}: is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise MediaError(f"{path}:{error.lineno}: is not JSON ({error.msg})") from error
    except RecursionError as error:
        raise MediaError(f"{path}: is nested too deeply") from error
    if not isinstance(row, dict):
        raise MediaError(f"{path}: must be an object with width, height and posts")
    width, height = (_size(path, row, key) for key in ("width", "height"))
    posts = row.get("posts")
    if not isinstance(posts, list) or not posts:
        raise MediaError(f"{path}: 'posts' must be a list with at least one post")
    answer = [_post(path, index, post, width, height) for index, post in enumerate(posts)]
    names = [post.name for post in answer]
    for name in names:
        if names.count(name) > 1:
            raise MediaError(f"{path}: two posts are called {name!r}")
    return answer


def _size(path: Path, row: dict[str, Any], key: str) -> float:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e5:
        raise MediaError(f"{path}: '{key}' must be the picture's {key} in pixels, not {value!r:.40}")
    return float(value)


def _post(path: Path, index: int, row: Any, width: float, height: float) -> Post:
    place = f"{path}: posts[{index}]"
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not row["name"].strip():
        raise MediaError(f"{place}: must be an object with a 'name'")
    polygon = _pairs(f"{place}.polygon", row.get("polygon"))
    empty = _pairs(f"{place}.empty", row.get("empty") or [])
    try:
        return Post(row["name"], tuple((x / width, y / height) for x, y in polygon), empty)
    except ValueError as error:
        raise MediaError(f"{place}: {error}") from error


def _pairs(place: str, value: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, list):
        raise MediaError(f"{place}: must be a list of pairs of numbers")
    for index, pair in enumerate(value):
        good = isinstance(pair, list) and len(pair) == 2
        if not good or any(isinstance(v, bool) or not isinstance(v, int | float) for v in pair):
            raise MediaError(f"{place}[{index}]: must be a pair of numbers, not {pair!r:.40}")
    return tuple((float(a), float(b)) for a, b in value)
