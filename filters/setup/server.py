"""A server that is asked for JSON, and whose refusals are said in plain words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from filters.delivery.access import Access
from filters.errors import OutputFailed

if TYPE_CHECKING:
    from filters.delivery.http import Answer, Http

_LONGEST_REASON = 500
_JSON = {"Content-Type": "application/json"}


class Server:
    """Asks one server.

    Args:
        access: how it is reached; its credentials are kept out of what is said.
        headers: go with each request.
        prefix: goes before each path.
    """

    def __init__(
        self, http: "Http", access: Access, headers: Mapping[str, str] | None = None, prefix: str = ""
    ) -> None:
        self._http = http
        self._access = access
        self._headers = headers or {}
        self._prefix = prefix

    def __str__(self) -> str:
        return str(self._access)

    def find(self, path: str) -> Any:
        """Return what a GET answers, None if there is no such thing.

        Raises:
            OutputFailed: it cannot be asked.
        """
        return self.ask("GET", path, missing=True)

    def ask(
        self, method: str, path: str, body: Any = None, *, missing: bool = False, refused: tuple[int, ...] = ()
    ) -> Any:
        """Return what the JSON of the answer says.

        Args:
            body: a value for JSON, or bytes.
            missing: 404 is an answer, None.
            refused: statuses whose JSON is returned like that of an answer.

        Raises:
            OutputFailed: the server cannot be reached, or refuses.
        """
        encoded = None if body is None else msgspec.json.encode(body)
        return self.send(method, path, encoded, _JSON if encoded else {}, missing=missing, refused=refused)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        missing: bool = False,
        refused: tuple[int, ...] = (),
    ) -> Any:
        """Do what `ask` does, with a body that is ready."""
        answer = self.request(method, path, body, headers)
        if answer.status == 404 and missing:
            return None
        if answer.status not in refused:
            self.check(method, path, answer)
        try:
            return msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            raise OutputFailed(f"{self}: {method} {path}: expected JSON, got another answer") from None

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> "Answer":
        """Return the answer as it is.

        Raises:
            OutputFailed: the server cannot be reached.
        """
        from filters.delivery.http import Unreachable

        try:
            return self._http.request(method, self._prefix + path, body, {**self._headers, **(headers or {})})
        except Unreachable as error:
            raise OutputFailed(self._clean(f"{self} cannot be reached: {error}")) from None

    def check(self, method: str, path: str, answer: "Answer") -> None:
        """Raise OutputFailed with the reason where the answer is a refusal."""
        if not 200 <= answer.status < 300:
            raise OutputFailed(self._said(method, path, answer))

    def _said(self, method: str, path: str, answer: "Answer") -> str:
        reason = self._clean(_reason(answer.body))
        if answer.status == 401:
            ways = "--user and --password-file, --api-key-file or --bearer-file"
            what = "it does not accept the credentials" if self._access.headers else f"it wants to know us: give {ways}"
            return f"{self}: {what} (401{reason and f': {reason}'})"
        if answer.status == 403:
            return f"{self}: {method} {path}: not allowed to us (403{reason and f': {reason}'})"
        return f"{self}: {method} {path}: {answer.status}{reason and f': {reason}'}"

    def _clean(self, text: str) -> str:
        """Return a text on one line, without the credentials that a careless server repeats."""
        for value in self._access.headers.values():
            for secret in (value, value.rpartition(" ")[2]):
                text = text.replace(secret, "***")
        return " ".join(text.split())[:_LONGEST_REASON]


def _reason(body: bytes) -> str:
    """Return why, in the words of Elasticsearch, OpenSearch or Kibana; else the answer itself."""
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body[:_LONGEST_REASON].decode(errors="replace")
    error = said.get("error") if isinstance(said, dict) else None
    if isinstance(error, dict):
        causes, cause = [str(error.get("reason", ""))], error.get("caused_by")
        while isinstance(cause, dict):
            causes.append(str(cause.get("reason", "")))
            cause = cause.get("caused_by")
        return ": ".join(dict.fromkeys(filter(None, causes)))
    if isinstance(said, dict) and said.get("message"):
        return str(said["message"])
    return str(error) if error else body[:_LONGEST_REASON].decode(errors="replace")
