"""The life of an index folder: add, update, delete, merge, several readers and one writer."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.errors import IndexFolderError, IndexLocked, InvalidValue, UnknownDocument, VocabularyMismatch
from lexiscope.index import Collection, Document, tiers
from lexiscope.index.brute_force import search_brute_force
from lexiscope.index.document_writer import DocumentWriter


def test_a_new_collection_is_empty(collection, helpers) -> None:
    assert len(collection) == 0
    assert collection.meta == {"name": "tiny", "dims": 8}
    assert (collection.fingerprint, collection.vocabulary_size) == ("00ff", helpers.COLUMNS)
    assert collection.counts() == {} and collection.stamps() == {} and collection.verify() == []
    assert collection.index.search(helpers.rows(1), 2)[0].tolist() == [[-1, -1]]


def test_add_search_and_open_again(collection, helpers) -> None:
    ids = helpers.add(collection, "a.jpg", 5)
    more = helpers.add(collection, "b.vtt", 3, seed=1, kind="chapter", stamp="2")
    assert ids.tolist() == [0, 1, 2, 3, 4] and more.tolist() == [5, 6, 7]
    assert collection.counts() == {"image": 5, "chapter": 3}
    assert collection.stamps() == {"a.jpg": "1", "b.vtt": "2"}
    with Collection.open(collection.folder) as again:
        assert helpers.contents(again) == helpers.contents(collection)
        assert again.verify() == []
        queries = helpers.rows(4, seed=9)
        wanted = search_brute_force(again.index.rows(again.index.ids), queries, 10)
        np.testing.assert_array_equal(again.index.search(queries)[0], wanted[0])
        np.testing.assert_array_equal(again.index.search(queries)[1], wanted[1])


def test_documents_keep_what_they_were_given(collection, helpers) -> None:
    odd = Document(
        -1, "caf\udce9/\0é\n#1", "image", "caf\udce9/\0é\n", "st\udcff", {"t": "\ud800", "x": [1, None, 0.5]}
    )
    with collection.write() as batch:
        (id,) = batch.add(helpers.rows(1), [odd]).tolist()
    with Collection.open(collection.folder) as again:
        assert again.documents.get([id]) == [odd.stored(id)]
        assert again.documents.find(keys=[odd.key]) == again.documents.find(sources=[odd.source])
        assert again.stamps() == {odd.source: odd.stamp}
        assert again.verify() == []


def test_find_and_filters(collection, helpers) -> None:
    helpers.add(collection, "a", 3)
    helpers.add(collection, "b", 2, kind="chapter")
    documents = collection.documents
    assert [d.key for d in documents.find(sources=["b", "a"], kind="chapter")] == ["b#0", "b#1"]
    assert [d.key for d in documents.find(keys=["a#2", "b#0", "c#9"])] == ["a#2", "b#0"]
    assert [d.id for d in documents.find(sources=["a"], keys=["a#1", "b#0"])] == [1]
    assert len(documents.find()) == 5
    assert documents.ids(kind="chapter").tolist() == [3, 4]
    assert documents.ids(sources=["a"]).tolist() == [0, 1, 2]
    found, _ = collection.index.search(helpers.rows(20), 5, only=documents.select("chapter"))
    assert set(np.unique(found)) == {-1, 3, 4}
    with pytest.raises(UnknownDocument, match="id 7"):
        documents.get([0, 7])


def test_many_values_at_once(collection, helpers) -> None:
    helpers.add(collection, "a", 1200)
    documents = collection.documents
    assert [d.id for d in documents.get(np.arange(1200)[::-1])] == list(range(1200))[::-1]
    assert len(documents.find(keys=[f"a#{i}" for i in range(1200)])) == 1200


def test_a_key_added_again_takes_the_place_of_the_old_one(collection, helpers) -> None:
    helpers.add(collection, "a", 3)
    ids = helpers.add(collection, "a", 2, seed=1, stamp="2")
    seen = helpers.contents(collection)
    assert {key: (id, stamp) for key, (id, stamp, _) in seen.items()} == {
        "a#2": (2, "1"),
        "a#0": (ids[0], "2"),
        "a#1": (ids[1], "2"),
    }
    twice = helpers.documents("b", 1) * 2
    with collection.write() as batch:
        first = batch.add(helpers.rows(2), twice)
        batch.add(helpers.rows(1, seed=2), twice[:1])
    assert helpers.contents(collection)["b#0"][0] == first[1] + 1
    assert collection.verify() == []


def test_delete(collection, helpers) -> None:
    helpers.add(collection, "a", 4)
    helpers.add(collection, "b", 4)
    with collection.write() as batch:
        fresh = batch.add(helpers.rows(2), helpers.documents("c", 2))
        assert batch.delete([1, 1, 99, -5]) == 1
        assert batch.delete_sources(["b", "nothing"]) == 4
        assert batch.delete([1, 5, fresh[0]]) == 1
    assert sorted(helpers.contents(collection)) == ["a#0", "a#2", "a#3", "c#1"]
    assert collection.index.search(helpers.rows(5), 9)[0].max() <= fresh[1]
    assert not collection.index.contains([1, 4, fresh[0]]).any()
    assert helpers.add(collection, "d", 1).tolist() == [10]  # no id is used twice
    with collection.write() as batch:
        batch.delete(collection.index.ids)
    assert len(collection) == 0 and list((collection.folder / "segments").iterdir()) == []
    assert helpers.add(collection, "e", 1).tolist() == [11]


def test_an_exception_changes_nothing(collection, helpers) -> None:
    helpers.add(collection, "a", 3)
    before = helpers.contents(collection), collection.generation
    with pytest.raises(RuntimeError, match="stop"), collection.write() as batch:
        batch.add(helpers.rows(3), helpers.documents("b", 3))
        batch.delete([0])
        raise RuntimeError("stop")
    assert (helpers.contents(collection), collection.generation) == before
    assert helpers.add(collection, "b", 1).tolist() == [3]


def test_a_batch_without_changes_commits_nothing(collection, helpers) -> None:
    with collection.write() as batch:
        assert batch.delete([7]) == 0
        assert batch.delete_sources(["x"]) == 0
        assert not batch.changed
    assert collection.generation == 0


def test_wrong_batches_are_refused(collection, helpers) -> None:
    with pytest.raises(InvalidValue, match="2 rows came with 3 documents"), collection.write() as batch:
        batch.add(helpers.rows(2), helpers.documents("a", 3))
    with pytest.raises(VocabularyMismatch), collection.write() as batch:
        batch.add(helpers.rows(2, columns=3), helpers.documents("a", 2))
    bad = helpers.rows(2)
    bad.data[-1] = np.nan
    with pytest.raises(InvalidValue, match="NaN"), collection.write() as batch:
        batch.add(bad, helpers.documents("a", 2))
    assert len(collection) == 0 and collection.verify() == []


def test_large_batches_are_written_in_parts(collection, helpers, monkeypatch) -> None:
    monkeypatch.setattr("lexiscope.index.writer.WEIGHTS_IN_MEMORY", 50)
    with collection.write() as batch:
        for number in range(6):
            batch.add(helpers.rows(12, seed=number), helpers.documents(f"s{number}", 12))
        batch.delete_sources(["s0", "s3"])
    assert len(collection) == 48
    assert collection.verify() == []
    with pytest.raises(RuntimeError), collection.write() as batch:
        batch.add(helpers.rows(12), helpers.documents("t", 12))
        raise RuntimeError
    live = {str(entry.number) for entry, _ in collection._state.snapshot.segments()}
    assert {place.name for place in (collection.folder / "segments").iterdir()} == live


def test_segments_are_merged_in_tiers(collection, helpers, monkeypatch) -> None:
    monkeypatch.setattr(tiers, "FLOOR", 30)
    monkeypatch.setattr(tiers, "FANOUT", 3)
    most = 0
    for number in range(24):
        helpers.add(collection, f"s{number}", 2, seed=number)
        most = max(most, len(collection.index.parts))
    assert 1 < most <= 2 * tiers.FANOUT + 1
    with collection.write() as batch:
        batch.delete_sources([f"s{number}" for number in range(0, 24, 2)])
    assert len(collection) == 24 and collection.verify() == []
    assert all(len(part.deleted) <= tiers.MOST_DELETED * len(part.segment) for part in collection.index.parts)
    rows = collection.index.rows(collection.index.ids)
    found = collection.index.search(helpers.rows(5))
    wanted = search_brute_force(rows, helpers.rows(5), ids=collection.index.ids)
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])
    helpers.add(collection, "last", 1)  # the next writer removes the documents of deleted rows
    with Collection.open(collection.folder) as again:
        assert again.documents._fetch("SELECT count(*) FROM documents") == [(25,)]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "delete", "source", "fail"]), st.integers(0, 5), st.integers(0, 40)
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_life_leaves_what_a_dict_would_hold(tmp_path_factory, helpers, life) -> None:
    with helpers.create(tmp_path_factory.mktemp("life") / "x") as collection:
        model: dict[str, tuple[int, str]] = {}
        for step, (action, name, number) in enumerate(life):
            after = dict(model)
            try:
                with collection.write() as batch:
                    if action in ("add", "fail"):
                        documents = helpers.documents(f"s{name}", 1 + number % 4, stamp=str(step))
                        ids = batch.add(helpers.rows(len(documents), seed=step), documents).tolist()
                        after |= {d.key: (id, d.stamp) for d, id in zip(documents, ids, strict=True)}
                    elif action == "delete":
                        batch.delete([number])
                        after = {key: (id, stamp) for key, (id, stamp) in after.items() if id != number}
                    else:
                        batch.delete_sources([f"s{name}"])
                        after = {
                            key: value for key, value in after.items() if not key.startswith(f"s{name}#")
                        }
                    if action == "fail":
                        raise RuntimeError
                model = after
            except RuntimeError:
                pass
            seen = helpers.contents(collection)
            assert {key: (id, stamp) for key, (id, stamp, _) in seen.items()} == model
        assert collection.verify() == []


def test_a_second_writer_is_refused(collection, helpers) -> None:
    with Collection.open(collection.folder) as other, collection.write() as batch:
        batch.add(helpers.rows(1), helpers.documents("a", 1))
        with pytest.raises(IndexLocked, match=r"x\.index is being written to by process \d+"), other.write():
            pass
    assert len(collection) == 1
    code = """
        import sys
        from lexiscope.errors import IndexLocked
        from lexiscope.index import Collection
        try:
            with Collection.open(sys.argv[1]).write():
                pass
        except IndexLocked as error:
            sys.exit(str(error))
    """
    with collection.write():
        ran = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(collection.folder)],
            capture_output=True,
            text=True,
        )
    assert ran.returncode == 1 and "is being written to" in ran.stderr


def test_a_writer_starts_from_what_others_committed(collection, helpers) -> None:
    with Collection.open(collection.folder) as other:
        helpers.add(other, "a", 2)
        assert len(collection) == 0
        assert helpers.add(collection, "b", 2).tolist() == [2, 3]
        assert other.refresh() and not other.refresh()
        assert helpers.contents(other) == helpers.contents(collection)


def test_readers_keep_their_snapshot_while_a_writer_commits(collection, helpers, monkeypatch) -> None:
    monkeypatch.setattr(
        tiers, "FANOUT", 2
    )  # every commit merges: the readers' segments are gone from the folder
    helpers.add(collection, "a", 5)
    index, documents = collection.index, collection.documents
    before = index.search(helpers.rows(3)), documents.get(index.ids)
    for number in range(4):
        with collection.write() as batch:
            batch.delete_sources(["a"])
            batch.add(helpers.rows(3, seed=number), helpers.documents(f"b{number}", 3))
    assert documents.get(index.ids) == before[1]
    np.testing.assert_array_equal(index.search(helpers.rows(3))[1], before[0][1])
    assert len(collection) == 12 and "a" not in collection.stamps()


def test_readers_that_open_during_commits_see_whole_states(collection, helpers, monkeypatch) -> None:
    monkeypatch.setattr(tiers, "FANOUT", 2)
    helpers.add(collection, "s", 4, stamp="0")
    wrong: list[object] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                with Collection.open(collection.folder) as reader:
                    seen = helpers.contents(reader)
                    if len(seen) != 4 or len({stamp for _, stamp, _ in seen.values()}) != 1:
                        wrong.append(seen)
            except Exception as error:
                wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(1, 15):
            helpers.add(collection, "s", 4, seed=number, stamp=str(number))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert wrong == []


def test_create_refuses_what_is_there(collection, tmp_path: Path, helpers) -> None:
    with pytest.raises(IndexFolderError, match="holds an index"):
        helpers.create(collection.folder)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(IndexFolderError, match=r"letter\.txt"):
        helpers.create(tmp_path / "full")
    with pytest.raises(IndexFolderError, match="cannot make the folder"):
        helpers.create(tmp_path / "full" / "letter.txt")
    for missing in (tmp_path / "nowhere", tmp_path / "full", tmp_path / "full" / "letter.txt"):
        with pytest.raises(IndexFolderError, match="holds no index"):
            Collection.open(missing)


def test_create_takes_up_what_an_interrupted_create_left(tmp_path: Path, helpers) -> None:
    helpers.create(tmp_path / "x").close()
    (tmp_path / "x" / "manifest.json").unlink()
    with helpers.create(tmp_path / "x") as again:
        helpers.add(again, "a", 2)
        assert again.verify() == []


def test_leftovers_are_swept(collection, helpers) -> None:
    helpers.add(collection, "a", 2)
    orphan = collection.folder / "segments" / "77"
    orphan.mkdir()
    (orphan / "ids.npy").write_bytes(b"half")
    (collection.folder / "segments" / "1" / "deleted-9.npy").write_bytes(b"")
    writer = DocumentWriter(collection.folder)  # a writer that was killed between SQLite and the manifest
    writer.insert([helpers.documents("z", 1)[0].stored(2)])
    writer.commit()
    writer.close()
    with Collection.open(collection.folder) as reader:
        assert sorted(helpers.contents(reader)) == ["a#0", "a#1"] and reader.verify() == []
        assert reader.documents.find(sources=["z"]) == []
    assert helpers.add(collection, "b", 1).tolist() == [2]
    assert not orphan.exists() and not (collection.folder / "segments" / "1" / "deleted-9.npy").exists()
    assert collection.verify() == []


def test_selections_by_folder_and_time(collection: Collection, helpers) -> None:
    times = [(0.0, 60.0), (60.0, 125.5), (125.5, None), (None, None)]
    with collection.write() as batch:
        for name in ("shows/one.vtt", "shows/two.vtt", "films/one.vtt"):
            documents = [
                Document(-1, f"{name}#{n}", "chapter", name, "1", {"start": start, "end": end})
                for n, (start, end) in enumerate(times)
            ]
            batch.add(helpers.rows(4), documents)
    helpers.add(collection, "shows/a.jpg", 2)
    documents = collection.documents
    assert documents.ids(under="shows/").tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 12, 13]
    assert documents.ids(under="shows", kind="image").tolist() == [12, 13]
    assert documents.ids(since=60.0, until=100.0, under="films").tolist() == [8, 9]
    assert documents.ids(since=125.5, sources=["shows/one.vtt"]).tolist() == [1, 2]
    assert documents.ids(until=0.5).tolist() == [0, 4, 8]
    assert documents.ids(under="show").tolist() == []
    only = documents.select("chapter", under="shows/two.vtt", since=61)
    found, _ = collection.index.search(helpers.rows(20), 5, only=only)
    assert set(found[found >= 0].tolist()) <= {5, 6}
    assert documents.select("chapter", under="shows/two.vtt", since=61) is only
