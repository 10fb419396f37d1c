"""Fetching from a server on this computer that breaks off, dawdles and lies."""

import hashlib
import socket
import subprocess
import time
from dataclasses import replace

import pytest
from file_server import Offer, serving

from napari_mritransfer.zoo.download import (
    DownloadFailed,
    DownloadStopped,
    NotFetched,
    cache_folder,
    cached,
    fetch,
    fetched_file,
    git_blob_sha1,
)
from napari_mritransfer.zoo.published import PUBLISHED, PublishedWeights, published_weights

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def entry(url, sha256=SHA256, **changes):
    described = PublishedWeights("small", "Small", "unet", {}, url, sha256, None, "MIT", len(CONTENT), "", "")
    return replace(described, **changes)


def test_what_was_fetched_is_whole_and_is_not_fetched_again(tmp_path):
    offer, told = Offer(CONTENT), []
    with serving(offer) as url:
        path = fetch(entry(url), lambda done, total: told.append((done, total)), cache=tmp_path)
        assert path == cached(entry(url), tmp_path) == fetched_file(entry(url), tmp_path)
        assert fetch(entry(url), cache=tmp_path) == path
    assert path.name == "small.pt"
    assert path.read_bytes() == CONTENT
    assert offer.asked == [None]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert [p.name for p in tmp_path.iterdir()] == ["small.pt"]


def test_a_download_that_broke_off_goes_on_where_it_was(tmp_path):
    offer = Offer(CONTENT, breaks_after=300_000)
    with serving(offer) as url:
        with pytest.raises(DownloadFailed, match=r"ended after 300,000 of 1,024,000 bytes.*goes on from what is there"):
            fetch(entry(url), cache=tmp_path)
        assert cached(entry(url), tmp_path) is None
        offer.breaks_after = None
        told = []
        path = fetch(entry(url), lambda done, total: told.append(done), cache=tmp_path)
    assert path.read_bytes() == CONTENT
    assert offer.asked == [None, "bytes=300000-"]
    assert told[0] == 300_000
    assert [p.name for p in tmp_path.iterdir()] == ["small.pt"]


@pytest.mark.parametrize("change", [{"etag": '"second"'}, {"resumes": False}], ids=["another version", "cannot resume"])
def test_parts_of_two_versions_are_never_joined(tmp_path, change):
    offer = Offer(bytes(len(CONTENT)), breaks_after=300_000)
    with serving(offer) as url:
        with pytest.raises(DownloadFailed):
            fetch(entry(url), cache=tmp_path)
        for name, value in {"content": CONTENT, "breaks_after": None, **change}.items():
            setattr(offer, name, value)
        assert fetch(entry(url), cache=tmp_path).read_bytes() == CONTENT


def test_without_a_version_a_download_begins_anew(tmp_path):
    offer = Offer(CONTENT, etag="", breaks_after=300_000)
    with serving(offer) as url:
        with pytest.raises(DownloadFailed):
            fetch(entry(url), cache=tmp_path)
        offer.breaks_after = None
        assert fetch(entry(url), cache=tmp_path).read_bytes() == CONTENT
    assert offer.asked == [None, None]


def test_a_part_longer_than_the_file_is_forgotten(tmp_path):
    offer = Offer(CONTENT)
    (tmp_path / "small.pt.part").write_bytes(CONTENT + b"more")
    (tmp_path / "small.pt.part.version").write_text('"first"')
    with serving(offer) as url:
        assert fetch(entry(url), cache=tmp_path).read_bytes() == CONTENT
    assert len(offer.asked) == 2


def test_stopping_keeps_what_is_there(tmp_path):
    offer, pieces = Offer(CONTENT), []
    with serving(offer) as url:
        with pytest.raises(DownloadStopped):
            fetch(entry(url), lambda done, total: pieces.append(done), lambda: len(pieces) > 2, cache=tmp_path)
        assert cached(entry(url), tmp_path) is None
        assert fetch(entry(url), cache=tmp_path).read_bytes() == CONTENT
    assert offer.asked[1] == f"bytes={pieces[-1]}-"


def test_a_file_that_is_not_the_published_one_is_thrown_away(tmp_path):
    with serving(Offer(CONTENT[:-1] + b"!")) as url:
        with pytest.raises(DownloadFailed, match=r"not the file that was published \(its SHA-256 differs\)"):
            fetch(entry(url), cache=tmp_path)
        with pytest.raises(DownloadFailed, match=r"its git checksum differs"):
            fetch(entry(url, sha256=None, git_blob_sha1="0" * 40), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


PREFIX = SHA256[:8]


def test_the_beginning_of_a_checksum_will_do(tmp_path):
    offer = Offer(CONTENT)
    with serving(offer) as url:
        path = fetch(entry(url, PREFIX), cache=tmp_path)
        assert path.read_bytes() == CONTENT
        assert fetch(entry(url, PREFIX), cache=tmp_path) == path
    assert offer.asked == [None]
    assert (tmp_path / "small.pt.sha256").read_text() == SHA256, "the whole of it is known from now on"


def test_a_file_whose_checksum_begins_differently_is_thrown_away(tmp_path):
    other = f"{PREFIX[:-1]}{(int(PREFIX[-1], 16) + 1) % 16:x}"
    with serving(Offer(CONTENT)) as url, pytest.raises(DownloadFailed, match=r"\(its SHA-256 differs\)"):
        fetch(entry(url, other), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("noted", [None, SHA256, "0" * 64, ""], ids=["nothing", "this", "another", "empty"])
def test_a_file_that_was_copied_there_is_verified_before_it_is_used(tmp_path, noted):
    """Right or wrong, and whatever was noted beside it."""
    if noted is not None:
        (tmp_path / "small.pt.sha256").write_text(noted)
    offer = Offer(CONTENT)
    with serving(offer) as url:
        (tmp_path / "small.pt").write_bytes(CONTENT)
        assert fetch(entry(url, PREFIX), cache=tmp_path).read_bytes() == CONTENT
        assert offer.asked == []
        (tmp_path / "small.pt").write_bytes(b"damaged")
        assert fetch(entry(url, PREFIX), cache=tmp_path).read_bytes() == CONTENT
        assert offer.asked == [None]
    assert (tmp_path / "small.pt.sha256").read_text() == SHA256


@pytest.mark.parametrize("digits", ["", SHA256[:7], SHA256 + "0", SHA256.upper(), "f37072fg"])
def test_a_checksum_that_checks_next_to_nothing_is_refused(digits):
    with pytest.raises(ValueError, match="at least 8 hexadecimal digits"):
        entry("http://127.0.0.1:1/weights.pt", digits)


def test_people_are_told_how_much_is_known_of_a_checksum():
    url = "http://127.0.0.1:1/weights.pt"
    assert entry(url).checksum == "known"
    assert entry(url, None).checksum == "none was published"
    assert entry(url, PREFIX).checksum == "only the first 8 of 64 digits are known (from the name of the file)"


def test_gits_own_checksum(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    told = subprocess.run(["git", "hash-object", tmp_path / "file"], capture_output=True, text=True, check=True)
    assert git_blob_sha1(tmp_path / "file") == told.stdout.strip()


def test_without_a_published_checksum_a_change_is_noticed_later(tmp_path):
    with serving(Offer(CONTENT)) as url:
        path = fetch(entry(url, sha256=None), cache=tmp_path)
        assert (tmp_path / "small.pt.sha256").read_text() == SHA256
        path.write_bytes(b"damaged")
        assert fetch(entry(url, sha256=None), cache=tmp_path).read_bytes() == CONTENT  # fetched again


def one_sentence(caught, url):
    message = str(caught.value)
    assert url in message
    assert message.endswith("give its path.")
    assert ". " not in message


def test_no_server_is_one_sentence_with_the_address(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/weights.pt"
        with pytest.raises(DownloadFailed, match="refused") as caught:
            fetch(entry(url), cache=tmp_path)
    one_sentence(caught, url)


def test_a_server_that_does_not_answer_is_not_waited_for(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/weights.pt"
        began = time.perf_counter()
        with pytest.raises(DownloadFailed, match="timed out") as caught:
            fetch(entry(url), cache=tmp_path, timeout_s=0.2)
    assert time.perf_counter() - began < 5
    one_sentence(caught, url)


def test_a_server_that_falls_asleep_is_not_waited_for(tmp_path):
    offer = Offer(CONTENT, breaks_after=300_000, waits_s=2)
    with serving(offer) as url:
        began = time.perf_counter()
        with pytest.raises(DownloadFailed, match="timed out") as caught:
            fetch(entry(url), cache=tmp_path, timeout_s=0.2)
        assert time.perf_counter() - began < 1.5
        one_sentence(caught, url)
        offer.breaks_after, offer.waits_s = None, 0
        assert fetch(entry(url), cache=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_server_that_has_nothing_says_why(tmp_path, status):
    with serving(Offer(CONTENT, status=status)) as url, pytest.raises(DownloadFailed) as caught:
        fetch(entry(url), cache=tmp_path)
    one_sentence(caught, url)
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_fetched_is_not_downloaded_behind_anybodys_back(tmp_path):
    with pytest.raises(NotFetched, match=r"run `mritransfer models fetch small` \(about 1 MB\), or give the path"):
        fetched_file(entry("http://127.0.0.1:1/weights.pt"), tmp_path)


def test_the_cache_may_be_moved(monkeypatch, tmp_path):
    assert cache_folder().name == "models"
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_published_entries_are_complete():
    names = [row.name for row in PUBLISHED]
    assert len(set(names)) == len(names) == 15
    for row in PUBLISHED:
        assert published_weights(row.name, kind=None) is row
        assert (published_weights(row.name) is row) == (row.kind == "reconstruction")
        assert row.url.startswith("https://")
        assert row.file_name.endswith((".pt", ".pkl", ".pth", ".p"))
        assert row.licence
        assert row.conventions
        assert row.training
        assert row.about.startswith("about")
        assert row.sha256 is None or len(row.sha256) in (8, 64)
        assert row.sha256 is None or len(row.sha256) == 64 or f"-{row.sha256}." in row.url
    assert published_weights("nobody") is None
    assert all("none stated" in row.licence for row in PUBLISHED if row.architecture == "istanet")
    assert replace(PUBLISHED[0], size_bytes=None).about == "of unknown size"
