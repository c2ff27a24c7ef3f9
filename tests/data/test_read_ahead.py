"""Reading ahead: in order, in one thread, at most one part ahead, and without leaving a thread."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from functools import partial

import pytest

from mlflow_interp.data.read_ahead import Decoders, read_ahead


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("mlflow-interp-read")]


def test_results_are_ordered_and_computed_in_one_thread() -> None:
    made_in = set()

    def job(number: int) -> int:
        made_in.add(threading.get_ident())
        time.sleep(0.002 * (number % 3))
        return number

    assert list(read_ahead(partial(job, number) for number in range(20))) == list(range(20))
    assert len(made_in) == 1
    assert threading.get_ident() not in made_in
    assert ours() == []


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 5, 100])
def test_files_are_decoded_in_order_by_as_many_threads_as_may_work(monkeypatch, threads, count):
    monkeypatch.setattr("mlflow_interp.data.read_ahead.allowed_threads", lambda: threads)
    used = set()

    def decode(number: int) -> int:
        used.add(threading.get_ident())
        time.sleep(0.001)
        return 2 * number

    with Decoders() as decoders:
        assert decoders.map(decode, range(count)) == [2 * number for number in range(count)]
        with pytest.raises(ZeroDivisionError):
            decoders.map(lambda number: 1 // number, [1, 0, 1])
    assert len(used) <= threads
    assert threading.get_ident() not in used or threads == 1


def test_next_part_is_computed_while_one_is_used() -> None:
    begun = [threading.Event() for _ in range(4)]
    parts = read_ahead(iter([event.set for event in begun]))
    next(parts)
    assert begun[1].wait(10)
    time.sleep(0.05)
    assert [event.is_set() for event in begun] == [True, True, False, False]
    parts.close()


def test_jobs_are_read_and_closed_by_the_caller() -> None:
    taken_in, closed = set(), []

    def jobs() -> Iterator[partial[int]]:
        try:
            for number in range(10):
                taken_in.add(threading.get_ident())
                yield partial(int, number)
        finally:
            closed.append(ours())

    parts = read_ahead(jobs())
    next(parts)
    parts.close()
    assert taken_in == {threading.get_ident()}
    assert closed == [[]]


def test_error_is_raised_in_order_with_its_traceback() -> None:
    def job(number: int) -> float:
        return 1 / (2 - number)

    parts = read_ahead(partial(job, number) for number in range(10))
    assert [next(parts), next(parts)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError) as caught:
        next(parts)
    assert "1 / (2 - number)" in "".join(traceback.format_exception(caught.value))
    assert ours() == []


def test_error_of_the_jobs_is_raised_after_earlier_results() -> None:
    def jobs() -> Iterator[partial[int]]:
        yield partial(int, 0)
        raise OSError("gone")

    parts = read_ahead(jobs())
    assert next(parts) == 0
    with pytest.raises(OSError, match="gone"):
        next(parts)
    assert list(parts) == []
    assert ours() == []


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_no_thread_remains_if_reading_stops(taken: int) -> None:
    parts = read_ahead(partial(time.sleep, 0.001) for _ in range(10))
    for _ in range(taken):
        next(parts)
    parts.close()
    assert ours() == []


def test_no_jobs() -> None:
    assert list(read_ahead(iter(()))) == []
