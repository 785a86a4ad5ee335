"""`lexiscope evaluate words` and `lexiscope evaluate patches`: a model's words, and where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["patches", "words"]

_Dataset = Annotated[
    Path, typer.Argument(metavar="DATASET", help="Parquet (id, image, captions) or Karpathy JSON.")
]
_Model = Annotated[str, typer.Option(metavar="M", help="A model folder, a hub id, or 'bundled'.")]
_Images = Annotated[Path | None, typer.Option(metavar="DIR", help="Where a Karpathy file's pictures are.")]
_Split = Annotated[str | None, typer.Option(metavar="S", help="Which part of a Karpathy file.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


def words(
    dataset: _Dataset,
    model: _Model = "bundled",
    images: _Images = None,
    split: _Split = None,
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Write a page of pictures with their words and captions here."
        ),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Hold a model's words against English captions, and look for words that fire for everything."""
    from lexiscope.evaluation import evaluate_words, open_dataset, say_words, words_table, write_page
    from lexiscope.evaluation.runs import check_writable
    from lexiscope.terminal import output, write_json

    captioned = open_dataset(dataset, images=images, split=split)
    if page is not None:
        check_writable(page)
    from lexiscope.encoder import LexicalEncoder

    said = say_words(captioned, LexicalEncoder.from_pretrained(model))
    report = evaluate_words(said, model=model)
    if page is not None:
        write_page(page, said, report)
    if as_json:
        write_json(report)
    else:
        output().print(words_table(report))


def patches(
    dataset: _Dataset,
    masks: Annotated[
        Path, typer.Option(metavar="FILE.tflite", help="A DeepLab model that says what is where.")
    ],
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE.txt", help="Names of its classes, one a line; by default Pascal VOC's."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the masks here: making them is slow.")
    ] = None,
    model: _Model = "bundled",
    images: _Images = None,
    split: _Split = None,
    as_json: _Json = False,
) -> None:
    """Ask whether words come from where the things are: PatchDis, against a segmentation model's masks."""
    from lexiscope.evaluation import evaluate_patches, open_dataset, patches_table
    from lexiscope.evaluation.segmentation_teacher import DeepLab, KeptMasks, read_labels
    from lexiscope.terminal import output, write_json

    captioned, names = open_dataset(dataset, images=images, split=split), read_labels(labels)
    deeplab = DeepLab(masks)
    from lexiscope.evaluation.models import open_classifiers

    classifiers, unsayable = open_classifiers(model, captioned, names[1:])
    report = evaluate_patches(
        captioned,
        classifiers,
        deeplab if keep is None else KeptMasks(keep, masks, deeplab),
        names,
        model=model,
        unsayable=unsayable,
    )
    if as_json:
        write_json(report)
    else:
        output().print(patches_table(report))
