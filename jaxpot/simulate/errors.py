"""The error of a simulation that cannot go on."""

from __future__ import annotations

__all__ = ["SimulationError"]


class SimulationError(RuntimeError):
    """A run stopped because its numbers make no sense; what was written until then is kept."""
