"""Let the tests of cutting videos import the films that they share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
# For the test that records the simulator: it has to be set before MuJoCo is imported.
os.environ.setdefault("MUJOCO_GL", "egl")
