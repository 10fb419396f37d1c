"""A small web server on this computer that can resume, break off, dawdle and change its mind."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Offer:
    """What the server has, and how it misbehaves; `asked` collects the Range header of every request."""

    content: bytes
    etag: str = '"first"'
    resumes: bool = True
    breaks_after: int | None = None
    waits_s: float = 0.0
    status: int = 200
    asked: list[str | None] = field(default_factory=list)


@contextlib.contextmanager
def serving(offer: Offer) -> Iterator[str]:
    """Address of the file while the server runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            offer.asked.append(wanted)
            if offer.status != 200:
                self.send_error(offer.status)
                return
            same = self.headers.get("If-Range", offer.etag) == offer.etag
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and offer.resumes and same else 0
            if start > len(offer.content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(offer.content) - 1}/{len(offer.content)}")
            self.send_header("Content-Length", str(len(offer.content) - start))
            if offer.etag:
                self.send_header("ETag", offer.etag)
            self.end_headers()
            rest = offer.content[start:]
            self.wfile.write(rest[: offer.breaks_after])
            if offer.waits_s:
                self.wfile.flush()
                time.sleep(offer.waits_s)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/weights.pt"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
