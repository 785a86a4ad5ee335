import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.sparse import csr_array

from lexiscope.vision import open_picture
from lexiscope.vocabulary import Vocabulary

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (128, 128, 128)}


def picture_bytes(colour):
    out = io.BytesIO()
    Image.new("RGB", (8, 8), COLOURS[colour]).save(out, "PNG")
    return out.getvalue()


def write_parquet(file, rows, **columns):
    """Rows are (id, image cell, captions); `columns` replaces whole columns or, as None, leaves them out."""
    ids, images, captions = zip(*rows, strict=True) if rows else ((), (), ())
    cells = [{"bytes": image, "path": None} if isinstance(image, bytes) else image for image in images]
    table = {
        "id": pa.array(ids, pa.string()),
        "image": pa.array(cells, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        "captions": pa.array(captions, pa.list_(pa.string())),
    } | columns
    pq.write_table(pa.table({name: column for name, column in table.items() if column is not None}), file)
    return file


def write_karpathy(file, pictures, **more):
    """Pictures are (filename, split, captions) or (filename, split, captions, filepath)."""
    images = [
        {
            "filename": name,
            "split": split,
            "imgid": number,
            "sentences": [{"raw": caption, "tokens": caption.split()} for caption in captions],
            **({"filepath": folder[0]} if folder else {}),
        }
        for number, (name, split, captions, *folder) in enumerate(pictures)
    ]
    file.write_text(json.dumps({"images": images, **more}), encoding="utf-8")
    return file


class ColourEncoder:
    """Says the colour of a plain picture, and the colours named in a text, by the weights it is given."""

    def __init__(self, weights=None):
        self.vocabulary = Vocabulary(COLOURS)
        self.weights = weights or {}

    def encode_image(self, pictures, *, batch_size=32, show_progress_bar=None):
        names = {value: name for name, value in COLOURS.items()}
        return self._rows([names[open_picture(picture).getpixel((0, 0))] for picture in pictures])

    def encode_query(self, texts, *, batch_size=32, show_progress_bar=None):
        return self._rows(texts)

    def encode_document(self, texts, *, batch_size=32, show_progress_bar=None):
        return self._rows(texts)

    def _rows(self, texts):
        rows = np.zeros((len(texts), len(COLOURS)), np.float32)
        for row, text in enumerate(texts):
            for term, weight in self.weights.get(text, dict.fromkeys(text.split(), 1.0)).items():
                number = self.vocabulary.id_of(term)
                if number is not None:
                    rows[row, number] = weight
        return csr_array(rows)


@pytest.fixture
def colours(tmp_path):
    """Three plain pictures with one to three captions."""
    return write_parquet(
        tmp_path / "colours.parquet",
        [
            ("r", picture_bytes("red"), ["a red wall", "red"]),
            ("g", picture_bytes("green"), ["green grass"]),
            ("b", picture_bytes("blue"), ["the blue sky", "blue", "blue sea"]),
        ],
    )
