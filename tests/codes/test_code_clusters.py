"""Clusters, their scores, classes beside them, and vectors that come later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.segment.codes.agreement import agreement
from robovalue_ros.segment.codes.clustering import (
    NOISE,
    balanced_rows,
    density,
    gaussian_mixture,
    kmeans,
    nearest_centre,
)
from robovalue_ros.segment.codes.online import assign_by_centre, assign_by_density
from robovalue_ros.segment.codes.quality import seed_agreement, separation, spread, typical_order
from robovalue_ros.segment.codes.search import (
    best_density,
    best_size,
    density_grid,
    kmeans_grid,
    mixture_grid,
)
from robovalue_ros.segment.codes.split import balancing_weights, split_classes

CLASSES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=40)


def three_heaps(seed: int = 0, each: int = 25) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.array([[6.0, 0, 0], [0, 6, 0], [0, 0, 6]])
    truth = np.repeat(np.arange(3), each)
    return centres[truth] + rng.normal(scale=0.4, size=(3 * each, 3)), truth


def test_every_way_finds_three_heaps_and_a_seed_repeats_itself() -> None:
    rows, truth = three_heaps()
    ways = [
        lambda: kmeans(rows, 3, 0),
        lambda: gaussian_mixture(rows, 3, 0),
        lambda: gaussian_mixture(rows, 6, 0, bayesian=True),
        lambda: density(rows, 10),
    ]
    for way in ways:
        found = way()
        assert np.array_equal(found.labels, way().labels)
        assert found.centres.shape[1] == 3 and found.count == len(set(found.labels) - {NOISE})
        assert adjusted_rand_score(truth, found.labels) > 0.75
        assert np.all((found.probabilities >= 0) & (found.probabilities <= 1 + 1e-9))
    with pytest.raises(ContractError, match="1 to 75"):
        kmeans(rows, 76, 0)


def test_density_calls_lonely_points_noise() -> None:
    rows, _ = three_heaps()
    found = density(np.vstack([rows, [[40, 40, 40], [-40, 40, 0]]]), 10)
    assert found.labels[-2:].tolist() == [NOISE, NOISE] and found.count == 3


def test_the_grid_finds_three_by_each_score_and_seeds_agree() -> None:
    rows, _ = three_heaps()
    cells = kmeans_grid(rows, range(2, 6), n_init=4)
    for score in ("silhouette", "calinski_harabasz", "davies_bouldin"):
        chosen = best_size(cells, score)
        assert chosen is not None and chosen.k == 3
        assert chosen.agreement == (1.0, 1.0, 1.0)
    by_inertia = best_size(cells, "inertia")
    assert by_inertia is not None and by_inertia.k == 5
    mixtures = mixture_grid(rows, range(2, 5), repeats=2, select_by="inertia")
    assert best_size(mixtures, "silhouette").k == 3
    dense = best_density(density_grid(rows, (5, 20, 40, 400)))
    assert dense is not None and dense.clusters.count == 3


def test_a_grid_of_too_few_rows_is_empty() -> None:
    assert kmeans_grid(np.eye(2), range(2, 5)) == ()
    assert best_size((), "silhouette") is None and best_density(()) is None


def test_scores_of_one_cluster_have_no_value() -> None:
    rows, truth = three_heaps()
    assert separation(rows, np.zeros(75, np.int64)).silhouette is None
    assert separation(rows[:3], np.arange(3)).davies_bouldin is None
    with_noise = np.where(np.arange(75) % 25 == 0, NOISE, truth)
    assert separation(rows, with_noise).silhouette > 0.8
    far = spread(rows, truth)
    assert far.ratio == pytest.approx(far.intra / far.inter) and far.ratio < 0.2
    assert spread(rows, truth, "cosine").inter == pytest.approx(1, abs=0.1)
    assert seed_agreement([truth, 2 - truth]) == (1.0,)


def test_the_typical_rows_come_first() -> None:
    rows = np.array([[0.0, 5], [0, 1], [0, 2], [9, 9], [0, 0]])
    order = typical_order(rows, np.array([0, 0, 0, NOISE, 0]))
    assert order[0].tolist() == [2, 1, 4, 0] and list(order) == [0]


def test_alignment_gives_each_class_its_best_cluster() -> None:
    told = agreement(list("aabbbc"), np.array([1, 1, 0, 0, 1, NOISE]))
    assert told.assigned == {0: "b", 1: "a"}
    assert told.accuracy == pytest.approx(4 / 6) and told.purity == pytest.approx(4 / 6)
    assert told.confusion.tolist() == [[0, 2, 0], [2, 1, 0], [0, 0, 1]]
    b = told.per_class[1]
    assert (b.precision, b.recall, b.count) == (1.0, pytest.approx(2 / 3), 3)
    assert told.per_class[2].f1 == 0
    assert told.to_mapping()["per_class"]["a"]["precision"] == pytest.approx(2 / 3)


@given(CLASSES, st.integers(0, 5))
def test_names_of_clusters_do_not_matter(classes: list[str], shift: int) -> None:
    labels = np.array([ord(name) % 3 for name in classes], np.int64)
    first, second = agreement(classes, labels), agreement(classes, (labels + shift) * 7)
    assert first.accuracy == second.accuracy and first.ari == pytest.approx(second.ari)
    assert 0 <= first.accuracy <= first.purity <= 1
    exact = agreement(classes, np.array([ord(name) for name in classes]))
    assert exact.accuracy == exact.purity == exact.macro_f1 == 1


@given(CLASSES, st.floats(0, 0.9), st.integers(0, 3))
@settings(max_examples=60)
def test_every_row_trains_or_judges_and_no_class_is_lost(
    classes: list[str], share: float, seed: int
) -> None:
    trains, judges = split_classes(classes, share, np.random.default_rng(seed))
    assert sorted([*trains, *judges]) == list(range(len(classes)))
    assert {classes[row] for row in trains} == set(classes) or len(set(classes)) == len(classes)
    assert len(trains) > 0
    if share > 0 and len(classes) > 1:
        assert len(judges) > 0 or max(map(classes.count, classes)) == 1
    if share == 0:
        assert len(judges) == 0


def test_drawing_gives_every_class_the_same_weight() -> None:
    weights = balancing_weights(["a", "a", "a", "b"])
    assert weights[:3].sum() == pytest.approx(weights[3])
    rows = balanced_rows(list("abbbacb"), np.random.RandomState(0))
    assert [list("abbbacb")[row] for row in rows] == ["a", "b", "c"]


@pytest.mark.parametrize("assign", [assign_by_centre, assign_by_density])
def test_new_vectors_go_where_they_lie_and_strangers_nowhere(assign: object) -> None:
    rows, truth = three_heaps()
    later, expected = three_heaps(seed=5)
    found = assign(rows, truth, later)
    assert np.mean(found.labels[~found.anomaly] == expected[~found.anomaly]) == 1
    assert found.anomaly.mean() < 0.5
    stranger = assign(rows, truth, np.array([[30.0, 30, 30]]))
    assert stranger.anomaly.all() and stranger.probabilities[0] < 0.2
    again = assign(rows, truth, rows)
    assert np.array_equal(again.labels, truth) and np.all(again.probabilities > 0)
    nothing = assign(rows, np.full(75, NOISE), later)
    assert nothing.anomaly.all() and set(nothing.labels) == {NOISE}
    with pytest.raises(ContractError, match="rows of 3"):
        assign(rows, truth, np.zeros((1, 2)))


def test_centres_are_numbered_as_labels() -> None:
    rows, _ = three_heaps()
    found = kmeans(rows, 3, 0)
    assert np.array_equal(nearest_centre(rows, found.centres), found.labels)
