"""Open an evaluation data set by its file: Parquet or Karpathy JSON."""

from __future__ import annotations

from pathlib import Path

from lexiscope.errors import DatasetError, printable
from lexiscope.evaluation.captioned import CaptionedPictures

__all__ = ["open_dataset"]


def open_dataset(
    file: str | Path, *, images: str | Path | None = None, split: str | None = None
) -> CaptionedPictures:
    """Read ids and captions, and find the pictures without opening them.

    Args:
        file: Parquet with the columns `id`, `image` and `captions` (`.parquet`), or a Karpathy split file
            such as `dataset_flickr30k.json` (`.json`).
        images: folder of the picture files. A Karpathy file needs it; for Parquet it is where the `path` of
            pictures without bytes starts, by default the folder of the file.
        split: the part of a Karpathy file to read; not needed where it has only one.

    Raises:
        DatasetError: the file is missing, of another format, or does not hold together.
    """
    path = Path(file).expanduser()
    folder = Path(images).expanduser() if images is not None else None
    shown = printable(path)
    if not path.is_file():
        what = "is a folder, not a data set file" if path.is_dir() else "there is no such file"
        raise DatasetError(f"{shown}: {what}; name a .parquet file or a Karpathy .json file")
    if folder is not None and not folder.is_dir():
        raise DatasetError(f"{printable(folder)}: there is no such folder of pictures; check --images")
    match path.suffix.lower():
        case ".parquet":
            from lexiscope.evaluation.parquet import read_parquet

            if split is not None:
                raise DatasetError(f"{shown}: a Parquet file has no splits; leave --split out")
            return read_parquet(path, folder)
        case ".json":
            from lexiscope.evaluation.karpathy import read_karpathy

            return read_karpathy(path, folder, split)
    raise DatasetError(
        f"{shown}: is no data set that can be read; name a .parquet file (id, image, captions) "
        "or a Karpathy .json file"
    )
