"""`lexiscope check`: walk an index, say what is wrong, and mend it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexiscope.errors import DamagedIndex, printable

if TYPE_CHECKING:
    from lexiscope.index.repair import Mended

__all__ = ["check"]


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The index.", show_default=False)],
    repair: Annotated[
        bool, typer.Option("--repair", help="Keep what is whole, and leave out what is not.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Read every file of an index and every document in it, and say what is wrong.

    With --repair what is whole is kept: postings are made anew out of whole rows; what cannot be read goes,
    and `lexiscope index` puts it back from its sources.
    """
    from lexiscope.index import repair as mending
    from lexiscope.terminal import output, say, write_json

    found = mending.problems(folder)
    mended = mending.repair(folder) if found and repair else mending.Mended(tuple(found), 0, 0)
    if as_json:
        report = {"problems": found, "repaired": bool(found and repair)}
        write_json(report | ({"kept": mended.kept, "lost": mended.lost} if repair and found else {}))
    else:
        for line in found:
            say(line, "yellow")
        output().print(_verdict(folder, mended, repaired=bool(found and repair)))
    if found and not repair:
        raise DamagedIndex(
            f"{printable(folder)}: {len(found)} {'thing is' if len(found) == 1 else 'things are'} wrong: "
            "run it again with --repair, or restore the folder from a backup"
        )


def _verdict(folder: Path, mended: Mended, *, repaired: bool) -> str:
    name = printable(folder)
    if not mended.changed:
        return f"{name}: whole"
    if not repaired:
        return f"{name}: damaged"
    lost = f"{mended.lost:,} lost; index their sources again to put them back" if mended.lost else "none lost"
    return f"{name}: mended; {mended.kept:,} documents kept, {lost}"
