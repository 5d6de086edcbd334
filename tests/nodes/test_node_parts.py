"""The pure parts of a node: mailbox, worker, arrivals, continuity, vitals."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.nodes.arrivals import Arrivals
from robovalue_ros.nodes.continuity import GAP_NS, JUMP_NS, LATE_NS, Continuity
from robovalue_ros.nodes.mailbox import Mailbox
from robovalue_ros.nodes.vitals import MOST_KEPT, Vitals
from robovalue_ros.nodes.worker import Worker

MS = 1_000_000


# Mailbox and worker


def test_a_mailbox_keeps_the_newest_and_counts_the_rest() -> None:
    box: Mailbox[int] = Mailbox()
    assert [box.put(item) for item in (1, 2, 3)] == [False, True, True]
    assert box.take() == 3
    assert box.take(0.0) is None
    assert box.counts == (3, 1, 2)


@given(st.lists(st.sampled_from(["put", "take", "close"]), max_size=40))
def test_every_item_of_a_mailbox_is_accounted_for(steps: list[str]) -> None:
    box: Mailbox[int] = Mailbox()
    taken = []
    for number, step in enumerate(steps):
        if step == "put":
            box.put(number)
        elif step == "close":
            box.close()
        elif (item := box.take(0.0)) is not None:
            taken.append(item)
    put, got, dropped = box.counts
    assert got == len(taken) and taken == sorted(taken)
    assert put - got - dropped == (box.take(0.0) is not None)


def test_none_can_be_told_from_an_empty_box() -> None:
    box: Mailbox[None] = Mailbox()
    box.put(None)
    assert box.take(0.0) is None
    assert box.counts == (1, 1, 0)


def test_a_worker_sees_items_in_order_and_ends() -> None:
    seen: list[int] = []
    done = threading.Event()

    def work(item: int) -> None:
        seen.append(item)
        done.set()

    worker = Worker(work, "test-worker")
    worker.start()
    for item in range(50):
        done.clear()
        worker.mailbox.put(item)
        assert done.wait(5.0)
    assert worker.stop()
    assert seen == list(range(50)) and not worker.alive and worker.failure is None
    assert worker.mailbox.put(51)  # nobody will take it


def test_an_error_of_the_work_is_kept() -> None:
    def work(item: int) -> None:
        raise ZeroDivisionError("no")

    worker = Worker(work, "test-worker")
    worker.start()
    worker.mailbox.put(1)
    for _ in range(500):
        if not worker.alive:
            break
        threading.Event().wait(0.01)
    assert isinstance(worker.failure, ZeroDivisionError)
    assert worker.stop()


def test_a_worker_that_never_began_can_be_stopped() -> None:
    assert Worker(print, "test-worker").stop()


def test_a_busy_worker_is_not_waited_for_without_end() -> None:
    release = threading.Event()
    worker = Worker(lambda item: release.wait(30.0), "test-worker")
    worker.start()
    worker.mailbox.put(1)
    while worker.mailbox.counts[1] == 0:
        threading.Event().wait(0.005)
    assert not worker.stop(timeout_s=0.05)
    release.set()
    assert worker.stop()


# Cameras


def arrivals(*names: str) -> Arrivals[str]:
    return Arrivals(names, 10 * MS, 100 * MS, 500 * MS)


def test_two_cameras_meet_again_and_again_when_a_bag_loops() -> None:
    cameras = arrivals("a", "b")
    for turn in range(3):
        for t in range(100):
            assert cameras.add("a", t * 33 * MS, "a") == [] or (t == 0 and turn == 0)
            (moment,) = cameras.add("b", t * 33 * MS, "b")
            assert moment.stamp_ns == t * 33 * MS and len(moment.items) == 2
    assert cameras.restarts == 2
    tally = cameras.tallies["b"]
    assert (tally.seen, tally.used, tally.unused, tally.late, tally.missed) == (300, 300, 0, 0, 0)


def test_a_camera_that_begins_again_before_the_other_costs_little() -> None:
    cameras = arrivals("a", "b")
    for t in range(100):
        cameras.add("a", t * 33 * MS, "a")
        cameras.add("b", t * 33 * MS, "b")
    cameras.add("a", 0, "a")
    cameras.add("b", 100 * 33 * MS, "tail")
    cameras.add("b", 0, "b")
    complete = 0
    for t in range(1, 20):
        complete += sum(len(m.items) == 2 for m in cameras.add("a", t * 33 * MS, "a"))
        complete += sum(len(m.items) == 2 for m in cameras.add("b", t * 33 * MS, "b"))
    assert complete >= 18


@pytest.mark.parametrize("leap_s", [3600, -3600])
def test_cameras_whose_clocks_part_leave_one_going(leap_s: int) -> None:
    cameras = arrivals("a", "b")
    out = 0
    for t in range(1000, 1300):
        out += len(cameras.add("a", t * 33 * MS + leap_s * 10**9 + 4 * 10**12, "a"))
        out += len(cameras.add("b", t * 33 * MS + 4 * 10**12, "b"))
    assert out >= 290


def test_limits_may_change_between_two_pictures() -> None:
    cameras = arrivals("a", "b")
    assert cameras.add("a", 0, "a") == []
    (alone,) = cameras.adjust(50 * MS, 100 * MS, 500 * MS)
    assert set(alone.items) == {"a"}
    cameras.add("b", 140 * MS, "b")
    cameras.add("b", 240 * MS, "b")
    (together,) = cameras.add("a", 100 * MS, "a")
    assert set(together.items) == {"a", "b"}
    assert cameras.tallies["a"].seen == 2 and cameras.tallies["b"].missed == 1


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-200, 4000)), min_size=1, max_size=120),
    st.integers(0, 80),
    st.integers(0, 119),
)
@settings(max_examples=150, deadline=None)
def test_every_picture_is_accounted_for_whatever_comes(
    pushes: list[tuple[str, int]], tolerance: int, adjusted_at: int
) -> None:
    cameras: Arrivals[tuple[str, int]] = Arrivals("abc", tolerance * MS, 90 * MS, 300 * MS)
    moments = []
    for number, (camera, stamp) in enumerate(pushes):
        moments += cameras.add(camera, stamp * MS, (camera, stamp))
        if number == adjusted_at:
            moments += cameras.adjust(tolerance * MS, 90 * MS, 300 * MS)
    moments += cameras.flush()
    tallies = cameras.tallies
    assert sum(tally.seen for tally in tallies.values()) == len(pushes)
    for name, tally in tallies.items():
        assert tally.used <= sum(name in moment.items for moment in moments)
        assert tally.missed == sum(name not in moment.items for moment in moments)
    for moment in moments:
        assert all(camera == picture[0] for camera, picture in moment.items.items())
        stamps = [stamp * MS for _, stamp in moment.items.values()]
        assert moment.stamp_ns in stamps
        assert all(abs(stamp - moment.stamp_ns) <= tolerance * MS for stamp in stamps)


# Continuity


def test_the_kinds_of_steps() -> None:
    judge = Continuity().judge
    begun = 10**12
    assert judge(begun).kind == "first"
    assert judge(begun + 33 * MS).kind == "next"
    assert judge(begun + 33 * MS).kind == "again"
    assert judge(begun).kind == "late"
    gap = judge(begun + 5 * 10**9)
    assert (gap.kind, gap.accept, gap.reset) == ("gap", True, False)
    jump = judge(begun + 3600 * 10**9)
    assert (jump.kind, jump.accept, jump.reset) == ("jump", True, True)
    back = judge(begun)
    assert (back.kind, back.accept, back.reset) == ("back", True, True)
    assert back.step_ns == -3600 * 10**9


@given(st.lists(st.one_of(st.integers(0, 10**10), st.integers(0, 10**13)), max_size=60))
def test_accepted_stamps_increase_until_a_reset(stamps: list[int]) -> None:
    continuity = Continuity()
    last = None
    for stamp in stamps:
        verdict = continuity.judge(stamp)
        if verdict.reset:
            assert verdict.accept
            last = None
        if verdict.accept:
            assert last is None or stamp > last
            last = stamp
        elif last is not None:
            assert 0 <= last - stamp <= LATE_NS
    assert sum(continuity.counts.values()) == len(stamps)
    assert LATE_NS < GAP_NS < JUMP_NS


def test_it_recovers_from_a_wild_stamp() -> None:
    continuity = Continuity()
    stamps = [t * 33 * MS for t in range(1, 40)]
    stamps[20] = 2**62
    kinds = [continuity.judge(stamp).kind for stamp in stamps]
    assert kinds[20:23] == ["jump", "back", "next"]


# Vitals


def test_vitals_tell_rates_ages_and_latencies() -> None:
    vitals = Vitals(("a", "b"), window_s=2.0)
    for k in range(300):
        vitals.arrived("a", k / 30)
        vitals.published(k / 30, 0.010 + 0.0001 * k, 0.002)
    report = vitals.report(299 / 30 + 0.5)
    assert report.rates_hz["a"] == pytest.approx(30.0) and report.rates_hz["b"] == 0.0
    assert report.ages_s["a"] == pytest.approx(0.5) and report.ages_s["b"] == float("inf")
    assert report.published_hz == pytest.approx(30.0)
    assert report.share.p50_ms == pytest.approx(2.0)
    assert 36.0 < report.latency.p50_ms < report.latency.p95_ms <= 40.0
    assert report.counts == {"received": 300, "published": 300}
    later = vitals.report(100.0)
    assert later.rates_hz["a"] == 0.0 and later.latency.p50_ms != later.latency.p50_ms


def test_vitals_are_bounded() -> None:
    vitals = Vitals(("a",))
    for k in range(MOST_KEPT * 2):
        vitals.arrived("a", k * 1e-4)
    vitals.count("refused", 3)
    assert vitals.report(0.41).counts == {"received": MOST_KEPT * 2, "refused": 3}
