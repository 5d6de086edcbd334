"""Gymnasium environments; installed under the import name `robovalue_envs`.

Importing it registers the ids, as Gymnasium 1.x expects of a package: `import robovalue_envs` or
`gymnasium.make("robovalue_envs:robovalue/PutRedCubeInBox-v0")`. `robovalue_envs.ValueReward` tells
after every step how far the task has come.
"""

from typing import Any

from robovalue_envs.registration import register_environments

register_environments()

__all__ = ["ValueReward"]


def __getattr__(name: str) -> Any:
    # Loaded when it is asked for: registering ids costs nothing, the value room does.
    if name == "ValueReward":
        from robovalue_envs.value_wrapper import ValueReward

        return ValueReward
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
