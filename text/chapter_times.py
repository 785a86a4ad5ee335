"""Times of chapters, as the formats want them that live by their times."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lexiscope.errors import InvalidValue
from lexiscope.text.chapters import Chapter

__all__ = ["check_times", "clock", "in_order", "spans"]


def in_order(chapters: Sequence[Chapter]) -> bool:
    """Tell whether all chapters have starts that never go backwards."""
    starts = [chapter.start for chapter in chapters if chapter.start is not None]
    return len(starts) == len(chapters) and all(one <= other for one, other in pairwise(starts))


def check_times(chapters: Sequence[Chapter], form: str, *, limit: float = float("inf")) -> None:
    """Refuse chapters whose times a player would get wrong.

    Args:
        chapters: in order.
        form: the name of the format, for the message.
        limit: seconds; starts from here on cannot be written.

    Raises:
        InvalidValue: a chapter has no start, starts before the one before it, or starts too late.
    """
    last = 0.0
    for number, chapter in enumerate(chapters, 1):
        if chapter.start is None:
            raise InvalidValue(
                f"chapter {number} has no start time, and {form} needs one for every chapter; the transcript "
                "does not say when it was spoken: write text instead, or take a transcript with times"
            )
        if chapter.start < last:
            raise InvalidValue(
                f"chapter {number} starts at {clock(chapter.start)}, before the one before ({clock(last)}), "
                f"and {form} needs ascending times; the transcript's clock jumps back: mend its times"
            )
        if chapter.start >= limit:
            raise InvalidValue(
                f"chapter {number} starts at {clock(chapter.start)}, later than {form} can hold"
            )
        last = chapter.start


def spans(chapters: Sequence[Chapter], open_end: int) -> list[tuple[int, int]]:
    """Give the start and the end of every chapter in milliseconds.

    An end that is unknown is the next later start: what comes then is another chapter.

    Args:
        chapters: with starts that never go backwards.
        open_end: milliseconds; the end of chapters that nothing follows.
    """
    starts = [round((chapter.start or 0.0) * 1000) for chapter in chapters]
    found: list[tuple[int, int]] = []
    later = open_end
    for place in range(len(chapters) - 1, -1, -1):
        start, stated = starts[place], chapters[place].end
        if place + 1 < len(starts) and starts[place + 1] > start:
            later = starts[place + 1]
        end = later if stated is None else round(stated * 1000)
        found.append((start, end if end > start else later))
    return found[::-1]


def clock(time: float) -> str:
    """Write seconds as `hh:mm:ss`, fractions cut off.

    >>> clock(3723.9)
    '01:02:03'
    """
    minutes, rest = divmod(int(time), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"
