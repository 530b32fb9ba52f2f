"""Scalar code gives XLA's results: NaN, infinities, integers of every width, conversions, types of all arguments."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.engine import compiled
from jaxpot.engine.compiled import operations
from jaxpot.engine.compiled.call import as_read
from jaxpot.engine.compiled.scalar_code import Code, Translation, UnsupportedError, translate
from jaxpot.numerics import native_choice
from tests.conftest import FLOAT32, needs_float64
from tests.engine.test_compiled import CUTOFF, DIGITS, case, traced

numba = pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")

__all__ = ["case"]

FLOAT = np.dtype("float32" if FLOAT32 else "float64")
EDGES = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.3, -0.3, 0.5, 2.5, -2.5, 126.7, -129.2, 3e9, -3e9, 1e19, 1e-20],
    FLOAT,
)
WIDTHS = ["int8", "int16", "int32", "uint8", "uint16", "uint32", *([] if FLOAT32 else ["int64"])]


def by_lines(function: Callable[..., Any], *dtypes: Any) -> Callable[..., list[np.ndarray]]:
    """A function of scalars through its lines of code, over arrays."""
    from jaxpot.numerics import native_scalars

    jaxpr = jax.make_jaxpr(function)(*[jax.ShapeDtypeStruct((), d) for d in dtypes])
    names = [f"wi{k}" for k in range(len(dtypes))]
    translation = Translation(FLOAT)
    results = translate(jaxpr, [Code((n,), ()) for n in names], translation)
    kinds = [aval.dtype for aval in jaxpr.out_avals]
    text = [f"def run({', '.join([f'in{k}' for k in range(len(names))] + [f'out{k}' for k in range(len(kinds))])}):"]
    text += ["    for k in range(in0.shape[0]):", *[f"        {n} = in{j}[k]" for j, n in enumerate(names)]]
    text += [f"        {line.name} = {line.text}" for line in translation.lines]
    text += [f"        out{j}[k] = {value.names[0]}" for j, value in enumerate(results)]
    scope: dict[str, Any] = {"math": math, "np": np, "F": FLOAT.type}
    scope |= {key: getattr(native_scalars, key) for key in native_scalars.__all__}
    scope |= {f"c{k}": np.asarray(value)[()] for k, value in enumerate(translation.inputs)}
    exec("\n".join(text), scope)
    run = numba.njit(scope["run"], error_model="numpy", fastmath={"contract", "nsz", "arcp"})

    def over(*columns: np.ndarray) -> list[np.ndarray]:
        found = [np.zeros(len(columns[0]), kind) for kind in kinds]
        run(*columns, *found)
        return found

    return over


def compare(functions: dict[str, Callable[..., Any]], *columns: np.ndarray) -> None:
    def all_of(*values: Any) -> list[Any]:
        return [function(*values) for function in functions.values()]

    got = by_lines(all_of, *[c.dtype for c in columns])(*columns)
    expected = jax.jit(jax.vmap(all_of))(*columns)
    for name, g, e in zip(functions, got, expected, strict=True):
        exact = not jnp.issubdtype(e.dtype, jnp.floating)
        digits = 0 if exact else 4e-6 if FLOAT32 else 1e-12
        np.testing.assert_allclose(
            g, np.asarray(e), rtol=digits, atol=0 if exact else 1e-7 if FLOAT32 else 1e-15, err_msg=name
        )
        assert g.dtype == e.dtype, name


def test_floats_of_one_operand() -> None:
    names = "abs sign floor ceil sqrt rsqrt exp log log1p expm1 tanh sinh cosh asin acos atan erf erfc logistic"
    functions: dict[str, Callable[..., Any]] = {name: getattr(jax.lax, name) for name in names.split()}
    functions |= {"neg": lambda x: -x, "square": jnp.square, "is_finite": jnp.isfinite, "round": jnp.round}
    functions |= {f"power {k}": (lambda x, k=k: x**k) for k in (-3, -2, -1, 0, 2, 5)}
    functions |= {"clip": lambda x: jnp.clip(x, -0.5, 2.0), "where": lambda x: jnp.where(x > 0.3, x, -x)}
    functions |= {"isnan": jnp.isnan, "nan_to_zero": lambda x: jnp.where(jnp.isnan(x), 0.0, x)}
    # a number that is added and taken away leaves no trace of NaN and infinity only if it is finite
    functions |= {"added and taken away": lambda x: (x + 1.0) - x, "ratio to itself": lambda x: x / x}
    compare(functions, EDGES)
    moderate = EDGES[~(np.abs(EDGES) > 1e3)]
    compare({name: getattr(jax.lax, name) for name in ("sin", "cos", "tan")}, moderate)


def test_floats_of_two_operands() -> None:
    functions: dict[str, Callable[..., Any]] = {
        "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
        "maximum": jnp.maximum, "minimum": jnp.minimum, "rem": jax.lax.rem, "mod": jnp.mod, "atan2": jnp.arctan2,
        "lt": lambda x, y: x < y, "le": lambda x, y: x <= y, "gt": lambda x, y: x > y, "ge": lambda x, y: x >= y,
        "eq": lambda x, y: x == y, "ne": lambda x, y: x != y, "and": lambda x, y: (x < y) & (x > 0),
        "or": lambda x, y: (x < y) | ~(x > 0), "xor": lambda x, y: (x < y) ^ (x > 0), "pow": lambda x, y: x**y,
        "clamp": lambda x, y: jax.lax.clamp(y, x, jnp.asarray(2.0, x.dtype)),
    }  # fmt: skip
    x, y = (a.ravel() for a in np.meshgrid(EDGES, EDGES))
    compare(functions, x, y)


@pytest.mark.parametrize("width", WIDTHS)
def test_integers_wrap_in_their_own_width(width: str) -> None:
    info = np.iinfo(width)
    values = np.array([info.min, info.min + 1, 0, 1, 2, 3, 7, info.max // 2 + 1, info.max - 1, info.max], width)
    functions: dict[str, Callable[..., Any]] = {
        "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "not": lambda x, y: ~x,
        "and": lambda x, y: x & y, "or": lambda x, y: x | y, "xor": lambda x, y: x ^ y, "maximum": jnp.maximum,
        "minimum": jnp.minimum, "power": lambda x, y: x**3, "div": jax.lax.div,
        "rem": jax.lax.rem, "lt": lambda x, y: x < y, "ge": lambda x, y: x >= y, "eq": lambda x, y: x == y,
        "truth": lambda x, y: x.astype(bool), "float": lambda x, y: x.astype(FLOAT) * y.astype(FLOAT),
        "product of sums": lambda x, y: (x + y) * (x - y), "clip": lambda x, y: jnp.clip(x, 2, 100),
    }  # fmt: skip
    if info.min < 0:
        functions |= {"abs": lambda x, y: jnp.abs(x), "neg": lambda x, y: -x, "sign": lambda x, y: jnp.sign(x)}
    x, y = (a.ravel() for a in np.meshgrid(values, values))
    compare(functions, x, y)
    compare({to: (lambda x, to=to: x.astype(to)) for to in WIDTHS}, values)


def test_conversions_of_floats_saturate() -> None:
    compare({width: (lambda x, width=width: x.astype(width)) for width in [*WIDTHS, "bool"]}, EDGES)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", pytest.param("float32", marks=needs_float64), "uint64"])
def test_other_types_are_refused_by_name(kind: str) -> None:
    with jax.enable_x64(True), pytest.raises(UnsupportedError, match=kind):
        by_lines(lambda x: x.astype(kind).astype(FLOAT), FLOAT)


INTEGERS = ["int8", "int16", "int64"]  # with a sign: padded atoms are marked by -1


def results(potential: jaxpot.Potential, params: Any, system: Any, neighbors: Any) -> jaxpot.Evaluation:
    # types alone are in question: a cell in float32 is another one for a list without a skin
    return jax.jit(potential.unchecked.evaluate)(params, system, neighbors)


@pytest.mark.parametrize("where", ["species", "cell", "rows", "source", "offset", "row_of_atom", "params"])
def test_arrays_of_other_types_are_cast(where: str, case: Any) -> None:
    system, neighbors = case
    potential = jaxpot.lennard_jones(CUTOFF, ("Cu", "Al"))
    params = {"epsilon": jnp.array([[0.4, 0.3], [0.3, 0.2]]), "sigma": jnp.array([[2.3, 2.4], [2.4, 2.6]])}
    expected = results(potential, params, system, traced(neighbors))
    kinds = {"species": INTEGERS, "cell": ["float32", "float64"], "params": ["float32", "float64"]}
    for kind in kinds.get(where, ["int64"]):
        if FLOAT32 and kind.endswith("64"):
            continue
        s, n, p = system, neighbors, params
        if where == "species":
            s = system.replace(species=system.species.astype(kind))
        elif where == "cell":
            s = system.replace(cell=system.cell.astype(kind))
        elif where == "params":
            p = jax.tree.map(lambda leaf, kind=kind: leaf.astype(kind), params)
        else:
            n = dataclasses.replace(neighbors, **{where: getattr(neighbors, where).astype(kind)})
        found = results(potential, p, s, n)
        digits = 1e-5 if "32" in kind else 10 * DIGITS
        for got, want in zip(found[:3], expected[:3], strict=True):
            assert got.dtype == system.positions.dtype
            np.testing.assert_allclose(got, want, rtol=digits, atol=digits * float(jnp.abs(want).max()))


@needs_float64
def test_numbers_out_of_range_do_not_wrap_round_to_others() -> None:
    read = as_read(jnp.array([1, 2**32 + 1, -(2**40), -1]), jnp.int32, (4,), "species")
    assert read.tolist() == [1, 2**31 - 1, -(2**31), -1]
    assert as_read(jnp.array([3, 2**32 - 1], jnp.uint32), jnp.int32, (2,), "species").tolist() == [3, 2**31 - 1]


def test_arrays_of_another_shape_or_kind_are_refused(case: Any) -> None:
    system, neighbors = case
    with pytest.raises(ValueError, match=r"species: the compiled loop reads int32, got float"):
        as_read(jnp.array([0.0]), jnp.int32, (1,), "species")
    with pytest.raises(ValueError, match=r"cell: .* shape \[3, 3\], got \[3\]"):
        as_read(jnp.ones(3), jnp.float32, (3, 3), "cell")
    short = system.replace(species=system.species[:-1])
    with pytest.raises(ValueError, match="species: the compiled loop reads an array of shape"):
        compiled.pair_loop(lambda p, r, *_: ((r,), None), 1.0, short, neighbors, CUTOFF)


def test_species_out_of_range_read_no_foreign_memory(case: Any) -> None:
    system, neighbors = case
    potential = jaxpot.lennard_jones(CUTOFF, tuple("ABCDEFGH"))  # so many that tables are looked up
    table = jnp.linspace(0.2, 0.4, 64).reshape(8, 8)
    params = {"epsilon": table, "sigma": 6 * table}
    for species in (7, 8, 2**31 - 1):
        wrong = system.replace(species=system.species.at[0].set(species))
        got, want = (results(potential, params, wrong, n) for n in (neighbors, traced(neighbors)))
        np.testing.assert_allclose(got.energies, want.energies, rtol=10 * DIGITS, atol=10 * DIGITS)


def divergent(p: Any, r: jax.Array) -> jax.Array:
    return p / (CUTOFF - r) - jnp.maximum(r, 3.0)


def test_a_formula_that_is_infinite_at_the_cutoff_is_masked(case: Any) -> None:
    system, neighbors = case
    potential = jaxpot.pair_potential(divergent, CUTOFF, ("Cu", "Al"))
    got, want = (results(potential, 0.1, system, n) for n in (neighbors, traced(neighbors)))
    assert bool(jnp.isfinite(want.energies).all())
    np.testing.assert_allclose(got.forces, want.forces, rtol=1e-3 if FLOAT32 else 1e-9, atol=1e-3 if FLOAT32 else 1e-9)


def test_a_formula_that_is_not_compiled_says_so_once_and_why(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    system, neighbors = case
    monkeypatch.setattr(native_choice, "_warned", set())
    monkeypatch.setitem(operations.FLOATS, "tan", "math.ulp({})")
    for function, primitive in ((lambda p, r: p * jax.lax.lgamma(r), "lgamma"), (lambda p, r: p * jnp.tan(r), "tan")):
        potential = jaxpot.pair_potential(function, CUTOFF, ("Cu", "Al"))
        with pytest.warns(UserWarning, match=rf"computed by XLA .* the primitive `[\w, ]*{primitive}`"):
            got = results(potential, 1.0, system, neighbors)
        np.testing.assert_array_equal(got.forces, results(potential, 1.0, system, traced(neighbors)).forces)
        results(potential, 2.0, system.replace(positions=system.positions + 0.0), neighbors)  # and not again
        jaxpot.pair_potential(function, CUTOFF, ("Cu", "Al")).evaluate(1.0, system, neighbors)
