"""The tables of the study, and docs/segment_study.md."""

from __future__ import annotations

import numpy as np

from benchmarks.book import Sheet, machine_line, sheet_markdown
from benchmarks.segment_study.running import (
    BRIEF,
    METHODS,
    OURS,
    PEERS,
    TOKENS,
    VELOCITY,
    StudyResult,
)
from benchmarks.segment_study.scores import numbers, resampled
from benchmarks.segment_study.settings import StudyConfig

WANTED = 0.05
WITH_INTERVALS = ("boundary F1, 0.5 s", "F1@50")
F1 = WITH_INTERVALS[0]
INTRODUCTION = """# What the segmenter finds on the embedded simulator

Written by `make bench-segment`. Truth: the moments at which the simulator's `substep_index` changes,
which are grasps and releases. Two and three objects are brought into a box, in all manners of the
scripted expert: clean, slow, pausing, noisy, wandering, retrying. Whoever retries or pauses rests where
no substep begins, and no motion tells such a rest from a grasp.

Everything that can be chosen is chosen on the training episodes: thresholds, counts, smoothing, how
late a method is, the tokenizer and which of its energies, the value models. Then the held-out episodes
are played from a seed of their own, and each method cuts each of them once.

How segments become boundaries: the stream's actions have rests between them, the substeps do not. The
middle of a rest is one boundary; a rest before the first or after the last action is none. An action
ends late by the windows that the machine waits for, so the cuts of every method are moved by one number
that its training episodes ask for. The column "starts and ends" instead counts where every segment
begins and where it ends, each for itself, against boundaries of the truth that count twice.
"""


def tables(config: StudyConfig, result: StudyResult, command: str) -> list[Sheet]:
    """Return the tables: scores, differences, tasks, and what was chosen."""
    rng = np.random.default_rng([config.test_seed, 3])
    columns = {name: numbers(result.scores[name]) for name in METHODS}
    heads = list(next(iter(columns.values())))
    rows = []
    for name in METHODS:
        cells = []
        for head in heads:
            mean = resampled(columns[name][head], config.draws, rng)
            if np.isnan(mean.value):
                cells.append("-")
            elif head in WITH_INTERVALS:
                cells.append(mean.text(1 if head == "F1@50" else 3))
            else:
                cells.append(f"{mean.value:.2f}" if abs(mean.value) < 10 else f"{mean.value:.1f}")
        segments = np.mean([one.segments for one in result.scores[name]])
        rows.append((name, *cells, f"{segments:.1f}"))
    note = (
        f"{len(result.seen)} episodes from seed {config.test_seed}, on average "
        f"{np.mean(result.true_segments):.1f} substeps. F1 and shares are of 1, F1@k, Edit and MoF of "
        "100. over, under: segments too many for each true one, true ones too many for each found one. "
        "In brackets: 95 % intervals from drawing whole episodes again."
    )
    main = Sheet("Held-out episodes", command, ("method", *heads, "segments"), rows, note)
    return [main, _differences(config, columns, rng), _by_task(result), _choices(result)]


def _differences(
    config: StudyConfig, columns: dict[str, dict[str, object]], rng: np.random.Generator
) -> Sheet:
    rows = []
    for ours in OURS:
        for peer in PEERS:
            gap = np.asarray(columns[ours][F1]) - np.asarray(columns[peer][F1])
            mean = resampled(gap, config.draws, rng)
            sign = "yes" if mean.value >= WANTED else "NO"
            rows.append((ours, peer, mean.text(3), sign))
    return Sheet(
        "Differences of boundary F1", "", ("method", "less", "mean over episodes", f"by {WANTED} or more"),
        rows, "Paired: both methods on the same episodes.",
    )  # fmt: skip


def _by_task(result: StudyResult) -> Sheet:
    """Return the boundary F1 by task and by manner."""
    groups: dict[str, list[int]] = {}
    for place, (task, mode) in enumerate(result.seen):
        groups.setdefault(task, []).append(place)
        groups.setdefault(mode, []).append(place)
    rows = []
    for group, places in sorted(groups.items(), key=lambda item: (item[0].find("put"), item[0])):
        means = [np.mean([result.scores[name][k].f1 for k in places]) for name in METHODS]
        rows.append((group, str(len(places)), *(f"{mean:.2f}" for mean in means)))
    return Sheet("Boundary F1 by task and by manner", "", ("episodes", "n", *METHODS), rows)


def _choices(result: StudyResult) -> Sheet:
    rows = [
        (name, f"{result.choices.trained[name]:.3f}", result.choices.chosen[name])
        for name in METHODS
    ]
    told = result.choices.tokenizer.told
    perplexity = told.get(
        "val_codebook_perplexity", told.get("train_codebook_perplexity", float("nan"))
    )
    note = (
        f"The tokenizer learned from {result.choices.tokenizer.samples} windows in "
        f"{result.choices.tokenizer.minutes:.1f} CPU minutes; code-book perplexity {perplexity:.0f}."
    )
    return Sheet(
        "What was chosen on the training episodes", "", ("method", "F1 there", "choice"), rows, note
    )


def verdicts(result: StudyResult) -> list[str]:
    """Return, in words, which peers are beaten by how much and which are not."""
    means = {name: float(numbers(result.scores[name])[F1].mean()) for name in METHODS}
    lines = []
    for ours in (VELOCITY, BRIEF, TOKENS):
        for peer in PEERS:
            gap = means[ours] - means[peer]
            if gap >= WANTED:
                lines.append(f"{ours} beats {peer} by {gap:.3f} boundary F1.")
            elif gap >= 0.0:
                lines.append(
                    f"{ours} is ahead of {peer} by only {gap:.3f}: less than {WANTED} wanted."
                )
            else:
                lines.append(f"{peer} wins over {ours} by {-gap:.3f}.")
    return lines


def page(config: StudyConfig, result: StudyResult, command: str) -> str:
    """Return the page as text."""
    parts = [
        INTRODUCTION,
        f"`{command}`\n",
        f"Machine: {machine_line()}; {result.minutes:.0f} CPU minutes in this run. Training: {config.train} "
        f"episodes from seed {config.train_seed}.\n",
        "## In words\n\n" + "\n".join(f"- {line}" for line in verdicts(result)) + "\n",
        *(sheet_markdown(sheet) for sheet in tables(config, result, "")),
    ]
    return "\n".join(parts)
