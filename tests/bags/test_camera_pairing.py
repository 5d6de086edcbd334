"""Which pictures belong together: decided by stamps, the same in a replay as live."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.data.rosbag.align import nearest
from robovalue_ros.value.stream.pairing import MOST_WAITING, TOLERANCE_NS, Matched, Pairing

MS = 1_000_000
Picture = tuple[int, str]
"""Stamp in milliseconds, camera."""


def run(
    pictures: list[Picture], cameras: tuple[str, ...] = ("a", "b"), **limits: int
) -> list[tuple[int, dict[str, int]]]:
    pairing: Pairing[int] = Pairing(cameras, **limits)
    found: list[Matched[int]] = []
    for stamp, camera in pictures:
        found += pairing.add(camera, stamp * MS, stamp)
    found += pairing.flush()
    for tally in pairing.tallies.values():
        assert tally.seen == tally.used + tally.unused + tally.late, "every picture is told"
    return [(one.stamp_ns // MS, dict(one.items)) for one in found]


def test_cameras_in_step_leave_at_once() -> None:
    pairing: Pairing[str] = Pairing(("a", "b"))
    assert pairing.add("b", 0, "b0") == []
    (first,) = pairing.add("a", 0, "a0")
    assert (first.stamp_ns, dict(first.items)) == (0, {"a": "a0", "b": "b0"})
    assert pairing.add("a", 33 * MS, "a1") == []
    (second,) = pairing.add("b", 35 * MS, "b1")
    assert dict(second.items) == {"a": "a1", "b": "b1"}
    (third,) = [*pairing.add("b", 60 * MS, "b2"), *pairing.add("a", 66 * MS, "a2")]
    assert dict(third.items) == {"a": "a2", "b": "b2"}, "6 ms old is nearer than the next can be"


def test_one_camera_passes_straight_through() -> None:
    assert run([(0, "a"), (5, "a"), (5, "a"), (3, "a")], ("a",)) == [(0, {"a": 0}), (5, {"a": 5})]


def test_the_faster_camera_makes_no_moments_of_its_own() -> None:
    fast = [(stamp, "b") for stamp in range(0, 200, 10)]
    slow = [(stamp, "a") for stamp in range(4, 200, 33)]
    found = run(sorted(fast + slow))
    assert [stamp for stamp, _ in found] == [stamp for stamp, _ in slow]
    assert all(abs(items["b"] - stamp) <= 5 for stamp, items in found)


def test_a_silent_camera_is_waited_for_and_then_not() -> None:
    pairing: Pairing[int] = Pairing(("a", "b"))
    pairing.add("b", 0, 0)
    left = {}
    for stamp in range(0, 1500, 33):
        for moment in pairing.add("a", stamp * MS, stamp):
            left[moment.stamp_ns // MS] = (stamp - moment.stamp_ns // MS, set(moment.items))
    assert left[0] == (0, {"a", "b"})
    assert 0 < left[99][0] <= 133 and left[99][1] == {"a"}
    assert left[990] == (0, {"a"}), "nobody waits for a camera that is gone"
    assert pairing.tallies["b"].missed > 30


def test_the_next_camera_takes_over_and_gives_back() -> None:
    both = [(stamp, name) for stamp in range(0, 300, 30) for name in "ab"]
    alone = [(stamp, "b") for stamp in range(300, 1500, 30)]
    again = [(stamp, name) for stamp in range(1500, 1800, 30) for name in "ab"]
    found = run(both + alone + again)
    stamps = [stamp for stamp, _ in found]
    assert stamps == sorted(set(stamps))
    silent = [stamp for stamp, items in found if "a" not in items]
    assert silent and min(silent) > 270 + 500 and max(silent) < 1500
    assert all(set(items) == {"a", "b"} for stamp, items in found if stamp < 270 or stamp >= 1530)


def test_a_pause_of_all_cameras_loses_none() -> None:
    pictures = [(stamp, name) for stamp in (0, 30, 60, 5000, 5030, 9000, 9030) for name in "ab"]
    for order in (pictures, [(s, {"a": "b", "b": "a"}[n]) for s, n in pictures]):
        found = run(order)
        assert [stamp for stamp, _ in found] == [0, 30, 60, 5000, 5030, 9000, 9030]
        assert all(set(items) == {"a", "b"} for _, items in found)


def test_stamps_that_go_back_begin_a_new_round() -> None:
    once = [(stamp, name) for stamp in range(10_000, 10_300, 30) for name in "ab"]
    second = [(stamp - 10_000, name) for stamp, name in once]
    # The wrist camera's last pictures arrive after the table camera has begun again.
    mixed = [*once[:-2], once[-2], second[0], once[-1], *second[1:]]
    found = run(mixed)
    rounds = [stamp for stamp, _ in found]
    back = next(i for i, (x, y) in enumerate(pairwise(rounds)) if y < x)
    assert back == 9 and len(rounds) == 20
    for stamp, items in found:
        assert all(abs(part - stamp) <= 50 for part in items.values()), "rounds never meet"
    assert sum(set(items) == {"a", "b"} for _, items in found) >= 19


def test_memory_is_bounded() -> None:
    pairing: Pairing[int] = Pairing(("a", "b"), lost_ns=10**18, wait_ns=10**18)
    for stamp in range(10_000):
        pairing.add("b", stamp * MS, stamp)
    assert pairing.waiting <= 2 * MOST_WAITING
    pairing = Pairing(("a", "b"), lost_ns=10**18, wait_ns=10**18)
    for stamp in range(10_000):
        pairing.add("a", stamp * MS, stamp)
    assert pairing.waiting <= 2 * MOST_WAITING


def test_wrong_use_is_named() -> None:
    for cameras in ((), ("a", "a")):
        with pytest.raises(ContractError, match="cameras"):
            Pairing(cameras)
    with pytest.raises(ContractError):
        Pairing(("a",), tolerance_ns=-1)


@st.composite
def two_cameras(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    step, other = draw(st.integers(20, 120)), draw(st.integers(20, 120))
    length = draw(st.integers(3, 30))
    phase = draw(st.integers(0, other))
    jitter = st.integers(-2, 2)
    first = [200 + i * step + draw(jitter) for i in range(length)]
    stop = first[-1] + 2 * other
    second = [phase + i * other + draw(jitter) for i in range(1, stop // other + 1)]
    return first, second


@settings(max_examples=200, deadline=None)
@given(two_cameras(), st.tuples(st.integers(0, 30), st.integers(0, 30)))
@example(([200, 300, 400, 499], [134, 238, 342, 447, 549, 654]), (0, 0))
def test_choice_is_the_nearest_whatever_the_order_of_arrival(
    stamps: tuple[list[int], list[int]], delays: tuple[int, int]
) -> None:
    first, second = stamps
    delayed = [
        (stamp + delay, stamp, name)
        for name, part, delay in (("a", first, delays[0]), ("b", second, delays[1]))
        for stamp in part
    ]
    in_order = [(stamp, name) for _, stamp, name in sorted(delayed, key=lambda one: one[0])]
    best = nearest(np.array(second, np.int64) * MS, np.array(first, np.int64) * MS, TOLERANCE_NS)
    for found in (run(in_order), run(sorted((stamp, name) for _, stamp, name in delayed))):
        assert [stamp for stamp, _ in found] == first
        for (stamp, items), at in zip(found, best.tolist(), strict=True):
            if at < 0:
                assert "b" not in items
            else:
                # Half of a camera's own step decides, so jitter may leave a doubt of as much.
                assert "b" in items and abs(items["b"] - stamp) <= abs(second[at] - stamp) + 8


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from("abc")), max_size=120))
def test_any_pictures_give_rising_moments_within_tolerance(pictures: list[Picture]) -> None:
    found = run(pictures, ("a", "b", "c"))
    for stamp, items in found:
        assert all(abs(part - stamp) <= TOLERANCE_NS // MS for part in items.values())
    lanes = [[stamp for stamp, name in pictures if name == camera] for camera in "abc"]
    if all(max(lane[:i]) - lane[i] <= 500 for lane in lanes for i in range(1, len(lane))):
        assert all(x < y for x, y in pairwise(stamp for stamp, _ in found)), "one round"
