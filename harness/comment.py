"""Put the gate's verdict on a pull request of GitHub or a merge request of GitLab: one comment, updated in place.

    python -m harness.comment comment.md

What there is to know comes from the environment that GitHub Actions and GitLab CI give a job. The comment is found
again by its first line, a hidden marker, among those of its own author: anyone could write the marker.
"""

from __future__ import annotations

import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any

import msgspec

from harness.errors import EXIT_PASS, BadInputError, HarnessError
from harness.records import Record

_MARKER = re.compile(r"<!-- tflm-harness gate [A-Za-z0-9][A-Za-z0-9_.-]* -->")
_GITHUB_API, _GITHUB_AUTHOR = "https://api.github.com", "github-actions[bot]"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TIME_LIMIT_S = 30
_PAGE, _MOST_PAGES = 100, 100
_MOST_BYTES = 32 << 20


class Place(Record, frozen=True):
    """Where comments of one request are: they are listed at and posted to ``comments``, changed at ``comment``/ID.

    ``author`` is the name under which the token writes; ``own``, where it is None, is where to ask for it. ``footer``
    says which commit is meant, "" where that is not known.
    """

    comments: str
    comment: str
    change: str
    headers: dict[str, str]
    author: str | None
    own: str | None = None
    footer: str = ""


class ForbiddenError(HarnessError):
    """The token may not read or write comments there (exit 3)."""


class _Author(msgspec.Struct):
    login: str = ""  # GitHub
    username: str = ""  # GitLab


class _Comment(msgspec.Struct):
    id: int
    body: str | None = None
    user: _Author | None = None  # GitHub
    author: _Author | None = None  # GitLab

    @property
    def by(self) -> str:
        """Who wrote it; "" where that account is gone."""
        who = self.user or self.author or _Author()
        return who.login or who.username


# --- where -----------------------------------------------------------------------------------------------------------


def place(environment: Mapping[str, str]) -> Place | None:
    """The request that this job is of, None where it is of none.

    Raises:
        BadInputError: a variable is missing, or is not what it should be.
    """
    return _gitlab(environment) if environment.get("GITLAB_CI") == "true" else _github(environment)


class _Head(msgspec.Struct):
    sha: str = ""


class _PullRequest(msgspec.Struct):
    number: int
    head: _Head


class _Event(msgspec.Struct):
    pull_request: _PullRequest | None = None


def _github(environment: Mapping[str, str]) -> Place | None:
    path = Path(_variable(environment, "GITHUB_EVENT_PATH", r".+"))
    try:
        request = msgspec.json.decode(path.read_bytes(), type=_Event).pull_request
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: no event of GitHub Actions: {error}", "GITHUB_EVENT_PATH names it") from error
    if request is None:
        return None
    repository = _variable(environment, "GITHUB_REPOSITORY", r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
    issues = f"{_api(environment, 'GITHUB_API_URL', _GITHUB_API)}/repos/{repository}/issues"
    return Place(
        comments=f"{issues}/{request.number}/comments",
        comment=f"{issues}/comments",
        change="PATCH",
        headers={
            "Authorization": f"Bearer {_token(environment, 'GITHUB_TOKEN')}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        author=environment.get("HARNESS_COMMENT_AUTHOR") or _GITHUB_AUTHOR,
        footer=_footer(request.head.sha),
    )


def _gitlab(environment: Mapping[str, str]) -> Place | None:
    if not environment.get("CI_MERGE_REQUEST_IID"):
        return None
    api = _api(environment, "CI_API_V4_URL", None)
    project = _variable(environment, "CI_PROJECT_ID", r"[0-9]+")
    number = _variable(environment, "CI_MERGE_REQUEST_IID", r"[0-9]+")
    notes = f"{api}/projects/{project}/merge_requests/{number}/notes"
    return Place(
        comments=notes,
        comment=notes,
        change="PUT",
        headers={"PRIVATE-TOKEN": _token(environment, "HARNESS_GITLAB_TOKEN")},
        author=None,
        own=f"{api}/user",
        footer=_footer(environment.get("CI_COMMIT_SHA", "")),
    )


def _variable(environment: Mapping[str, str], name: str, pattern: str) -> str:
    value = environment.get(name, "")
    if not re.fullmatch(pattern, value):
        raise BadInputError(f"{name}={value!r} cannot be used", "CI systems set it in their jobs")
    return value


def _api(environment: Mapping[str, str], name: str, default: str | None) -> str:
    """The API's address: the token is sent there, so that it is encrypted unless it stays on this machine."""
    given = environment.get(name) or default or ""
    parts = urllib.parse.urlsplit(given)
    if not parts.hostname or (parts.scheme != "https" and (parts.scheme, parts.hostname) not in _plain()):
        raise BadInputError(f"{name}={given!r} cannot be used", "give an address that begins with https://")
    return given.rstrip("/")


def _plain() -> list[tuple[str, str]]:
    return [("http", host) for host in _LOOPBACK]


def _token(environment: Mapping[str, str], name: str) -> str:
    token = environment.get(name, "")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise BadInputError(f"{name} holds no token", f"give the job one in {name}")
    return token


def _footer(sha: str) -> str:
    return f"\nof commit {sha}\n" if re.fullmatch(r"[0-9a-f]{40,64}", sha) else ""


# --- what ------------------------------------------------------------------------------------------------------------


def put(text: str, where: Place) -> str:
    """Write the comment, or change the one that is there; returns "written" or "updated".

    Args:
        text: Markdown, whose first line is the marker.
        where: the request.

    Raises:
        BadInputError: there is no marker.
        ForbiddenError: the token may not do that.
        HarnessError: the server did not do it.
    """
    marker = text.split("\n", 1)[0]
    if not _MARKER.fullmatch(marker):
        raise BadInputError(f"no marker in the first line: {marker[:80]!r}", "harness gate --output writes comment.md")
    body = msgspec.json.encode({"body": text + where.footer})
    author = where.author or _decoded(_ask(where, "GET", where.own or ""), _Author).username
    for comment in _comments(where):
        if comment.by == author and (comment.body or "").splitlines()[:1] == [marker]:
            _ask(where, where.change, f"{where.comment}/{comment.id}", body)
            return "updated"
    _ask(where, "POST", where.comments, body)
    return "written"


def _comments(where: Place) -> Iterator[_Comment]:
    for page in range(1, _MOST_PAGES + 1):
        found = _decoded(_ask(where, "GET", f"{where.comments}?per_page={_PAGE}&page={page}"), list[_Comment])
        yield from found
        if len(found) < _PAGE:
            return
    raise HarnessError(f"more than {_PAGE * _MOST_PAGES:,} comments", "delete some")


def _decoded(content: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"an answer of the server is not of its API: {error}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token elsewhere."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _ask(where: Place, method: str, url: str, body: bytes | None = None) -> bytes:
    headers = where.headers | {"Content-Type": "application/json", "User-Agent": "tflm-harness"}
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIME_LIMIT_S) as answer:
            content: bytes = answer.read(_MOST_BYTES)
            return content
    except urllib.error.HTTPError as error:
        with error:
            kind = ForbiddenError if error.code in (403, 404) else HarnessError
            raise kind(f"{method} {url}: HTTP {error.code}", detail=_said(error)) from error
    except (OSError, HTTPException) as error:
        raise HarnessError(f"{method} {url}: {error}", "is the server reached from here?") from error


def _said(error: urllib.error.HTTPError) -> str | None:
    try:
        return error.read(2000).decode(errors="replace") or None
    except (OSError, HTTPException):
        return None


# --- the command -----------------------------------------------------------------------------------------------------

_HINT = {
    "GITHUB_TOKEN": (
        "give the job 'permissions: pull-requests: write'; on a pull request from a fork the token may only read, "
        "and the step's summary has the verdict"
    ),
    "HARNESS_GITLAB_TOKEN": "give HARNESS_GITLAB_TOKEN a project access token with the scope api",
}


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Write or update the comment; returns the exit code. Where it may not be written, that is said, and is no failure.

    Exit codes: 0 there is a comment, or there cannot be one; 2 bad input; 3 it could not be written.
    """
    gitlab = environment.get("GITLAB_CI") == "true"
    hint = _HINT["HARNESS_GITLAB_TOKEN" if gitlab else "GITHUB_TOKEN"]
    try:
        if len(arguments) != 1:
            raise BadInputError("give one file, the comment", "python -m harness.comment comment.md")
        where = place(environment)
        if where is None:
            _notice("no comment: this job is not of a pull request", environment)
        else:
            print(f"comment {put(_text(Path(arguments[0])), where)}")
    except ForbiddenError as error:
        _print(error)
        _notice(f"no comment: the token may not write one; {hint}", environment)
    except HarnessError as error:
        _print(error)
        return error.exit_code
    return EXIT_PASS


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: {error}", "harness gate --output writes comment.md") from error


def _notice(text: str, environment: Mapping[str, str]) -> None:
    """In GitHub Actions an annotation; ``text`` holds nothing that anyone else wrote."""
    print(f"::notice title=tflm-harness::{text}" if environment.get("GITHUB_ACTIONS") == "true" else text, flush=True)


def _print(error: HarnessError) -> None:
    from harness.report.tables import printable

    hint = f" ({error.hint})" if error.hint else ""
    said = (f"server: {line}" for line in (error.detail or "").splitlines())  # never first in a line, where "::" counts
    for line in (f"error: {error.message}{hint}", *said):
        print(printable(line), file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], os.environ))
