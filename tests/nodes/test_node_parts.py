"""The pure parts of a node: mailbox, worker, continuity, vitals."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.nodes.mailbox import Mailbox
from robovalue_ros.nodes.vitals import MOST_KEPT, Vitals
from robovalue_ros.nodes.worker import Worker
from robovalue_ros.value.stream.continuity import GAP_NS, JUMP_NS, Continuity
from robovalue_ros.value.stream.pairing import LATE_NS

MS = 1_000_000


# Mailbox and worker


def test_a_mailbox_keeps_the_newest_and_counts_the_rest() -> None:
    box: Mailbox[int] = Mailbox()
    assert [box.put(item) for item in (1, 2, 3)] == [(), (1,), (2,)]
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
    assert worker.mailbox.put(51) == (51,)  # nobody will take it


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
