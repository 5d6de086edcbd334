"""The topics that scoring adds to a bag, and their messages; what the live node publishes too."""

from __future__ import annotations

from typing import Any

from robovalue_ros.data.rosbag.copying import known_topic
from robovalue_ros.data.rosbag.messages import TEXT, typestore
from robovalue_ros.data.rosbag.stream import RawMessage, StreamTopic
from robovalue_ros.value.stream.live import ValueSample
from robovalue_ros.value.stream.telling import PART, Event, told

VALUE, STATE, EVENT = "/robovalue/value", "/robovalue/state", "/robovalue/event"
OURS = frozenset((VALUE, STATE, EVENT))
FLOAT, DIAGNOSTICS = "std_msgs/msg/Float32", "diagnostic_msgs/msg/DiagnosticArray"
NODE = "value_node"
_OK, _WARN = 0, 1


class ValueMessages:
    """Builds the messages of one bag. model_id: told in every state."""

    def __init__(self, model_id: str) -> None:
        self.topics = {
            name: known_topic(name, kind)
            for name, kind in ((VALUE, FLOAT), (STATE, DIAGNOSTICS), (EVENT, TEXT))
        }
        self._model_id = model_id

    def of_sample(self, sample: ValueSample, log_ns: int) -> tuple[RawMessage, ...]:
        """Return value and state of a frame, received at log_ns."""
        value = typestore().types[FLOAT](sample.value)
        return (
            _raw(self.topics[VALUE], log_ns, value),
            _raw(self.topics[STATE], log_ns, _state(sample, self._model_id)),
        )

    def of_event(self, event: Event, log_ns: int) -> RawMessage:
        """Return an event, received at log_ns."""
        return _raw(self.topics[EVENT], log_ns, typestore().types[TEXT](event.to_json()))


def _raw(topic: StreamTopic, log_ns: int, message: Any) -> RawMessage:
    data = typestore().serialize_cdr(message, topic.type, little_endian=True)
    return RawMessage(topic, log_ns, log_ns, 0, memoryview(data))


def _state(sample: ValueSample, model_id: str) -> Any:
    types = typestore().types
    state = told(sample, model_id)
    pairs = [
        types["diagnostic_msgs/msg/KeyValue"](key, _text(value))
        for key, value in state.values.items()
    ]
    level = _OK if state.level == "ok" else _WARN
    status = types["diagnostic_msgs/msg/DiagnosticStatus"](
        level, f"{NODE}: {PART}", state.message, "", pairs
    )
    time = types["builtin_interfaces/msg/Time"](*divmod(sample.stamp_ns, 1_000_000_000))
    return types[DIAGNOSTICS](types["std_msgs/msg/Header"](time, ""), [status])


def _text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else value
