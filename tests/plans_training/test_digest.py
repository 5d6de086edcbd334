"""The t-digest: near the exact quantiles whatever the distribution, small, and joined in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robovalue_ros.plans.digest import CLUSTERS, digest_of, digest_quantile, joined_digests
from robovalue_ros.plans.quantiles import Quantiles

Q = (0.0, 0.001, 0.01, 0.05, 0.5, 0.9, 0.99, 0.999, 1.0)


def distributions(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "normal": rng.normal(size=count),
        "long tail": rng.lognormal(sigma=3.0, size=count),
        "uniform": rng.uniform(-1, 1, count),
        "two heaps": np.concatenate(
            [rng.normal(-50, 1, count // 2), rng.normal(50, 1, count // 2)]
        ),
        "gripper": rng.choice([0.0, 0.04, 1.0], count, p=[0.3, 0.3, 0.4]),
        "ascending": np.linspace(0, 1, count) ** 2,
    }


def rank_error(values: np.ndarray, found: float, q: float) -> float:
    """Return how far the share of numbers below `found` is from q; 0 inside equal numbers."""
    ordered = np.sort(values)
    low = np.searchsorted(ordered, found, "left") / len(values)
    high = np.searchsorted(ordered, found, "right") / len(values)
    return max(0.0, low - q, q - high)


@pytest.mark.parametrize("name", distributions(10))
def test_quantiles_of_many_numbers_in_parts(name: str) -> None:
    values = distributions(200_000)[name]
    quantiles = Quantiles(1, exact_values=0)
    for part in np.array_split(values, 9):
        quantiles.add(part[:, None])
    assert not quantiles.exact
    for q, found in zip(Q, quantiles.answer(Q), strict=True):
        allowed = 1.5 * np.pi / CLUSTERS * np.sqrt(q * (1 - q)) + 1e-5
        assert rank_error(values, float(found[0]), q) <= allowed, (name, q)


def test_memory_is_bounded() -> None:
    rng = np.random.default_rng(0)
    digest = digest_of(rng.normal(size=1000))
    for _ in range(30):
        digest = joined_digests(digest, digest_of(rng.normal(size=20_000)))
    assert len(digest.means) <= CLUSTERS + 1
    assert digest.count == 1000 + 30 * 20_000


NUMBERS = arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e9, 1e9))


@settings(max_examples=80)
@given(NUMBERS, NUMBERS, NUMBERS, st.floats(0, 1))
def test_the_order_of_joining_matters_little(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, q: float
) -> None:
    clusters = 50
    one, two, three = (digest_of(part, clusters=clusters) for part in (a, b, c))
    left = joined_digests(joined_digests(one, two, clusters), three, clusters)
    right = joined_digests(one, joined_digests(two, three, clusters), clusters)
    values = np.concatenate([a, b, c])
    assert left.count == right.count == len(values)
    assert (np.diff(left.means) >= 0).all() and len(left.means) <= clusters + 1
    for digest in (left, right):
        found = digest_quantile(digest, q)
        assert values.min() <= found <= values.max()
        assert rank_error(values, found, q) <= 3.0 * np.pi / clusters / 2 + 2 / len(values)


@settings(max_examples=100)
@given(NUMBERS, st.floats(0, 1))
def test_few_numbers_have_numpys_quantiles(values: np.ndarray, q: float) -> None:
    found = digest_quantile(digest_of(values, clusters=100_000), q)
    scale = np.abs(values).max() + 1.0
    assert found == pytest.approx(np.quantile(values, q), abs=1e-6 * scale)


def test_what_passes_the_bound_goes_over_into_a_digest() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(6000, 2))
    quantiles = Quantiles(2, exact_values=10_000)
    quantiles.add(rows[:5000])
    assert quantiles.exact
    assert np.array_equal(quantiles.answer([0.3])[0], np.quantile(rows[:5000], 0.3, axis=0))
    quantiles.add(rows[5000:])
    assert not quantiles.exact
    merged = Quantiles(2, exact_values=10_000)
    merged.add(rows[:100])
    rest = Quantiles(2, exact_values=0)
    rest.add(rows[100:])
    merged.merge(rest)
    for known in (quantiles, merged):
        wanted = np.quantile(rows, 0.99, axis=0)
        assert known.answer([0.99])[0] == pytest.approx(wanted, abs=0.02)
