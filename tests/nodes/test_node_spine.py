"""The spine of every node: parameters, life cycle, diagnostics, signals."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters
from rclpy.parameter import Parameter
from ros_world import World, call, wait_for

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.nodes.diagnostics import Health, values_from_ros
from robovalue_ros.nodes.running import Stopped
from robovalue_ros.nodes.spine import ManagedNode, NodeConfig

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class PumpConfig(NodeConfig):
    model: Path = option(..., "file to load")
    weights: Path | None = option(None, "where weights lie")
    rate_hz: float = option(10.0, "how often", low=0.5, high=100.0, live=True)
    count: int = option(3, "how many", low=1, high=9)
    mode: Literal["slow", "fast"] = option("slow", "how", live=True)
    cameras: tuple[str, ...] = option((), "names")
    gains: tuple[float, ...] = option((1.0, 2.0), "numbers")
    limit_s: float | None = option(None, "limit; unset: none", live=True)


class Pump(ManagedNode[PumpConfig]):
    config_type = PumpConfig

    def __init__(self, name="pump", **further):
        self.done: list[str] = []
        self.seen = threading.Event()
        super().__init__(name, **further)

    def setup(self):
        self.done.append("setup")
        if self.config.model.name == "broken":
            raise ConfigError("the model is broken", "a whole one")
        if self.config.model.name == "bug":
            raise ZeroDivisionError("a bug")
        if self.config.model.name == "signal":
            raise Stopped

    def begin(self):
        self.done.append("begin")
        self.worker = self.add_worker(self._work, "work")

    def _work(self, item):
        if item == "bug":
            raise ZeroDivisionError("a bug")
        self.seen.set()

    def halt(self):
        self.done.append("halt")

    def teardown(self):
        self.done.append("teardown")

    def changed(self, config):
        if config.rate_hz == 13.0:
            raise ConfigError("rate_hz is 13", "a lucky number")

    def health(self):
        return [Health("pump", "warning", "wet", {"water": 0.5, "on": True})]


def overrides(**values):
    return [Parameter(name, value=value) for name, value in values.items()]


def pump(world: World, **values) -> Pump:
    given = {"model": "good", **values}
    return Pump(context=world.context, parameter_overrides=overrides(**given))


def test_parameters_come_from_the_dataclass(world) -> None:
    node = world.spin(pump(world, rate_hz=20, cameras=["a", "b"]))
    assert node.config == PumpConfig(
        model=Path("good"), rate_hz=20.0, cameras=("a", "b"), gains=(1.0, 2.0)
    )
    asker = world.node("asker")
    request = DescribeParameters.Request(names=["rate_hz", "count", "mode", "model", "gains"])
    rate, count, mode, model, gains = call(
        asker, DescribeParameters, "/pump/describe_parameters", request
    ).descriptors
    assert rate.description == "how often" and not rate.read_only
    assert (rate.floating_point_range[0].from_value, rate.floating_point_range[0].to_value) == (
        0.5, 100.0,
    )  # fmt: skip
    assert count.read_only and count.integer_range[0].to_value == 9
    assert "slow, fast" in mode.additional_constraints and model.read_only
    assert gains.type == ParameterType.PARAMETER_DOUBLE_ARRAY


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"rate_hs": 3.0}, "no parameter 'rate_hs'. Did you mean 'rate_hz'?"),
        ({"rate_hz": 200.0}, "rate_hz is 200.0; expected a number in 0.5..100.0"),
        ({"rate_hz": "fast"}, "rate_hz is 'fast'; expected a value of type float"),
        ({"count": 2.5}, "count is 2.5"),
        ({"mode": "middling"}, "one of slow, fast"),
        ({"cameras": "a"}, "cameras is 'a'; expected a list"),
        ({"model": ""}, "lacks the key 'model'"),
    ],
)
def test_a_wrong_parameter_is_named(world, values, text) -> None:
    with pytest.raises(ConfigError) as problem:
        pump(world, **values)
    assert text in str(problem.value)


def test_live_parameters_change_and_others_do_not(world) -> None:
    node = world.spin(pump(world))
    (result,) = node.set_parameters(overrides(rate_hz=50.0))
    assert result.successful and node.config.rate_hz == 50.0
    for values, text in (
        ({"rate_hz": 1000.0}, "range"),
        ({"rate_hz": 13.0}, "lucky"),
        ({"rate_hz": "x"}, "type float"),
        ({"mode": "off"}, "one of slow, fast"),
        ({"count": 5}, "read-only"),
    ):
        (result,) = node.set_parameters(overrides(**values))
        assert not result.successful and text in result.reason, result.reason
    assert node.config.rate_hz == 50.0 and node.config.mode == "slow"
    (result,) = node.set_parameters(overrides(limit_s=2))
    assert result.successful and node.config.limit_s == 2.0


def test_autostart_activates_and_finish_undoes_it(world) -> None:
    node = world.spin(pump(world))
    node.start()
    assert node.state == "active" and node.done == ["setup", "begin"]
    node.worker.mailbox.put("item")
    assert node.seen.wait(5.0)
    node.finish()
    node.finish()
    assert node.state == "finalized" and node.done == ["setup", "begin", "halt", "teardown"]
    assert not node.worker.alive


def test_a_signal_in_the_middle_of_a_transition_still_ends_everything(world) -> None:
    node = world.spin(pump(world, model="signal"))
    with pytest.raises(Stopped):
        node.start()
    node.finish()
    assert node.state == "finalized" and node.done == ["setup", "teardown"]


def test_a_lifecycle_manager_leads_the_node(world) -> None:
    node = world.spin(pump(world, autostart=False))
    node.start()
    assert node.state == "unconfigured" and node.done == []
    asker = world.node("asker")
    for transition, state in (
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
        (Transition.TRANSITION_DEACTIVATE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
        (Transition.TRANSITION_DEACTIVATE, "inactive"),
        (Transition.TRANSITION_CLEANUP, "unconfigured"),
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_INACTIVE_SHUTDOWN, "finalized"),
    ):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert call(asker, ChangeState, "/pump/change_state", request).success
        assert node.state == state
    assert node.done == [
        "setup", "begin", "halt", "begin", "halt", "teardown", "setup", "teardown",
    ]  # fmt: skip


def test_what_prevents_configuring_is_told(world) -> None:
    node = world.spin(pump(world, model="broken", autostart=False))
    heard: list[DiagnosticArray] = []
    asker = world.node("asker")
    asker.create_subscription(DiagnosticArray, "/diagnostics", heard.append, 10)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not call(asker, ChangeState, "/pump/change_state", request).success
    assert node.state == "unconfigured"
    wait_for(lambda: any("broken" in a.status[0].message for a in heard), "a diagnostic")
    assert heard[-1].status[0].level == b"\x02"


def test_autostart_raises_what_prevents_it(world) -> None:
    node = world.spin(pump(world, model="broken"))
    with pytest.raises(ConfigError, match="the model is broken"):
        node.start()
    bug = world.spin(
        Pump("other", context=world.context, parameter_overrides=overrides(model="bug"))
    )
    with pytest.raises(ZeroDivisionError):
        bug.start()


def test_diagnostics_come_once_a_second(world) -> None:
    node = world.spin(pump(world))
    node.start()
    heard: list[DiagnosticArray] = []
    world.node("asker").create_subscription(DiagnosticArray, "/diagnostics", heard.append, 10)
    wait_for(lambda: len(heard) >= 2, "two diagnostics")
    life, own = heard[-1].status
    assert (life.name, life.message, life.level) == ("pump: life", "active", b"\x00")
    assert (own.name, own.message, own.level) == ("pump: pump", "wet", b"\x01")
    assert values_from_ros(own) == {"water": "0.5", "on": "true"}


def test_a_bug_in_a_worker_is_raised_where_the_node_spins(world) -> None:
    node = pump(world)
    node.start()
    world.nodes.append(node)
    node.worker.mailbox.put("bug")
    wait_for(lambda: not node.worker.alive, "the worker's end")
    with pytest.raises(ZeroDivisionError):
        for _ in range(100):
            node._look_after()


def test_work_in_the_background_returns_or_raises(world) -> None:
    node = world.spin(pump(world))
    future = node.in_background(lambda: 42)
    wait_for(future.done, "the job")
    assert future.result() == 42

    def fail():
        raise ConfigError("no")

    future = node.in_background(fail)
    wait_for(future.done, "the job")
    with pytest.raises(ConfigError):
        future.result()
