"""The progress line: rate and time left once there is something to tell, of the step that is under way."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from harness.report.progress import Rate, Steps, _duration


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left() -> None:
    clock = Clock()
    progress = Progress(get_time=clock)
    task = progress.add_task("images", total=1000)
    rate = Rate()
    assert rate.render(progress.tasks[0]).plain == ""
    for done in range(1, 41):
        clock.now = done / 8
        progress.update(task, completed=done)
    assert rate.render(progress.tasks[0]).plain == "8.0/s, 2 min 00 s left"
    progress.update(task, completed=1000)
    assert rate.render(progress.tasks[0]).plain == ""


def test_nothing_is_said_where_the_end_is_not_known() -> None:
    clock = Clock()
    progress = Progress(get_time=clock)
    task = progress.add_task("sizing", total=None)
    clock.now = 1.0
    progress.update(task, completed=1)
    assert Rate().render(progress.tasks[0]).plain == ""


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3661, "61 min 01 s")])
def test_durations(seconds: float, text: str) -> None:
    assert _duration(seconds) == text


def test_each_step_has_a_rate_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.progress.console", _terminal)
    with Steps() as steps:
        live = steps._live
        assert live is not None
        steps("building", 50, 54)
        assert live.tasks[0].completed == 50
        steps("running images", 0, 300)
        task = live.tasks[0]
        assert (task.description, task.completed, task.total, task.speed) == ("running images", 0, 300, None)
        steps("running images", 7, 300)
        assert live.tasks[0].completed == 7


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_the_line_is_one_line(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr("harness.report.progress.console", lambda stderr: _terminal(stderr, width))
    with Steps() as steps:
        assert steps._live is not None
        clock = Clock()
        monkeypatch.setattr(steps._live, "get_time", clock)
        for done in range(1, 20):
            clock.now = 0.7 * done
            steps("building the application of the host reference", done, 54)
        shown = _terminal(True, width)
        with shown.capture() as capture:
            shown.print(steps._live.make_tasks_table(steps._live.tasks))
    lines = capture.get().splitlines()
    assert len(lines) == 1
    assert "19/54" in lines[0] and "1.4/s, 25 s left" in lines[0]


def _terminal(stderr: bool, width: int = 100) -> Console:
    assert stderr
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
