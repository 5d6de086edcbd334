"""The node that tells, while a camera shows it, where one action ends and the next begins.

What happens to a picture: the callback keeps it if its time slot is free and makes it ready; when a
window is complete it goes to the desk, which holds the newest; a worker thread reads it and
publishes. A slow machine leaves out whole windows, by their numbers, and says how many: what follows
is on time again. Nothing a camera does ends the node.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Float32, String

from robovalue_ros.contracts.errors import ConfigError, ContractError, RobovalueError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.video.clip import check_codec
from robovalue_ros.nodes.camera_node import CameraNode
from robovalue_ros.nodes.cameras import CameraTopic, camera_health, moment_words, stream_health
from robovalue_ros.nodes.convert import ConversionError, picture_from_ros, stamp_to_ros
from robovalue_ros.nodes.diagnostics import Health, Value, health_to_ros
from robovalue_ros.nodes.segmenter_clips import ClipKeeper
from robovalue_ros.nodes.segmenter_config import CAMERA, SegmenterNodeConfig, followed_camera
from robovalue_ros.nodes.segmenter_desk import Desk, Job, Try
from robovalue_ros.nodes.segmenter_health import COUNTS, Pace, told_threshold, window_state
from robovalue_ros.nodes.segmenter_options import command_config, node_options
from robovalue_ros.nodes.spine import elapsed_s
from robovalue_ros.nodes.vitals import Vitals
from robovalue_ros.nodes.worker import Worker
from robovalue_ros.pipelines.segment.stream_cut import Parts
from robovalue_ros.pipelines.segment.stream_times import WindowTimes
from robovalue_ros.segment.events import SegmentClosed, SegmentOpened, Update
from robovalue_ros.segment.feed import Window
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.resample import SlotClock
from robovalue_ros.segment.streamer import SegmentStream
from robovalue_ros.segment.telling import told_closed, told_opened
from robovalue_ros.segment.warm_up import WarmUp
from robovalue_ros.value.stream.continuity import Continuity
from robovalue_ros.wiring import make_segment_parts

NAME = "segmenter_node"


class SegmenterNode(CameraNode[SegmenterNodeConfig]):
    """Publishes ~/energy, ~/state and ~/segment; offers ~/reset."""

    config_type = SegmenterNodeConfig

    def __init__(self, name: str = NAME, **further: Any) -> None:
        # The worker takes what was read, parameters change the thresholds: one at a time.
        self._lock = threading.Lock()
        self._parts: Parts | None = None
        # As parameters have them, and with the threshold that holds now.
        self._options = self._in_force = StreamOptions()
        self._warm_up: WarmUp | None = None
        self._camera = CameraTopic(CAMERA, "image", False)
        self._try: Try | None = None
        self._desk = Desk()
        self._worker: Worker[bool] | None = None
        self._clips: ClipKeeper | None = None
        super().__init__(name, **further)

    # Hooks of the spine

    def setup(self) -> None:
        config = self.config
        command = command_config(config)
        self._options = _by_slots(node_options(config, command))
        if config.clips_dir is not None:
            check_codec(config.codec, ".mp4")
        self._parts = make_segment_parts(command)
        _check_tokenizer(self._parts, self._options)
        SegmentStream(self._options, self._parts.tracker, self._parts.tokenizer)
        self._camera = followed_camera(config)
        self._vitals = Vitals((CAMERA,))
        self._continuity = Continuity(jump_ns=round(config.episode_gap_s * 1e9))
        self._energy_out = self.publisher(Float32, "~/energy")
        self._state_out = self.publisher(DiagnosticArray, "~/state")
        self._segment_out = self.publisher(String, "~/segment")
        self.offer_reset()
        threshold = f"{self._options.hysteresis.threshold:g}"
        if config.threshold_mode == "auto":
            threshold = f"what {config.warmup_seconds:g} s of watching show"
        self.get_logger().info(
            f"energy {config.energy_source} from {threshold} on, {config.tracker}; "
            f"camera on {self._camera.topic}"
        )

    def begin(self) -> None:
        self._desk = Desk()
        self._continuity.reset()
        self._warm_up = None
        if self.config.threshold_mode == "auto":
            self._warm_up = WarmUp(self._options, self.config.warmup_seconds)
        self._in_force = self._applied(self._options)
        self._try = self._begun(0)
        self._clips = self._keeper()
        self._worker = self.add_worker(partial(self._work, self._desk), "segmenter")
        self.listen((self._camera,), self.config, self._arrived)

    def halt(self) -> None:
        self.silence()
        ended, self._try = self._try, None
        if ended is not None and self._worker is not None and not self._worker.alive:
            # The open action ends with the run, and so do its files.
            self._desk.add(Job(ended))
            self._work(self._desk, True)

    def teardown(self) -> None:
        self.unmake()
        self._parts = None

    def changed(self, config: SegmenterNodeConfig) -> None:
        if config.threshold_mode != "fixed" and config.threshold != self.config.threshold:
            source = {"report": "comes from a report", "auto": "is found by watching the camera"}
            raise ConfigError(
                f"the threshold {source[config.threshold_mode]}", "threshold_mode fixed"
            )
        options = _by_slots(node_options(config, command_config(config)))
        with self._lock:
            self._options, self._in_force = options, self._applied(options)

    def health(self) -> Sequence[Health]:
        if self.state != "active":
            return ()
        now = elapsed_s()
        report, notes = self._vitals.report(now), self._notes.recent(now)
        counts = {name: report.counts.get(name, 0) for name in ("received", "refused")}
        lost_s = self.config.lost_ms * 1e-3
        camera = camera_health(self._camera, report, lost_s, notes.get(CAMERA), counts)
        values: dict[str, Value] = {
            "source": self.config.energy_source,
            "threshold": told_threshold(self._in_force),
            "windows_to_watch": 0 if self._warm_up is None else self._warm_up.left,
            "budget_ms": round(self._budget_s * 1e3, 3),
        }
        note = notes.get("stream")
        return [stream_health(report, [camera], note, "windows", values, COUNTS), camera]

    @property
    def hardware_id(self) -> str:
        tokenizer = self.config.tokenizer
        return self.config.energy_source if tokenizer is None else tokenizer.name

    # Pictures on their way in: the main thread

    def _arrived(self, camera: str, message: Any) -> None:
        now = elapsed_s()
        if self._try is None:
            return
        stamp_ns = self.stamp_of(camera, message, now)
        verdict = self._continuity.judge(stamp_ns)
        if not verdict.accept:
            self._vitals.count("late_pictures")
            return
        if words := moment_words(verdict):
            self.note("stream", words)
        if verdict.reset:
            self._next_try()
        # Before it is decoded: most pictures of a fast camera are not looked at.
        if not self._slots.keep(stamp_ns):
            return
        try:
            image = picture_from_ros(message)
        except ConversionError as problem:
            self._vitals.count("refused")
            self.note(camera, str(problem))
            return
        window = self._window(stamp_ns, image)
        if window is not None:
            self._offer(window, now)

    def _window(self, stamp_ns: int, image: Image) -> Window | None:
        """Return the window that a picture completes."""
        if self._try is None:
            return None
        frame = Frame(stamp_ns, {CAMERA: image})
        self._vitals.count("looked_at")
        try:
            return self._try.stream.due(frame)
        except ContractError as problem:
            # Such as a picture of another size than those of the window.
            self.note("stream", f"{problem}: a new try began")
        self._next_try()
        self._slots.keep(stamp_ns)
        return self._try.stream.due(frame)

    def _offer(self, window: Window, now: float) -> None:
        if self._try is None or self._worker is None:
            return
        self._vitals.count("windows")
        if self._desk.add(Job(self._try, window, now)):
            self._vitals.count("windows_skipped")
            self.note("stream", f"too slow for {self._budget_s * 1e3:g} ms: windows are left out")
        self._worker.mailbox.put(True)

    def begin_try(self) -> None:
        self._continuity.reset()
        self._next_try()

    def _next_try(self) -> None:
        """End the try, with its open action, and begin the next."""
        self._vitals.count("restarts")
        if self._try is None or self._worker is None:
            return
        self._desk.add(Job(self._try))
        self._try = self._begun(self._try.number + 1)
        self._worker.mailbox.put(True)

    # Windows on their way out: the worker's thread

    def _work(self, desk: Desk, _: bool) -> None:
        while (job := desk.take()) is not None:
            if job.window is None:
                self._finish(job.of)
            else:
                self._read(job, job.window)

    def _read(self, job: Job, window: Window) -> None:
        begun, waited_s = perf_counter(), elapsed_s() - job.arrived_s
        with self._lock:
            if job.of.stream.options is not self._in_force:
                job.of.stream.tune(self._in_force)
        try:
            reading = job.of.stream.read(window)
        except RobovalueError as problem:
            self._vitals.count("refused_windows")
            self.note("stream", f"window {window.id} cannot be read: {problem}")
            return
        with self._lock:
            update = job.of.stream.absorb(reading)
            options = job.of.stream.options
            self._watch_energy(update)
        cost_s = perf_counter() - begun
        latency_s = (self.now_ns() - int(reading.frames.stamps_ns[-1])) * 1e-9
        pace = Pace(cost_s, self._budget_s, latency_s, waited_s + cost_s)
        self._publish(job.of, update, options, pace)
        if self._clips is not None:
            times = WindowTimes(
                reading.cost.track_s, reading.cost.forward_s, cost_s, pace.budget_s, pace.share_s
            )
            self._clips.take(update, times, options)
            self._tell_clips()

    def _publish(self, of: Try, update: Update, options: StreamOptions, pace: Pace) -> None:
        reading = update.reading
        if reading.energy is not None:
            self._energy_out.publish(Float32(data=reading.energy))
        state = window_state(update, options, pace)
        stamp = stamp_to_ros(int(reading.frames.stamps_ns[-1]))
        # Without an id of the hardware, plots find the same names whatever the energy is.
        self._state_out.publish(health_to_ros([state], stamp, NAME))
        for event in update.events:
            if isinstance(event, SegmentOpened | SegmentClosed):
                self._tell(of, event)
        if pace.late:
            self._vitals.count("windows_late")
        self._vitals.published(elapsed_s(), pace.latency_s, pace.share_s)

    def _tell(self, of: Try, event: SegmentOpened | SegmentClosed) -> None:
        told = told_opened(event) if isinstance(event, SegmentOpened) else told_closed(event)
        if told["event"] == "close":
            self._vitals.count("actions")
        self._segment_out.publish(String(data=json.dumps({"try": of.number, **told})))

    def _finish(self, ended: Try) -> None:
        with self._lock:
            last = ended.stream.finish()
        if last is not None:
            self._tell(ended, last)
        if self._clips is not None:
            self._clips.end(last, ended.stream.options)
            self._tell_clips()

    def _tell_clips(self) -> None:
        if self._clips is not None and self._clips.problem:
            self.note("stream", f"clips: {self._clips.problem}")
            self._clips.problem = ""

    def _begun(self, number: int) -> Try:
        assert self._parts is not None  # made by setup
        self._slots = SlotClock(self._options.target_fps, self._options.early)
        parts = self._parts
        stream = SegmentStream(
            self._in_force, parts.tracker, parts.tokenizer, imaging=parts.imaging
        )
        return Try(number, stream)

    def _keeper(self) -> ClipKeeper | None:
        if self.config.clips_dir is None or self._parts is None:
            return None
        parts = self._parts
        return ClipKeeper(command_config(self.config), parts.tokenizer is not None, parts.codebook)

    def _applied(self, options: StreamOptions) -> StreamOptions:
        """Return options with the threshold that holds now; with auto, what was found so far."""
        return options if self._warm_up is None else self._warm_up.applied(options)

    def _watch_energy(self, update: Update) -> None:
        """Learn the threshold from a window, with auto; the lock is held."""
        if self._warm_up is None or not self._warm_up.push(update.reading.energy):
            return
        self._in_force = self._applied(self._options)
        self.get_logger().info(f"threshold {self._in_force.hysteresis.threshold:g} from now on")

    @property
    def _budget_s(self) -> float:
        return self._options.schedule.budget_s(self._options.target_fps)


def _by_slots(options: StreamOptions) -> StreamOptions:
    """Return the options of a stream that gets only frames whose slots are free."""
    return replace(options, resample="native")


def _check_tokenizer(parts: Parts, options: StreamOptions) -> None:
    """Raise ContractError where the tokenizer was made for other windows."""
    if parts.tokenizer is not None:
        still = np.zeros((options.window - 1, options.num_tracks, 2), np.float32)
        parts.tokenizer.encode(still)
