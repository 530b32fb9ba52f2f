"""Least-squares problems with any number of rows, reduced to one triangle by QR of block after block of rows."""

from __future__ import annotations

import numpy as np
import scipy.linalg

__all__ = ["Factor"]


class Factor:
    """The problem min |A x - b|^2, whose rows are added in blocks while only a triangle is stored.

    With Q R = [A b], the last column of R holds z = Q^T b and, in its last entry, the length of the residual that no x
    removes. The problem min |R x - z|^2 + rest is that of all rows, apart from rounding. Unlike in the normal
    equations, the condition number is not squared.

    Args:
        columns: number of columns of A.

    Example:
        >>> import numpy as np
        >>> from jaxpot.fit.linear import Factor
        >>> random = np.random.default_rng(0)
        >>> a, b = random.normal(size=(100, 3)), random.normal(size=100)
        >>> factor = Factor(3)
        >>> for rows in np.split(np.arange(100), 10):
        ...     factor.add(a[rows], b[rows])
        >>> triangle, target = factor.problem()
        >>> x = np.linalg.lstsq(a, b)[0]
        >>> bool(np.allclose(np.linalg.lstsq(triangle, target)[0], x)), triangle.shape
        (True, (4, 3))
        >>> bool(np.isclose(factor.loss(x), ((a @ x - b) ** 2).sum()))
        True
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows = 0  # number of rows added so far
        self._triangle = np.zeros((0, columns + 1))
        self._pending: list[np.ndarray] = []
        self._waiting = 0

    def add(self, a: np.ndarray, b: np.ndarray) -> None:
        """Adds rows.

        Args:
            a: [rows, columns].
            b: [rows].
        """
        if not len(b):
            return
        self._pending.append(np.concatenate([a, b[:, None]], axis=1))
        self.rows += len(b)
        self._waiting += len(b)
        # a factorisation of few rows costs as much as one of as many rows as columns, so collect some first
        if self._waiting >= 3 * self.columns:
            self._reduce()

    def problem(self) -> tuple[np.ndarray, np.ndarray]:
        """A and b of the same problem, with at most columns + 1 rows."""
        self._reduce()
        return self._triangle[:, :-1], self._triangle[:, -1]

    def normal(self) -> tuple[np.ndarray, np.ndarray]:
        """The normal equations: A^T A and A^T b."""
        a, b = self.problem()
        return a.T @ a, a.T @ b

    def loss(self, x: np.ndarray) -> float:
        """|A x - b|^2 over all rows.

        Args:
            x: [columns].
        """
        a, b = self.problem()
        return float(((a @ x - b) ** 2).sum())

    def _reduce(self) -> None:
        if not self._pending:
            return
        stack = np.concatenate([self._triangle, *self._pending])
        self._pending, self._waiting = [], 0
        if len(stack) <= self.columns + 1:
            self._triangle = stack
            return
        (self._triangle,) = scipy.linalg.qr(stack, mode="r", overwrite_a=True, check_finite=False)
        self._triangle = np.ascontiguousarray(self._triangle[: self.columns + 1])
