"""Documents of plans: hashes, and that every single corruption is refused."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import numpy as np
import pytest
from plan_data import plan_of, random_states

from robovalue_ros.contracts.types import SamplingPlan
from robovalue_ros.plans.checks import (
    REQUIRED,
    check_arrays,
    check_content,
    check_count,
    check_fields,
    check_hash,
    check_match,
    plan_figures,
)
from robovalue_ros.plans.document import (
    CONTENT_HASH,
    CREATED,
    HASH,
    canonical_json,
    content_sha256,
    plan_arrays,
    plan_sha256,
    sealed,
)
from robovalue_ros.plans.episodes import table_of
from robovalue_ros.plans.errors import PlanError

WHEN, LATER = "2025-01-31T12:00:00", "2025-02-01T08:30:00"


@pytest.fixture(scope="module")
def plan() -> SamplingPlan:
    states = random_states(np.random.default_rng(3), 270)
    return plan_of(
        table_of([80, 100, 90], states=states), gripper_event_enabled=True, gripper_dims="0"
    )


def npz(arrays: dict[str, Any], compressed: bool = True) -> bytes:
    content = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(content, **arrays)
    return content.getvalue()


def verify(meta: dict[str, Any], content: bytes) -> None:
    """Look at a stored plan as a door does."""
    check_hash(meta, content, "plan_meta.json")
    arrays = dict(np.load(io.BytesIO(content)))
    check_arrays(*arrays.values())
    check_fields(meta)
    check_content(meta, arrays)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    return [path]


def changed(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else [*value, 7]


def test_what_was_built_is_accepted(plan: SamplingPlan) -> None:
    content = npz(plan_arrays(plan))
    meta = json.loads(canonical_json(sealed(plan, content, WHEN)))
    verify(meta, content)
    assert set(REQUIRED) <= set(meta)
    assert {name: str(values.dtype) for name, values in plan_arrays(plan).items()} == {
        "anchor_indices": "int64", "stage_ids": "int32", "weights": "float32",
    }  # fmt: skip


def test_every_single_corruption_of_a_document_is_refused(plan: SamplingPlan) -> None:
    content = npz(plan_arrays(plan))
    meta = sealed(plan, content, WHEN)
    places = leaves(meta)
    assert len(places) > 50
    for place in places:
        for damage in ("change", "delete"):
            broken = copy.deepcopy(meta)
            holder = broken
            for key in place[:-1]:
                holder = holder[key]
            if damage == "change":
                holder[place[-1]] = changed(holder[place[-1]])
            else:
                del holder[place[-1]]
            with pytest.raises(PlanError):
                verify(broken, content)


def test_corrupt_arrays_are_refused_even_where_the_hash_was_made_anew(plan: SamplingPlan) -> None:
    arrays = plan_arrays(plan)
    for name, values in arrays.items():
        broken = {**arrays, name: values.copy()}
        broken[name][3] += 1
        content = npz(broken)
        meta = sealed(plan, npz(arrays), WHEN)
        with pytest.raises(PlanError, match=r"^Plan sha256 mismatch: expected="):
            verify(meta, content)
        with pytest.raises(PlanError, match=r"^Plan content mismatch"):
            verify(sealed(plan, content, WHEN), content)
        forged = {**plan.meta, CONTENT_HASH: content_sha256(plan.meta, broken)}
        if name != "anchor_indices":
            with pytest.raises(PlanError, match=r"^Plan summary mismatch"):
                check_content(forged, broken)


def test_two_builds_share_the_content_hash_and_not_the_other(plan: SamplingPlan) -> None:
    arrays = plan_arrays(plan)
    one = sealed(plan, npz(arrays), WHEN)
    assert one == sealed(plan, npz(arrays), WHEN)
    other = sealed(plan, npz(arrays, compressed=False), LATER)
    assert one[CONTENT_HASH] == other[CONTENT_HASH] and one[HASH] != other[HASH]
    assert one[CONTENT_HASH] == content_sha256({**one, CREATED: LATER}, arrays)
    assert one[CONTENT_HASH] != content_sha256({**one, "plan_seed": 8}, arrays)


def test_hashes_take_a_damaged_text_as_it_is() -> None:
    assert len(plan_sha256(json.loads('{"repo_id": "\\ud800"}'), b"")) == 64


def test_texts_of_arrays_that_make_no_plan() -> None:
    whole, stages, weights = np.arange(3), np.zeros(3, np.int32), np.ones(3, np.float32)
    for given, text in (
        ((whole[None], stages, weights), "anchor_indices must be 1D."),
        ((whole, stages, weights[:, None]), "weights must be 1D."),
        ((whole.astype(float), stages, weights), "anchor_indices must be integer dtype."),
        ((whole, stages, whole), "weights must be floating dtype."),
        ((whole, stages, weights * np.nan), "weights contain non-finite values."),
        ((whole, stages, weights * 0), "weights are all zero."),
        ((whole - 1, stages, weights),
         "anchor_indices and stage_ids must be non-negative."),
    ):  # fmt: skip
        with pytest.raises(PlanError) as raised:
            check_arrays(*given)
        assert str(raised.value) == text
    check_arrays(whole, stages, weights * 0, compat=True)


def test_texts_of_documents(plan: SamplingPlan) -> None:
    with pytest.raises(PlanError) as raised:
        check_fields({name: 0 for name in REQUIRED if name not in ("repo_id", "summary")})
    assert str(raised.value) == "Missing meta fields: ['repo_id', 'summary']"
    with pytest.raises(PlanError, match=r"^anchors=3 < check_min_anchors=4$"):
        check_count(3, 4)
    with pytest.raises(PlanError, match=r"^Plan meta missing plan_sha256: here$"):
        check_hash(plan.meta, b"", "here")


def test_a_plan_of_other_data_or_of_another_model_is_refused(plan: SamplingPlan) -> None:
    fits = {"repo_id": "repo", "rows": 270, "horizon": 10, "fingerprint": "fingerprint",
            "data_sha256": "data"}  # fmt: skip
    check_match(plan.meta, plan.anchors, **fits)
    # Another version of the library, the same data.
    check_match(plan.meta, plan.anchors, **{**fits, "fingerprint": "other"})
    check_match(plan.meta, plan.anchors, **{**fits, "fingerprint": "", "data_sha256": ""})
    for change, text in (
        ({"repo_id": "b"}, "Sampling plan repo_id mismatch: plan=repo config=b"),
        ({"rows": 9}, "Sampling plan dataset_len mismatch: plan=270 dataset=9"),
        ({"horizon": 9}, "Sampling plan action_horizon_H mismatch: plan=10 model=9"),
        ({"data_sha256": "b"}, "Sampling plan data_sha256 mismatch: plan=data dataset=b"),
        (
            {"data_sha256": "", "fingerprint": "b"},
            "Sampling plan dataset_fingerprint mismatch: plan=fingerprint dataset=b",
        ),
    ):
        with pytest.raises(PlanError) as raised:
            check_match(plan.meta, plan.anchors, **{**fits, **change})
        assert str(raised.value) == text
    with pytest.raises(PlanError, match="out of range for dataset"):
        check_match(plan.meta, plan.anchors + 250, **fits)


def test_figures_are_those_of_the_summary(plan: SamplingPlan) -> None:
    figures = plan_figures(plan_arrays(plan), plan.meta)
    told = plan.meta["summary"]
    assert figures["stage_counts"] == told["stage_counts"]
    assert figures["ESS_reference"] == pytest.approx(told["ESS_reference"], rel=1e-5)
