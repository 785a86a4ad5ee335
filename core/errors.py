"""The one tree of errors that a person can cause and mend.

    LexiscopeError                 the input was at fault; the command line exits with 1
    ├── UnreadableSource           a file, folder or row could not be read
    ├── ModelError                 a model folder, hub name or tower does not fit
    ├── VocabularyMismatch         vectors or indexes of two vocabularies were mixed
    ├── IndexFolderError                an index folder cannot be used
    │   ├── DamagedIndex           a checksum, count or file of it is wrong
    │   └── IndexLocked            another process is writing to it
    ├── DatasetError               an evaluation or training data set does not fit
    └── RecipeError                a training recipe is not valid

Every message is one line and says what, where and what to do.
"""

from __future__ import annotations


class LexiscopeError(Exception):
    """The input was at fault. The message is one line: what, where, what to do."""


class UnreadableSource(LexiscopeError):
    """A picture, transcript, folder or row cannot be read."""


class ModelError(LexiscopeError):
    """A model folder, hub name or tower cannot be loaded or does not fit."""


class VocabularyMismatch(LexiscopeError):
    """Vectors, models or indexes with different vocabularies were mixed."""


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
