"""Progress is reported if requested; in lines if output is not a terminal."""

from __future__ import annotations

import re
import threading
import time

import pytest

from mlflow_interp import progress


def test_nothing_is_reported_unless_requested(capsys):
    assert list(progress.track([1, 1], total=2, label="Grad-CAM", unit="pass")) == [1, 1]
    progress.say("unheard")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("items", "total", "line"),
    [
        ([3, 3], 6, r"Grad-CAM: 6/6 inputs \[00:00<00:00, .* inputs/s\]"),
        ([["a", "b"], ["c"]], None, r"Grad-CAM: 3/\? inputs \[00:00<.*inputs/s\]"),
    ],
)
def test_line_at_the_end_states_the_number(capsys, items, total, line):
    with progress.shown(True):
        assert list(progress.track(items, total=total, label="Grad-CAM", unit="input")) == items
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(f"{line}\n", err)


def test_lines_at_intervals(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 1e-9)
    with progress.shown(True):
        list(progress.track([1] * 3, total=3, label="Saliency", unit="pass"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(set(lines)) > 1
    assert lines[-1].startswith("Saliency: 3/3 passes [")


def test_failed_work_is_not_reported_as_done(capsys):
    with progress.shown(True), pytest.raises(ZeroDivisionError):
        [1 / 0 for _ in progress.track([1], total=1, label="Grad-CAM", unit="input")]
    assert capsys.readouterr().err == ""


def test_threads_report_in_lines(capsys):
    """A second bar must not move the cursor if output is not a terminal."""

    def work(label):
        with progress.shown(True):
            for _ in progress.track([1] * 3, total=3, label=label, unit="input"):
                time.sleep(0.05)

    threads = [threading.Thread(target=work, args=(label,)) for label in ("Grad-CAM", "Saliency")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["Grad-CAM", "Saliency"]
