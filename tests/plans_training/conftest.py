"""Let the processes of loaders find the data sets of these tests by name."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
# Workers of a fork server then share one import of it; those that are spawned take it each.
multiprocessing.set_forkserver_preload(["torch"])
