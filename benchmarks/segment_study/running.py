"""Fit every method on the training episodes, then let each cut the held-out ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.segment_study import peers
from benchmarks.segment_study.learned import (
    KINDS,
    Energies,
    Tokenizer,
    default_window,
    embedded,
    fitted_encoders,
    token_energies,
    trained_tokenizer,
)
from benchmarks.segment_study.machines import (
    Fitted,
    fit_flow,
    fit_stream,
    flow_series,
    own_threshold_spans,
    stream_spans,
)
from benchmarks.segment_study.scores import Floats, Found, Scores, score
from benchmarks.segment_study.seeing import Episodes, Seen, brief_options, stream_options
from benchmarks.segment_study.settings import StudyConfig, tasks_of
from robovalue_ros.contracts.progress import Progress

SHIPPED = "velocity, as shipped"
OWN = "velocity, threshold auto"
VELOCITY = "velocity, fitted threshold"
BRIEF = "velocity of 8 frames, fitted"
TOKENS = "tokenizer, fitted threshold"
MINIMA = "velocity, dips (looks ahead)"
UNIFORM = "uniform cut, told the number"
FLOW = "optical flow, fitted threshold"
GOALS = "distance to the end (UVD-like)"
OURS, PEERS = (SHIPPED, OWN, VELOCITY, BRIEF, TOKENS, MINIMA), (UNIFORM, FLOW, GOALS)
METHODS = (*OURS, *PEERS)


@dataclass(frozen=True)
class Choices:
    """What was fitted on the training episodes, before any held-out one was played.

    chosen: a few words about each method. trained: each method's F1 on the training episodes.
    """

    find: Mapping[str, Callable[[Seen], Found]]
    chosen: Mapping[str, str]
    trained: Mapping[str, float]
    tokenizer: Tokenizer


@dataclass(frozen=True)
class StudyResult:
    """scores: of each method, one per episode. seen: task and manner of each episode."""

    choices: Choices
    scores: Mapping[str, tuple[Scores, ...]]
    seen: tuple[tuple[str, str], ...]
    true_segments: tuple[int, ...]
    minutes: float


def run_study(config: StudyConfig, progress: Progress) -> StudyResult:
    """Fit, play, cut and score."""
    begin = time.process_time()
    choices = fit_all(config, progress)
    held_out = Episodes(config, config.test_seed, config.episodes, progress)
    scores: dict[str, list[Scores]] = {name: [] for name in METHODS}
    seen_of, counts = [], []
    with progress.stage("cutting", len(held_out)) as tick:
        for seen in held_out:
            for name in METHODS:
                scores[name].append(score(choices.find[name](seen), seen))
            seen_of.append((seen.task, seen.mode))
            counts.append(len(seen.cuts) + 1)
            tick(1)
    return StudyResult(
        choices, {name: tuple(found) for name, found in scores.items()}, tuple(seen_of),
        tuple(counts), (time.process_time() - begin) / 60.0,
    )  # fmt: skip


def fit_all(config: StudyConfig, progress: Progress) -> Choices:
    """Choose everything that can be chosen by the training episodes."""
    episodes = Episodes(config, config.train_seed, config.train, progress)
    tokenizer = trained_tokenizer(config, episodes, progress)
    encoders = fitted_encoders(config, episodes, tasks_of(config), progress)
    training: list[Seen] = []
    energies: list[Energies] = []
    vectors: list[Floats] = []
    with progress.stage("training episodes", len(episodes)) as tick:
        for seen in episodes:
            energies.append(token_energies(tokenizer, seen))
            vectors.append(embedded(encoders[seen.task], seen))
            # Only what the machines ask for is kept: frames of all episodes would be gigabytes.
            training.append(replace(seen, frames=seen.frames[:, :1, :1]))
            tick(1)
    options, count = stream_options(config), config.thresholds
    with progress.stage("thresholds", len(KINDS) + 5) as tick:
        velocity = fit_stream(lambda seen: seen.energy, training, options, count)
        tick(1)
        brief = fit_stream(lambda seen: seen.brief, training, brief_options(config), count)
        tick(1)
        tokens = {}
        for kind in KINDS:
            known = {
                id(seen): energy[kind] for seen, energy in zip(training, energies, strict=True)
            }
            tokens[kind] = fit_stream(lambda seen, k=known: k[id(seen)], training, options, count)  # type: ignore[misc]
            tick(1)
        flow = fit_flow(training, count)
        tick(1)
        goals = peers.fit_sub_goals(vectors, training)
        tick(1)
        first, stride = default_window(config)
        dips = peers.fit_minima(training, first, stride)
        tick(1)
    counts = peers.usual_counts(training)
    best = max(KINDS, key=lambda kind: tokens[kind].f1)
    finders: dict[str, Callable[[Seen], Found]] = {
        SHIPPED: lambda seen: Found(tuple(stream_spans(seen.energy, options))),
        OWN: lambda seen: Found(tuple(own_threshold_spans(seen.energy, options))),
        VELOCITY: lambda seen: velocity(seen.energy),
        BRIEF: lambda seen: brief(seen.brief),
        TOKENS: lambda seen: tokens[best](token_energies(tokenizer, seen)[best]),
        MINIMA: lambda seen: peers.minima(seen, dips, first, stride),
        UNIFORM: lambda seen: peers.uniform(seen, counts),
        FLOW: lambda seen: flow(flow_series(seen)),
        GOALS: lambda seen: peers.goal_cuts(seen, embedded(encoders[seen.task], seen), goals),
    }
    return Choices(
        finders,
        _told(velocity, brief, tokens, best, flow, goals, dips, counts),
        _trained(finders, training, velocity, brief, tokens[best], flow, goals, dips),
        tokenizer,
    )


def _told(
    velocity: Fitted,
    brief: Fitted,
    tokens: Mapping[tuple[str, str], Fitted],
    best: tuple[str, str],
    flow: Fitted,
    goals: peers.SubGoals,
    dips: peers.Minima,
    counts: Mapping[str, int],
) -> dict[str, str]:
    others = ", ".join(
        f"{' '.join(kind)} {fitted.f1:.3f}" for kind, fitted in tokens.items() if kind != best
    )
    return {
        SHIPPED: "every option as `robovalue segment stream` has it, nothing fitted",
        OWN: "Otsu's level of the episode's own energies, else as shipped; nothing fitted",
        VELOCITY: velocity.words,
        BRIEF: f"windows of 8 frames, one every 2; {brief.words}",
        TOKENS: f"{' '.join(best)}: {tokens[best].words}; on the training episodes the others: {others}",
        MINIMA: dips.words(),
        UNIFORM: ", ".join(f"{task} {count} segments" for task, count in counts.items()),
        FLOW: flow.words,
        GOALS: goals.words(),
    }


def _trained(
    finders: Mapping[str, Callable[[Seen], Found]],
    training: list[Seen],
    velocity: Fitted,
    brief: Fitted,
    tokens: Fitted,
    flow: Fitted,
    goals: peers.SubGoals,
    dips: peers.Minima,
) -> dict[str, float]:
    """Return each method's F1 on the episodes that it was fitted on."""
    known = {
        VELOCITY: velocity.f1, BRIEF: brief.f1, TOKENS: tokens.f1, FLOW: flow.f1, GOALS: goals.f1,
        MINIMA: dips.f1,
    }  # fmt: skip
    for name in (SHIPPED, OWN, UNIFORM):
        found = [score(finders[name](seen), seen).f1 for seen in training]
        known[name] = float(np.mean(found))
    return known
