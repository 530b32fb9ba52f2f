"""Every example of the registry against every check of `jaxpot.testing`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest

import jaxpot
from jaxpot.spec import Spec, kind_of
from jaxpot.testing import Bench, Check, checks, run
from tests.conftest import FLOAT32
from tests.contract.registry import EXAMPLES, Example

# In test_slow_checks.py, which another process can run. Each compiles programs of its own, and leaves out variants of a
# kind of potential, or of a shape of formula, that another example stands for.
SLOW = ("numba", "several_blocks", "gradient_through_a_run")
VARIANTS = (
    *("lennard_jones_force_shifted", "lennard_jones_switched", "wang_frenkel_all_free", "finnis_sinclair", "eam_fs"),
    *("linear_in_symmetry_functions", "stillinger_weber_switched", "tersoff_mod", "edip", "vashishta"),
)


@functools.cache
def bench(example: Example) -> Bench:
    """The bench of an example, made once: its checks share compiled programs."""
    potential, params = example.build()
    return Bench(potential, params, **example.settings)


def cases(slow: bool) -> list[Any]:
    """The pairs of a check and an example, of one kind of checks."""
    return [
        pytest.param(check, example, id=f"{check.name}-{example.name}")
        for check in checks()
        for example in EXAMPLES
        if (check.name in SLOW) == slow and not (slow and example.name in VARIANTS) and check.name not in example.skip
    ]


def assert_passed(check: Check, example: Example) -> None:
    """Skips what does not apply to the example."""
    outcome = run(check, bench(example))
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.passed, str(outcome)


@pytest.mark.parametrize(("check", "example"), cases(slow=False))
def test_contract(check: Check, example: Example) -> None:
    assert_passed(check, example)


def kinds_in(value: Any) -> Iterator[str]:
    """Names of the kinds of a spec and of all specs in it."""
    if isinstance(value, Spec):
        yield type(value).kind
        value = tuple(value.arguments().values())
    if isinstance(value, tuple):
        for part in value:
            yield from kinds_in(part)


def kinds_without_example(examples: list[Example]) -> list[str]:
    """The library's kinds of potentials that no example is of."""
    here = [name for name in jaxpot.kinds() if kind_of(name).factory.__module__.startswith("jaxpot.")]
    shown = {kind for example in examples for kind in kinds_in(example.build()[0].spec)}
    return [name for name in here if name not in shown]


def test_every_variant_is_an_example() -> None:
    assert set(VARIANTS) <= {example.name for example in EXAMPLES}


def test_every_kind_of_potential_has_an_example() -> None:
    assert kinds_without_example(EXAMPLES) == []


def test_a_kind_without_example_is_missed() -> None:
    others = [example for example in EXAMPLES if example.name not in ("adp", "sutton_chen")]
    assert kinds_without_example(others) == ["adp", "sutton_chen"]


def test_every_factory_of_the_library_is_a_kind() -> None:
    factories = [
        name
        for name in jaxpot.__all__
        if getattr(getattr(jaxpot, name), "__module__", "").startswith("jaxpot.potentials.")
        and not name.endswith("_mixing")
        and callable(getattr(jaxpot, name))
    ]
    assert factories
    assert [name for name in factories if name not in jaxpot.kinds()] == []


def test_each_example_has_a_name_of_its_own() -> None:
    names = [example.name for example in EXAMPLES]
    assert len(names) == len(set(names))


def test_stress_is_the_virial_over_the_volume_and_nothing_needs_jit() -> None:
    b = bench(EXAMPLES[0])
    system, neighbors = b.exact(b.atoms)
    found = b.potential.evaluate(b.params, system, neighbors)  # not compiled
    allowed = 1e-4 if FLOAT32 else 1e-12
    np.testing.assert_allclose(found.forces, b.reference.forces, rtol=0, atol=allowed * b.scale)
    stress = jaxpot.stress(b.potential)(b.params, system, neighbors)
    expected = b.reference.virial / b.atoms.get_volume()
    np.testing.assert_allclose(stress, expected, rtol=0, atol=allowed * float(np.abs(expected).max()))


def test_one_program_serves_all_structures_of_an_example() -> None:
    """The suite is quick only as long as this holds."""
    b = Bench(*EXAMPLES[0].build(), **EXAMPLES[0].settings)
    for atoms in (b.atoms, b.tiny(), b.cluster(), b.atoms * (1, 2, 1)):
        b.of(atoms)
    assert b.traces == 1
    assert isinstance(jax.tree.leaves(b.params)[0], jax.Array)
