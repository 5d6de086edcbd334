"""Statistics, against windows that are spelled out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from plan_sets import NAME, Shell, as_v21, demonstrations

from robovalue_ros.data.plan_files.folder import read_plan
from robovalue_ros.data.plan_files.norm_stats import read_norm_stats
from robovalue_ros.plans.episodes import table_of
from robovalue_ros.plans.norm_stats import norm_stats

LINE = "robovalue plan norm-stats my_training --action-horizon 50"
BUILD = "robovalue plan build --train-config-name my_training --action-horizon 50 --batch-size 32"
EPISODES = demonstrations()
STATES = np.concatenate([one.states for one in EPISODES])
TABLE = table_of([len(one) for one in EPISODES])


def windows(rows: np.ndarray) -> np.ndarray:
    """Return the actions (n * 50, D) of the windows that begin in rows, ends repeated."""
    found = []
    for row in rows.tolist():
        actions = EPISODES[TABLE.episode[row]].actions
        frames = np.minimum(TABLE.frame[row] + np.arange(50), len(actions) - 1)
        found.append(actions[frames])
    return np.concatenate(found)


def expect(path: Path, rows: np.ndarray) -> None:
    found = read_norm_stats(path)
    for name, values in (("state", STATES[rows]), ("actions", windows(rows))):
        exact = values.astype(np.float64)
        assert np.allclose(found[name].mean, exact.mean(axis=0), rtol=1e-9, atol=1e-12)
        assert np.allclose(found[name].std, exact.std(axis=0), rtol=1e-9, atol=1e-12)
        for part, q in ((found[name].q01, 0.01), (found[name].q99, 0.99)):
            assert np.allclose(part, np.quantile(exact, q, axis=0), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", ["none", "anchors", "episodes", "episodes_valid"])
def test_the_rows_of_each_mode(shell: Shell, mode: str) -> None:
    shell.run(f"{BUILD} --repo-id {NAME} --num-episodes-keep 3 --valid-start-tail-keep 5")
    shell.run(
        f"{LINE} --plan-path sampling_plans/plan_star --plan-subset-mode {mode} "
        "--output-asset-id mine"
    )
    plan = read_plan(Path("sampling_plans/plan_star")).plan
    lengths = np.array([len(one) for one in EPISODES])[TABLE.episode]
    kept = np.isin(TABLE.episode, plan.meta["episodes_keep"])
    valid = kept & (TABLE.frame <= lengths - 50 + 5)
    rows = {
        "none": np.arange(len(TABLE)), "anchors": plan.anchors, "episodes": np.flatnonzero(kept),
        "episodes_valid": np.flatnonzero(valid),
    }[mode]  # fmt: skip
    expect(Path("assets/my_training/mine/norm_stats.json"), rows)


def test_rows_that_are_drawn(shell: Shell) -> None:
    shell.run(f"{LINE} --repo-id {NAME} --max-frames 37 --seed 4 --asset-id drawn")
    rows = np.random.default_rng(4).choice(np.arange(len(TABLE)), size=37, replace=False)
    expect(Path("assets/my_training/drawn/norm_stats.json"), rows)


def test_the_rule_of_older_tools(shell: Shell) -> None:
    shell.run(f"{LINE} --repo-id {NAME} --max-frames 37 --compat reference")
    rows = np.random.default_rng(0).choice(np.arange(len(TABLE)), size=37, replace=False)
    batches = [rows[at : at + 8] for at in range(0, 32, 8)]
    expected = norm_stats(
        {"state": [STATES[one] for one in batches], "actions": [windows(one) for one in batches]},
        "reference",
    )
    found = read_norm_stats(Path(f"assets/my_training/{NAME}/norm_stats.json"))
    for name, stats in expected.items():
        for part in ("mean", "std", "q01", "q99"):
            assert np.allclose(getattr(found[name], part), getattr(stats, part), rtol=1e-6)


def test_the_file_is_laid_out_as_trainers_read_it(shell: Shell) -> None:
    as_v21(shell.folder / "few", demonstrations(2))
    said = shell.run(f"{LINE} --repo-id few")
    path = Path("assets/my_training/few/norm_stats.json")
    assert str(path) in said and "exact quantiles" in said
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == ["norm_stats"] and list(content["norm_stats"]) == ["state", "actions"]
    assert list(content["norm_stats"]["state"]) == ["mean", "std", "q01", "q99"]
    assert path.read_text(encoding="utf-8").startswith('{\n  "norm_stats": {\n    "state"')


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("", "no data set is named"),
        (f"--repo-id {NAME} --output-asset-id ../../x", "'../../x' cannot name a folder"),
        (f"--repo-id {NAME} --max-frames 1", "Cannot compute statistics for less than 2 vectors."),
        ("--plan-path plan --repo-id other --plan-subset-mode anchors",
         f"Plan repo_id mismatch: plan={NAME} config=other"),
        ("--plan-path plan --action-horizon 16 --plan-subset-mode anchors",
         "Plan action_horizon_H mismatch: plan=50 model=16"),
    ],
)  # fmt: skip
def test_what_goes_wrong(shell: Shell, words: str, text: str) -> None:
    shell.run(f"{BUILD} --repo-id {NAME} --num-episodes-keep 3 --out-dir plan")
    line = LINE.replace(" --action-horizon 50", "") if "--action-horizon" in words else LINE
    assert shell.fails(f"{line} {words}").startswith(text)
    assert not Path("assets").exists()
