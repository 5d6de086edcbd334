"""A fitted value model in one file: plain arrays and what they were made from, nothing that runs.

The arrays have an id of their own, the hash of their content. It is stored beside them and compared
when the file is read, so a model that is not what was written is never used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.validate import FrozenMapping
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.npz import Members, Plain, read_members
from robovalue_ros.value.stream.model import ValueModel

SCHEMA = 1
_ID, _ABOUT, _SCHEMA = "value_model_id", "about", "value_model_schema"
_MODEL = "model."
_ADVICE = "Fit it again with `robovalue value fit`."


@dataclass(frozen=True, slots=True, eq=False)
class StoredValueModel:
    """A model and what it was made from.

    about: JSON values, such as the task, the demonstrations, the options, the seed and the version
    of the software.
    """

    model: ValueModel
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "about", FrozenMapping(self.about))


def write_value_model(path: Path, model: ValueModel, about: Mapping[str, Any]) -> None:
    """Write a model atomically; the same model and `about` give the same bytes.

    about: JSON values; raises ContractError for anything else.
    """
    try:
        text = json.dumps(dict(about), sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise ContractError("about", "JSON values", str(problem)) from None
    arrays: dict[str, Any] = {_SCHEMA: SCHEMA, _ID: model.id, _ABOUT: text}
    arrays |= {_MODEL + name: array for name, array in model.to_arrays().items()}
    write_arrays(path, arrays)


def read_value_model(path: Path) -> StoredValueModel:
    """Read a model. Raises DataError for damage, another kind of file or another version."""
    members = read_members(path)
    if _SCHEMA not in members.arrays:
        raise DataError(path, "is no value model", "a file written by `robovalue value fit`")
    version = members.integer(_SCHEMA)
    if version != SCHEMA:
        raise DataError(path, f"is a value model file of version {version}", f"version {SCHEMA}")
    return StoredValueModel(_model(path, members), members.mapping(_ABOUT))


def _model(path: Path, members: Members) -> ValueModel:
    arrays: dict[str, Plain] = {
        name.removeprefix(_MODEL): array
        for name, array in members.arrays.items()
        if name.startswith(_MODEL)
    }
    stored = members.text(_ID)
    try:
        model = ValueModel.from_arrays(arrays)
    except ContractError as problem:
        raise DataError(path, f"holds no usable value model: {problem}", hint=_ADVICE) from None
    if model.id != stored:
        raise DataError(
            path, f"its content has the id {model.id}", f"{stored}, as it was written", _ADVICE
        )
    return model
