"""Published parameter sets with their references."""

from jaxpot.parameters.registry import PublishedSet, available, published

__all__ = ["PublishedSet", "available", "published"]
