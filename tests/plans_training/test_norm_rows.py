"""Which rows statistics see, and what the rule of older tools leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.episodes import index_episodes, table_of
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.histogram import reference_batches
from robovalue_ros.plans.norm_rows import SubsetMode, check_norm_plan, drawn_rows, norm_rows

HORIZON = 5
TABLE = table_of([8, 6, 10], ids=[3, 5, 9])
INDEX = index_episodes(TABLE)


def plan(**meta: object) -> SamplingPlan:
    told = {"repo_id": "me/set", "action_horizon_H": HORIZON, "episodes_keep": [3, 9], **meta}
    return SamplingPlan(np.array([0, 2, 16]), np.ones(3), np.zeros(3, np.int64), told)


def rows(mode: SubsetMode, **meta: object) -> list[int]:
    return norm_rows(TABLE, INDEX, HORIZON, plan(**meta), mode).tolist()


def test_rows_of_each_mode() -> None:
    assert rows("none") == list(range(24))
    assert norm_rows(TABLE, INDEX, HORIZON, None, "anchors").tolist() == list(range(24))
    assert rows("anchors") == [0, 2, 16]
    assert rows("episodes") == [*range(8), *range(14, 24)]
    assert rows("episodes_valid") == [*range(4), *range(14, 20)]
    with_tail = rows("episodes_valid", valid_start_rule={"tail_keep": 2})
    assert with_tail == [*range(6), *range(14, 22)]


def test_plans_that_do_not_fit_are_refused() -> None:
    check_norm_plan(plan(), "me/set", HORIZON)
    with pytest.raises(PlanError, match=r"^Plan repo_id mismatch: plan=me/set config=other$"):
        check_norm_plan(plan(), "other", HORIZON)
    with pytest.raises(PlanError, match=r"^Plan action_horizon_H mismatch: plan=5 model=6$"):
        check_norm_plan(plan(), "me/set", 6)
    with pytest.raises(PlanError, match=r"^Plan meta missing episodes_keep; "):
        rows("episodes", episodes_keep=[])
    with pytest.raises(PlanError, match=r"^No frames selected for norm stats\.$"):
        rows("episodes", episodes_keep=[4])
    with pytest.raises(PlanError, match="out of range"):
        norm_rows(table_of([4]), index_episodes(table_of([4])), HORIZON, plan(), "anchors")


def test_a_part_of_the_rows_is_drawn_in_order_of_drawing() -> None:
    given = np.arange(10, 40)
    drawn = drawn_rows(given, 12, np.random.default_rng(5))
    assert drawn.tolist() == (10 + np.random.default_rng(5).choice(30, 12, replace=False)).tolist()
    assert drawn_rows(given, 30, np.random.default_rng(5)) is given
    assert drawn_rows(given, None, np.random.default_rng(5)) is given


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (3, [3]), (8, [8]), (15, [8]), (16, [8, 8])])
def test_older_tools_leave_out_what_fills_no_batch(count: int, sizes: list[int]) -> None:
    found = list(reference_batches(np.arange(count)))
    assert [len(part) for part in found] == sizes
    if found:
        assert np.concatenate(found).tolist() == list(range(sum(sizes)))
