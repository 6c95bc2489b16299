"""``python -m mingjing``: how the supervisor starts every process, whatever is on the PATH."""

from __future__ import annotations

from mingjing.cli import main

if __name__ == "__main__":
    main()
