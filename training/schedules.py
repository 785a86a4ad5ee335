"""From a recipe's section to the loop's schedule."""

from __future__ import annotations

from dataclasses import fields

from lexiscope.training.loop import Schedule
from lexiscope.training.sections import ScheduleSection


def schedule(section: ScheduleSection, *, save_frozen: bool = True) -> Schedule:
    """The loop's schedule of a recipe's section."""
    values = section.model_dump()
    known = {f.name: values[f.name] for f in fields(Schedule) if f.name in values}
    return Schedule(**known, save_frozen=save_frozen)
