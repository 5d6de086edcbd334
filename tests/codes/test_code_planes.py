"""Pictures in a plane: UMAP repeats itself, and is told when it is not there."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from robovalue_ros.contracts.progress import SilentProgress
from robovalue_ros.pipelines.codes.config import PlaneOptions
from robovalue_ros.pipelines.codes.planes import named_groups, planes, umap_plane
from robovalue_ros.report.clouds import Panel, draw_panels

ROWS = np.repeat(np.eye(3) * 6, 10, axis=0) + np.random.default_rng(0).normal(size=(30, 3)) * 0.3


def test_without_umap_there_are_components_and_a_word_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    found, findings = planes(ROWS, PlaneOptions(), "cosine", 0, SilentProgress())
    assert [plane.kind for plane in found] == ["pca"] and found[0].points.shape == (30, 2)
    assert "robovalue_ros[codes]" in findings[0].advice
    few, findings = planes(ROWS[:4], PlaneOptions(), "cosine", 0, SilentProgress())
    assert len(few) == 1 and "too few" in findings[0].found
    assert planes(ROWS, PlaneOptions(umap=False), "cosine", 0, SilentProgress())[1] == ()


@pytest.mark.slow
def test_umap_keeps_heaps_apart_and_repeats_itself() -> None:
    options = PlaneOptions(umap_n_neighbors=5)
    first = umap_plane(ROWS, options, "euclidean", 0)
    assert np.array_equal(first, umap_plane(ROWS, options, "euclidean", 0))
    centres = first.reshape(3, 10, 2).mean(axis=1)
    within = np.linalg.norm(first.reshape(3, 10, 2) - centres[:, None], axis=2).max()
    between = min(np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert between > within


def test_pictures_take_any_names_many_groups_and_one_point() -> None:
    rng = np.random.default_rng(1)
    names = ("_low", "$x$", "杯子", None, *map(str, range(30)))
    groups = tuple(names[place % len(names)] for place in range(200))
    panel = Panel("many", rng.normal(size=(200, 2)), groups, ("a", "b"))
    picture = draw_panels("t", "s", (panel, panel, panel))
    assert picture == draw_panels("t", "s", (panel, panel, panel)) and picture[:4] == b"\x89PNG"
    assert draw_panels("", "", (Panel("", np.zeros((1, 2)), (None,)),), 200)[:4] == b"\x89PNG"
    assert named_groups(np.array([0, -1, 1]), ("a", "b")) == ("a", None, "b")
