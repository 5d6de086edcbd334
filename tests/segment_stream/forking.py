"""Starts runs of `robovalue segment stream` at once: libraries are loaded only the first time.

Reads lines `SOURCE OUT WORKERS` and answers each with the id of a process that cuts, and its group.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cutting import config_for, cut


def main() -> None:
    for line in sys.stdin:
        source, out, workers = line.split()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            result = cut(config_for(source, Path(out), run_workers=int(workers)))
            os._exit(0 if result.count("damaged") == 0 else 1)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
