"""Published parameter sets as cited data."""

from jaxpot.parameters.registry import PublishedSet, available, published

__all__ = ["PublishedSet", "available", "published"]
