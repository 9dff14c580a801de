"""The gate's comment, against a server on this machine that keeps comments as GitHub and GitLab do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import comment
from tests.unit.comment_server import BOT, SHA, Server, running

MARKER = "<!-- tflm-harness gate pr -->"
TEXT = f"{MARKER}\n### PASS: gate `pr`\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    with running() as made:
        yield made


class Job:
    """A job of GitHub Actions on pull request 7."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.file = folder / "comment.md"
        self.file.write_text(TEXT)
        self.event = folder / "event.json"
        self.event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": SHA}}}))
        self.environment = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": server.url,
            "GITHUB_REPOSITORY": "owner/name",
            "GITHUB_EVENT_PATH": str(self.event),
            "GITHUB_TOKEN": "secret",
        }

    def __call__(self, **changes: str) -> int:
        return comment.main([str(self.file)], self.environment | changes)


@pytest.fixture
def job(server: Server, tmp_path: Path) -> Job:
    return Job(server, tmp_path)


def test_it_is_written_once_and_then_updated(server: Server, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert job() == 0
    assert [item["body"] for item in server.kept] == [f"{TEXT}\nof commit {SHA}\n"]
    assert server.asked == [
        ("GET", "/repos/owner/name/issues/7/comments?per_page=100&page=1", "Bearer secret"),
        ("POST", "/repos/owner/name/issues/7/comments", "Bearer secret"),
    ]
    job.file.write_text(f"{MARKER}\n### FAIL\n")
    assert job() == 0
    assert [item["body"] for item in server.kept] == [f"{MARKER}\n### FAIL\n\nof commit {SHA}\n"]
    assert server.asked[-1] == ("PATCH", "/repos/owner/name/issues/comments/1", "Bearer secret")
    assert capsys.readouterr().out == "comment written\ncomment updated\n"


def test_only_its_own_comment_is_updated(server: Server, job: Job) -> None:
    """Not one of another policy, none that quotes the marker, and none of somebody else who wrote the marker."""
    bodies = [
        ("<!-- tflm-harness gate pr2 -->\nother", BOT),
        (f"> {MARKER}\nquoted", BOT),
        (f"\n{MARKER}", BOT),
        (f"{MARKER}\nPASS, really", "mallory"),
        (f"{MARKER}\nof an account that is gone", ""),
        (None, BOT),
    ]
    server.kept = [{"id": 10 + index, "body": body, "by": by} for index, (body, by) in enumerate(bodies)]
    before = [dict(item) for item in server.kept]
    assert job() == 0
    assert server.kept[:-1] == before and server.kept[-1]["body"].startswith(TEXT)


def test_line_ends_of_the_server_do_not_matter(server: Server, job: Job) -> None:
    server.kept = [{"id": 5, "body": f"{MARKER}\r\nolder\r\n", "by": BOT}]
    assert job() == 0
    assert len(server.kept) == 1 and server.kept[0]["body"].startswith(TEXT)


def test_later_pages_are_read(server: Server, job: Job) -> None:
    server.kept = [{"id": index, "body": "talk", "by": "someone"} for index in range(200)]
    server.kept.append({"id": 999, "body": f"{MARKER}\nolder", "by": "app[bot]"})
    assert job(HARNESS_COMMENT_AUTHOR="app[bot]") == 0
    assert server.methods == ["GET", "GET", "GET", "PATCH"]
    assert server.kept[-1]["body"].startswith(TEXT)


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_may_only_read_is_no_failure(
    server: Server, job: Job, capsys: pytest.CaptureFixture[str], method: str, status: int
) -> None:
    server.refuse = {method: status}
    assert job() == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("::notice title=tflm-harness::no comment: the token may not write one; ")
    assert "pull-requests: write" in captured.out and captured.out.count("\n") == 1
    assert f"HTTP {status}" in captured.err and "Resource not accessible" in captured.err
    # What a server says is no command to the runner.
    assert not re.search(r"^\s*::", captured.err, re.MULTILINE)


@pytest.mark.parametrize("status", [401, 422, 500, 302])
def test_other_refusals_are_errors(server: Server, job: Job, capsys: pytest.CaptureFixture[str], status: int) -> None:
    """A redirect is not followed, as the token would go with it."""
    server.refuse = {"POST": status, "GET": status} if status == 302 else {"POST": status}
    assert job() == 3
    assert f"HTTP {status}" in capsys.readouterr().err
    assert not any("elsewhere" in path for _, path, _ in server.asked)


def test_an_answer_that_is_none(server: Server, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    server.answer = b"<html>"
    assert job() == 3
    assert "not of its API" in capsys.readouterr().err


def test_a_server_that_is_not_there(job: Job, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert job(GITHUB_API_URL="http://127.0.0.1:1") == 3
    assert "is the server reached from here?" in capsys.readouterr().err


def test_a_job_of_no_pull_request(server: Server, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.event.write_text('{"ref": "refs/heads/main"}')
    assert (job(), server.asked) == (0, [])
    assert "this job is not of a pull request" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"GITHUB_API_URL": "http://example.com"}, "GITHUB_API_URL='http://example.com' cannot be used"),
        ({"GITHUB_API_URL": "file:///etc"}, "GITHUB_API_URL='file:///etc' cannot be used"),
        ({"GITHUB_REPOSITORY": "a/b/../c"}, "GITHUB_REPOSITORY='a/b/../c' cannot be used"),
        ({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN holds no token"),
        ({"GITHUB_TOKEN": "a\r\nX: b"}, "GITHUB_TOKEN holds no token"),
        ({"GITHUB_EVENT_PATH": "/no/such/file"}, "/no/such/file: no event of GitHub Actions"),
        ({"GITHUB_EVENT_PATH": ""}, "GITHUB_EVENT_PATH='' cannot be used"),
    ],
)
def test_settings_that_cannot_be_used(
    server: Server, job: Job, capsys: pytest.CaptureFixture[str], changes: dict[str, str], message: str
) -> None:
    assert job(**changes) == 2
    assert (capsys.readouterr().err.startswith(f"error: {message}"), server.asked) == (True, [])


def test_a_file_without_a_marker(server: Server, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.file.write_text("<!-- tflm-harness gate x --> y\n")
    assert (job(), server.asked) == (2, [])
    job.file.unlink()
    assert (job(), server.asked) == (2, [])
    assert comment.main([], job.environment) == 2
    assert "no marker in the first line" in capsys.readouterr().err


def gitlab(server: Server) -> dict[str, str]:
    return {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": f"{server.url}/api/v4",
        "CI_PROJECT_ID": "12",
        "CI_MERGE_REQUEST_IID": "3",
        "CI_COMMIT_SHA": SHA,
        "HARNESS_GITLAB_TOKEN": "secret",
    }


def test_notes_of_gitlab(server: Server, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    server.kept = [{"id": 4, "body": f"{MARKER}\nfaked", "by": "mallory"}]
    assert comment.main([str(job.file)], gitlab(server)) == 0
    assert comment.main([str(job.file)], gitlab(server)) == 0
    assert [item["body"] for item in server.kept] == [f"{MARKER}\nfaked", f"{TEXT}\nof commit {SHA}\n"]
    notes = "/api/v4/projects/12/merge_requests/3/notes"
    assert [(method, path) for method, path, _ in server.asked] == [
        ("GET", "/api/v4/user"),
        ("GET", f"{notes}?per_page=100&page=1"),
        ("POST", notes),
        ("GET", "/api/v4/user"),
        ("GET", f"{notes}?per_page=100&page=1"),
        ("PUT", f"{notes}/2"),
    ]
    assert {token for _, _, token in server.asked} == {"secret"}
    assert capsys.readouterr().out == "comment written\ncomment updated\n"


def test_jobs_of_gitlab_without_a_merge_request_or_a_token(
    server: Server, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert comment.main([str(job.file)], gitlab(server) | {"CI_MERGE_REQUEST_IID": ""}) == 0
    assert comment.main([str(job.file)], gitlab(server) | {"HARNESS_GITLAB_TOKEN": ""}) == 2
    server.refuse = {"POST": 403}
    assert comment.main([str(job.file)], gitlab(server)) == 0
    out = capsys.readouterr().out
    assert "scope api" in out and "::" not in out
