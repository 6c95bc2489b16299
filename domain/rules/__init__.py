"""Settings of the families of rules beyond the time limits: one module a family, every number a setting with its source.

A family is judged where the centre file has its section under ``rules``; an empty section (``procedure: {}``) turns it on with
the defaults. The contract fixes what is found without any of them.
"""

from __future__ import annotations

from domain.model import Model


class FamilySettings(Model):
    """What every family has. ``shadow``: its findings are counted, and not issued."""

    shadow: bool = False
