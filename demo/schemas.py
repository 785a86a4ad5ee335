"""What requests hold and what answers look like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Added", "Embed", "EpisodeAnswer", "NewDocuments", "Search", "SearchAnswer", "WeightedToken"]

Word = Annotated[str, Field(min_length=1, max_length=100)]


class Strict(BaseModel):
    """A request: unknown fields are errors, so that a mistyped one is noticed."""

    model_config = ConfigDict(extra="forbid")


class Search(Strict):
    """A question in words, as a picture, or both."""

    text: str | None = Field(None, max_length=5_000, description="What to look for, in words.")
    image: str | None = Field(None, description="A picture file in base64 to find the like of.")
    like: int | None = Field(None, ge=0, lt=2**62, description="A document to find the like of.")
    kind: Literal["image", "chapter"] | None = None
    k: int = Field(10, ge=1, le=100, description="At most this many hits.")
    balance: float = Field(0.5, ge=0, le=1, description="What the words count beside a picture.")
    weights: dict[Word, float] = Field(
        default_factory=dict, max_length=64, description="What a word's weight is multiplied by; 0 mutes it."
    )
    forbid: list[Word] = Field(default_factory=list, max_length=64, description="Words no hit may have.")


class MatchAnswer(BaseModel):
    """A word that matched: weights and share of the score."""

    word: str
    query: float
    document: float
    share: float


class Moment(BaseModel):
    """What was said that answers best."""

    text: str
    start: float | None


class HitAnswer(BaseModel):
    """One answer."""

    rank: int
    id: int
    kind: str
    source: str
    score: float
    terms: list[tuple[str, float]]
    episode: str | None = None
    title: str | None = None
    start: float | None = None
    end: float | None = None
    generated: bool | None = None
    utterance: Moment | None = None
    explain: list[MatchAnswer]


class QueryWord(BaseModel):
    """A word of the question as it was asked."""

    word: str
    weight: float
    asked: bool = Field(description="It stands in the text; else the model added it.")


class SearchAnswer(BaseModel):
    """Hits, best first, and the words that were asked with."""

    query: str | None
    took_ms: float
    words: list[QueryWord]
    hits: list[HitAnswer]


class WeightedToken(BaseModel):
    """One weight of a lexical vector."""

    index: int
    value: float
    token: str


class Embed(Strict):
    """Texts or pictures to encode."""

    inputs: Annotated[str, Field(max_length=200_000)] | list[Annotated[str, Field(max_length=200_000)]] = (
        Field(default_factory=list)
    )
    images: list[str] = Field(default_factory=list, description="Picture files in base64.")
    prompt_name: Literal["query", "document"] | None = Field(None, description="None encodes documents.")
    truncate: bool | None = Field(None, description="Accepted for compatibility; nothing is ever cut off.")
    truncation_direction: Literal["Left", "left", "Right", "right"] | None = Field(
        None, description="Accepted for compatibility."
    )


class NewDocument(Strict):
    """A file to add, as text or in base64."""

    name: str = Field(min_length=1, max_length=255, description="With the suffix: photo.jpg, episode.vtt.")
    text: str | None = Field(None, description="Of a transcript.")
    data: str | None = Field(None, description="The file in base64.")


class NewDocuments(Strict):
    """Files to add."""

    documents: list[NewDocument] = Field(min_length=1, max_length=64)


class SkippedAnswer(BaseModel):
    """A file that is not indexed, and why."""

    name: str
    reason: str


class Added(BaseModel):
    """What became of files."""

    added: int
    unchanged: int
    skipped: list[SkippedAnswer]
    pictures: int
    chapters: int


class EpisodeAnswer(BaseModel):
    """An episode: its chapters in order, with their scores where a text was given."""

    episode: str | None
    source: str
    audio: str | None = Field(description="Where this server has the audio, if its file is at hand.")
    link: str | None = Field(description="Where the audio was published, if the transcript or feed says so.")
    chapters: list[HitAnswer]


class Deleted(BaseModel):
    """How many documents were removed."""

    deleted: int


class DocumentAnswer(BaseModel):
    """A document and the words it is found by, heaviest first."""

    id: int
    kind: str
    source: str
    words: list[tuple[str, float]]


class PatchesAnswer(BaseModel):
    """Where words come from: weights 0…1 of each patch, row by row, over the greatest of the word."""

    rows: int
    columns: int
    box: tuple[float, float, float, float] = Field(description="What the model saw: shares of the picture.")
    words: dict[str, list[float]]


class Health(BaseModel):
    """Whether searches are answered."""

    status: Literal["ok", "loading"]
    pictures: int
    chapters: int
