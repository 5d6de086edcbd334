"""Whole columns of a data set, in the order of its rows: no frame is decoded, no row is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Array
from robovalue_ros.data.lerobot.episodes import EpisodePlace, read_episodes
from robovalue_ros.data.lerobot.info import read_info
from robovalue_ros.data.lerobot.rows import numbers
from robovalue_ros.data.lerobot.tables import as_data_error, open_table


class Columns:
    """The numeric columns of a LeRobotDataset (v2.0, v2.1 or v3.0); raises DataError."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.info = read_info(root)
        self.places: tuple[EpisodePlace, ...] = tuple(read_episodes(self.info).values())
        # Row numbers count over the files in the order of their names, as loaders join them.
        self.files = tuple(sorted({place.data for place in self.places}))
        if not self.files:
            raise DataError(root, "lists no episodes", "at least one")

    def width(self, name: str) -> int | None:
        """Return how many numbers a frame has in a column, None where there is no such column."""
        feature = self.info.features.get(name)
        if feature is None or feature.kind != "number" or len(feature.shape) > 1:
            return None
        return feature.shape[0] if feature.shape else 1

    def parts(self, names: Sequence[str]) -> Iterator[dict[str, Array]]:
        """Yield columns file by file: (n,) for one number per frame, otherwise (n, k)."""
        features = [self.info.features[name] for name in names]
        for path in self.files:
            file = open_table(path)
            try:
                there = set(file.schema_arrow.names)
                for name in names:
                    if name not in there:
                        raise DataError(path, f"has no column {name!r}", f"the columns {names}")
                with as_data_error(path):
                    table = file.read(columns=list(names), use_threads=False)
            finally:
                file.close()
            yield {feature.key: numbers(path, table, feature) for feature in features}
