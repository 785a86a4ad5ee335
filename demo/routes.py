"""The HTTP API."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse, Response

from lexiscope.demo import adding, answers, schemas
from lexiscope.demo.files import Thumbnails, decoded
from lexiscope.demo.limits import Limits
from lexiscope.demo.metrics import Metrics
from lexiscope.demo.problems import RESPONSES, Refusal
from lexiscope.demo.service import Service
from lexiscope.demo.turns import Turns
from lexiscope.demo.uploads import Uploads
from lexiscope.edits import Edits
from lexiscope.errors import IndexFolderError

__all__ = ["Place", "router"]

Body = TypeVar("Body", bound=BaseModel)
Id = Annotated[int, InPath(ge=0, lt=2**62)]
Words = Annotated[list[schemas.Word], Query(max_length=64)]
Factor = Annotated[str, Field(pattern=r"^[^=]{1,100}=[0-9]{1,3}([.][0-9]{1,9})?$")]
Factors = Annotated[list[Factor], Query(max_length=64)]


@dataclass(frozen=True)
class Place:
    """What all requests share."""

    service: Service
    uploads: Uploads
    thumbnails: Thumbnails
    metrics: Metrics
    turns: Turns
    adding: Turns
    limits: Limits
    token: str | None


def place_of(request: Request) -> Place:
    """What the application was made with."""
    place: Place = request.app.state.place
    return place


Here = Annotated[Place, Depends(place_of)]


def may_write(request: Request, place: Here) -> None:
    """Refuse who has not the token, where one is needed."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if place.token is not None and not secrets.compare_digest(given, place.token.encode()):
        raise Refusal(401, "adding and deleting need the token that the server printed when it started")


router = APIRouter(responses=RESPONSES)


@router.post("/search")
async def search(asked: schemas.Search, request: Request, place: Here) -> schemas.SearchAnswer:
    """Find what fits a question in words, as a picture, or both."""
    return await place.turns.take(
        request, lambda: answers.search(place.service.reader(), asked, place.limits)
    )


def _bodies(json_model: type[BaseModel], files: str) -> dict[str, object]:
    """Describe a body that is JSON or a form with files."""
    form = {
        "type": "object",
        "required": [files],
        "properties": {files: {"type": "array", "items": {"type": "string", "format": "binary"}}},
    }
    schema = json_model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    content = {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


@router.post("/embed_sparse", openapi_extra=_bodies(schemas.Embed, "images"))
async def embed_sparse(request: Request, place: Here) -> list[list[schemas.WeightedToken]]:
    """Encode texts or pictures, in the shape of text-embeddings-inference, with each weight's token."""
    files = await _files(request, "images", place.limits.batch)
    asked = schemas.Embed() if files is not None else await _json(request, schemas.Embed)
    pictures = [data for _, data in files or []]
    pictures += [
        decoded(image, f"images.{n}") for n, image in enumerate(asked.images[: place.limits.batch + 1])
    ]
    return await place.turns.take(
        request, lambda: answers.embed(place.service.reader(), asked, pictures, place.limits)
    )


@router.post(
    "/documents", dependencies=[Depends(may_write)], openapi_extra=_bodies(schemas.NewDocuments, "files")
)
async def add_documents(request: Request, place: Here) -> schemas.Added:
    """Add pictures and transcripts. What cannot be read is listed; where nothing can, the answer is 422."""
    files = await _files(request, "files", place.limits.files)
    if files is None:
        given = (await _json(request, schemas.NewDocuments)).documents
        files = [(one.name, _content(one)) for one in given]
    return await place.adding.take(
        request, lambda: adding.add(place.service, place.uploads, files, place.limits)
    )


@router.delete("/documents/{id}", dependencies=[Depends(may_write)])
async def delete_document(id: Id, request: Request, place: Here) -> schemas.Deleted:
    """Remove a document from the index. The file stays, unless it was added through this server."""
    count = await place.adding.take(request, lambda: adding.delete(place.service, place.uploads, id))
    return schemas.Deleted(deleted=count)


@router.get("/documents/{id}")
async def document(id: Id, request: Request, place: Here) -> schemas.DocumentAnswer:
    """A document and the words it is found by."""
    return await place.turns.take(request, lambda: answers.document(place.service.reader(), id))


@router.get("/documents/{id}/picture", response_class=Response)
async def picture(
    id: Id, request: Request, place: Here, size: Literal["small", "large"] = "small"
) -> Response:
    """A picture as JPEG, upright."""

    def made() -> bytes:
        found = place.service.reader().collection.documents.get([id])[0]
        return place.thumbnails.of(found, size)

    data = await place.turns.take(request, made)
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=300"})


@router.get("/documents/{id}/patches")
async def patches(id: Id, request: Request, place: Here, words: Words) -> schemas.PatchesAnswer:
    """Where in a picture words come from."""
    return await place.turns.take(request, lambda: answers.patches(place.service.reader(), id, words))


@router.get("/documents/{id}/audio", response_class=Response)
async def audio(id: Id, request: Request, place: Here) -> Response:
    """The audio of a chapter's episode, where its file lies beside the transcript; ranges are served."""
    path = await place.turns.take(request, lambda: answers.audio_of(place.service.reader(), id))
    return FileResponse(path)


@router.get("/chapters/{episode}")
async def chapters(
    episode: Id,
    request: Request,
    place: Here,
    text: Annotated[str | None, Query(max_length=5_000)] = None,
    forbid: Words = [],  # noqa: B006  (FastAPI copies it)
    weight: Factors = [],  # noqa: B006
) -> schemas.EpisodeAnswer:
    """All chapters of an episode, named by the id of any of them, with their scores for a text.

    `weight` is `word=factor`, as `weights` of a search: `weight=sea=0` mutes "sea".
    """
    factors = {word: float(factor) for word, _, factor in (one.rpartition("=") for one in weight)}
    edits = Edits.of(factors, forbid)
    return await place.turns.take(
        request, lambda: answers.episode(place.service.reader(), episode, text, edits)
    )


@router.get("/health")
def health(place: Here) -> schemas.Health:
    """Whether the index can be read and the model is loaded."""
    counts = place.service.counts()
    status: Literal["ok", "loading"] = "ok" if place.service.ready else "loading"
    return schemas.Health(status=status, pictures=counts["image"], chapters=counts["chapter"])


@router.get("/metrics", response_class=Response)
def metrics(place: Here) -> Response:
    """Figures for Prometheus."""
    try:
        counts = place.service.counts()
    except IndexFolderError:  # what was served so far is worth knowing then most of all
        counts = None
    return place.metrics.answer(counts)


async def _json(request: Request, model: type[Body]) -> Body:
    """A body of JSON.

    Raises:
        RequestValidationError: it is no JSON, or does not fit.
    """
    try:
        return model.model_validate(json.loads(await request.body()))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    except (ValueError, RecursionError):
        raise Refusal(422, "the body is no JSON; send application/json or multipart/form-data") from None


async def _files(request: Request, field: str, most: int) -> list[tuple[str, bytes]] | None:
    """Names and contents of the files of a form; None for other bodies."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return None
    async with request.form(max_files=most, max_fields=16) as form:
        given = [one for one in form.getlist(field) if isinstance(one, UploadFile)]
        files = [(one.filename or "file", await one.read()) for one in given]
    if not files:
        raise Refusal(422, f"{field}: the form has no files of this name")
    return files


def _content(one: schemas.NewDocument) -> bytes:
    if one.data is not None:
        return decoded(one.data, one.name)
    return (one.text or "").encode("utf-8", "replace")
