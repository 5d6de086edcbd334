"""What is said about plans that cannot be."""

from __future__ import annotations

from robovalue_ros.contracts.errors import RobovalueError


class PlanError(RobovalueError, ValueError):
    """A plan that cannot be built or used; the text is the one that plan tools have always given."""
