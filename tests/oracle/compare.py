"""Run `mingjing replay` and the referee over generated cases and print where they differ.

`python -m tests.oracle.compare --seeds 0-700 [--cases 30] [--keep DIR] [--all-columns]`; exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.oracle import generate, oracle

RULES = {
    "time_limit.notice",
    "time_limit.promised",
    "time_limit.legal",
    "acceptance.overdue",
    "stage.overdue",
    "suspension.overrun",
    "extension.late",
    "delivery.overdue",
}
Json = dict[str, Any]
Key = tuple[Any, ...]


def replay_rows(centre: Json, lines: list[str], until: datetime | None, folder: Path) -> list[Json]:
    """The findings of the real thing: what `mingjing replay --findings` writes, in this process."""
    from domain.centre import load_centre
    from domain.findings import finding_to_json
    from mingjing.replay import replay

    write_case(centre, lines, folder)
    rules = load_centre(folder / "centre.yaml")
    with (folder / "events.jsonl").open("rb") as stream:
        found = replay(rules, stream, until).findings
    return [json.loads(json.dumps(finding_to_json(finding, rules.zone))) for finding in found]


def write_case(centre: Json, lines: list[str], folder: Path) -> None:
    (folder / "centre.yaml").write_text(yaml.safe_dump(centre, allow_unicode=True), encoding="utf-8")
    (folder / "events.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def keys(rows: list[Json], flag: bool = True) -> set[Key]:
    """Rows as comparable tuples; with `flag`, whether each is provisional belongs to it."""
    kept = [row for row in rows if row["rule"] in RULES and row.get("state") != "revoked"]
    return {(*oracle.row_key(row), bool(row["provisional"]) if flag else False) for row in kept}


def difference(
    centre: Json, lines: list[str], until: datetime | None, folder: Path
) -> tuple[set[Key], set[Key]]:
    """(rows of the referee that the real thing lacks, rows that it has too many)."""
    expected = keys(oracle.judge(centre, lines, until))
    found = keys(replay_rows(centre, lines, until, folder))
    return expected - found, found - expected


def shrink(lines: list[str], still_differs: Callable[[list[str]], bool]) -> list[str]:
    """Drop line after line as long as the difference remains."""
    again = True
    while again:
        again = False
        for number in range(len(lines)):
            fewer = lines[:number] + lines[number + 1 :]
            if fewer and still_differs(fewer):
                lines, again = fewer, True
                break
    return lines


def _case_of(line: str) -> str | None:
    try:
        return json.loads(line).get("case")
    except ValueError:
        return None


def smallest(
    centre: Json, lines: list[str], until: datetime | None, case: str, folder: Path
) -> tuple[list[str], datetime | None]:
    """The fewest lines of one case that still differ, with `until` pinned to what it was for the whole file."""
    now = oracle.take_events(lines, until)[1]
    own = [line for line in lines if _case_of(line) == case]

    def differs(some: list[str]) -> bool:
        return any(difference(centre, some, now, folder))

    return (shrink(own, differs) if differs(own) else own), now


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-100", help="A-B, or one seed")
    parser.add_argument("--cases", type=int, default=30, help="cases per seed")
    parser.add_argument("--show", type=int, default=5, help="differences to print")
    parser.add_argument("--keep", type=Path, help="folder for the files of the first difference")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    shown = differing = total = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(int(first), int(last or first) + 1):
            centre, lines, until = generate.make(seed, options.cases)
            missing, extra = difference(centre, lines, until, folder)
            total += options.cases
            for case in sorted({key[0] for key in missing | extra}):
                differing += 1
                if shown >= options.show:
                    continue
                shown += 1
                few, now = smallest(centre, lines, until, case, folder)
                _print_case(seed, case, centre, few, now, difference(centre, few, now, folder))
                if options.keep is not None and shown == 1:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    write_case(centre, few, options.keep)
    print(f"{total} cases, {differing} differ")
    return 1 if differing else 0


def _print_case(
    seed: int,
    case: str,
    centre: Json,
    lines: list[str],
    now: datetime | None,
    rows: tuple[set[Key], set[Key]],
) -> None:
    print(f"--- seed {seed}, {case}, until {now}")
    wanted = {json.loads(line).get("item") for line in lines}
    print(
        json.dumps(
            {**centre["centre"], **centre["calendar"], **centre["rules"]["time_limit"]}, ensure_ascii=False
        )
    )
    print(
        *(json.dumps(item, ensure_ascii=False) for item in centre["items"] if item["code"] in wanted),
        sep="\n",
    )
    print(*lines, sep="\n")
    for sign, some in (("- referee only:", rows[0]), ("+ replay only: ", rows[1])):
        for key in sorted(some):
            print(sign, *key)


if __name__ == "__main__":
    sys.exit(main())
