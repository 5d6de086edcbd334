"""Simulated robots for tests: in this process or in one of its own, and ears for what they say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ros_world import SHM, World, isolate, orphans, wait_for

HERE = Path(__file__).parent
START = "import sys; from robovalue_ros.nodes.entry import sim_node; sys.exit(sim_node())"


def sim_node(world: World, **values: Any) -> Any:
    """Return a node of this process that is not started yet."""
    from rclpy.parameter import Parameter

    from robovalue_ros.nodes.sim_node import SimNode

    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return world.spin(SimNode(context=world.context, parameter_overrides=overrides))


def spawn(*words: str, code: str = START, script: Path | None = None) -> subprocess.Popen[str]:
    """Start a process that hears and is heard by this one. words: arguments."""
    start = ["-c", code] if script is None else [str(script)]
    return subprocess.Popen(
        [sys.executable, *start, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, **isolate(), "PYTHONPATH": str(HERE)},
    )  # fmt: skip


def spawn_sim(**values: Any) -> subprocess.Popen[str]:
    """Start a simulator's node; values: its parameters."""
    words = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
    return spawn("--ros-args", *words)


@contextmanager
def running_sim(**values: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a simulator's node in a process of its own and end it well."""
    process = spawn_sim(**values)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        wait_for(lambda: any("moved by" in line for line in said), "the simulator", 60.0)
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0, "".join(said)
    finally:
        kill(process)
        reader.join(5.0)
        if process.stdout is not None:
            process.stdout.close()


def kill(process: subprocess.Popen[str]) -> None:
    """End a process the hard way, and remove the memory that it cannot remove any more."""
    mapped = mapped_segments(process.pid) if process.poll() is None else set()
    process.kill()
    process.wait()
    for name in orphans(path.name for path in mapped):
        (SHM / name).unlink(missing_ok=True)


def mapped_segments(pid: int | str) -> set[Path]:
    """Name the shared memory of Fast DDS that a process maps, its own and that of others."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return {path for path in SHM.glob("*fastdds*") if path.name in maps}


class SimEars:
    """Hears what a simulated robot publishes."""

    def __init__(
        self, world: World, cameras: tuple[str, ...] = ("cam_high",), compressed: bool = False
    ) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import CompressedImage, Image, JointState
        from std_msgs.msg import Float32, String

        self.node = world.node("sim_ears")
        self.images: dict[str, list[Any]] = {name: [] for name in cameras}
        self.joints: list[Any] = []
        self.clock_ns: list[int] = []
        self.tasks: list[str] = []
        self.notes: list[dict[str, Any]] = []
        self.progress: list[float] = []
        self.diagnostics: list[dict[str, Any]] = []
        listen = self.node.create_subscription
        kept = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        kind, suffix = (CompressedImage, "/compressed") if compressed else (Image, "")
        for name in cameras:
            listen(kind, f"/{name}/image_raw{suffix}", self.images[name].append, 50)
        listen(JointState, "/joint_states", self.joints.append, 50)
        listen(Clock, "/clock", self._clock, 50)
        listen(String, "/task", lambda m: self.tasks.append(m.data), kept)
        listen(String, "/sim_node/episode", lambda m: self.notes.append(json.loads(m.data)), kept)
        listen(Float32, "/sim_node/progress", lambda m: self.progress.append(m.data), 50)
        listen(DiagnosticArray, "/diagnostics", self._diagnostic, 50)

    def ends(self) -> list[dict[str, Any]]:
        return [note for note in self.notes if note["event"] == "end"]

    def position(self) -> list[float]:
        return list(self.joints[-1].position)

    def say(self, kind: Any, topic: str) -> Any:
        """Return a publisher that the robot hears."""
        out = self.node.create_publisher(kind, topic, 10)
        wait_for(out.get_subscription_count, f"a listener on {topic}")
        return out

    def next_health(self, part: str, **values: str) -> Any:
        """Wait for diagnostics in which the part has these values."""
        begun = len(self.diagnostics)

        def found() -> list[Any]:
            return [
                told[part]
                for told in self.diagnostics[begun:]
                if part in told and all(told[part][1].get(k) == v for k, v in values.items())
            ]

        wait_for(found, f"{part} says {values}", 10.0)
        return found()[0]

    def _clock(self, message: Any) -> None:
        from robovalue_ros.nodes.convert import stamp_from_ros

        self.clock_ns.append(stamp_from_ros(message.clock))

    def _diagnostic(self, message: Any) -> None:
        from robovalue_ros.nodes.diagnostics import values_from_ros

        self.diagnostics.append(
            {s.name.partition(": ")[2]: (s.message, values_from_ros(s)) for s in message.status}
        )


def settle(seconds: float = 0.3) -> None:
    """Let what is under way arrive, where nothing tells that it has."""
    time.sleep(seconds)
