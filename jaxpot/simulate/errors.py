"""The error of a simulation that cannot continue."""

from __future__ import annotations

__all__ = ["SimulationError"]


class SimulationError(RuntimeError):
    """A run stopped because its numbers make no sense; everything written before is kept."""
