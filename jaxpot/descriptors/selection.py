"""Selection of the most informative values of a descriptor for a set of structures."""

from __future__ import annotations

from typing import Literal

import numpy as np

__all__ = ["select_columns"]


def select_columns(values: np.ndarray, count: int, method: Literal["fps", "cur"] = "fps") -> np.ndarray:
    """Selects the most informative columns of a matrix, such as values of a descriptor of the atoms of one element.

    Columns are first shifted to zero mean and scaled to unit variance. "fps" is farthest point sampling: it begins with
    the column most correlated with all others, then repeatedly takes the column farthest (up to the sign) from its
    nearest chosen one. "cur" repeatedly takes the column of the largest leverage, which is its weight in the first
    right singular vector, and makes all other columns orthogonal to it.

    Args:
        values: [atoms, values].
        count: how many columns to pick.
        method: as above.

    Returns:
        [count] int, places of the chosen columns in the order of their choice.

    Raises:
        ValueError: ``count`` is not from 1 to the number of columns that are not constant, or another method.

    Example:
        >>> import numpy as np
        >>> from jaxpot.descriptors.selection import select_columns
        >>> x = np.random.default_rng(0).normal(size=(50, 2))
        >>> twice = np.concatenate([x, x + 1e-3 * x[::-1]], axis=1)  # the last two are almost the first two
        >>> sorted(int(k) % 2 for k in select_columns(twice, 2))
        [0, 1]

    Reference:
        G. Imbalzano, A. Anelli, D. Giofré, S. Klees, J. Behler and M. Ceriotti, J. Chem. Phys. 148, 241730 (2018).
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2:
        raise ValueError(f"values must be [atoms, values], got {list(values.shape)}")
    spread = values.std(axis=0)
    useful = np.flatnonzero(spread > 1e-12 * max(float(spread.max(initial=0.0)), 1e-300))
    if not 1 <= count <= len(useful):
        raise ValueError(f"count must be from 1 to {len(useful)}, the columns that are not constant; got {count}")
    x = (values[:, useful] - values[:, useful].mean(axis=0)) / spread[useful]
    if method == "fps":
        chosen = _farthest(x, count)
    elif method == "cur":
        chosen = _cur(x, count)
    else:
        raise ValueError(f"method must be 'fps' or 'cur', got {method!r}")
    return useful[chosen]


def _farthest(x: np.ndarray, count: int) -> list[int]:
    squares = (x.T @ x / len(x)) ** 2  # squared correlations: distances up to the sign fall with them
    chosen = [int(np.argmax(squares.sum(axis=0)))]
    while len(chosen) < count:
        nearest = squares[chosen].max(axis=0)
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
    return chosen


def _cur(x: np.ndarray, count: int) -> list[int]:
    rest = x.copy()
    chosen: list[int] = []
    for _ in range(count):
        _, vectors = np.linalg.eigh(rest.T @ rest)
        weight = vectors[:, -1] ** 2
        weight[chosen] = -1.0
        best = int(np.argmax(weight))
        chosen.append(best)
        column = rest[:, best]
        size = float(column @ column)
        if size > 0:
            rest = rest - np.outer(column, column @ rest) / size
    return chosen
