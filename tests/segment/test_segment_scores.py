"""Thresholds of an energy, and scores of segments, against brute force and by hand."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ConfigError, ContractError
from robovalue_ros.segment.boundaries import (
    Splitting,
    agreement,
    boundaries,
    delay,
    greedy_agreement,
    iou,
    matched,
    splitting,
)
from robovalue_ros.segment.ground_truth import (
    MarkedSeries,
    MarkedVideo,
    best_against_truth,
    evaluate_segments,
    sweep_against_truth,
    truth_candidates,
)
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.labels import (
    BACKGROUND,
    LabelledSpan,
    edit_score,
    frame_labels,
    mean_over_frames,
    overlap_f1,
    renamed,
    runs,
)
from robovalue_ros.segment.mean_precision import FoundSegment, average_precision, confidence
from robovalue_ros.segment.separation import separation
from robovalue_ros.segment.smoothing import SmoothingOptions
from robovalue_ros.segment.threshold import (
    aggregate,
    aligned,
    best_thresholds,
    candidates,
    label_threshold,
    otsu,
    sweep,
    threshold_from_report,
)

labelled = st.lists(
    st.tuples(st.integers(0, 6).map(lambda n: n / 2), st.booleans()), min_size=1, max_size=25
)
times = st.lists(st.integers(0, 20).map(float), max_size=5, unique=True).map(sorted)


@given(labelled, st.sampled_from(["at least", "above"]))
@settings(deadline=None)
def test_the_sweep_counts_every_window_at_every_threshold(
    pairs: list[tuple[float, bool]], comparison: str
) -> None:
    energy = np.array([value for value, _ in pairs])
    moving = np.array([label for _, label in pairs])
    for counts in sweep(energy, moving, comparison):
        said = energy >= counts.thr if comparison == "at least" else energy > counts.thr
        by_hand = (said & moving, ~said & ~moving, said & ~moving, ~said & moving)
        assert [counts.tp, counts.tn, counts.fp, counts.fn] == [int(x.sum()) for x in by_hand]
    assert [one.thr for one in sweep(energy, moving, comparison)] == candidates(energy).tolist()


def test_the_best_threshold_is_what_the_stream_asks_for() -> None:
    energy = np.array([0.1, 0.2, 0.3, 1.0, 1.1, 1.2])
    velocity = np.array([0, 0, 0, 1, 1, 1.0])
    best = best_thresholds(energy, velocity)
    assert best.by_f1.thr == best.by_j.thr == 1.0  # >= 1.0 is exactly the moving half
    report = best.to_mapping(SmoothingOptions(True, alpha=0.7))
    assert report["n_pos"] == report["n_neg"] == 3 and report["smoothing"]["alpha"] == 0.7
    assert best_thresholds(energy, velocity, comparison="above").by_f1.thr == 0.3
    assert threshold_from_report(report, "quantized_token_diff_best.best_f1.thr") == 1.0


def test_a_wrong_key_names_the_nearest() -> None:
    report = {"quantized_token_diff_best": {"best_f1": {"thr": 1.5, "note": "x"}}, "n": True}
    with pytest.raises(ConfigError, match=r"quantized_token_diff_best\.best_f1\.thr'\?"):
        threshold_from_report(report, "quantised_token_diff_best.best_f1.thr")
    for key in ("quantized_token_diff_best.best_f1", "quantized_token_diff_best.best_f1.note", "n"):
        with pytest.raises(ConfigError, match="a number"):
            threshold_from_report(report, key)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60))
@settings(deadline=None)
def test_otsu_lies_among_the_values(values: list[float]) -> None:
    level = otsu(np.array([*values, np.nan, np.inf]))
    assert min(values) <= level <= max(values)


def test_label_thresholds() -> None:
    values = np.array([0.0, 0.0, 0.1, 5.0, 5.1])
    assert 0.1 <= label_threshold(values) <= 5.0
    assert label_threshold(values, "quantile:0.5") == 0.1
    assert label_threshold(values, "value:2.5") == 2.5
    for wrong in ("otsu?", "quantile:2", "value:", "value:nan"):
        with pytest.raises(ConfigError, match="quantile:q"):
            label_threshold(values, wrong)
    with pytest.raises(ContractError, match="finite"):
        otsu(np.array([np.nan]))


def test_series_meet_on_common_windows_and_videos_on_one_threshold() -> None:
    windows, (first, second) = aligned({3: 0.3, 1: 0.1, 7: 0.7}, {1: 1.0, 3: 3.0, 2: 2.0})
    assert (windows.tolist(), first.tolist(), second.tolist()) == ([1, 3], [0.1, 0.3], [1.0, 3.0])
    assert aggregate({"a": 1.0, "b": 2.0, "c": 6.0}) == 2.0
    assert aggregate({"a": 1.0, "b": 2.0, "c": 6.0}, "mean") == 3.0


@given(times, times, st.sampled_from([0.0, 1.0, 2.5]))
@settings(max_examples=80, deadline=None)
def test_as_many_boundaries_as_possible_are_paired(
    predicted: list[float], true: list[float], tolerance: float
) -> None:
    pairs = matched(np.array(predicted), np.array(true), tolerance)
    gaps = [abs(predicted[a] - true[b]) for a, b in pairs]
    assert all(gap <= tolerance for gap in gaps)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    few, many = sorted((predicted, true), key=len)
    best = max(
        (
            (len(chosen), -sum(abs(a - b) for a, b in chosen))
            for order in permutations(many, len(few))
            for chosen in [
                [(a, b) for a, b in zip(few, order, strict=True) if abs(a - b) <= tolerance]
            ]
        ),
        default=(0, 0.0),
    )
    assert (len(pairs), -sum(gaps)) == pytest.approx(best)
    optimal, greedy = (
        rule(predicted, true, tolerance).tp for rule in (agreement, greedy_agreement)
    )
    assert greedy <= optimal == len(pairs)


def test_a_greedy_choice_can_cost_a_pair() -> None:
    found, true = [0.2, 1.6], [1.0, 2.0]
    assert greedy_agreement(found, true, 0.9).tp == 1  # 1.0 takes 1.6, nothing is left for 2.0
    assert agreement(found, true, 0.9).tp == 2


def test_boundaries_and_how_late_they_are() -> None:
    segments = [(0.0, 2.0), (2.0, 5.0), (6.0, 9.0)]
    assert boundaries(segments, 9.0).tolist() == [2.0, 5.0, 6.0]
    assert boundaries(segments, 9.0, distinct=False).tolist() == [2.0, 2.0, 5.0, 6.0]
    late = delay([2.5, 4.9, 8.0], [2.0, 5.0, 6.0], 1.0)
    assert (late.pairs, round(late.mean, 6), round(late.mean_abs, 6)) == (2, 0.2, 0.3)
    assert delay([], [1.0], 1.0).pairs == 0
    one = agreement([2.5], [], 1.0)
    assert (one.f1, one.precision, one.recall) == (0.0, 1.0, 0.0)
    with pytest.raises(ContractError, match="tolerance"):
        agreement([1.0], [1.0], -1.0)


def test_too_many_and_too_few_segments() -> None:
    true = [(0.0, 10.0), (10.0, 20.0)]
    assert splitting(true, true) == Splitting(0.0, 0.0)
    assert splitting([(0, 3), (3, 6), (6, 10), (10, 20)], true) == Splitting(1.0, 0.0)
    assert splitting([(0.0, 20.0)], true) == Splitting(0.0, 1.0)
    assert splitting([], true) == Splitting(0.0, 0.0)
    assert iou((0, 4), (2, 6)) == pytest.approx(1 / 3) and iou((0, 1), (1, 2)) == 0.0


def test_scores_of_labelled_frames() -> None:
    true = frame_labels(
        [LabelledSpan(0, 10, 0), LabelledSpan(10, 20, 1), LabelledSpan(25, 30, 2)], 30
    )
    assert [(run.start, run.stop, run.label) for run in runs(true)][-1] == (25, 30, 2)
    assert mean_over_frames(true, true) == 1.0 and edit_score(true, true) == 100.0
    assert overlap_f1(true, true, 0.5) == 100.0
    shifted = np.roll(true, 3)
    assert mean_over_frames(shifted, true) == pytest.approx(16 / 25)
    assert edit_score(shifted, true) == pytest.approx(75.0)  # the end came round to the front
    split = frame_labels(
        [LabelledSpan(0, 4, 0), LabelledSpan(4, 10, 7), LabelledSpan(10, 30, 1)], 30
    )
    assert edit_score(split, true) == pytest.approx(100 / 3)
    assert overlap_f1(split, true, 0.25) == pytest.approx(100 * 2 * 2 / 6)
    assert overlap_f1(split, true, 0.45) == pytest.approx(100 * 2 * 1 / 6)
    assert np.isnan(mean_over_frames(true, np.full(30, BACKGROUND)))
    assert mean_over_frames(true, true[::-1], background=True) < 1.0


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=30))
@settings(deadline=None)
def test_names_of_labels_do_not_matter_once_they_are_matched(labels: list[int]) -> None:
    true = np.array(labels)
    names = {-1: -1, 0: 9, 1: 4, 2: 0, 3: 1}
    predicted = np.array([names[label] for label in labels])
    assert (renamed(predicted, true) == true).all()
    found = renamed(predicted, np.zeros(len(true), int))
    assert ((found == BACKGROUND) == (predicted == BACKGROUND)).all()
    assert len(set(found.tolist())) == len(set(labels))


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6))
@settings(deadline=None)
def test_the_edit_score_is_the_longest_way_round(first: list[int], second: list[int]) -> None:
    """Against the definition: the longest common choice of places, replaced ones counted once."""
    ours, theirs = ([run.label for run in runs(np.array(x, int))] for x in (first, second))
    longest = max(len(ours), len(theirs))
    least = longest
    for count in range(min(len(ours), len(theirs)) + 1):
        for a in combinations(range(len(ours)), count):
            for b in combinations(range(len(theirs)), count):
                changed = sum(ours[i] != theirs[j] for i, j in zip(a, b, strict=True))
                least = min(least, changed + len(ours) + len(theirs) - 2 * count)
    expected = 100.0 * (1 - least / longest) if longest else 100.0
    assert edit_score(np.array(first, int), np.array(second, int)) == pytest.approx(expected)


def test_average_precision() -> None:
    true = {"a": [(0.0, 4.0), (6.0, 10.0)], "b": [(0.0, 3.0)]}
    perfect = [FoundSegment(video, span, 1.0) for video in true for span in true[video]]
    assert average_precision(perfect, true, 0.75) == 1.0
    assert average_precision([*perfect, perfect[0]], true, 0.75) == 1.0
    assert average_precision([FoundSegment("c", (0, 4), 2.0), *perfect], true, 0.5) == 0.75
    assert average_precision([], true, 0.5) == 0.0
    assert np.isnan(average_precision(perfect, {"a": []}, 0.5))
    assert confidence((1.0, 2.0), {4: 1.0, 5: 2.0, 10: 4.0, 11: 9.0}, 0.2) == 3.0
    assert confidence((1.0, 3.5), {}, 0.2) == 2.5


def test_a_threshold_is_found_from_marked_boundaries() -> None:
    energy = np.array([0.1] * 10 + [2.0] * 10 + [0.1] * 10)
    video = MarkedSeries(energy, ((10.0, 21.0),), 30.0, 1.0)
    options = HysteresisOptions(up_count=1, down_count=2, max_duration_windows=0)
    swept = sweep_against_truth([video, video], options, tolerance=1.0)
    assert [one.thr for one in swept] == truth_candidates(np.tile(energy, 2)).tolist()
    best = best_against_truth(swept)
    assert 0.1 < best.thr <= 2.0 and best.f1 == 1.0
    assert best.thr == max(one.thr for one in swept if one.f1 == 1.0)  # the last of equals
    assert best.to_mapping()["F1_mean"] == 1.0


def test_a_video_nobody_looked_at_scores_nothing() -> None:
    truth = ((1.0, 4.0), (4.0, 9.0))
    found = tuple(FoundSegment("a", span, 1.0) for span in truth)
    told = evaluate_segments(
        {"a": MarkedVideo(truth, found, 10.0), "b": MarkedVideo(truth, None, 10.0)}, (0.5, 2.0)
    )
    assert told["per_video"]["a"]["f1@2.0s"] == 1.0
    assert told["per_video"]["a"]["num_gt_boundaries"] == 4
    assert told["per_video"]["b"]["f1_at_tol"] == 0.0
    assert told["summary"]["num_videos"] == 2
    assert told["summary"]["F1@0.5s_mean"] == 0.5
    assert told["summary"]["mAP@0.5"] == told["summary"]["mAP@0.75"] == 0.5
    empty = evaluate_segments({"c": MarkedVideo((), None, 10.0)})
    assert empty["per_video"]["c"]["f1@2.0s"] == 0.0


def test_how_well_an_energy_separates() -> None:
    rng = np.random.default_rng(2)
    velocity = rng.uniform(0, 1, 200)
    moving = velocity > 0.5
    perfect = separation(velocity * 3, velocity, moving)
    assert perfect.auc == perfect.ks == 1.0 and perfect.tail_gap > 0 and perfect.cohen_d > 2
    assert perfect.pearson == pytest.approx(1.0) and perfect.spearman == pytest.approx(1.0)
    blind = separation(rng.normal(size=200), velocity, moving)
    assert abs(blind.auc - 0.5) < 0.15 and abs(blind.pearson) < 0.3
    assert np.isnan(separation(velocity, velocity, np.ones(200, bool)).auc)
