from __future__ import annotations

import logging
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.errors import LexiscopeError, UnreadableSource
from lexiscope.text.chapter_writing import write_chapters
from lexiscope.text.chapters import Chapter
from lexiscope.text.feed import is_feed, parse_feed
from lexiscope.text.local import local_file
from lexiscope.text.sniffing import sniff_transcript
from lexiscope.text.transcripts import Mark, NoTranscript, feed_files, read_feed, read_transcript

VTT = "WEBVTT\n\n00:01.000 --> 00:03.000\nGood evening.\n\n20:00.000 --> 20:05.000\nGood night.\n"
SPACES = (
    'xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:psc="http://podlove.org/simple-chapters" '
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
)


def item(*transcripts: str, title: str = "One", more: str = "") -> str:
    links = "".join(f"<podcast:transcript url={quoteattr(link)}/>" for link in transcripts)
    return f"<item><title>{escape(title)}</title>{links}{more}</item>"


def feed(folder: Path, *items: str, head: str = "", encoding: str = "utf-8") -> Path:
    path = folder / "feed.xml"
    text = (
        f'{head}<rss version="2.0" {SPACES}><channel><language>en</language>{"".join(items)}</channel></rss>'
    )
    path.write_bytes(text.encode(encoding))
    return path


PIECES = (
    "<rss> </rss> <channel> <item> </item> <title> </title> <p> </p> <cite> A: <time>1:00 </time> <html> "
    "<head> <!-- --> <![CDATA[ ]]> &amp; &#0; &x; <script> <psc:chapter é \0 words"
).split(" ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "show"
    (inside / "sub").mkdir(parents=True)
    for place in (inside / "one.vtt", inside / "sub" / "two.vtt", tmp_path / "secret.vtt"):
        place.write_text(VTT)
    return inside


def test_an_episode_with_everything(folder: Path) -> None:
    (folder / "one.json").write_text(
        '{"version": "1.2.0", "chapters": [{"startTime": 3, "title": "From JSON"}]}'
    )
    more = """
    <link>https://x.y/1</link><pubDate>Fri, 21 Nov 1997 09:55:06 -0600</pubDate>
    <enclosure url="https://x.y/a.mp3" type="audio/mpeg" length="1"/>
    <description>Short.</description>
    <content:encoded><![CDATA[<p>All about <b>tea</b> &amp; cake.</p>
        <ul><li>00:00 A</li><li>10:00 B</li></ul>]]></content:encoded>
    <podcast:chapters url="https://x.y/one.json" type="application/json+chapters"/>
    <psc:chapters><psc:chapter start="1" title="From the feed"/></psc:chapters>
    """
    [episode] = read_feed(
        feed(folder, item("https://x.y/files/one.vtt?key=1", title="Tea &amp; cake", more=more))
    )
    assert (episode.title, episode.url, episode.audio) == ("Tea & cake", "https://x.y/1", "https://x.y/a.mp3")
    assert episode.description == "All about tea & cake.\n00:00 A\n10:00 B"
    assert episode.published == "1997-11-21T09:55:06-06:00"
    assert [unit.text for unit in episode.units] == ["Good evening.", "Good night."]
    assert episode.marks == (Mark(3.0, "From JSON"),)


def test_the_most_deliberate_chapters_are_taken(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    psc = '<psc:chapters><psc:chapter start="00:01:00.5" title="P" href="https://p" image="https://i"/>'
    psc += '<psc:chapter start="soon" title="Q"/></psc:chapters>'
    lines = "<description>0:00 D&lt;br&gt;0:30 E</description>"
    gone = '<podcast:chapters url="gone.json"/>'
    path = feed(folder, item("one.vtt", more=psc + lines))
    inline = (Mark(60.5, "P", None, "https://p", "https://i"),)
    assert read_feed(path)[0].marks == inline
    tag = write_chapters([Chapter(0, 0, "I", 5.0, 6.0, generated=False)], "id3")
    (folder / "one.mp3").write_bytes(tag)
    assert read_feed(path)[0].marks == inline
    assert read_feed(feed(folder, item("one.vtt", more=lines)))[0].marks == (Mark(5.0, "I", 6.0),)
    (folder / "one.mp3").unlink()
    assert read_feed(feed(folder, item("one.vtt", more=lines + gone)))[0].marks == (
        Mark(0.0, "D"),
        Mark(30.0, "E"),
    )
    (folder / "one.chapters.json").write_text('{"chapters": [')
    with caplog.at_level(logging.WARNING, "lexiscope"):
        assert read_feed(feed(folder, item("one.vtt", more=gone)))[0].marks == ()
    assert "one.chapters.json: broken JSON" in caplog.text and "gone.json are not in" in caplog.text


def test_chapters_beside_a_transcript(folder: Path) -> None:
    chapters = [Chapter(0, 0, "A", 1.0, 2.0, generated=False)]
    for name in ("one.en.vtt", "one.mp3.vtt"):
        (folder / name).write_text(VTT)
    (folder / "one.chapters.vtt").write_text(write_chapters(chapters, "vtt"))
    for name in ("one.vtt", "one.en.vtt", "one.mp3.vtt"):
        assert read_transcript(folder / name).marks == (Mark(1.0, "A", 2.0),)
    assert sniff_transcript(folder / "one.chapters.vtt") == "chapters"


def test_chapters_in_the_description_of_a_transcript(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text(
        VTT.replace("WEBVTT", "WEBVTT\n\nNOTE\ntitle: T\ndescription: Talk.\n0:00 A\n10:00 B\nurl: u")
    )
    found = read_transcript(path)
    assert (found.title, found.description, found.url) == ("T", "Talk.\n0:00 A\n10:00 B", "u")
    assert found.marks == (Mark(0.0, "A"), Mark(600.0, "B"))
    path.write_text(path.read_text().replace("10:00 B", "18:00:00 Doors open"))
    assert read_transcript(path).marks == ()  # it lasts 20 minutes


def test_episodes_without_transcripts_are_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "empty.vtt").touch()
    items = [
        item("sub/two.vtt", title=""),
        item(title="Silent"),
        item("gone.vtt", title="Lost"),
        item("empty.vtt", title="Void"),
        item("feed.xml", title="Self"),
        item("empty.vtt", "one.vtt", title="Second choice"),
    ]
    with caplog.at_level(logging.WARNING, "lexiscope"):
        assert [episode.title for episode in read_feed(feed(folder, *items))] == ["two", "Second choice"]
    for words in ("4 of 6", "Silent (the feed names no", "Lost (gone.vtt is not", "0 bytes", "a feed, not"):
        assert words in caplog.text
    with pytest.raises(UnreadableSource, match=r"no episode has .* and 3 more; put") as caught:
        read_feed(feed(folder, *[item("gone.vtt")] * 8))
    assert "\n" not in str(caught.value)
    with pytest.raises(UnreadableSource, match="no episodes"):
        read_feed(feed(folder))


def test_the_richest_transcript_in_the_language_of_the_feed(folder: Path) -> None:
    links = ["a.txt", "a.html", "a.srt", "a.vtt", "a"]
    kinds = dict(
        zip(
            links, ["text/plain", "text/html", "application/srt", "text/vtt", "application/json"], strict=True
        )
    )
    more = "".join(f'<podcast:transcript url="{link}" type="{kind}"/>' for link, kind in kinds.items())
    german = '<podcast:transcript url="de.json" type="application/json" language="de"/>'
    [episode] = parse_feed(feed(folder, item(more=german + more)))
    assert episode.transcripts == ("a", "a.vtt", "a.srt", "a.html", "a.txt", "de.json")


def test_nothing_outside_the_folder_is_read(folder: Path) -> None:
    secret = folder.parent / "secret.vtt"
    (folder / "link.vtt").symlink_to(secret)
    (folder / "loop.vtt").symlink_to("loop.vtt")
    assert secret.is_file()
    for link in (
        *("../secret.vtt", "sub/../../secret.vtt", "%2e%2e/secret.vtt", "..%2fsecret.vtt", str(secret)),
        *(secret.as_uri(), "link.vtt", "loop.vtt", "sub", "", "%00", "x" * 5000, "http://[", "https://x.y/"),
        *("file://host/one.vtt", "ftp://x.y/one.vtt", "https://x.y/..", "http://x.y/%2e%2e%2fsecret.vtt"),
    ):
        assert local_file(link, folder) is None, link
    one = (folder / "one.vtt").resolve()
    odd = folder / "50%23 #1?.vtt"
    odd.write_text(VTT)
    for link in ("one.vtt", "./sub/../one.vtt", one.as_uri(), "http://x.y/a/one.vtt", " one.vtt\n", str(one)):
        assert local_file(link, folder) == one
    assert local_file("50%23 #1?.vtt", folder) == local_file("50%2523%20%231%3F.vtt", folder) == odd.resolve()


def test_files_of_a_feed(folder: Path) -> None:
    (folder / "c.json").write_text("{}")
    path = feed(
        folder, item("one.vtt", "gone.vtt", more='<podcast:chapters url="c.json"/>'), item("sub/two.vtt")
    )
    root = folder.resolve()
    assert feed_files(path) == {root / "one.vtt", root / "c.json", root / "sub" / "two.vtt"}


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ('<!DOCTYPE r [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>', "declares XML entities"),
        ('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]>', "declares XML entities"),
        ("<html/>", "broken XML"),
        ('<?xml version="1.0"?><a>', "broken XML"),
    ],
)
def test_xml_that_is_refused(folder: Path, head: str, words: str) -> None:
    with pytest.raises(UnreadableSource, match=rf"feed\.xml: .*{words}") as caught:
        read_feed(feed(folder, item("one.vtt"), head=head))
    assert "\n" not in str(caught.value)


def test_xml_that_is_no_feed(folder: Path) -> None:
    path = folder / "a.xml"
    path.write_text("<html><body/></html>")
    with pytest.raises(UnreadableSource, match="neither RSS nor Atom"):
        read_feed(path)
    assert sniff_transcript(path) == "other"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize(
    "head", ["", '<?xml version="1.0" encoding="utf-8"?>\n', '<?xml version="1.0" encoding="x"?>']
)
def test_wrong_encodings(folder: Path, encoding: str, head: str) -> None:
    path = feed(folder, item("one.vtt", title="Über Käse"), head=head, encoding=encoding)
    assert read_feed(path)[0].title == "Über Käse"
    assert sniff_transcript(path) == "feed"


def test_a_feed_is_no_transcript(folder: Path) -> None:
    with pytest.raises(NoTranscript, match="a feed, not a transcript"):
        read_transcript(feed(folder, item("one.vtt")))


def test_atom(folder: Path) -> None:
    path = folder / "a.atom"
    path.write_text(f"""<feed xmlns="http://www.w3.org/2005/Atom" {SPACES}><title>Show</title><entry>
        <title type="html">One &amp;lt; two</title><link href="https://x.y/1"/>
        <link rel="enclosure" href="https://x.y/a.mp3"/><published>2024-02-03T04:05:06Z</published>
        <summary>Tea.</summary><podcast:transcript url="one.vtt"/></entry></feed>""")
    [episode] = read_feed(path)
    assert (episode.title, episode.url, episode.description) == ("One < two", "https://x.y/1", "Tea.")
    assert (episode.audio, episode.published) == ("https://x.y/a.mp3", "2024-02-03T04:05:06+00:00")


def test_telling_feeds() -> None:
    for text in (
        "<rss>",
        "\ufeff\n<?xml version='1.0'?>\n<!-- a --><!-- b --><rss version='2.0'>",
        "<rdf:RDF x='y'>",
    ):
        assert is_feed(text)
    assert is_feed("<!DOCTYPE rss [ <!ENTITY a 'b'> ]><rss >")
    for text in ("", "rss", "<html><rss>", "<rssx>", "<!-- <rss> -->", "<!---->" * 9000, "<!--" * 9000):
        assert not is_feed(text)


# --- HTML


def test_html_transcript(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("""<!DOCTYPE html><html><head><title>The &amp; Title</title><style>p {}</style><body>
        <cite>Kevin:</cite> <time>0:00</time> <p>We have <b>an</b><br>update.</p><p>Two.</p>
        <script>x()</script>
        <cite>Alban :</cite><time>1:02:03</time><p>You&#39;re right</p>""")
    found = read_transcript(path)
    assert found.title == "The & Title" and sniff_transcript(path) == "transcript"
    assert [(unit.speaker, unit.start, unit.text) for unit in found.units] == [
        ("Kevin", 0.0, "We have an update."),
        ("Kevin", None, "Two."),
        ("Alban", 3723.0, "You're right"),
    ]


def test_html_without_cited_turns(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("<p>Ada: Good evening.</p><p>Bo: [00:10] Hello &lt;you&gt;.</p><p>1 &lt; 2</p>")
    assert [unit.text for unit in read_transcript(path).units] == ["Good evening.", "Hello <you>.", "1 < 2"]
    assert sniff_transcript(path) == "prose"


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from(PIECES)).map(lambda parts: "".join(parts).encode()),
    ),
    st.sampled_from(["a.html", "a.xml", "a.txt"]),
)
def test_whatever_the_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(content)
    sniff_transcript(path)
    for read in (read_transcript, read_feed):
        try:
            read(path)
        except LexiscopeError as error:
            assert "\n" not in str(error)
