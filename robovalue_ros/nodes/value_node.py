"""The node that tells, for every moment that its cameras show, how far the task has come.

What happens to a picture: the callback hands it to the pairing; moments that are certain go into a
mailbox that holds the newest; a worker thread converts them, pushes them into the one stream that
every door uses, and publishes. Nothing a camera does ends the node: it is told in diagnostics, and
the node goes on when the camera does.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float32, String

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.stills import encode_jpeg, still_size
from robovalue_ros.nodes.camera_node import CameraNode
from robovalue_ros.nodes.cameras import CameraTopic, camera_health, moment_words, stream_health
from robovalue_ros.nodes.convert import ConversionError, picture_from_ros, stamp_to_ros
from robovalue_ros.nodes.diagnostics import Health, Value, health_to_ros
from robovalue_ros.nodes.snapshot import Kept, LastMinute, write_snapshot
from robovalue_ros.nodes.spine import elapsed_s
from robovalue_ros.nodes.value_config import ValueNodeConfig, camera_topics
from robovalue_ros.nodes.vitals import Vitals
from robovalue_ros.nodes.worker import Worker
from robovalue_ros.value.stream.continuity import Continuity
from robovalue_ros.value.stream.live import ValueSample, ValueStream
from robovalue_ros.value.stream.pairing import MS, Matched, Pairing, Tally
from robovalue_ros.value.stream.telling import PART, EventTeller, told
from robovalue_ros.wiring import make_writer, open_value_stream

NAME = "value_node"
JPEG_QUALITY = 90
QUIET_S = 1.0
COUNTS = ("moments", "published", "dropped", "refused", "late", "restarts", "unstamped")


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    message: Any
    arrived_s: float


class ValueNode(CameraNode[ValueNodeConfig]):
    """Publishes ~/value, ~/state and ~/event; offers ~/reset and ~/snapshot."""

    config_type = ValueNodeConfig

    def __init__(self, name: str = NAME, **further: Any) -> None:
        # The worker pushes, services reset: one at a time.
        self._lock = threading.Lock()
        self._stream: ValueStream | None = None
        self._pairing: Pairing[_Picture] | None = None
        self._worker: Worker[Sequence[Matched[_Picture]]] | None = None
        self._cameras: tuple[CameraTopic, ...] = ()
        self._writing = False
        super().__init__(name, **further)

    # Hooks of the spine

    def setup(self) -> None:
        config = self.config
        self._stream = open_value_stream(config.model, config.weights, (config.device,))
        model = self._stream.model
        self._cameras = camera_topics(config, model.cameras)
        self._vitals = Vitals([one.camera for one in self._cameras])
        self._teller = EventTeller(model.id)
        self._continuity = Continuity(jump_ns=round(config.episode_gap_s * 1e9))
        self._minute = LastMinute(
            config.snapshot_s, config.snapshot_hz, config.snapshot_mb * 1_000_000
        )
        self._value_out = self.publisher(Float32, "~/value")
        self._state_out = self.publisher(DiagnosticArray, "~/state")
        self._event_out = self.publisher(String, "~/event")
        self.offer_reset()
        self.offer("~/snapshot", self._snapshot)
        missing = [name for name in model.cameras if name not in self._names()]
        if missing:
            self.get_logger().warning(
                f"the model also knows {', '.join(missing)}: values of fewer cameras are less certain"
            )
        self.get_logger().info(
            f"model {model.id} ({model.kind}); "
            + ", ".join(f"{one.camera} on {one.topic}" for one in self._cameras)
        )

    def begin(self) -> None:
        with self._lock:
            self._forget()
        self._pairing = Pairing(self._names(), *self._limits(self.config))
        self._worker = self.add_worker(self._work, "value")
        self.listen(self._cameras, self.config, self._arrived)

    def halt(self) -> None:
        self.silence()
        if self._pairing is not None:
            # Whatever still waits will never be a moment of this run.
            self._pairing.reset()

    def teardown(self) -> None:
        self.unmake()
        self._stream = None

    def changed(self, config: ValueNodeConfig) -> None:
        if self._pairing is not None:
            self._pairing.adjust(*self._limits(config))

    def every_tenth(self) -> None:
        """Let go of pictures whose partners do not come because nothing comes any more."""
        now = elapsed_s()
        pairing = self._pairing
        if pairing is None or not pairing.waiting:
            return
        quiet = max(QUIET_S, 2e-3 * self.config.wait_ms)
        if min(self._vitals.age_s(name, now) for name in self._names()) > quiet:
            self._offer(pairing.flush())

    def health(self) -> Sequence[Health]:
        if self.state != "active" or self._stream is None or self._pairing is None:
            return ()
        now = elapsed_s()
        report, notes = self._vitals.report(now), self._notes.recent(now)
        lost_s, tallies = self.config.lost_ms * 1e-3, self._pairing.tallies
        cameras = [
            camera_health(one, report, lost_s, notes.get(one.camera), told_of(tallies[one.camera]))
            for one in self._cameras
        ]
        values: dict[str, Value] = {
            "model": self._stream.model.id,
            "kind": self._stream.model.kind,
            "device": self.config.device,
            "kept_mb": round(self._minute.bytes / 1e6, 1),
        }
        stream = stream_health(report, cameras, notes.get("stream"), "values", values, COUNTS)
        return [stream, *cameras]

    @property
    def hardware_id(self) -> str:
        return "" if self._stream is None else self._stream.model.id

    # Pictures on their way in: the main thread

    def _arrived(self, camera: str, message: Any) -> None:
        now = elapsed_s()
        pairing = self._pairing
        if pairing is None:
            return
        stamp_ns = self.stamp_of(camera, message, now)
        self._offer(pairing.add(camera, stamp_ns, _Picture(message, now)))

    def _offer(self, moments: Sequence[Matched[_Picture]]) -> None:
        """Hand over moments that became certain together: they stay together, none is lost."""
        if not moments or self._worker is None:
            return
        self._vitals.count("moments", len(moments))
        lost = sum(map(len, self._worker.mailbox.put(tuple(moments))))
        if lost:
            self._vitals.count("dropped", lost)

    # Moments on their way out: the worker's thread

    def _work(self, moments: Sequence[Matched[_Picture]]) -> None:
        for moment in moments:
            self._work_on(moment)

    def _work_on(self, moment: Matched[_Picture]) -> None:
        images = self._images(moment)
        sample = self._push(moment.stamp_ns, images) if images else None
        if sample is None:
            return
        arrived_s = max(picture.arrived_s for picture in moment.items.values())
        self._publish(sample, arrived_s)
        if self._minute.wants(sample.stamp_ns):
            self._keep(moment, images, sample)

    def _images(self, moment: Matched[_Picture]) -> dict[str, Image]:
        images: dict[str, Image] = {}
        for camera, picture in moment.items.items():
            try:
                images[camera] = picture_from_ros(picture.message)
            except ConversionError as problem:
                self._vitals.count("refused_pictures")
                self.note(camera, str(problem))
        if not images:
            self._vitals.count("refused")
        return images

    def _push(self, stamp_ns: int, images: Mapping[str, Image]) -> ValueSample | None:
        with self._lock:
            stream = self._stream
            verdict = self._continuity.judge(stamp_ns)
            if not verdict.accept or stream is None:
                self._vitals.count("late")
                return None
            words = moment_words(verdict)
            if words:
                self.note("stream", words)
            if verdict.reset:
                self._vitals.count("restarts")
                stream.reset()
                self._teller.reset()
                self._minute.clear()
            frame = Frame(stamp_ns, images)
            try:
                return stream.push(frame)
            except ContractError as problem:
                # Such as pictures of another size than those that a clip holds already.
                self.note("stream", f"{problem}: a new try began")
                self._vitals.count("restarts")
            stream.reset()
            self._teller.reset()
            try:
                return stream.push(frame)
            except ContractError as problem:
                self._vitals.count("refused")
                self.note("stream", str(problem))
                return None

    def _publish(self, sample: ValueSample, arrived_s: float) -> None:
        state = told(sample, self.hardware_id)
        self._value_out.publish(Float32(data=sample.value))
        latency_s = (self.now_ns() - sample.stamp_ns) * 1e-9
        share_s = elapsed_s() - arrived_s
        times = {"latency_ms": round(latency_s * 1e3, 3), "share_ms": round(share_s * 1e3, 3)}
        part = Health(PART, state.level, state.message, {**state.values, **times})
        stamp = stamp_to_ros(sample.stamp_ns)
        self._state_out.publish(health_to_ros([part], stamp, NAME))
        for event in self._teller.push(sample):
            self._event_out.publish(String(data=event.to_json()))
        self._vitals.published(elapsed_s(), latency_s, share_s)

    def _keep(
        self, moment: Matched[_Picture], images: Mapping[str, Image], sample: ValueSample
    ) -> None:
        stills: dict[str, bytes] = {}
        for camera, image in images.items():
            message = moment.items[camera].message
            compressed = isinstance(message, CompressedImage)
            content = bytes(message.data) if compressed else b""
            known = compressed and still_size(content) is not None
            stills[camera] = content if known else encode_jpeg(image, JPEG_QUALITY)
        with self._lock:
            self._minute.add(Kept(stills, sample))

    # Services

    def begin_try(self) -> None:
        self._vitals.count("restarts")
        if self._pairing is not None:
            # What waits for a partner belongs to the try that is over, and must not begin the next.
            self._pairing.reset()
        with self._lock:
            self._forget()

    async def _snapshot(self, request: Any, response: Any) -> Any:
        response.success = False
        stream = self._stream
        if self._writing or stream is None:
            response.message = "a snapshot is being written" if self._writing else "not configured"
            return response
        with self._lock:
            moments = self._minute.moments()
        config, model_id = self.config, stream.model.id
        self._writing = True
        try:
            written = await self.in_background(
                lambda: write_snapshot(
                    moments, config.snapshot_dir, config.task, model_id,
                    make_writer(WriteOptions()),
                )
            )  # fmt: skip
        except DataError as problem:
            response.message = str(problem)
        else:
            response.success = written is not None
            response.message = "" if written is None else f"{written[0]} ({written[1]} frames)"
        finally:
            self._writing = False
        return response

    # Small things

    def _forget(self) -> None:
        """Begin a new try; the lock is held."""
        if self._stream is not None:
            self._stream.reset()
        self._teller.reset()
        self._continuity.reset()

    def _names(self) -> tuple[str, ...]:
        return tuple(one.camera for one in self._cameras)

    @staticmethod
    def _limits(config: ValueNodeConfig) -> tuple[int, int, int]:
        return (
            round(config.tolerance_ms * MS), round(config.wait_ms * MS), round(config.lost_ms * MS)
        )  # fmt: skip


def told_of(tally: Tally) -> dict[str, Value]:
    """Return what became of a camera's pictures."""
    return {
        "received": tally.seen, "used": tally.used, "unused": tally.unused, "late": tally.late,
        "missed": tally.missed,
    }  # fmt: skip
