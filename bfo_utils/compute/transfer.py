"""Transfer over HTTP over unreliable connections: pauses and new tries, and files that continue
where they broke off.

Our own, as pooch begins every try anew, and leaves a file of a random name where it is killed; the
retries of urllib3 end where the body of an answer begins, which is where a large file breaks off.
"""

import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import tqdm

from ..errors import InputError

# S before another try; they begin anew with every try that brought something.
PAUSES = (1.0, 2.0, 4.0, 8.0)
_TIMEOUT = 30.0  # s without a byte: the connection counts as lost
_CHUNK = 1 << 16  # bytes; as much is lost at most where a line breaks
_LONGEST_PAUSE = 60.0  # s, where the server asks for one
_AGAIN = "repeat the command later: it continues where it stopped"


def body(url: str) -> bytes:
    """The whole answer to a request, for short ones.

    Parameters
    ----------
    url : str

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        If the server cannot be reached after several tries, or answers with an error.
    """

    def once() -> bytes:
        with _get(url, {}) as response:
            return response.content

    with _explained(url):
        return _persist(once)


def partial(target: Path) -> Path:
    """Where the part of a file that has come is kept.

    Examples
    --------
    >>> partial(Path("a.h5")).name
    'a.h5.part'
    """
    return target.with_name(target.name + ".part")


@dataclass(frozen=True)
class Download:
    """A file that comes in parts: every try goes on with what has come before.

    Attributes
    ----------
    url : str
    part : Path
        File with what has come, see :func:`partial`. It stays where a download is given up or
        killed.
    size : int
        Size of the whole file in bytes.
    """

    url: str
    part: Path
    size: int

    def complete(self) -> None:
        """Fetch what is missing, with a progress bar on stderr; nothing is asked for if nothing is.

        Raises
        ------
        InputError
            If the server cannot be reached after several tries that brought nothing, or does not
            give the file.
        """
        with (
            _explained(self.part.stem),
            tqdm(
                total=self.size, desc=self.part.stem, unit="B", unit_scale=True, file=sys.stderr
            ) as bar,
        ):
            _persist(lambda: self._go_on(bar), self._have)

    def _have(self) -> int:
        """Bytes that have come."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self, bar: tqdm) -> None:
        """Download what is missing, over one connection."""
        have = self._have()
        if have > self.size:
            self.part.unlink()
            have = 0
        if have == self.size > 0:
            return
        with _get(self.url, {"Range": f"bytes={have}-"} if have else {}) as response:
            if response.status_code != 200 and not response.headers.get(
                "Content-Range", ""
            ).startswith(f"bytes {have}-"):
                self.part.unlink(missing_ok=True)
                raise requests.ConnectionError("the server does not have the missing part")
            have = have if response.status_code == 206 else 0
            bar.n = have
            with open(self.part, "ab" if have else "wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
                    if file.tell() > self.size:
                        break
        if self._have() > self.size:
            self.part.unlink()
            raise InputError(
                f"{self.part.stem}: the server sends more than the {self.size} bytes stated in the"
                " record; the file was deleted; look at the record in a browser"
            )
        if self._have() < self.size:
            raise requests.ConnectionError(
                f"the connection ended after {self._have()} of {self.size} bytes"
            )


def _get(url: str, headers: dict[str, str]) -> requests.Response:
    """An open answer of the server: the whole (200), a part (206), or that there is no such part
    (416).

    Raises
    ------
    requests.RequestException
        If there is none, or another error.
    """
    response = requests.get(
        url, headers={"Accept-Encoding": "identity"} | headers, stream=True, timeout=_TIMEOUT
    )
    if response.status_code not in (200, 206, 416):
        response.close()
        raise requests.HTTPError(f"status {response.status_code}", response=response)
    return response


def _persist(action: Callable, reached: Callable[[], int] = lambda: 0):
    """Do something over the network; try again after a pause where it may help.

    A try that has brought something (``reached`` has grown) does not count as failed: a large file
    over a connection that breaks every minute still arrives.
    """
    failed, farthest = 0, reached()
    while True:
        try:
            return action()
        except requests.RequestException as error:
            failed = 0 if reached() > farthest else failed
            farthest = max(farthest, reached())
            if failed == len(PAUSES) or not _passing(error):
                raise
            time.sleep(max(PAUSES[failed], _asked_pause(error)))
            failed += 1


def _passing(error: requests.RequestException) -> bool:
    """Whether an error may be gone in a moment: lost connections, busy servers; not 404 and its
    like.
    """
    status = error.response.status_code if error.response is not None else 503
    return status >= 500 or status in (408, 429)


def _asked_pause(error: requests.RequestException) -> float:
    """Seconds that a busy server asks to wait, a minute at most."""
    asked = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return min(float(asked), _LONGEST_PAUSE) if asked.isdigit() else 0.0


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn an error of the network into one clear line about ``what``."""
    try:
        yield
    except requests.HTTPError as error:
        right = _AGAIN if _passing(error) else "look at the record in a browser; it may have moved"
        answer = error.response
        said = (
            f"{answer.status_code} {answer.reason} for {answer.url}"
            if answer is not None
            else str(error)
        )
        raise InputError(f"{what}: the server answers {said}; {right}") from error
    except requests.RequestException as error:
        raise InputError(f"{what}: {_reason(error)}; check the network and {_AGAIN}") from error


def _reason(error: BaseException) -> str:
    """The innermost cause of an error: libraries wrap what happened in their own."""
    while error.__context__ is not None:
        error = error.__context__
    return textwrap.shorten(str(error) or type(error).__name__, 160, placeholder=" ...")
