"""A first look: real photographs and a sample episode, indexed and asked three questions.

The photographs are those inside scikit-image's wheel; nothing is downloaded.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
import time
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lexiscope.errors import LexiscopeError, VocabularyMismatch
from lexiscope.retriever import DEFAULT_MODEL, Retriever
from lexiscope.terminal import output, progress_bar, show_hits, show_skipped

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run", "sample_index"]

#: Photographs in scikit-image's wheel; those that a version of it lacks are left out.
PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "moon.png",
    "motorcycle_right.png",
    "page.png",
    "rocket.jpg",
)
#: The other half of a stereo pair: not indexed, so that it can be asked with.
ASKED_WITH = "motorcycle_left.png"
PICTURE_QUESTION = "a rocket taking off into the sky"
EPISODE_QUESTION = "why is the suit of an astronaut orange?"


def run(folder: Path | None = None) -> None:
    """Make a small index and ask it three questions, saying at each step what to type for the same.

    Args:
        folder: where files and index go; None makes a temporary folder, which stays.

    Raises:
        LexiscopeError: the photographs are not there, or the folder cannot be written to.
    """
    place = (folder or Path(tempfile.mkdtemp(prefix="lexiscope-quickstart-"))).expanduser().absolute()
    try:
        _look(output(), place)
    except BaseException:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)
        raise


def sample_index(place: Path) -> Path:
    """Make the sample's index in a folder, or bring it up to date; return the index.

    Raises:
        LexiscopeError: the photographs are not there, or the folder cannot be written to.
    """
    shown, _ = _lay_out(place)
    index = place / "index"
    try:
        # The model is named, so that it is compared even where there is nothing to add.
        with Retriever.open(index, model=DEFAULT_MODEL, create=True) as library:
            library.add([shown])
    except VocabularyMismatch:  # made with the model of an earlier version
        shutil.rmtree(index)
        return sample_index(place)
    return index


def _look(console: Console, place: Path) -> None:
    """Index, ask, and say what comes next."""
    began = time.monotonic()
    shown, asked = _lay_out(place)
    index = place / "index"
    _command(console, "index", shown, "--out", index)
    with Retriever.open(index, create=True) as library:
        with progress_bar("indexing") as progress:
            report = library.add([shown], progress=progress)
        console.print(
            f"{report.pictures} photographs and {report.chapters} chapters of an episode are indexed\n"
        )
        show_skipped(report.skipped)
        for text, image, kind, k in (
            (PICTURE_QUESTION, None, "image", 2),
            (EPISODE_QUESTION, None, "chapter", 1),
            (None, asked, "image", 2),
        ):
            words = [text] if text else []
            picture = ["--image", image] if image else []
            _command(console, "search", index, *words, *picture, "--kind", kind, "-k", k)
            show_hits(console, library.search(text, image=image, kind=kind, k=k))
            console.print()
    console.print(
        f"That took {time.monotonic() - began:.0f} s. Everything is in {place}; delete it when you are done."
    )
    console.print("Now your own pictures and transcripts:")
    console.print("  lexiscope index YOUR_FOLDER --out my.index", style="bold")
    console.print('  lexiscope search my.index "what you are looking for"', style="bold")


def _command(console: Console, *parts: object) -> None:
    """The command that does the same, ready to be copied."""
    console.print(f"$ lexiscope {shlex.join(map(str, parts))}", style="bold")


def _lay_out(place: Path) -> tuple[Path, Path]:
    """Copy photographs and episode to a folder that can be indexed; return it and the picture to ask with."""
    photographs = _photographs()
    shown = place / "files"
    shown.mkdir(parents=True, exist_ok=True)
    for name in PHOTOGRAPHS:
        if (photographs / name).is_file():
            shutil.copyfile(photographs / name, shown / name)
    for episode in files("lexiscope").joinpath("sample").iterdir():
        if episode.name.endswith(".vtt"):
            (shown / episode.name).write_bytes(episode.read_bytes())
    asked = place / ASKED_WITH
    shutil.copyfile(photographs / ASKED_WITH, asked)
    return shown, asked


def _photographs() -> Path:
    """The folder of photographs in scikit-image, found without importing it."""
    found = find_spec("skimage")
    folder = Path(found.origin).parent / "data" if found and found.origin else None
    if folder is None or not (folder / ASKED_WITH).is_file():
        raise LexiscopeError(
            "scikit-image's photographs are missing: pip install --force-reinstall scikit-image"
        )
    return folder
