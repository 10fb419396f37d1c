"""Fetching published weights when asked to: resumed after an interruption, verified, kept in a cache. No torch here."""

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.lock import locked
from napari_mritransfer.zoo.published import PublishedWeights

LARGEST_BYTES = 4 * 2**30
TIMEOUT_S = 30.0
"""Seconds to wait for a connection, and for each next piece."""
_CHUNK = 2**18
_WHOLE = 64  # hexadecimal digits of a SHA-256

Progress = Callable[[int, int | None], None]
"""Told (bytes there, all bytes or None if the server does not say)."""


class DownloadFailed(BadInput):
    """Weights that could not be fetched; the message is one sentence that names the address and another way."""


class DownloadStopped(Exception):
    """The caller asked to stop; what is there already is kept, and the next attempt goes on from it."""


class NotFetched(BadInput):
    """Published weights that nobody downloaded yet."""


def cache_folder() -> Path:
    """Where fetched weights lie: the user's cache, or the folder named by ``MRITRANSFER_CACHE``."""
    import pooch  # with what it needs for the network, too slow for every start of the program

    chosen = os.environ.get("MRITRANSFER_CACHE")
    return Path(chosen) if chosen else Path(pooch.os_cache("napari-mritransfer")) / "models"


def cached(entry: PublishedWeights, cache: Path | None = None) -> Path | None:
    """The fetched file, if it is there."""
    path = (cache or cache_folder()) / entry.file_name
    return path if path.is_file() else None


def fetched_file(entry: PublishedWeights, cache: Path | None = None) -> Path:
    """The fetched file.

    Raises
    ------
    NotFetched
        If it is not there: nothing is downloaded unless somebody asks for it.
    """
    path = cached(entry, cache)
    if path is None:
        raise NotFetched(
            f"{entry.name} is not on this computer; run `mritransfer models fetch {entry.name}` ({entry.about}), "
            "or give the path of the file if you have it."
        )
    return path


def fetch(
    entry: PublishedWeights,
    on_progress: Progress = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    cache: Path | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
) -> Path:
    """Download published weights into the cache, unless they are there and whole.

    What arrives is written beside its final place and renamed when it is complete and verified. Where no checksum was
    published, the one of the first download is kept beside the file, and a later call notices if the file changed.

    Parameters
    ----------
    entry
        What to fetch.
    on_progress
        See `Progress`.
    should_stop
        Asked after every piece.
    cache
        Folder to keep it in; `cache_folder` if omitted.
    timeout_s
        See `TIMEOUT_S`.

    Returns
    -------
    path
        Of the file in the cache.

    Raises
    ------
    DownloadFailed
        If it cannot be reached or is not the file that was published.
    DownloadStopped
        If `should_stop` said so.
    InUse
        If another process is downloading into the same folder.
    """
    folder = cache or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        return _fetch(entry, on_progress, should_stop, folder, timeout_s)


def _fetch(
    entry: PublishedWeights, on_progress: Progress, should_stop: Callable[[], bool], folder: Path, timeout_s: float
) -> Path:
    import pooch

    noted = folder / f"{entry.file_name}.sha256"
    known = _known(entry, folder / entry.file_name, noted)
    pooch.get_logger().setLevel("ERROR")  # its notes are for programmers
    try:
        path = Path(
            pooch.retrieve(
                entry.url,
                f"sha256:{known}" if known else None,
                fname=entry.file_name,
                path=folder,
                downloader=partial(
                    _download, entry=entry, on_progress=on_progress, should_stop=should_stop, timeout_s=timeout_s
                ),
            )
        )
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise _another_file(entry, "SHA-256") from error
    if known is None or known != entry.sha256:  # nobody published the whole of it
        noted.write_text(known or sha256_of(path), encoding="ascii")
    return path


def _known(entry: PublishedWeights, path: Path, noted: Path) -> str | None:
    """The whole SHA-256 that the file has to have; None if no more is known of it than the entry says.

    A file that lies there already and is not the one that was published, as far as that is known, is forgotten.
    """
    if entry.git_blob_sha1 is not None and path.is_file() and git_blob_sha1(path) != entry.git_blob_sha1:
        path.unlink()
        noted.unlink(missing_ok=True)
    published = entry.sha256 or ""
    if len(published) == _WHOLE:
        return published
    known = noted.read_text("ascii").strip() if noted.is_file() else ""
    if known and known.startswith(published):
        return known
    if not published or not path.is_file():
        return None
    found = sha256_of(path)
    if found.startswith(published):
        return found
    path.unlink()
    return None


def _another_file(entry: PublishedWeights, what: str) -> DownloadFailed:
    return DownloadFailed(
        f"What came from {entry.url} is not the file that was published (its {what} differs), so it was thrown away; "
        "try again later, or give the path of a copy you trust."
    )


def _download(
    url: str,
    output_file: str,
    _pooch: object,
    *,
    entry: PublishedWeights,
    on_progress: Progress,
    should_stop: Callable[[], bool],
    timeout_s: float,
) -> None:
    """What pooch calls to fill its temporary file, which it verifies and renames."""
    part = Path(output_file).parent / f"{entry.file_name}.part"
    try:
        _resume(url, part, on_progress, should_stop, timeout_s)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadFailed(
            f"{entry.name} could not be downloaded from {url} ({_one_line(reason)}); check the network and try again, "
            "which goes on from what is there, or download the file elsewhere and give its path."
        ) from error
    for what, differs in (
        ("git checksum", entry.git_blob_sha1 is not None and git_blob_sha1(part) != entry.git_blob_sha1),
        ("SHA-256", entry.sha256 is not None and not sha256_of(part).startswith(entry.sha256)),
    ):
        if differs:
            part.unlink()
            _validator(part).unlink(missing_ok=True)
            raise _another_file(entry, what)
    os.replace(part, output_file)
    _validator(part).unlink(missing_ok=True)


def _resume(url: str, part: Path, on_progress: Progress, should_stop: Callable[[], bool], timeout_s: float) -> None:
    """Append what is missing to a part; begin anew where the server has another version or cannot resume."""
    there = part.stat().st_size if part.is_file() else 0
    validator = _validator(part).read_text("utf-8") if _validator(part).is_file() else ""
    headers = {"User-Agent": "napari-mritransfer", "Accept-Encoding": "identity"}
    if there and validator:  # without one, nobody can tell whether the rest belongs to this part
        headers |= {"Range": f"bytes={there}-", "If-Range": validator}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or "Range" not in headers:
            raise
        part.unlink()  # longer than the file is now
        _resume(url, part, on_progress, should_stop, timeout_s)
        return
    with response:
        goes_on = response.status == http.client.PARTIAL_CONTENT and _begins_at(response) == there
        done = there if goes_on else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length is not None else None
        if (total or 0) > LARGEST_BYTES:
            raise OSError("it is larger than 4 GiB")
        _validator(part).write_text(_version(response), encoding="utf-8")
        with part.open("ab" if goes_on else "wb") as file:
            on_progress(done, total)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                on_progress(done, total)
                if done > LARGEST_BYTES:
                    raise OSError("it is larger than 4 GiB")
                if should_stop():
                    raise DownloadStopped
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done:,} of {total:,} bytes")


def git_blob_sha1(path: Path) -> str:
    """The checksum under which git knows a file's bytes."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _validator(part: Path) -> Path:
    """Where it is noted which version of the file a part belongs to."""
    return part.with_name(f"{part.name}.version")


def _version(response: http.client.HTTPResponse) -> str:
    """A strong ETag or the date of the last change, as ``If-Range`` wants it; empty if the server names neither."""
    tag: str = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return str(response.headers.get("Last-Modified", ""))


def _begins_at(response: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split()).rstrip(".") or type(reason).__name__
