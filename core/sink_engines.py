"""Write vectors as the engines that people have read them, a line or two a vector.

Words are named where an engine goes by names (OpenSearch, Elasticsearch, Vespa, Anserini, Seismic), else by
their number, from 0 (Qdrant, Milvus) or, in PostgreSQL's sparsevec, from 1. Points of Qdrant, rows of
Milvus and documents of Seismic are numbered from 0 in the order of the export; `key` names what they stand
for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from lexiscope.errors import InvalidValue
from lexiscope.quantising import Scale
from lexiscope.vector_sets import VectorSet, longest

__all__ = [
    "about_elasticsearch",
    "about_opensearch",
    "about_pgvector",
    "about_qdrant",
    "about_vespa",
    "write_anserini",
    "write_bulk",
    "write_jsonl",
    "write_milvus",
    "write_pgvector",
    "write_qdrant",
    "write_seismic",
    "write_vespa",
]

_LONGEST_BULK_ID = 512  # bytes, in OpenSearch and Elasticsearch
_LONGEST_SPARSEVEC = 16_000  # weights, in pgvector

Row = tuple[int, str, str, str, list[int], list[str]]
"""Number, id, kind, source, term numbers and weights as JSON numbers."""


def _rows(vectors: VectorSet, scale: Scale | None) -> Iterator[Row]:
    """One row after another; a weight's digits are the fewest that give the same float32."""
    number = 0
    for batch in vectors.batches():
        data = batch.rows.data.astype(np.float32)
        texts = (data if scale is None else scale.codes(data)).astype(str).tolist()
        terms, bounds = batch.rows.indices.tolist(), batch.rows.indptr.tolist()
        for place, (name, kind, source) in enumerate(zip(batch.ids, batch.kinds, batch.sources, strict=True)):
            here = slice(bounds[place], bounds[place + 1])
            yield number, name, kind, source, terms[here], texts[here]
            number += 1


def _write(lines: Iterator[str], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as output:
        output.writelines(lines)


def _keys(vectors: VectorSet) -> list[str]:
    """Every term as a JSON key with its colon."""
    return [f"{json.dumps(term, ensure_ascii=False)}:" for term in vectors.vocabulary.terms]


def _mapping(keys: list[str], terms: list[int], weights: list[str]) -> str:
    return ",".join(keys[term] + weight for term, weight in zip(terms, weights, strict=True))


def _named(name: str, kind: str, source: str, key: str = "key") -> str:
    """The fields that say what a vector stands for, without braces."""
    return json.dumps({key: name, "kind": kind, "source": source}, ensure_ascii=False)[1:-1]


def write_jsonl(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """`{"id","kind","source","vector":{word: weight}}` a line."""
    keys = _keys(vectors)
    rows = _rows(vectors, scale)
    _write(
        (
            f'{{{_named(name, kind, source, "id")}, "vector": {{{_mapping(keys, terms, weights)}}}}}\n'
            for _, name, kind, source, terms, weights in rows
        ),
        file,
    )


def feature_name(term: str) -> str:
    """A term as a feature of OpenSearch and Elasticsearch, which allow no dots: `%2E` for `.`."""
    return term.replace("%", "%25").replace(".", "%2E")


def write_bulk(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """Lines for `POST /INDEX/_bulk`: an action and a document with the field `words`."""
    keys = [f"{json.dumps(feature_name(term), ensure_ascii=False)}:" for term in vectors.vocabulary.terms]
    rows = _rows(vectors, scale)
    _write(
        (
            f'{{"index": {{"_id": {json.dumps(_bulk_id(name), ensure_ascii=False)}}}}}\n'
            f'{{{_named(name, kind, source)}, "words": {{{_mapping(keys, terms, weights)}}}}}\n'
            for _, name, kind, source, terms, weights in rows
        ),
        file,
    )


def _bulk_id(name: str) -> str:
    """The name, or digits made of it where it is too long."""
    whole = name.encode()
    return name if len(whole) <= _LONGEST_BULK_ID else hashlib.sha256(whole).hexdigest()


def about_opensearch(vectors: VectorSet) -> dict[str, str]:
    """The index's mapping, for `PUT /INDEX`."""
    return {".mapping.json": _bulk_mapping("rank_features")}


def about_elasticsearch(vectors: VectorSet) -> dict[str, str]:
    """The index's mapping, for `PUT /INDEX`."""
    return {".mapping.json": _bulk_mapping("sparse_vector")}


def _bulk_mapping(kind: str) -> str:
    fields = {"words": {"type": kind}} | {name: {"type": "keyword"} for name in ("key", "kind", "source")}
    return json.dumps({"mappings": {"properties": fields}}, indent=2) + "\n"


def write_qdrant(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """A point a line, as `PUT /collections/NAME/points` and `models.PointStruct` take them."""
    _write(
        (
            f'{{"id": {number}, "vector": {{"words": '
            f'{{"indices": {terms}, "values": [{", ".join(weights)}]}}}}, '
            f'"payload": {{{_named(name, kind, source)}}}}}\n'
            for number, name, kind, source, terms, weights in _rows(vectors, scale)
        ),
        file,
    )


def about_qdrant(vectors: VectorSet) -> dict[str, str]:
    """The collection, for `PUT /collections/NAME`."""
    return {".collection.json": json.dumps({"sparse_vectors": {"words": {}}}) + "\n"}


def write_milvus(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """A row a line, as `MilvusClient.insert` and bulk import take them; `words` is a SPARSE_FLOAT_VECTOR."""
    numbers = [f'"{term}":' for term in range(len(vectors.vocabulary))]
    _write(
        (
            f'{{"id": {number}, {_named(name, kind, source)}, '
            f'"words": {{{_mapping(numbers, terms, weights)}}}}}\n'
            for number, name, kind, source, terms, weights in _rows(vectors, scale)
        ),
        file,
    )


def write_vespa(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """A feed operation a line, as `vespa feed` takes them; `words` is a tensor<float>(word{})."""
    keys = _keys(vectors)
    _write(
        (
            f'{{"put": {json.dumps("id:lexiscope:item::" + quote(name, safe="/#"))}, "fields": '
            f"{{{_named(name, kind, source)}, "
            f'"words": {{"cells": {{{_mapping(keys, terms, weights)}}}}}}}}}\n'
            for _, name, kind, source, terms, weights in _rows(vectors, scale)
        ),
        file,
    )


_SCHEMA = """schema item {
    document item {
        field key type string { indexing: summary | attribute }
        field kind type string { indexing: summary | attribute }
        field source type string { indexing: summary | attribute }
        field words type tensor<float>(word{}) { indexing: summary | attribute }
    }
    rank-profile lexical {
        inputs { query(words) tensor<float>(word{}) }
        first-phase { expression: sum(query(words) * attribute(words)) }
    }
}
"""


def about_vespa(vectors: VectorSet) -> dict[str, str]:
    """The schema, with a rank profile that scores as our index does."""
    return {".sd": _SCHEMA}


def write_pgvector(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    r"""Lines for `\copy items FROM FILE`: id, key, kind, source and a sparsevec, `{1:0.5,9:2}/20000`.

    Raises:
        InvalidValue: a vector has more words than a sparsevec holds.
    """
    if longest(vectors) > _LONGEST_SPARSEVEC:
        raise InvalidValue(
            f"a vector has more than {_LONGEST_SPARSEVEC:,} words, which sparsevec does not hold; prune "
            "with --words"
        )
    numbers = [f"{term + 1}:" for term in range(len(vectors.vocabulary))]
    size = len(vectors.vocabulary)
    _write(
        (
            f"{number}\t{_escaped(name)}\t{kind}\t{_escaped(source)}\t"
            f"{{{_mapping(numbers, terms, weights)}}}/{size}\n"
            for number, name, kind, source, terms, weights in _rows(vectors, scale)
        ),
        file,
    )


def _escaped(text: str) -> str:
    for sign, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(sign, written)
    return text


def about_pgvector(vectors: VectorSet) -> dict[str, str]:
    """The table and a question; an HNSW index over sparsevec takes vectors of up to 1,000 words."""
    return {
        ".sql": "CREATE EXTENSION IF NOT EXISTS vector;\n"
        "CREATE TABLE items (id bigint PRIMARY KEY, key text, kind text, source text, "
        f"words sparsevec({len(vectors.vocabulary)}));\n"
        "-- \\copy items FROM 'FILE.tsv'\n"
        "-- SELECT key, words <#> '{1:0.5}/…' AS negative_score FROM items ORDER BY 2 LIMIT 10;\n"
    }


def write_seismic(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """`{"id","content","vector"}` a line, as `SeismicIndex.build` reads them; `content` is the key."""
    keys = _keys(vectors)
    _write(
        (
            f'{{"id": {number}, "content": {json.dumps(name, ensure_ascii=False)}, '
            f'"vector": {{{_mapping(keys, terms, weights)}}}}}\n'
            for number, name, _, _, terms, weights in _rows(vectors, scale)
        ),
        file,
    )


def write_anserini(vectors: VectorSet, file: Path, scale: Scale | None) -> None:
    """Anserini's JsonVectorCollection, whole numbers, for `-impact -pretokenized`."""
    keys = _keys(vectors)
    _write(
        (
            f'{{"id": {json.dumps(name, ensure_ascii=False)}, "contents": "", '
            f'"vector": {{{_mapping(keys, terms, weights)}}}}}\n'
            for _, name, _, _, terms, weights in _rows(vectors, scale)
        ),
        file,
    )
