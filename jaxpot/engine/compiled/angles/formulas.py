"""The formulas of an angular potential for one atom, edge or angle, with the derivatives that its loop needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["Formulas", "parts_of"]

Scalars = tuple[Any, ...]


class Formulas(NamedTuple):
    """Formulas of scalars, None where a potential has no such part.

    Attributes:
        coordination: ``(params, r, own, other) -> f``, a tuple of the terms of the sums S.
        atom: ``(params, S, own) -> F``.
        around: ``(params, rj, rk, cosine, S, own, oj, ok) -> g``, a tuple of the terms of the sums z.
        bond: ``(params, r, z, S, own, other) -> V``.
        triple: ``(params, rj, rk, cosine, S, own, oj, ok) -> T``; every pair of edges counts in both orders.
        sums: how many sums S there are.
        bond_sums: how many sums z there are.
    """

    coordination: Callable[..., Scalars] | None
    atom: Callable[..., Any] | None
    around: Callable[..., Scalars] | None
    bond: Callable[..., Any] | None
    triple: Callable[..., Any] | None
    sums: int
    bond_sums: int


def parts_of(formulas: Formulas, dtype: Any) -> dict[str, tuple[list[str], Callable[..., list[Any]]]]:
    """For each part, the names that it reads and ``(params, *values) -> outputs``, all scalars.

    The outputs are values, followed by derivatives by the lengths and the cosine, the sums z and the sums S.
    """
    S = [f"s{k}" for k in range(formulas.sums)]
    z = [f"z{k}" for k in range(formulas.bond_sums)]
    y = [f"y{k}" for k in range(formulas.bond_sums)]
    angle, species = ["rj", "rk", "cosine"], ["own", "oj", "ok"]
    parts: dict[str, tuple[list[str], Callable[..., list[Any]]]] = {}

    def scalar(value: Any) -> jax.Array:
        return jnp.asarray(value, dtype).reshape(())

    def slopes(function: Callable[..., Any], *values: Any) -> list[Any]:
        """The value of a function, then its derivatives by each number of its arguments."""
        value, pull = jax.vjp(lambda *given: scalar(function(*given)), *values)
        return [value, *jax.tree.leaves(pull(jnp.ones_like(value)))]

    if formulas.coordination is not None:
        coordination = formulas.coordination

        def terms(p: Any, r: Any, own: Any, other: Any) -> list[Any]:
            found, change = jax.jvp(
                lambda r: [scalar(f) for f in coordination(p, r, own, other)], (r,), (jnp.ones_like(r),)
            )
            return [*found, *change]

        parts["coordination"] = (["rj", "own", "oj"], terms)
    if formulas.atom is not None:
        atom = formulas.atom

        def of_atom(p: Any, own: Any, *S: Any) -> list[Any]:
            return slopes(lambda S: atom(p, S, own), S)

        parts["atom"] = (["own", *S], of_atom)
    if formulas.around is not None:
        around = formulas.around

        def bond_terms(p: Any, rj: Any, rk: Any, cosine: Any, own: Any, oj: Any, ok: Any, *S: Any) -> list[Any]:
            return [scalar(g) for g in around(p, rj, rk, cosine, S, own, oj, ok)]

        def pulled(p: Any, rj: Any, rk: Any, cosine: Any, own: Any, oj: Any, ok: Any, *more: Any) -> list[Any]:
            S, y = more[: formulas.sums], more[formulas.sums :]
            _, pull = jax.vjp(lambda *edges: [scalar(g) for g in around(p, *edges, own, oj, ok)], rj, rk, cosine, S)
            return jax.tree.leaves(pull(list(y)))

        parts["around"] = ([*angle, *species, *S], bond_terms)
        parts["pulled"] = ([*angle, *species, *S, *y], pulled)
    if formulas.bond is not None:
        bond = formulas.bond

        def of_bond(p: Any, r: Any, own: Any, other: Any, *sums: Any) -> list[Any]:
            z, S = sums[: formulas.bond_sums], sums[formulas.bond_sums :]
            return slopes(lambda r, z, S: bond(p, r, z, S, own, other), r, z, S)

        parts["bond"] = (["rj", "own", "oj", *z, *S], of_bond)
    if formulas.triple is not None:
        triple = formulas.triple

        def of_angle(p: Any, rj: Any, rk: Any, cosine: Any, own: Any, oj: Any, ok: Any, *S: Any) -> list[Any]:
            return slopes(lambda *edges: triple(p, *edges, own, oj, ok), rj, rk, cosine, S)

        parts["triple"] = ([*angle, *species, *S], of_angle)
    return parts
