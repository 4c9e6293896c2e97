import time
from concurrent.futures import ThreadPoolExecutor

from bfo_utils.compute import Cache


def test_work_is_done_once_even_by_threads_at_the_same_time():
    cache, runs = Cache(4), []

    def make():
        runs.append(1)
        time.sleep(0.02)
        return "done"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: cache.once("k", make), range(8))) == {"done"}
    assert len(runs) == 1


def test_the_least_recently_used_goes_first():
    cache, made = Cache(2), []
    for key in "abac":  # b is the oldest when c comes
        cache.once(key, lambda key=key: made.append(key))
    cache.once("a", lambda: made.append("again"))
    cache.once("b", lambda: made.append("b again"))
    assert made == ["a", "b", "c", "b again"]


def test_what_failed_is_tried_again():
    cache = Cache(2)
    for attempt in range(2):
        try:
            cache.once("k", lambda attempt=attempt: 1 / 0 if attempt == 0 else 7)
        except ZeroDivisionError:
            continue
    assert cache.once("k", lambda: 8) == 7


def test_results_that_weigh_more_than_there_is_room_for_make_way():
    cache, made = Cache(9, room=10), []
    for key, weight in (("a", 4), ("b", 4), ("c", 4), ("b", 4), ("huge", 99), ("huge", 99)):
        cache.once(key, lambda key=key: made.append(key), weight)
    cache.once("b", lambda: made.append("b again"), 4)
    assert made == ["a", "b", "c", "huge", "b again"]
