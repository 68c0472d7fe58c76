"""``python -m include.simulator``: serve a simulated cluster, judge what happened to it, list its faults."""

from __future__ import annotations

import sys

from include.simulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
