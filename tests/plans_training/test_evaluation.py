"""Bookkeeping of evaluations: ids, overrides, counts."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.data.evaluation_files import METRICS, RESULT, write_evaluation
from robovalue_ros.plans.checkpoint_ids import NoCheckpoint, checkpoint_folder, checkpoint_id
from robovalue_ros.plans.evaluation import (
    EvaluationSubject,
    Rollout,
    evaluate,
    first_seed,
    metrics_document,
    result_folder,
    result_text,
)
from robovalue_ros.plans.overrides import literal, overridden, parse_overrides

NAMES = ["1000", "3000", "29999", "6000.tmp", "9", "٣٣٣٣٣٣", "best"]
SUBJECT = EvaluationSubject("lift", "clean", "k", "pi0", "unseen")


@pytest.mark.parametrize("value", [-1, "-1", "latest", "LATEST", "Max"])
def test_the_latest_checkpoint_is_the_largest_step(value: int | str) -> None:
    assert checkpoint_id(value, NAMES, "there") == "29999"


def test_other_ids_must_exist_unless_older_tools_are_asked_for() -> None:
    assert checkpoint_id(None, NAMES, "there") is None
    assert checkpoint_id(3000, NAMES, "there") == "3000"
    assert checkpoint_id("best", NAMES, "there") == "best"
    for value in (6000, "../../etc", -2, "lates", True):
        with pytest.raises(FileNotFoundError, match="no checkpoint"):
            checkpoint_id(value, NAMES, "there")
        assert checkpoint_id(value, NAMES, "there", compat="reference") == str(value)
    folder = checkpoint_folder("cfg", "exp")
    text = f"^No numeric checkpoint dirs found under: {folder}$"
    with pytest.raises(NoCheckpoint, match=text):
        checkpoint_id("latest", ["best"], folder)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=5,
    )
)
def test_literals_are_read_as_they_are_written(value: object) -> None:
    assert literal(repr(value)) == value


@given(st.text(max_size=40))
def test_any_text_is_a_literal_or_stays_itself(text: str) -> None:
    found = literal(text)
    assert found == text or found == ast.literal_eval(text)


@pytest.mark.parametrize(
    "text",
    [
        "max",
        "__import__('os').getcwd()",
        "[].__class__",
        "1 + 1",
        "lambda: 0",
        "a-b",
        "(",
        "(" * 500,
    ],
)
def test_nothing_is_run(text: str) -> None:
    assert literal(text) == text


def test_pairs_go_over_settings() -> None:
    found = overridden({"seed": 1, "a": 1}, ["--seed", "-3", "--name", "x y", "--l", "[1,2]"])
    assert found == {"seed": -3, "a": 1, "name": "x y", "l": [1, 2]}
    for words in (["--seed"], ["seed", "1"], ["--", "1"], ["--a=1", "--b"], ["--a", "1", "2"]):
        with pytest.raises(ConfigError, match="override"):
            parse_overrides(words)


def test_an_evaluation_counts_what_the_expert_can_do() -> None:
    rejected = {100_001: "unstable", 100_002: "error"}
    ends = iter(["success", "exception", "timeout", "success"])

    def try_policy(seed: int) -> Rollout:
        return Rollout(seed, next(ends), seed - 100_000)  # type: ignore[arg-type]

    found = evaluate(lambda seed: rejected.get(seed, "ok"), try_policy, 4, first_seed(0))  # type: ignore[arg-type,return-value]
    assert [one.seed for one in found.rollouts] == [100_000, 100_003, 100_004, 100_005]
    assert found.rejected == tuple(rejected.items()) and found.next_seed == 100_006
    document = metrics_document(SUBJECT, found, 12.5)
    assert document["failure_counts"] == {"timeout": 1, "exception": 1, "other": 2}
    assert document["success_rate"] == 0.5 and document["avg_steps_success"] == 2.5
    assert document["eval_time_sec"] == 12.5
    older = metrics_document(SUBJECT, found, compat="reference")
    assert older["failure_counts"]["other"] == 0 and "eval_time_sec" not in older
    text = result_text("2025-01-31 12:00:00", SUBJECT, found)
    assert "2025-01-31 12:00:00" in text and "unseen" in text and text.endswith("\n0.5\n")
    assert str(result_folder(SUBJECT, "t")) == "eval_result/lift/pi0/clean/k/t"


def test_an_expert_that_never_can_is_an_end() -> None:
    with pytest.raises(ConfigError, match="failed on 7 seeds in a row"):
        evaluate(lambda seed: "fail", lambda seed: Rollout(seed, "success"), 1, 0, most_rejected=7)
    assert first_seed(2) == 300_000


def test_both_documents_lie_where_older_tools_put_them_and_replace_nothing(tmp_path: Path) -> None:
    found = evaluate(
        lambda seed: "fail" if seed % 3 == 0 else "ok",
        lambda seed: Rollout(seed, "success" if seed % 2 else "timeout", 7),
        episodes=4, seed=first_seed(0),
    )  # fmt: skip
    begun = datetime(2026, 3, 1, 12, 30, 5)
    folder = write_evaluation(tmp_path, SUBJECT, found, begun, seconds=2.5)
    assert folder == tmp_path / "eval_result/lift/pi0/clean/k/2026-03-01 12:30:05"
    metrics = json.loads((folder / METRICS).read_text())
    assert (metrics["successes"], metrics["episodes"], metrics["eval_time_sec"]) == (2, 4, 2.5)
    assert metrics["failure_counts"] == {"exception": 0, "other": 1, "timeout": 2}
    assert (folder / RESULT).read_text().rstrip().endswith("0.5")
    again = write_evaluation(tmp_path, SUBJECT, found, begun)
    assert again.name == "2026-03-01 12:30:05_2"
    assert json.loads((folder / METRICS).read_text()) == metrics
    assert not list(tmp_path.rglob(".tmp-*"))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    found = evaluate(lambda _: "ok", lambda seed: Rollout(seed, "success"), episodes=1, seed=0)
    with pytest.raises(ConfigError, match="name of a folder"):
        write_evaluation(tmp_path, replace(SUBJECT, ckpt_setting=name), found, datetime(2026, 3, 1))
    assert not list(tmp_path.iterdir())
