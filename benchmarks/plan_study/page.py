"""The tables of the study, and docs/plan_study.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.book import Sheet, machine_line, sheet_markdown
from benchmarks.plan_study.arms import AGAIN, PLANS, SHIPPED, SHUFFLE, TRUTH
from benchmarks.plan_study.running import Run, StudyResult
from benchmarks.plan_study.scores import Estimate, resamples
from benchmarks.plan_study.settings import StudyConfig

INTRODUCTION = f"""# What sampling plans are worth on the embedded simulator

Written by `make bench-plans`, whatever it says. A small policy learns from few demonstrations in a short
run. Only the order of its samples changes from row to row: demonstrations, first weights, scales,
learning rates, steps and the initial states of its episodes are the same.

* **Demonstrations**: successes of the scripted expert in all its manners, of which each seed keeps some.
* **Policy**: two hidden layers from one observation to a chunk of actions, L1 loss, AdamW with a warm-up
  and a cosine. It sees the robot's state and where objects and goal are from the hand, not pictures, and
  no progress, stage or time. It plays a part of each chunk, then looks again.
* **{SHUFFLE}**: no plan, every frame once in each pass. **{AGAIN}**: the same with another
  seed of the order alone. A plan that does no more than that does nothing.
* **Plans**: options as shipped, save those that the data ask for, and with every frame as a start, so that
  all rows draw from the same samples. The event-weighted plan is the time-quantile one with more weight
  near gripper events. The value-weighted plan has no stages. The value model is the project's own, fitted
  for each seed on the pictures of the kept demonstrations and nothing else.
* **{TRUTH}**: by the simulator's true progress, which no one has outside a simulator. It tells
  what better value curves could give.
* **{SHIPPED}**: every second frame, and none whose chunk passes the end, so that a
  policy never sees how its demonstrations end. What each of the two does is not told apart here.

Task, steps and policy were chosen by the success of shuffling alone, on demonstrations, seeds and initial
states other than these, so that it lies between 20 and 80 %. Then each row was measured once.
"""
PERCENT = 100.0


def tables(config: StudyConfig, result: StudyResult, command: str) -> list[Sheet]:
    """Return the tables: success, differences, what training saw."""
    rates, gaps = estimates(config, result)
    return [
        _success(config, result, rates, command),
        _differences(result, gaps),
        _exposure(config, result),
    ]


def estimates(
    config: StudyConfig, result: StudyResult
) -> tuple[Mapping[str, Estimate], Mapping[str, Estimate]]:
    """Return the success of each row, and its difference to shuffling on the same initial states."""
    rng = np.random.default_rng([config.test_seed, 3])
    drawn = resamples(len(config.seeds), config.episodes, config.draws, rng)
    rates = {
        arm: drawn.estimate([PERCENT * np.asarray(run.success, np.float64) for run in runs])
        for arm, runs in result.runs.items()
    }
    base = result.runs[SHUFFLE]
    gaps = {
        arm: drawn.estimate([
            PERCENT * (run.success.astype(np.float64) - plain.success.astype(np.float64))
            for run, plain in zip(runs, base, strict=True)
        ])
        for arm, runs in result.runs.items()
        if arm != SHUFFLE
    }  # fmt: skip
    return rates, gaps


def _success(
    config: StudyConfig, result: StudyResult, rates: Mapping[str, Estimate], command: str
) -> Sheet:
    rows = []
    for arm, runs in result.runs.items():
        rate = rates[arm]
        took = np.concatenate([run.steps[run.success] for run in runs])
        rows.append((
            arm, f"{rate.value:.1f}", _span(rate.episodes), _span(rate.both), _each(rate.seeds),
            f"{took.mean():.0f}" if len(took) else "-",
            *(f"{np.mean([getattr(run, name) for run in runs]):.3f}"
              for name in ("loss", "loss_kept", "loss_others")),
        ))  # fmt: skip
    note = (
        f"{config.episodes} episodes for each of the seeds {_listed(config.seeds)}. Intervals are of "
        "95 %: the first for other initial states with these policies, the second also for other seeds, "
        f"of which {len(config.seeds)} say little: it is too narrow if anything. steps: of successes. "
        "loss: mean absolute difference of scaled actions, in the last steps as drawn; then over all "
        f"frames of the {config.keep} demonstrations and of the {config.demos - config.keep} that training "
        "never saw. A plan that draws hard frames more often has a higher loss as drawn."
    )
    columns = (
        "order of samples", "success %", "episodes", "episodes and seeds", "each seed", "steps",
        "loss at the end", "loss, kept", "loss, others",
    )  # fmt: skip
    return Sheet(f"Success on {config.task}", command, columns, rows, note)


def _differences(result: StudyResult, gaps: Mapping[str, Estimate]) -> Sheet:
    rows = []
    for arm, gap in gaps.items():
        won, lost = _discordant(result.runs[arm], result.runs[SHUFFLE])
        rows.append((
            arm, f"{gap.value:+.1f}", _span(gap.episodes, "+.1f"), _span(gap.both, "+.1f"),
            _each(gap.seeds, "+.1f"), str(won), str(lost), _word(gap),
        ))  # fmt: skip
    return Sheet(
        f"Less {SHUFFLE}, on the same initial states", "",
        ("order of samples", "points", "episodes", "episodes and seeds", "each seed", "only it succeeds",
         f"only {SHUFFLE} does", "told apart"),
        rows,
        f"Points of success. Told apart: neither interval holds 0, and all seeds agree. With {len(gaps)} "
        "comparisons one in twenty may do so by chance, and more for few seeds.",
    )  # fmt: skip


def _exposure(config: StudyConfig, result: StudyResult) -> Sheet:
    rows = []
    for arm, runs in result.runs.items():
        seen = [run.drawing.exposure for run in runs]
        means = [
            float(np.mean([getattr(one, name) for one in seen]))
            for name in ("samples", "ess", "coverage", "avg_repeat", "effective_repeat", "most")
        ]
        stages = np.array([run.drawing.stages for run in runs])
        counts = " ".join(f"{count:.0f}" for count in stages.mean(axis=0)) if stages.size else "-"
        rows.append((
            arm, f"{means[0]:.0f}", f"{means[1]:.0f}", f"{PERCENT * means[2]:.1f}",
            *(f"{mean:.0f}" for mean in means[3:]), counts,
        ))  # fmt: skip
    note = (
        f"{config.steps} steps of {config.batch} samples; means over seeds. ESS: effective number of "
        "samples. coverage: share of samples that are expected to be drawn at all. repeats: draws of "
        "each of these; by ESS: draws over ESS; most: of the most frequent one."
    )
    if result.value_errors:
        errors = ", ".join(f"{error:.3f}" for error in result.value_errors)
        note += f" Mean error of the value curves to true progress, by seed: {errors}."
    return Sheet(
        "What training sees", "",
        ("order of samples", "samples", "ESS", "coverage %", "repeats", "by ESS", "most", "stages"),
        rows, note,
    )  # fmt: skip


def verdicts(config: StudyConfig, result: StudyResult) -> list[str]:
    """Return in words what the figures say, for better or worse."""
    rates, gaps = estimates(config, result)
    base = rates[SHUFFLE].value
    lines = [f"Shuffling alone succeeds in {base:.1f} % of the episodes."]
    if not 20.0 <= base <= 80.0:
        lines.append("That is not between 20 and 80 % as it was meant to be: read with care.")
    if AGAIN in gaps:
        lines.append(
            f"Another order of the same shuffling changes that by {gaps[AGAIN].value:+.1f} points "
            f"({_each(gaps[AGAIN].seeds, '+.1f')} by seed): so much is chance."
        )
    for arm in (*PLANS, TRUTH, SHIPPED):
        if arm not in gaps:
            continue
        gap = gaps[arm]
        if _clear(gap):
            kind = "better" if gap.value > 0 else "worse"
            lines.append(f"{arm}: {kind} than shuffling by {abs(gap.value):.1f} points.")
        else:
            lines.append(f"{arm}: {gap.value:+.1f} points, which these runs do not tell from none.")
    return lines


def page(config: StudyConfig, result: StudyResult, command: str) -> str:
    """Return the page as text."""
    manners = ", ".join(f"{name} {count}" for name, count in result.manners.items())
    parts = [
        INTRODUCTION,
        f"`OMP_NUM_THREADS=1 {command}`\n",
        f"Machine: {machine_line()}; {result.seconds / 60.0:.0f} CPU minutes. {config.demos} demonstrations "
        f"from seed {config.demo_seed} ({manners}), {config.keep} kept by each seed: "
        f"{_listed(result.frames)} frames. Chunks of {config.horizon} actions, {config.played} of them "
        f"played; hidden layers of {config.width}.\n",
        "## In words\n\n" + "\n".join(f"- {line}" for line in verdicts(config, result)) + "\n",
        *(sheet_markdown(sheet) for sheet in tables(config, result, "")),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _clear(gap: Estimate) -> bool:
    signs = {float(np.sign(value)) for value in gap.seeds}
    return gap.one_sided and len(signs) == 1 and len(gap.seeds) > 1


def _word(gap: Estimate) -> str:
    if not _clear(gap):
        return "no"
    return "yes, better" if gap.value > 0 else "yes, WORSE"


def _discordant(runs: Sequence[Run], base: Sequence[Run]) -> tuple[int, int]:
    pairs = list(zip(runs, base, strict=True))
    won = sum(int((run.success & ~plain.success).sum()) for run, plain in pairs)
    lost = sum(int((~run.success & plain.success).sum()) for run, plain in pairs)
    return won, lost


def _span(ends: tuple[float, float], form: str = ".1f") -> str:
    return f"[{ends[0]:{form}}, {ends[1]:{form}}]"


def _each(values: Sequence[float], form: str = ".1f") -> str:
    return " / ".join(f"{value:{form}}" for value in values)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
