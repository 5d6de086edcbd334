"""The table of commands: name, what it does, and where it lives."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """target: "module:function", imported only when the command is asked for."""

    summary: str
    target: str


_CLI = "robovalue_ros.cli"

COMMANDS: dict[str, Command] = {
    "doctor": Command(
        "check this machine, or a data set, and say what to do", f"{_CLI}.doctor:run"
    ),
    "data inspect": Command("tell what a file or folder holds", f"{_CLI}.data_inspect:run"),
    "data convert": Command("copy episodes into another format", f"{_CLI}.data_convert:run"),
    "data compare": Command("tell whether two data sets are the same", f"{_CLI}.data_compare:run"),
    "sim record": Command("record episodes in the embedded simulator", f"{_CLI}.sim_record:run"),
    "value fit": Command("learn a value model from demonstrations", f"{_CLI}.value_fit:run"),
    "value estimate": Command(
        "score recorded episodes against demonstrations", f"{_CLI}.value_estimate:run"
    ),
    "value view": Command(
        "look at one scored episode beside its value curve", f"{_CLI}.value_view:run"
    ),
    "value check-clusters": Command(
        "tell how references clustered and which eps suits", f"{_CLI}.value_check_clusters:run"
    ),
    "value evaluate": Command(
        "tell how good the values of a run are, beside controls", f"{_CLI}.value_evaluate:run"
    ),
    "value export": Command(
        "hand values on: LeRobot side cars, weights, advantages, Rerun", f"{_CLI}.value_export:run"
    ),
    "value report": Command(
        "make one HTML page of scored episodes, values in step", f"{_CLI}.value_report:run"
    ),
    "value check-diffusion": Command(
        "judge the denoisers of the diffusion score", f"{_CLI}.value_check_diffusion:run"
    ),
    "value centers-2d": Command(
        "draw segment centres and rollouts in a plane", f"{_CLI}.value_centers_2d:run"
    ),
    "bag info": Command("tell what bags hold and what scoring uses", f"{_CLI}.bag_info:run"),
    "bag score": Command(
        "score bags, and write them with value topics added", f"{_CLI}.bag_score:run"
    ),
    "bag play": Command("publish a bag through ROS 2", f"{_CLI}.bag_play:run"),
    "report": Command("make one HTML page of episodes to look at", f"{_CLI}.report:run"),
}
