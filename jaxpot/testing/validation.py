"""The contract that every potential keeps, as one function for users' own potentials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from ase import Atoms

from jaxpot.errors import JaxpotError
from jaxpot.evaluation import Params
from jaxpot.potential import Potential
from jaxpot.system import System
from jaxpot.testing.bench import Bench
from jaxpot.testing.contract import checks
from jaxpot.testing.suite import Outcome, run

__all__ = ["ContractError", "Report", "validate"]


@dataclasses.dataclass(frozen=True)
class Report:
    """What :func:`validate` has found.

    Attributes:
        name: of the potential.
        structure: on which it was tried.
        outcomes: of all checks.
    """

    name: str
    structure: str
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The checks that something is wrong with."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)

    @property
    def left_out(self) -> tuple[Outcome, ...]:
        """The checks that do not apply, with their reasons."""
        return tuple(outcome for outcome in self.outcomes if outcome.skipped)

    def __str__(self) -> str:
        done = len(self.outcomes) - len(self.left_out)
        verdict = f"{len(self.failed)} of {done} checks failed" if self.failed else f"{done} checks passed"
        lines = [f"{self.name} on {self.structure}: {verdict}"]
        return "\n".join([*lines, *map(str, self.failed), *map(str, self.left_out)])


class ContractError(JaxpotError, AssertionError):
    """A potential does not keep the contract; the message lists all that is wrong.

    Args:
        report: of all checks.

    Attributes:
        report: of all checks.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


def validate(
    potential: Potential,
    params: Params,
    *,
    lattice_constant: float | None = None,
    elements: Sequence[str] | None = None,
    structure: str | Atoms = "fcc",
    continuity: int = 2,
    fixed: Sequence[str] = (),
    isolated: float = 0.0,
    systems: Callable[[Atoms], System] | None = None,
    skip: Sequence[str] = (),
) -> Report:
    """Try a potential on small rattled structures, and see whether it does all that jaxpot expects of one.

    Looked at are symmetries and periodic images; forces, virial, Hessian and gradients with respect to params against
    central differences; padding, empty structures, atoms alone; what happens at the cutoff; compilation, vmap and
    float32; every kind of neighbour list and compiled path; saving and pickling; a short run and a gradient through it.
    :func:`checks` lists them. Comparisons with differences need float64, ``jax.config.update("jax_enable_x64", True)``.

    Args:
        potential: the potential.
        params: of it, plausible ones: the largest force must be above 1e-3 eV/Å.
        lattice_constant: Å, of the crystal that is rattled and sheared; near the minimum, so that nothing flies apart.
        elements: of the structures, the potential's by default. One without elements gets argon.
        structure: "fcc", "bcc", "sc" or "diamond"; or ASE's ``Atoms``, such as a molecule, which must have forces.
        continuity: what goes to zero at the cutoff: 0 nothing, 1 the energy, 2 also the force.
        fixed: names of params that are no smooth degree of freedom, and are not differentiated.
        isolated: eV, energy of an atom of the last element alone.
        systems: ``(atoms) -> System`` for a potential that needs more than positions and species, such as charges. It
            is called for other atoms too, repeated, reordered and moved; what is in ``atoms.arrays``, such as
            ``atoms.get_initial_charges()``, goes with them.
        skip: names of checks that do not apply.

    Returns:
        The :class:`Report`: what has been looked at, and what has been left out and why.

    Raises:
        ContractError: (an AssertionError) a check failed; the message lists all that did, with numbers.
        ValueError: an unknown name in ``skip``, no lattice constant, or a structure without forces.

    Example:
        >>> import jaxpot
        >>> from jaxpot.testing import checks, validate
        >>> names = [check.name for check in checks()]
        >>> report = validate(
        ...     jaxpot.lennard_jones(cutoff=7.0, mode="force_shifted"),
        ...     {"epsilon": 0.0104, "sigma": 3.4},
        ...     lattice_constant=5.3,
        ...     skip=[name for name in names if name not in ("rotated", "permutation", "isolated_atom")],
        ... )
        >>> print(str(report).splitlines()[0])
        lennard_jones on 8 atoms of Ar: 3 checks passed
    """
    known = {check.name for check in checks()}
    unknown = sorted(set(skip) - known)
    if unknown:
        raise ValueError(f"no check is called {unknown[0]!r}; the checks are {', '.join(sorted(known))}")
    bench = Bench(
        potential,
        params,
        elements=elements,
        lattice_constant=lattice_constant,
        structure=structure,
        continuity=continuity,
        fixed=fixed,
        isolated=isolated,
        systems=systems,
    )
    if bench.scale:  # refuses a structure without forces before any check does
        outcomes = [
            Outcome(check, skipped="as asked for") if check.name in skip else run(check, bench) for check in checks()
        ]
    kinds = ", ".join(dict.fromkeys(bench.atoms.get_chemical_symbols()))
    report = Report(potential.name, f"{len(bench.atoms)} atoms of {kinds}", tuple(outcomes))
    if report.failed:
        raise ContractError(report)
    return report
