"""The one tree of errors that a person can cause and mend.

    LexiscopeError                 the input was at fault; the command line exits with 1
    ├── UnreadableSource           a file, folder or row could not be read
    ├── ModelError                 a model folder, hub name or tower does not fit
    ├── VocabularyMismatch         vectors or indexes of two models were mixed
    ├── InvalidValue               a weight, id, k or recall is outside what it may be (a ValueError too)
    ├── UnknownDocument            an id is not in the index (a KeyError too)
    ├── IndexFolderError       an index folder cannot be used
    │   ├── DamagedIndex           a checksum, count or file of it is wrong
    │   └── IndexLocked            another process is writing to it
    ├── DatasetError               an evaluation or training data set does not fit
    └── RecipeError                a training recipe is not valid

Every message is one line and says what, where and what to do.
"""

from __future__ import annotations

import os
import re


def printable(name: str | os.PathLike[str]) -> str:
    r"""Write a path as one line of valid Unicode, fit for messages, JSON and SQLite.

    Bytes of a file name that are no UTF-8 become `\xff`, a line break `\n`;
    every other name stays as it is.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


class LexiscopeError(Exception):
    """The input was at fault. The message is one line: what, where, what to do."""


class UnreadableSource(LexiscopeError):
    """A picture, transcript, folder or row cannot be read."""


class ModelError(LexiscopeError):
    """A model folder, hub name or tower cannot be loaded or does not fit."""


class VocabularyMismatch(LexiscopeError):
    """Vectors, models or indexes with different vocabularies, or of different trainings, were mixed."""


class InvalidValue(LexiscopeError, ValueError):
    """A weight, an id or an argument of a search is outside what it may be."""


class UnknownDocument(LexiscopeError, KeyError):
    """An id is not, or no longer, in the index."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class IndexFolderError(LexiscopeError):
    """An index folder cannot be used."""


class DamagedIndex(IndexFolderError):
    """A file of an index is missing, truncated or altered."""


class IndexLocked(IndexFolderError):
    """Another process is writing to the index."""


class DatasetError(LexiscopeError):
    """An evaluation or training data set does not have the expected shape."""


class RecipeError(LexiscopeError):
    """A training recipe is not valid."""
