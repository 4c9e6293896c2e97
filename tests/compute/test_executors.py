import os
import signal
import time

import pytest

from bfo_utils.compute import Beside, executors
from bfo_utils.errors import InputError


def refuse(name):
    raise InputError(f"{name}: no such thing")


def has_ended(number):
    for _ in range(100):
        try:
            os.kill(number, 0)
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_work_is_done_in_one_other_process_that_ends_with_the_block():
    with Beside(["json"]) as beside:
        numbers = {beside.submit(os.getpid)() for _ in range(3)}
    assert len(numbers) == 1
    assert os.getpid() not in numbers
    assert has_ended(numbers.pop())


def test_arguments_are_those_of_the_call_and_errors_come_back():
    with Beside() as beside:
        values = [1, 2]
        total, refused = beside.submit(sum, values), beside.submit(refuse, "x")
        values.append(4)
        assert total() == 3
        with pytest.raises(InputError, match="x: no such thing"):
            refused()


def test_a_killed_process_costs_time_and_no_result():
    with Beside() as beside:
        number = beside.submit(os.getpid)()
        asleep, waiting = beside.submit(time.sleep, 0.5), beside.submit(divmod, 7, 2)
        os.kill(number, signal.SIGKILL)
        assert asleep() is None
        assert waiting() == (3, 1)
        assert has_ended(number)
        assert beside.submit(divmod, 9, 2)() == (4, 1)


def test_without_other_processes_the_work_is_done_here(monkeypatch):
    monkeypatch.setattr(executors, "_hindrance", lambda: "/dev/shm: full")
    with Beside(["json"]) as beside:
        assert beside.submit(os.getpid)() == os.getpid()


def test_a_system_without_room_for_a_process_is_no_error(monkeypatch):
    def refused():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(executors, "_fresh_process", refused)
    with Beside(["json"]) as beside:
        assert beside.submit(os.getpid)() == os.getpid()
