"""Runs a simulated robot in a thread of its own, at a pace, episode after episode.

Time is simulated: it advances by one control step with every step, and stands while the loop
rests. Knows no ROS; what happens is told to an `Outlet`, from the loop's thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from robovalue_ros.nodes.caught import Caught
from robovalue_ros.nodes.sim_commands import CommandBox
from robovalue_ros.nodes.sim_config import SimNodeConfig
from robovalue_ros.nodes.sim_episode import INTERRUPTED, EpisodeLog
from robovalue_ros.nodes.sim_robot import About, Moment, SimRobot
from robovalue_ros.nodes.vitals import Vitals

SECOND = 1_000_000_000
START_NS = SECOND  # a stamp of 0 would be none at all
CLOCK_STEP_NS = 10_000_000
LATE_S = 1e-3
POLL_S = 0.02
STEPS = "steps"


class Outlet(Protocol):
    """Who hears what the loop does."""

    def ready(self) -> bool:
        """Tell whether everybody listens who is waited for."""
        ...

    def tell_time(self, now_ns: int) -> None:
        """It is this time."""
        ...

    def tell_seen(self, now_ns: int, moment: Moment) -> None:
        """The robot shows this."""
        ...

    def tell_begun(self, log: EpisodeLog, instruction: str) -> None:
        """An episode began."""
        ...

    def tell_ended(self, log: EpisodeLog) -> None:
        """An episode is over; the log is nobody else's from now on."""
        ...


@dataclass(frozen=True, slots=True)
class LoopReport:
    """How the loop is doing. late: steps that began after their time."""

    now_ns: int
    rate_hz: float
    steps: int
    late: int
    episodes: int
    playing: bool
    paused: bool
    progress: float | None


class SimLoop:
    """The thread; `settings` is asked at every step, so that live parameters count at once."""

    def __init__(
        self,
        make: Callable[[], SimRobot],
        settings: Callable[[], SimNodeConfig],
        outlet: Outlet,
        box: CommandBox,
        name: str,
    ) -> None:
        self._make, self._settings, self._out, self._box = make, settings, outlet, box
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._caught = Caught()
        self._changed = threading.Condition()
        self._opened = threading.Event()
        self._over = self._awake = self._paused = self._reset = False
        self._resting = threading.Event()
        self._resting.set()
        self._vitals = Vitals([STEPS])
        self._now_ns = self._told_ns = START_NS
        self._due_s = 0.0
        self._log: EpisodeLog | None = None
        self._moment: Moment | None = None
        self._next_ns = 0
        self._episodes = 0
        self._listened = False
        self.about: About
        self.finished = threading.Event()

    # Any thread

    @property
    def failure(self) -> Exception | None:
        """What ended the thread and should not have."""
        return self._caught.error

    @property
    def now_ns(self) -> int:
        """Simulated time."""
        return self._now_ns

    def open(self) -> About:
        """Start the thread and wait until the robot is there; raises what prevents it."""
        self._thread.start()
        while not self._opened.wait(POLL_S) and self._thread.is_alive():
            pass  # in small pieces: a signal must be able to come between
        if self._caught.error is not None:
            raise self._caught.error
        return self.about

    def go(self) -> None:
        """Let time pass."""
        self._set(awake=True)

    def rest(self, timeout_s: float) -> bool:
        """Let time stand; False when the step on its way is not over by then."""
        self._set(awake=False)
        return self._resting.wait(timeout_s)

    def pause(self, paused: bool) -> None:
        """Let time stand, or go on, without anybody else being told."""
        self._set(paused=paused)

    def reset(self) -> None:
        """End the episode as interrupted and begin the next one, with the next step."""
        self._set(reset=True)

    def close(self, timeout_s: float) -> bool:
        """End the thread; False when it is still busy by then."""
        self._set(over=True)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def report(self, now_s: float) -> LoopReport:
        told, moment = self._vitals.report(now_s), self._moment
        return LoopReport(
            self._now_ns, told.rates_hz[STEPS], told.counts.get("received", 0),
            told.counts.get("late", 0), self._episodes, self._log is not None, self._paused,
            None if moment is None else moment.progress,
        )  # fmt: skip

    def _set(self, **flags: bool) -> None:
        with self._changed:
            for name, value in flags.items():
                setattr(self, f"_{name}", value)
            self._changed.notify_all()

    # The loop's thread

    def _run(self) -> None:
        with self._caught:
            robot = self._make()
            try:
                self.about = robot.about
                self._step_ns = round(SECOND / robot.about.rate_hz)
                self._opened.set()
                self._live(robot)
            finally:
                robot.close()
        self._resting.set()
        self._opened.set()

    def _live(self, robot: SimRobot) -> None:
        while not self._over:
            if not self._stands():
                self._tick(robot)
                continue
            self._resting.set()
            with self._changed:
                self._changed.wait_for(lambda: self._over or not self._stands())
                self._resting.clear()
            self._due_s = time.monotonic()

    def _stands(self) -> bool:
        return self._paused or not self._awake

    def _tick(self, robot: SimRobot) -> None:
        """Let one control step of time pass."""
        if not self._everybody_listens() or not self._until_due():
            return
        self._now_ns += self._step_ns
        self._out.tell_time(self._now_ns)
        self._vitals.arrived(STEPS, time.monotonic())
        moment = self._moment = self._advance(robot)
        self._out.tell_seen(self._now_ns, moment)

    def _advance(self, robot: SimRobot) -> Moment:
        settings, log, moment = self._settings(), self._log, self._moment
        if self._reset:
            self._reset = False
            if log is not None:
                self._end(INTERRUPTED, robot)
            return self._begin(robot)
        if moment is None:
            return self._begin(robot)
        if log is None:
            if self._goes_on() and self._now_ns >= self._next_ns:
                return self._begin(robot)
            return moment  # what was seen last; a robot that stands still
        timeout_ns = round(settings.command_timeout_s * SECOND)
        action = robot.act(self._box.newest(self._now_ns, timeout_ns))
        if action is None:
            self._end("policy", robot)
            return moment
        moment = robot.step(action)
        log.add(action, moment, self._now_ns)
        if moment.ended:
            self._end(moment.ended, robot)
        return moment

    def _begin(self, robot: SimRobot) -> Moment:
        self._box.clear()
        moment = robot.begin(self._episodes)
        settings = self._settings()
        self._log = EpisodeLog(
            self._episodes, robot, moment, self._now_ns, keep=settings.record_dir is not None
        )
        self._out.tell_begun(self._log, robot.instruction)
        return moment

    def _end(self, why: str, robot: SimRobot) -> None:
        log, settings = self._log, self._settings()
        assert log is not None
        log.end(why, robot.still())
        self._log = None
        self._episodes += 1
        self._next_ns = self._now_ns + round(settings.pause_s * SECOND)
        self._out.tell_ended(log)
        if settings.episodes and self._episodes >= settings.episodes:
            self.finished.set()

    def _goes_on(self) -> bool:
        """Tell whether an episode is being played or will begin by itself."""
        settings = self._settings()
        more = not settings.episodes or self._episodes < settings.episodes
        return self._log is not None or self._moment is None or (settings.auto_reset and more)

    def _everybody_listens(self) -> bool:
        """Wait a little for listeners; True as soon as time may pass."""
        if self._listened:
            return True
        begun = time.monotonic()
        while not self._out.ready() and time.monotonic() - begun < self._settings().wait_s:
            if self._over or self._stands():
                return False
            time.sleep(POLL_S)
        self._listened = True
        self._due_s = time.monotonic()
        return True

    def _until_due(self) -> bool:
        """Wait for the next step's time, telling the time on the way; False when told to stop."""
        speed = self._settings().speed
        if speed == 0.0:
            if self._goes_on():
                self._due_s = time.monotonic()
                return True
            speed = 1.0  # nothing to be done quickly: whoever listens is not flooded
        begun_s, begun_ns = self._due_s, self._now_ns
        end_ns = begun_ns + self._step_ns
        self._due_s = begun_s + self._step_ns / SECOND / speed
        late_s = time.monotonic() - self._due_s
        if late_s > LATE_S:
            # Lost time is not caught up in a burst: simulated time has passed more slowly.
            self._vitals.count("late")
            self._due_s += late_s
            return True
        told_ns = begun_ns
        while told_ns < end_ns:
            told_ns = min(told_ns + CLOCK_STEP_NS, end_ns)
            if not self._sleep_until(begun_s + (told_ns - begun_ns) / SECOND / speed):
                return False
            # Time that was told before a pause is not told again.
            if self._told_ns < told_ns < end_ns:
                self._out.tell_time(told_ns)
                self._told_ns = told_ns
        return True

    def _sleep_until(self, due_s: float) -> bool:
        left = due_s - time.monotonic()
        if left > 0:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._stands(), left)
        return not (self._over or self._stands())
