"""Lengths, tokens and vectors of code sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.segment.codes.features import (
    bag_of_words,
    bigram_counts,
    code_counts,
    norm_weighted_mean,
    piecewise_means,
    shares_of_codes,
    smooth_idf,
    tfidf,
)
from robovalue_ros.segment.codes.lengths import auto_max_len, length_analysis, resolve_max_len
from robovalue_ros.segment.codes.reduce import principal_plane, reduced, standardised
from robovalue_ros.segment.codes.sequences import (
    CodeSequence,
    codebook_size,
    padded_tokens,
    vocabulary_size,
)
from robovalue_ros.segment.codes.warping import placed, strength_series, warping_distances

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=60)
CODES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=1, max_size=8)


def ints(rows: list[list[int]]) -> list[np.ndarray]:
    return [np.array(row, np.int64) for row in rows]


@given(LENGTHS, st.none() | st.integers(1, 300))
def test_the_length_fits_nine_of_ten_and_is_never_longer_than_needed(
    lengths: list[int], cap: int | None
) -> None:
    found = auto_max_len(lengths, cap)
    assert 1 <= found <= max(lengths)
    if cap is None:
        assert found >= round(min(np.quantile(lengths, 0.9), max(lengths)))
        assert found % 16 == 0 or found in (max(lengths), round(np.quantile(lengths, 0.9)))
    else:
        assert found <= cap


def test_a_length_asked_for_is_taken_and_zero_means_auto() -> None:
    lengths = [15, 30, 30, 45, 60]
    assert resolve_max_len(20, lengths) == 20
    assert resolve_max_len(0, lengths) == resolve_max_len("auto", lengths) == 60
    told = length_analysis(lengths, 40)
    assert told["count"] == 5 and told["auto"]["truncation_ratio"] == 0.4
    assert told["histogram"] == {"15": 1, "30": 2, "45": 1, "60": 1}
    assert sum(told["histogram_bins"]["counts"]) == 5


@given(CODES, st.integers(1, 15))
def test_tokens_are_codes_and_one_until_the_sequence_ends(rows: list[list[int]], n: int) -> None:
    tokens = padded_tokens(ints(rows), n)
    for row, codes in zip(tokens.tolist(), rows, strict=True):
        assert row == [code + 1 for code in codes[:n]] + [0] * max(0, n - len(codes))


def test_one_code_book_size_stands_for_all_files() -> None:
    short = CodeSequence("a", np.array([1, 3]))
    stated = CodeSequence("b", np.array([2]), codebook_size=16)
    beyond = CodeSequence("c", np.array([20]), codebook_size=16)
    assert codebook_size([]) == 2048
    assert codebook_size([short]) == 4
    assert codebook_size([short, stated]) == 16
    assert codebook_size([stated, beyond]) == 21
    assert vocabulary_size(16, [beyond]) == 22
    with pytest.raises(ContractError, match="negative"):
        CodeSequence("d", np.array([0, -1]))


@given(CODES, st.sampled_from(["none", "sqrt", "log1p", "tfidf"]))
def test_bags_have_unit_length_and_do_not_ask_for_order(rows: list[list[int]], how: str) -> None:
    bags = bag_of_words(code_counts(ints(rows), 10), how)
    assert np.allclose(np.linalg.norm(bags, axis=1), 1)
    turned = bag_of_words(code_counts(ints([row[::-1] for row in rows]), 10), how)
    assert np.array_equal(bags, turned)


def test_a_rare_code_weighs_more_than_one_that_all_have() -> None:
    rows = ints([[0, 1], [0, 2], [0, 2]])
    weights = smooth_idf(code_counts(rows, 4))
    assert weights[1] > weights[2] > weights[0] == 1.0
    assert weights[3] == pytest.approx(np.log(4) + 1)
    plain, weighed = (bag_of_words(code_counts(rows, 4), how) for how in ("none", "tfidf"))
    assert not np.allclose(plain, weighed)
    assert np.allclose(tfidf(rows, 4), weighed, atol=1e-6)


def test_shares_and_pairs() -> None:
    assert shares_of_codes(ints([[1, 1, 3], [0, 9]]), 5)[1].tolist() == [0.5, 0, 0, 0, 0.5]
    pairs = bigram_counts(ints([[1, 2, 3, 1, 2], [4]]), 512)
    assert pairs.sum(axis=1).tolist() == [4, 0] and pairs.max() == 2
    assert bigram_counts(ints([[1, 2]]), 64, shares=True).sum() == 1
    turned = bigram_counts(ints([[2, 1]]), 512)
    assert not np.array_equal(turned, bigram_counts(ints([[1, 2]]), 512))


@given(st.integers(1, 90), st.integers(1, 40))
def test_pieces_keep_the_mean_of_a_constant_and_the_order_of_a_ramp(n: int, m: int) -> None:
    assert np.allclose(piecewise_means(np.full(n, 2.5), m), 2.5)
    ramp = piecewise_means(np.arange(n), m)
    assert len(ramp) == min(n, m) and np.all(np.diff(ramp) > 0)


def test_long_vectors_count_more() -> None:
    rows = np.array([[3.0, 0], [0, 1]])
    assert norm_weighted_mean(rows) == pytest.approx([9 / 4, 1 / 4])
    assert norm_weighted_mean(np.zeros((2, 3))).tolist() == [0, 0, 0]


def test_reduction_keeps_what_varies_and_drops_constant_columns() -> None:
    rng = np.random.default_rng(0)
    rows = np.hstack([rng.normal(size=(40, 2)) @ rng.normal(size=(2, 12)), np.full((40, 3), 0.1)])
    assert not standardised(rows)[:, 12:].any()
    found = reduced(rows)
    assert found.points.shape == (40, 8)
    assert np.allclose(np.linalg.norm(found.points, axis=1), 1)
    assert found.ratios[:2].sum() == pytest.approx(1)


def test_the_plane_of_components_tells_its_share_also_of_very_little() -> None:
    rng = np.random.default_rng(1)
    plane, shares = principal_plane(rng.normal(size=(30, 2)) @ rng.normal(size=(2, 6)))
    assert plane.shape == (30, 2) and sum(shares) == pytest.approx(1)
    assert principal_plane(np.ones((3, 4)))[1] == (0.0, 0.0)
    assert principal_plane(np.ones((1, 4)))[0].tolist() == [[0, 0]]


SERIES = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=7), min_size=1, max_size=5)


def slow_warping(a: list[int], b: list[int]) -> float:
    best = {(-1, -1): 0.0}
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            before = [best[p] for p in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if p in best]
            best[i, j] = abs(x - y) + min(before)
    return best[len(a) - 1, len(b) - 1]


@given(SERIES)
def test_warping_distances_equal_those_of_the_plain_rule(series: list[list[int]]) -> None:
    found = warping_distances([np.array(one, float) for one in series])
    expected = [[slow_warping(a, b) for b in series] for a in series]
    assert np.allclose(found, expected)


def test_a_pace_does_not_matter_and_places_keep_distances() -> None:
    rng = np.random.default_rng(0)
    slow, fast = np.repeat([1.0, 5, 2], 4), np.array([1.0, 5, 2])
    assert warping_distances([slow, fast])[0, 1] == 0
    points = rng.normal(size=(9, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    again = placed(distances)
    assert again.shape == (9, 3)
    assert np.allclose(np.linalg.norm(again[:, None] - again, axis=2), distances)
    assert placed(np.zeros((4, 4))).tolist() == [[0.0]] * 4
    assert strength_series(np.ones((100, 4), np.float32)).tolist() == [2.0] * 64
