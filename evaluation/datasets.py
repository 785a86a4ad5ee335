"""Open an evaluation data set by its file: Parquet, Karpathy JSON, CSV, or WebDataset tars."""

from __future__ import annotations

from pathlib import Path

from lexiscope.errors import DatasetError, printable
from lexiscope.evaluation.captioned import CaptionedPictures

__all__ = ["open_dataset"]

_KNOWN = (
    "a .parquet file (id, image, captions), a Karpathy .json file, a .csv file (file, caption), a .tar file "
    "or a folder of them"
)


def open_dataset(
    file: str | Path, *, images: str | Path | None = None, split: str | None = None
) -> CaptionedPictures:
    """Read ids and captions, and find the pictures without opening them.

    Args:
        file: Parquet with the columns `id`, `image` and `captions` (`.parquet`), a Karpathy split file such
            as `dataset_flickr30k.json` (`.json`), a table of files and captions (`.csv`, `.tsv`, `.txt`), or
            WebDataset tars (`.tar`, or a folder of them).
        images: folder of the picture files. A Karpathy file needs it; elsewhere it is where relative paths
            start, by default the folder of the file.
        split: the part of a Karpathy file to read; not needed where it has only one.

    Raises:
        DatasetError: the file is missing, of another format, or does not hold together.
    """
    path = Path(file).expanduser()
    folder = Path(images).expanduser() if images is not None else None
    shown = printable(path)
    if folder is not None and not folder.is_dir():
        raise DatasetError(f"{printable(folder)}: there is no such folder of pictures; check --images")
    if path.suffix.lower() == ".json" and path.is_file():
        from lexiscope.evaluation.karpathy import read_karpathy

        return read_karpathy(path, folder, split)
    if split is not None and path.exists():
        raise DatasetError(f"{shown}: only a Karpathy .json file has splits; leave --split out")
    return _read(path, folder, shown)


def _read(path: Path, folder: Path | None, shown: str) -> CaptionedPictures:
    """Read what has no splits."""
    if path.is_dir() or path.suffix.lower() == ".tar":
        return _read_tars(path, shown)
    if not path.is_file():
        raise DatasetError(f"{shown}: there is no such file; name {_KNOWN}")
    match path.suffix.lower():
        case ".parquet":
            from lexiscope.evaluation.parquet import read_parquet

            return read_parquet(path, folder)
        case ".csv" | ".tsv" | ".txt":
            from lexiscope.evaluation.csv_pictures import read_csv

            return read_csv(path, folder)
    raise DatasetError(f"{shown}: is no data set that can be read; name {_KNOWN}")


def _read_tars(path: Path, shown: str) -> CaptionedPictures:
    from lexiscope.evaluation.webdataset import read_webdataset, shards

    if not path.exists():
        raise DatasetError(f"{shown}: there is no such file; name {_KNOWN}")
    if not shards(path):
        raise DatasetError(f"{shown}: is a folder without .tar files; name {_KNOWN}")
    return read_webdataset(path)
