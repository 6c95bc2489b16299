"""Which of several claimants gets which place, so that the whole is best (assignment problem)."""

from __future__ import annotations

from collections.abc import Sequence


def best_assignment(gains: Sequence[Sequence[float]]) -> list[int | None]:
    """One place at most for each row and one row at most for each place, with the greatest sum of gains.

    Shortest augmenting paths (Kuhn 1955, Munkres 1957), O(rows² · places): a picture has a handful of each.

    Args:
        gains: rows × places; 0 and less: never.

    Returns:
        for each row its place, or None.
    """
    rows, places = len(gains), max((len(row) for row in gains), default=0)
    # Every row also has a place of its own that gains nothing: nobody is forced to where he is not.
    costs = [
        [*(-max(0.0, gain) for gain in row), *[0.0] * (places - len(row)), *[0.0] * rows] for row in gains
    ]
    width = places + rows
    row_price, place_price = [0.0] * (rows + 1), [0.0] * (width + 1)
    holder, way = [0] * (width + 1), [0] * (width + 1)
    for row in range(1, rows + 1):
        holder[0], at = row, 0
        least, used = [float("inf")] * (width + 1), [False] * (width + 1)
        while holder[at]:
            used[at] = True
            here, step, nearest = holder[at], float("inf"), 0
            for place in range(1, width + 1):
                if used[place]:
                    continue
                cost = costs[here - 1][place - 1] - row_price[here] - place_price[place]
                if cost < least[place]:
                    least[place], way[place] = cost, at
                if least[place] < step:
                    step, nearest = least[place], place
            for place in range(width + 1):
                if used[place]:
                    row_price[holder[place]] += step
                    place_price[place] -= step
                else:
                    least[place] -= step
            at = nearest
        while at:
            holder[at], at = holder[way[at]], way[at]
    answer: list[int | None] = [None] * rows
    for place in range(1, places + 1):
        if holder[place] and gains[holder[place] - 1][place - 1] > 0:
            answer[holder[place] - 1] = place - 1
    return answer
