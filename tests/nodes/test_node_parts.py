"""The pure parts of a node: mailbox, worker, pairing, continuity, vitals."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.nodes.continuity import GAP_NS, JUMP_NS, LATE_NS, Continuity
from robovalue_ros.nodes.mailbox import Mailbox
from robovalue_ros.nodes.pairing import MOST_WAITING, Pairing
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


# Pairing


def pairing(*names: str, tolerance: int = 10, wait: int = 100, lost: int = 500) -> Pairing[str]:
    return Pairing(names, tolerance * MS, wait * MS, lost * MS)


def test_two_cameras_meet_and_the_first_gives_the_stamp() -> None:
    pair = pairing("a", "b")
    assert pair.push("b", 3 * MS, "b0") == []
    (moment,) = pair.push("a", 5 * MS, "a0")
    assert moment.stamp_ns == 5 * MS and dict(moment.pictures) == {"a": "a0", "b": "b0"}
    assert pair.waiting == 0 and pair.missed == {"a": 0, "b": 0}


def test_a_picture_too_far_away_is_a_miss() -> None:
    pair = pairing("a", "b")
    pair.push("a", 0, "a0")
    (alone,) = pair.push("b", 11 * MS, "b0")
    assert dict(alone.pictures) == {"a": "a0"} and pair.missed == {"a": 0, "b": 1}
    (together,) = pair.push("a", 12 * MS, "a1")
    assert set(together.pictures) == {"a", "b"}


def test_a_moment_waits_only_so_long() -> None:
    pair = pairing("a", "b", wait=100)
    assert [len(pair.push("a", t * 40 * MS, str(t))) for t in range(5)] == [0, 0, 0, 1, 1]


def test_nobody_waits_for_a_silent_camera_and_it_may_return() -> None:
    pair = pairing("a", "b", wait=100, lost=500)
    pair.push("b", 0, "b")
    counts = [len(pair.push("a", t * 50 * MS, "a")) for t in range(30)]
    assert counts[0] == 1 and sum(counts) == 30
    assert all(count == 1 for count in counts[12:])
    assert pair.push("b", 1500 * MS, "b") == []
    (moment,) = pair.push("a", 1500 * MS, "a")
    assert set(moment.pictures) == {"a", "b"}


def test_stamps_that_begin_again_are_followed() -> None:
    pair = pairing("a", "b")
    for _ in range(3):
        for t in range(100):
            assert pair.push("a", t * 33 * MS, "a") == []
            (moment,) = pair.push("b", t * 33 * MS, "b")
            assert len(moment.pictures) == 2
    assert pair.overrun == 0 and pair.missed == {"a": 0, "b": 0}


def test_a_camera_that_begins_again_before_the_other_costs_little() -> None:
    pair = pairing("a", "b")
    for t in range(100):
        pair.push("a", t * 33 * MS, "a")
        pair.push("b", t * 33 * MS, "b")
    pair.push("a", 0, "a")
    pair.push("b", 100 * 33 * MS, "tail")
    pair.push("b", 0, "b")
    complete = 0
    for t in range(1, 20):
        complete += sum(len(m.pictures) == 2 for m in pair.push("a", t * 33 * MS, "a"))
        complete += sum(len(m.pictures) == 2 for m in pair.push("b", t * 33 * MS, "b"))
    assert complete >= 18


@pytest.mark.parametrize("leap_s", [3600, -3600])
def test_cameras_whose_clocks_part_leave_one_going(leap_s: int) -> None:
    pair = pairing("a", "b")
    out = 0
    for t in range(1000, 1300):
        out += len(pair.push("a", t * 33 * MS + leap_s * 10**9 + 4 * 10**12, "a"))
        out += len(pair.push("b", t * 33 * MS + 4 * 10**12, "b"))
    assert out >= 290 and pair.waiting <= 2 * MOST_WAITING


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-200, 4000)), min_size=1, max_size=120),
    st.integers(0, 80),
)
@settings(max_examples=150, deadline=None)
def test_every_picture_is_accounted_for_whatever_comes(
    pushes: list[tuple[str, int]], tolerance: int
) -> None:
    pair: Pairing[tuple[str, int]] = Pairing(("a", "b", "c"), tolerance * MS, 90 * MS, 300 * MS)
    moments = []
    for camera, stamp in pushes:
        moments += pair.push(camera, stamp * MS, (camera, stamp))
        assert pair.waiting <= 3 * MOST_WAITING
    moments += pair.flush()
    used = [picture for moment in moments for picture in moment.pictures.values()]
    assert len(used) + pair.late + pair.overrun == len(pushes)
    assert sum(pair.missed.values()) == 3 * len(moments) - len(used)
    for moment in moments:
        stamps = [stamp * MS for _, stamp in moment.pictures.values()]
        assert max(stamps) - min(stamps) <= tolerance * MS
        assert moment.stamp_ns in stamps
        assert all(camera == picture[0] for camera, picture in moment.pictures.items())


@given(st.integers(0, 2**31), st.integers(20, 60))
@settings(max_examples=50, deadline=None)
def test_the_order_of_arrival_does_not_matter_while_nothing_is_lost(seed: int, count: int) -> None:
    import numpy as np

    rng = np.random.default_rng(seed)
    stamps = np.arange(count) * 33 * MS
    events = [
        (stamp + rng.integers(0, 25 * MS), name, int(stamp)) for name in "ab" for stamp in stamps
    ]
    pair = pairing("a", "b")
    moments = [m for _, name, stamp in sorted(events) for m in pair.push(name, stamp, name)]
    assert [m.stamp_ns for m in moments] == stamps.tolist()
    assert all(len(m.pictures) == 2 for m in moments)


def test_cameras_need_different_names() -> None:
    with pytest.raises(ContractError, match="different names"):
        pairing("a", "a")


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
