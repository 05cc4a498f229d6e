"""From a place in the text that is shown to its place in the Markdown it was made from.

What is shown has no signs of Markdown, so it is the source with characters left out. Of the ways
to lay the one over the other, that with the fewest jumps is taken: signs of Markdown stand
between words and not within them.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence

MOST_CHOICES = 400_000  # a text where so much is ambiguous was made for that

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_IMAGE = re.compile(r"!\[[^\]]*\](\()[^)]*(\))")
_UNSHOWN = frozenset("\ufffc\ufdd0\ufdd1\ufeff")  # objects and the frames of tables

_Symbol = tuple[str, int, int]  # a character, and where it stands in the source


def source_span(
    source: str, shown: Sequence[str], at: int, start: int, end: int
) -> tuple[int, int] | None:
    """[start, end) in `source` of characters [start, end) of `shown[at]`.

    `shown`: the texts of all views of the message, in order; space between words does not count.
    None where nothing but space is asked for, or where the texts do not fit together.
    """
    wanted: list[str] = []
    first = last = -1
    for number, text in enumerate(shown):
        for place, character in enumerate(text):
            if character.isspace() or character in _UNSHOWN:
                continue
            if number == at and start <= place < end:
                first = len(wanted) if first < 0 else first
                last = len(wanted)
            wanted.append(character)
    if first < 0:
        return None
    symbols = _symbols(source)
    found = _lay_over(wanted, [symbol[0] for symbol in symbols])
    if found is None:
        return None
    return symbols[found[first]][1], symbols[found[last]][2]


def _symbols(source: str) -> list[_Symbol]:
    """Every character that may be shown; those that stand for others are there in both forms."""
    instead: dict[int, _Symbol] = {}
    for match in _ENTITY.finditer(source):
        character = html.unescape(match[0])
        if len(character) == 1 and not character.isspace():
            instead[match.start()] = (character, match.start(), match.end())
    for match in _IMAGE.finditer(source):  # shown as “[words: address]”
        instead[match.start(1)] = (":", match.start(1), match.end(1))
        instead[match.start(2)] = ("]", match.start(2), match.end(2))
    symbols = []
    for place, character in enumerate(source):
        if place in instead:
            symbols.append(instead[place])
        if not character.isspace():
            symbols.append((character, place, place + 1))
    return symbols


def _lay_over(wanted: Sequence[str], there: Sequence[str]) -> list[int] | None:
    """For each wanted character an index into `there`, increasing, with the fewest jumps."""
    earliest = _earliest(wanted, there)
    if earliest is None:
        return None
    backwards = _earliest(wanted[::-1], there[::-1])
    assert backwards is not None
    latest = [len(there) - 1 - place for place in reversed(backwards)]
    if sum(late - early for early, late in zip(earliest, latest, strict=True)) > MOST_CHOICES:
        return None
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, character in enumerate(there):
        places[character].append(place)
    steps: list[dict[int, int]] = []  # place → the place of the character before
    costs: dict[int, int] = {-1: 0}
    for character, early, late in zip(wanted, earliest, latest, strict=True):
        here = places[character]
        before = sorted(costs)
        next_costs: dict[int, int] = {}
        came_from: dict[int, int] = {}
        seen, cheapest = 0, -2
        for place in here[bisect_left(here, early) : bisect_right(here, late)]:
            while seen < len(before) and before[seen] < place:
                if cheapest == -2 or costs[before[seen]] <= costs[cheapest]:
                    cheapest = before[seen]
                seen += 1
            if cheapest == -2:
                continue
            origin, cost = cheapest, costs[cheapest] + (cheapest != place - 1)
            if place - 1 in costs and costs[place - 1] <= cost:
                origin, cost = place - 1, costs[place - 1]
            next_costs[place], came_from[place] = cost, origin
        costs = next_costs
        steps.append(came_from)
    place = min(costs, key=lambda place: (costs[place], place))
    found = []
    for came_from in reversed(steps):
        found.append(place)
        place = came_from[place]
    return found[::-1]


def _earliest(wanted: Sequence[str], there: Sequence[str]) -> list[int] | None:
    found = []
    place = 0
    for character in wanted:
        while place < len(there) and there[place] != character:
            place += 1
        if place == len(there):
            return None
        found.append(place)
        place += 1
    return found
