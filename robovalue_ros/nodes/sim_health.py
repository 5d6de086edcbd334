"""Diagnostics of the simulator's node: one part for the simulation, one for commands."""

from __future__ import annotations

from collections.abc import Mapping

from robovalue_ros.nodes.diagnostics import Health, HealthLevel, Value, worst
from robovalue_ros.nodes.sim_commands import CommandReport
from robovalue_ros.nodes.sim_config import PolicyName
from robovalue_ros.nodes.sim_loop import LoopReport
from robovalue_ros.nodes.sim_robot import About

SLOW = 0.9  # share of the wanted rate below which somebody should know


def simulation_health(
    report: LoopReport,
    about: About,
    speed: float,
    notes: Mapping[str, str],
    further: Mapping[str, Value],
) -> Health:
    """Tell how fast time passes, and where the episode is. speed: as it is asked for."""
    wanted_hz = about.rate_hz * speed
    level: HealthLevel = "ok"
    if report.paused:
        message = "paused"
    elif wanted_hz and report.rate_hz and report.rate_hz < SLOW * wanted_hz:
        level, message = (
            "warning",
            f"slow: {report.rate_hz:.1f} of {wanted_hz:.1f} steps per second",
        )
    else:
        message = f"{report.rate_hz:.1f} steps per second"
    if "recording" in notes:
        level, message = worst([level, "error"]), f"{message}; {notes['recording']}"
    values: dict[str, Value] = {
        "env": about.env,
        "rate_hz": round(report.rate_hz, 2),
        "speed": round(report.rate_hz / about.rate_hz, 3),
        "time_s": round(report.now_ns * 1e-9, 3),
        "steps": report.steps,
        "late": report.late,
        "episodes": report.episodes,
        "playing": report.playing,
        "paused": report.paused,
        **further,
    }
    if report.progress is not None:
        values["progress"] = round(report.progress, 4)
    return Health("simulation", level, message, values)


def command_health(report: CommandReport, policy: PolicyName, notes: Mapping[str, str]) -> Health:
    """Tell whether commands come and can be followed."""
    level: HealthLevel = "ok"
    if policy != "none":
        message = f"the policy {policy} moves the robot"
    elif report.holding:
        message = "no command: the robot holds" if report.taken else "no command yet"
    else:
        message = "commands are followed"
    if "commands" in notes:
        level, message = "warning", f"{message}; refused: {notes['commands']}"
    return Health(
        "commands",
        level,
        message,
        {
            "taken": report.taken,
            "refused": report.refused,
            "age_s": round(report.age_s, 3),
            "holding": report.holding,
        },
    )
