import time
from concurrent.futures import ThreadPoolExecutor

from bfo_utils.compute import Cache


def test_work_is_done_once_even_by_threads_at_the_same_time():
    memo, runs = Cache(4), []

    def make():
        runs.append(1)
        time.sleep(0.02)
        return "done"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: memo.once("k", make), range(8))) == {"done"}
    assert len(runs) == 1


def test_the_least_recently_used_goes_first():
    memo, made = Cache(2), []
    for key in "abac":  # b is the oldest when c comes
        memo.once(key, lambda key=key: made.append(key))
    memo.once("a", lambda: made.append("again"))
    memo.once("b", lambda: made.append("b again"))
    assert made == ["a", "b", "c", "b again"]


def test_what_failed_is_tried_again():
    memo = Cache(2)
    for attempt in range(2):
        try:
            memo.once("k", lambda attempt=attempt: 1 / 0 if attempt == 0 else 7)
        except ZeroDivisionError:
            continue
    assert memo.once("k", lambda: 8) == 7


def test_results_that_weigh_more_than_there_is_room_for_make_way():
    memo, made = Cache(9, room=10), []
    for key, weight in (("a", 4), ("b", 4), ("c", 4), ("b", 4), ("huge", 99), ("huge", 99)):
        memo.once(key, lambda key=key: made.append(key), weight)
    memo.once("b", lambda: made.append("b again"), 4)
    assert made == ["a", "b", "c", "huge", "b again"]
