"""Samplers for PyTorch over a stream of samples: by rank, in batches, and from where a run stopped.

Of each pass rank r of W takes every W-th draw beginning with the r-th. So batch k of all ranks
together is batch k of one process with batches W times as large.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch.utils.data import BatchSampler, Sampler

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.plans.ragged import Ints
from robovalue_ros.plans.stream import SampleStream

VERSION = 1


class Place(NamedTuple):
    """Where a stream is: the pass, and how many of its draws all ranks together have behind them."""

    passes: int = 0
    drawn: int = 0


class Ranked:
    """One rank's part of a stream, and its place there. rows: what stands for sample i, or None."""

    def __init__(
        self, stream: SampleStream, rank: int = 0, world_size: int = 1, rows: Ints | None = None
    ) -> None:
        if not 0 <= rank < world_size:
            raise ConfigError(
                f"the rank is {rank} of {world_size}", "a rank below the number of them"
            )
        if stream.samples < world_size:
            raise PlanError(f"{stream.samples} samples are fewer than {world_size} ranks.")
        if rows is not None and len(rows) != stream.samples:
            raise ConfigError(
                f"there are {len(rows)} rows", f"one for each of {stream.samples} samples"
            )
        self.stream, self.rank, self.world_size, self.rows = stream, rank, world_size, rows
        self.place = Place()

    @property
    def length(self) -> int:
        """Draws of this rank in a pass, the same for all."""
        return self.stream.samples // self.world_size

    def part(self, passes: int) -> list[int]:
        """Return this rank's draws of a pass."""
        drawn = self.stream.draws(passes)[self.rank :: self.world_size][: self.length]
        found: list[int] = (drawn if self.rows is None else self.rows[drawn]).tolist()
        return found

    def stored(self, place: Place) -> dict[str, Any]:
        return {"version": VERSION, **place._asdict(), **self.stream.stored(place.passes)}

    def restore(self, stored: Mapping[str, Any]) -> None:
        if stored.get("version") != VERSION:
            raise ConfigError(
                f"the stored sampler has version {stored.get('version')}", str(VERSION)
            )
        place = Place(*(_count(stored, name) for name in Place._fields))
        if place.drawn > self.stream.samples or place.drawn % self.world_size:
            raise ConfigError(
                f"the stored sampler stopped after {place.drawn} draws of a pass",
                f"a multiple of {self.world_size} ranks, at most {self.stream.samples}",
            )
        self.stream.restore(place.passes, stored)
        self.place = place


def _count(stored: Mapping[str, Any], name: str) -> int:
    value = stored.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"the stored sampler's {name} is {value!r}", "a number from 0 on")
    return value


class PlanSampler(Sampler[int]):
    """Sample numbers, one pass each time it is iterated; an unfinished pass is gone on with.

    Give it to a loader as `sampler`, with its own batch size. rows: what to yield for sample i,
    for instance a plan's anchors where the loader reads the whole data set.
    """

    def __init__(
        self, stream: SampleStream, *, rank: int = 0, world_size: int = 1, rows: Ints | None = None
    ) -> None:
        self._ranked = Ranked(stream, rank, world_size, rows)

    def __len__(self) -> int:
        """Draws of this rank in a pass."""
        return self._ranked.length

    def __iter__(self) -> Iterator[int]:
        ranked = self._ranked
        passes, drawn = ranked.place
        part = ranked.part(passes)
        for at in range(drawn // ranked.world_size, len(part)):
            last = at + 1 == len(part)
            ranked.place = Place(passes + last, 0 if last else (at + 1) * ranked.world_size)
            yield part[at]

    def state_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint: after the last number that was handed out.

        Workers ask ahead of training; `PlanLoader` knows what training has got.
        """
        return self._ranked.stored(self._ranked.place)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a stored sampler stopped; raises ConfigError when it was another."""
        self._ranked.restore(state)


class PlanBatches(BatchSampler):
    """Batches of sample numbers without end, or with `endless=False` one pass each iteration.

    Give it to a loader as `batch_sampler`. batch_size: of this rank. drop_last: leave out what
    fills no batch at the end of each pass. Raises PlanError when nothing fills one.
    """

    def __init__(
        self,
        stream: SampleStream,
        batch_size: int,
        *,
        drop_last: bool = True,
        endless: bool = True,
        rank: int = 0,
        world_size: int = 1,
        rows: Ints | None = None,
    ) -> None:
        self._ranked = Ranked(stream, rank, world_size, rows)
        if batch_size < 1:
            raise ConfigError(f"the batch size is {batch_size}", "at least 1")
        if drop_last and self._ranked.length < batch_size:
            raise PlanError(_too_few(stream.samples, batch_size, world_size))
        super().__init__(
            PlanSampler(stream, rank=rank, world_size=world_size, rows=rows), batch_size, drop_last
        )
        self.endless = endless

    def __len__(self) -> int:
        """Batches of a pass."""
        return self._left(Place())

    @property
    def place(self) -> Place:
        """Where the next batch begins."""
        return self._ranked.place

    def __iter__(self) -> Iterator[list[int]]:
        ranked = self._ranked
        while True:
            place = self.after(ranked.place, 0)
            part = ranked.part(place.passes)
            for number in range(self._left(place)):
                begin = place.drawn // ranked.world_size + number * self.batch_size
                ranked.place = self.after(place, number + 1)
                yield part[begin : begin + self.batch_size]
            if not self.endless:
                return

    def after(self, place: Place, batches: int) -> Place:
        """Return the place after so many more batches."""
        left = self._left(place)
        if batches < left:
            whole = batches * self.batch_size * self._ranked.world_size
            return Place(place.passes, place.drawn + whole)
        passes, rest = divmod(batches - left, len(self))
        drawn = rest * self.batch_size * self._ranked.world_size
        return Place(place.passes + 1 + passes, drawn)

    def go_to(self, place: Place) -> None:
        """Begin the next iteration at a place."""
        self._ranked.place = place

    def stored(self, place: Place) -> dict[str, Any]:
        """Return plain values for a checkpoint that goes on at a place."""
        return self._ranked.stored(place)

    def state_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint: after the last batch that was handed out.

        Workers ask ahead of training; `PlanLoader` knows what training has got.
        """
        return self.stored(self.place)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where stored batches stopped; raises ConfigError when they were of another stream."""
        self._ranked.restore(state)

    def _left(self, place: Place) -> int:
        """Count the batches between a place and the end of its pass."""
        rest = self._ranked.length - place.drawn // self._ranked.world_size
        return rest // self.batch_size if self.drop_last else -(-rest // self.batch_size)


def _too_few(samples: int, batch_size: int, world_size: int) -> str:
    text = f"Local batch size ({batch_size}) is larger than the dataset size ({samples})."
    if batch_size <= samples:
        text = (
            f"{samples} samples do not fill a batch of {batch_size} on each of {world_size} ranks."
        )
    return text
