"""Many unequal structures in one call, with a bounded number of compiled shapes."""

from jaxpot.batch.batches import Batch, batch
from jaxpot.batch.evaluation import Result, evaluate
from jaxpot.batch.padding import pad_neighbors

__all__ = ["Batch", "Result", "batch", "evaluate", "pad_neighbors"]
