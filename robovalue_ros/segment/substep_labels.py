"""Segments with texts as labels of every timestep: the JSON that substep policies train on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from robovalue_ros.contracts.validate import require

Action = Literal["pick", "place", "move"]
PICK = re.compile(r"\b(pick|grasp|lift|grab)", re.IGNORECASE)
PLACE = re.compile(r"\b(plac|put|lower|release|drop)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Timesteps [start, stop) in which one instruction is followed."""

    start: int
    stop: int
    text: str


def action_of(text: str) -> Action:
    """Return what kind of step an instruction is, by its words."""
    if PICK.search(text):
        return "pick"
    return "place" if PLACE.search(text) else "move"


def cycles(actions: Sequence[Action]) -> list[int]:
    """Return how many steps of the same kind came before each."""
    seen: Counter[Action] = Counter()
    found = []
    for action in actions:
        found.append(seen[action])
        seen[action] += 1
    return found


def labelled_episode(
    instruction: str, timesteps: int, blocks: Sequence[TextBlock]
) -> dict[str, Any]:
    """Return the entry of one episode; raises ContractError for blocks that overlap or lie outside.

    A moment of grasping or placing is the last timestep of its block: where the hand rested.
    """
    ordered = sorted(blocks, key=lambda block: block.start)
    last = 0
    for block in ordered:
        inside = last <= block.start < block.stop <= timesteps
        require(inside, "blocks", f"blocks in order inside 0..{timesteps}", block)
        last = block.stop
    actions = [action_of(block.text) for block in ordered]
    numbers = cycles(actions)
    labels = [
        {
            "timestep": t, "action": action, "APD_step": block.text, "cycle": cycle,
            "is_substep_end": t == block.stop - 1,
        }
        for block, action, cycle in zip(ordered, actions, numbers, strict=True)
        for t in range(block.start, block.stop)
    ]  # fmt: skip
    counts = Counter(action for action in actions)
    moments = {
        kind: [b.stop - 1 for b, action in zip(ordered, actions, strict=True) if action == kind]
        for kind in ("pick", "place", "move")
    }
    segments = {
        kind: [[b.start, b.stop] for b, action in zip(ordered, actions, strict=True) if action == kind]
        for kind in ("pick", "place", "move")
    }  # fmt: skip
    steps = Counter(str(label["action"]) for label in labels)
    return {
        "instruction": instruction,
        "total_timesteps": timesteps,
        "labeled_timesteps": len(labels),
        "timestep_labels": labels,
        "summary": {
            "pick_moments": moments["pick"],
            "place_moments": moments["place"],
            "num_pick_place_cycles": min(counts["pick"], counts["place"]),
            "pick_segments": segments["pick"],
            "place_segments": segments["place"],
            "move_segments": segments["move"],
            "action_counts": {kind: steps[kind] for kind in ("pick", "place", "move")},
            "labeled_timesteps": len(labels),
            "unlabeled_timesteps": timesteps - len(labels),
            "substep_boundaries": [block.stop - 1 for block in ordered],
            "num_substeps": len(ordered),
        },
    }
