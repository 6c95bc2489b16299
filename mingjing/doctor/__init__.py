"""``mingjing doctor``: what a system with these settings runs on, what is wrong with it, and the mend."""

from __future__ import annotations

from mingjing.doctor.command import doctor_command, examine

__all__ = ["doctor_command", "examine"]
