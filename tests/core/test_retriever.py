"""A library of files: added, changed, removed, asked — and whole whatever stops it."""

import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from lexiscope import LexicalEncoder, Retriever, indexing, sources
from lexiscope.errors import (
    DamagedIndex,
    IndexFolderError,
    InvalidValue,
    ModelError,
    UnreadableSource,
    VocabularyMismatch,
)
from lexiscope.index import Collection
from lexiscope.retriever import AddReport


def counts(report: AddReport):
    return report.added, report.updated, report.unchanged, report.removed


def write_parquet(file, images):
    rows = {"id": [str(n) for n in range(len(images))], "image": [{"bytes": b, "path": None} for b in images]}
    pq.write_table(pa.table(rows), file)


def test_words_find_the_moment(library, files):
    hit, *_ = library.search("a brown dog catches a ball", kind="chapter")
    assert (hit.rank, hit.kind, hit.source) == (1, "chapter", str(files / "episode.vtt"))
    assert (hit.episode, hit.start, hit.end) == ("Dogs and boats", 1.0, 69.5)
    assert {"brown", "dog", "catches", "ball"} <= {word for word, _ in hit.terms}
    assert sum(match.share for match in hit.matches) == pytest.approx(1)


def test_a_name_said_once_is_found_and_named(library):
    hit, *_ = library.search("Wittgenstein", kind="chapter")
    assert "wittgenstein" in {match.word for match in hit.matches}


def test_a_picture_finds_itself_first(library, files):
    hits = library.search(image=files / "cat.jpg")
    assert hits[0].source == str(files / "cat.jpg")
    assert hits[0].score == pytest.approx(1, abs=1e-3)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_words_and_picture_count_the_same(library, files, tiny_encoder):
    text, image = "a brown dog", files / "cat.jpg"
    both = library.search(text, image=image, kind="image")
    parts = tiny_encoder.encode_query(text) + tiny_encoder.encode_image(image)
    unit = parts / np.sqrt((parts.data**2).sum())
    ids, scores = library.collection.index.search(
        unit.tocsr(), 10, only=library.collection.documents.select("image")
    )
    assert [hit.id for hit in both] == [id for id in ids[0].tolist() if id >= 0]
    assert [hit.score for hit in both] == pytest.approx(scores[0][: len(both)].tolist(), rel=1e-4)


@pytest.mark.parametrize("kind", ["image", "chapter"])
def test_only_the_kind_that_was_asked_for(library, kind):
    assert {hit.kind for hit in library.search("a dog on the water", kind=kind, k=10)} <= {kind}
    assert library.counts()[kind] > 0


def test_k_is_kept_to(library):
    assert len(library.search("a dog", k=2)) == 2


@pytest.mark.parametrize(
    "asked", [{}, {"text": ""}, {"text": "  "}, {"text": "dog", "kind": "film"}, {"text": "a", "k": 0}]
)
def test_what_is_no_question(library, asked):
    with pytest.raises(InvalidValue):
        library.search(**asked)


def test_a_question_with_broken_bytes_is_asked_all_the_same(library):
    assert library.search("dog \udcff", kind="chapter")


def test_words_that_nothing_uses(library):
    assert library.unused_words("a dog zyxwv", library.search("a dog zyxwv")) == ["zyxwv"]
    assert library.unused_words("wittgenstein would sit in that boat") == []
    assert library.unused_words("") == []


def test_indexing_again_changes_nothing_and_needs_no_model(library, files):
    quiet = Retriever(Collection.open(library.collection.folder), "/no/such/model")
    assert counts(quiet.add(files)) == (0, 0, 4, 0)


def test_new_changed_and_gone(library, files):
    shutil.copyfile(files / "cat.jpg", files / "again.jpg")
    Image.new("RGB", (9, 9), "red").save(files / "beach.png")
    (files / "horse.webp").unlink()
    before = {hit.id for hit in library.search("dog", kind="chapter")}
    assert counts(library.add(files)) == (1, 1, 2, 1)
    assert sorted(library.collection.stamps()) == sorted(str(file) for file in files.iterdir())
    assert {hit.id for hit in library.search("dog", kind="chapter")} == before


def test_a_touched_file_is_not_indexed_anew(library, files):
    os.utime(files / "cat.jpg", ns=(1, 1))
    assert counts(library.add(files)) == (0, 0, 4, 0)


def test_what_is_gone_elsewhere_stays(library, files, tmp_path):
    (files / "cat.jpg").unlink()
    other = tmp_path / "other"
    other.mkdir()
    assert library.add([other, files / "cat.jpg"]).removed == 0
    assert str(files / "cat.jpg") in library.collection.stamps()


def test_a_folder_that_lost_its_rights_keeps_what_it_had(library, files, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", os.fspath(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        report = library.add(files)
    assert report.removed == 0
    assert [entry.path for entry in report.errors] == [str(files)]
    assert len(library) == 4


def test_what_broke_since_is_listed_and_its_old_state_stays(library, files):
    (files / "cat.jpg").write_bytes((files / "cat.jpg").read_bytes()[:200])
    report = library.add(files)
    assert counts(report) == (0, 0, 3, 0)
    assert [entry.path for entry in report.errors] == [str(files / "cat.jpg")]
    assert not report.errors[0].reason.startswith(str(files))
    assert len(library) == 4


def test_strict_raises_after_the_rest_is_indexed(library, files):
    (files / "a-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    shutil.copyfile(files / "cat.jpg", files / "z-new.jpg")
    with pytest.raises(UnreadableSource, match=r"a-broken\.jpg: .*; all the rest is indexed"):
        library.add(files, strict=True)
    assert str(files / "z-new.jpg") in library.collection.stamps()


def test_rows_of_a_data_set_are_named_and_a_broken_one_is_skipped(library, files, tmp_path):
    good = (files / "cat.jpg").read_bytes()
    data = tmp_path / "set.parquet"
    write_parquet(data, [good, b"no picture", good])
    done = []
    report = library.add(data, progress=lambda *step: done.append(step))
    assert (report.added, report.pictures) == (1, 5)
    assert [entry.path for entry in report.errors] == [f"{data}#1"]
    assert done[-1] == (3, 3)
    found = {hit.source for hit in library.search(image=files / "cat.jpg")}
    assert {f"{data}#0", f"{data}#2"} <= found


def test_a_data_set_that_breaks_half_way_leaves_nothing_behind(library, files, tmp_path, monkeypatch):
    data = tmp_path / "set.parquet"
    write_parquet(data, [(files / "cat.jpg").read_bytes()] * 4)
    real = sources.picture_rows

    def breaks(path):
        rows = real(path)
        yield next(rows)
        yield next(rows)
        raise UnreadableSource(f"{path}: row 2 is damaged")

    monkeypatch.setattr(sources, "picture_rows", breaks)
    monkeypatch.setattr(indexing, "PICTURES_A_BATCH", 1)
    report = library.add(data)
    assert [entry.reason for entry in report.skipped] == ["row 2 is damaged"]
    assert (report.added, len(library)) == (0, 4)


def test_a_stopped_run_keeps_what_it_had_and_goes_on(tmp_path, files, model_folder, monkeypatch):
    monkeypatch.setattr(indexing, "ITEMS_A_COMMIT", 1)
    library = Retriever.open(tmp_path / "new", model=model_folder, create=True)

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.add(files, progress=stop)
    assert library.collection.verify() == []
    kept = len(library)
    assert kept == 1
    report = library.add(files)
    assert (report.added, report.unchanged) == (4 - kept, kept)


def test_delete_by_id_source_and_folder(library, files):
    hit = library.search("dog", kind="chapter")[0]
    assert library.delete([hit.id]) == 1
    assert library.delete([files / "cat.jpg", str(files / "cat.jpg"), 999]) == 1
    assert library.delete([files]) == 2
    assert len(library) == 0


def test_another_vocabulary_is_refused(library, tmp_path, model_folder):
    other = tmp_path / "other-model"
    shutil.copytree(model_folder, other)
    words = (other / "vocabulary.txt").read_text().splitlines()
    words[0], words[1] = words[1], words[0]
    (other / "vocabulary.txt").write_text("\n".join(words) + "\n")
    from lexiscope.vocabulary import Vocabulary

    config = (other / "config.json").read_text()
    swapped = Vocabulary.load(other / "vocabulary.txt").fingerprint
    (other / "config.json").write_text(config.replace(library.collection.fingerprint, swapped))
    folder = library.collection.folder
    with pytest.raises(VocabularyMismatch, match=f"{model_folder}.*another vocabulary.*leave --model out"):
        Retriever.open(folder, model=other)
    assert Retriever.open(folder, model=model_folder).model == str(model_folder)


def test_a_model_that_changed_in_its_place(library, tiny_encoder, monkeypatch):
    monkeypatch.setattr(Collection, "fingerprint", property(lambda self: "0" * 16))
    with pytest.raises(VocabularyMismatch, match="has changed since: index anew"):
        Retriever(library.collection, library.model, tiny_encoder)


def test_a_model_trained_further_is_refused_although_its_words_are_the_same(library, tmp_path, model_folder):
    further = LexicalEncoder.from_pretrained(model_folder, device="cpu")
    with torch.no_grad():
        further.model.vision_head.bias[0] += 1e-3
    further.save_pretrained(tmp_path / "further")
    with pytest.raises(VocabularyMismatch, match="other weights"):
        Retriever.open(library.collection.folder, model=tmp_path / "further")


def test_the_index_remembers_its_model(library):
    with Retriever.open(library.collection.folder) as again:
        assert again.model == library.model
        assert [hit.id for hit in again.search("dog")] == [hit.id for hit in library.search("dog")]


def test_a_model_that_went_away_is_named(tmp_path, files, model_folder):
    model = tmp_path / "model"
    shutil.copytree(model_folder, model)
    Retriever.open(tmp_path / "new", model=model, create=True).add(files)
    shutil.rmtree(model)
    with pytest.raises(ModelError, match=r"made with this model: name its folder with --model"):
        Retriever.open(tmp_path / "new").search("dog")
    with Retriever.open(tmp_path / "new", model=model_folder) as moved:
        assert moved.search("dog")


def test_what_is_no_index_is_made_only_when_asked(tmp_path, model_folder):
    with pytest.raises(IndexFolderError, match="holds no index"):
        Retriever.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("here first")
    with pytest.raises(IndexFolderError):
        Retriever.open(tmp_path / "file", model=model_folder, create=True)
    assert (tmp_path / "file").read_text() == "here first"


def test_an_index_that_lost_its_manifest_is_not_written_over(library, model_folder):
    folder = library.collection.folder
    (folder / "manifest.json").unlink()
    segments = sorted(folder.rglob("*.npy"))
    with pytest.raises(DamagedIndex):
        Retriever.open(folder, model=model_folder, create=True)
    assert sorted(folder.rglob("*.npy")) == segments


def test_a_chapter_hit_says_where_to_jump_to(library):
    hit = library.search("Wittgenstein", kind="chapter")[0]
    assert hit.generated is True and hit.title
    assert hit.utterance is not None and hit.utterance.start == 65.0
    assert hit.utterance.text.startswith("Nobody but Wittgenstein")
    shown = hit.to_dict()
    assert shown["generated"] is True
    assert shown["utterance"] == {"text": hit.utterance.text, "start": 65.0}


def test_both_kinds_come_in_one_list_by_score(library):
    hits = library.search("a brown dog catches a ball", k=10)
    assert {hit.kind for hit in hits} == {"chapter", "image"}
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.id for hit in library.search("a brown dog catches a ball", k=2)] == [
        hit.id for hit in hits[:2]
    ]


def test_episodes_indexed_by_an_earlier_version_are_indexed_anew(library, files, monkeypatch, caplog):
    monkeypatch.setattr("lexiscope.sources.EPISODES", "another")
    report = library.add(files)
    assert (report.updated, report.unchanged) == (1, 3)
    assert "1 episodes were indexed by an earlier version" in caplog.text
    assert library.add(files).unchanged == 4


def test_search_in_a_folder_and_within_times(library, files):
    question = "a dog on the water"
    every = {hit.id for hit in library.search(question, k=10)}
    assert {hit.id for hit in library.search(question, k=10, under=files)} == every
    assert {hit.source for hit in library.search(question, k=10, under=files / "cat.jpg")} <= {
        str(files / "cat.jpg")
    }
    assert library.search(question, k=10, under=files.parent / "file") == []
    timed = library.search(question, k=10, since=0.0)
    assert {hit.kind for hit in timed} <= {"chapter"}
    assert library.search(question, k=10, since=1e6) == []
