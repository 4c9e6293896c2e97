"""An archive on this computer that answers as Zenodo does, and fails on demand."""

import hashlib
import json
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Faults:
    """What goes wrong, by the name of the file.

    ``drops``: after how many bytes each of the next answers breaks off; ``damaged``, ``missing``,
    ``moved`` (a redirect), ``wordy`` (more bytes than the record says); ``busy``: how many requests
    are answered by ``busy_status``; ``no_ranges``: the server always sends the whole file;
    ``answer``: text instead of the record's description; ``stalled``: files of which half is sent,
    and then nothing until this is lifted; ``slow``: seconds between two pieces of 32 KiB.
    """

    drops: dict[str, list[int]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    wordy: set[str] = field(default_factory=set)
    busy: int = 0
    busy_status: int = 503
    no_ranges: bool = False
    answer: str | None = None
    stalled: set[str] = field(default_factory=set)
    slow: float = 0.0


class LocalZenodo:
    """Serve the files of a folder as one record; use it as a context manager.

    ``log`` holds (path, Range header) of every request; ``spelled`` how the record spells names of
    files.
    """

    def __init__(self, folder):
        self.files = {p.name: p.read_bytes() for p in sorted(Path(folder).iterdir())}
        self.faults, self.log, self.spelled = Faults(), [], {}
        self.httpd = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"archive": self})
        )
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.httpd.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()

    def requests(self, name):
        """Range headers of the requests for a file, in order."""
        return [wanted for path, wanted in self.log if path.endswith(f"/{name}")]

    def description(self):
        """The record's description as the archive's API gives it."""
        listed = [
            {
                "key": self.spelled.get(name, name),
                "size": len(data),
                "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
                "links": {"self": "unused"},
            }
            for name, data in self.files.items()
        ]
        return json.dumps(
            {"id": 4555979, "metadata": {"license": {"id": "cc-by-4.0"}}, "files": listed}
        )


class _Handler(BaseHTTPRequestHandler):
    archive: LocalZenodo

    def log_message(self, *_):
        """Keep quiet."""

    def do_GET(self):
        faults, path = self.archive.faults, unquote(urlsplit(self.path).path)
        self.archive.log.append((path, self.headers.get("Range")))
        spelled = {self.archive.spelled.get(name, name): name for name in self.archive.files}
        name = spelled.get(path.split("/")[-1])
        if faults.busy:
            faults.busy -= 1
            self.answer(faults.busy_status, b"busy", {"Retry-After": "0"})
        elif path.startswith("/api/records/"):
            self.answer(200, (faults.answer or self.archive.description()).encode())
        elif name is None or name in faults.missing:
            self.answer(404, b"no such file")
        elif name in faults.moved and path.startswith("/records/"):
            self.answer(302, b"", {"Location": f"{self.archive.url}/elsewhere/{name}"})
        else:
            self.send_file(name, faults)

    def send_file(self, name, faults):
        data = self.archive.files[name]
        if name in faults.damaged:
            data = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        data += b"more" * (name in faults.wordy)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and not faults.no_ranges else 0
        if start >= len(data):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        drops = faults.drops.get(name)
        if name in faults.stalled:
            self.answer(200, data, headers, len(data) // 2)
            while name in faults.stalled:
                time.sleep(0.02)
            return None
        return self.answer(
            206 if start else 200, data[start:], headers, drops.pop(0) if drops else None
        )

    def answer(self, status, data, headers=(), drop=None):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **dict(headers)}.items():
            self.send_header(key, value)
        self.end_headers()
        with suppress(ConnectionError):  # the other side was killed
            data = data[:drop]
            for first in range(0, len(data), 1 << 15):
                self.wfile.write(data[first : first + (1 << 15)])
                time.sleep(self.archive.faults.slow)
