"""MMFF94 as a potential: derivatives, padding, float types, degenerate geometries, refusals, ASE and jax-md."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase import units as ase_units
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from rdkit import Chem

import jaxpot
from jaxpot import units
from jaxpot.interop import jax_md as interop
from jaxpot.interop.ase import Calculator
from jaxpot.io.molecules import from_smiles, write_sdf
from jaxpot.potentials.mmff94 import TERMS, assign, energies_and_gradients, energy_terms, mmff94_potential
from tests.conftest import FLOAT32, needs_float64
from tests.oracles import rdkit_mmff94

# every term, a linear centre, a 1-4 pair, a donor with an acceptor, two fragments: a salt of an alkyne
SALT = "C#CC(N)C(=O)[O-].[Na+]"


def salt() -> Chem.Mol:
    mol = from_smiles(SALT)
    positions = mol.GetConformer().GetPositions()
    positions += np.random.default_rng(1).normal(scale=0.08, size=positions.shape)
    positions[6] = (
        positions[4] + np.array([2.1, 0.4, 0.3]) if mol.GetAtomWithIdx(6).GetSymbol() == "Na" else positions[6]
    )
    return rdkit_mmff94.moved(mol, positions)


MODEL = jaxpot.mmff94(salt())
evaluate = jax.jit(MODEL.potential.evaluate)
energy_of = jax.jit(jaxpot.energy(MODEL.potential))


def test_energy_is_that_of_rdkit_in_electronvolts() -> None:
    expected, gradient = rdkit_mmff94.energy_and_gradient(salt(), "MMFF94")
    found = evaluate(MODEL.params, MODEL.system, None)
    scale = 1e-4 if FLOAT32 else 1e-11
    assert float(found.energies.sum()) == pytest.approx(expected * units.KCAL_PER_MOL, abs=10 * scale)
    np.testing.assert_allclose(found.forces, -gradient * units.KCAL_PER_MOL, atol=30 * scale)
    assert found.forces.dtype == MODEL.system.positions.dtype == jnp.result_type(float)


@needs_float64
@pytest.mark.parametrize("model", ["constant", "distance"])
def test_dielectrics_are_those_of_rdkit(model: str) -> None:
    potential, params, system = jaxpot.mmff94(salt(), dielectric_constant=2.5, dielectric_model=model)
    expected, gradient = rdkit_mmff94.energy_and_gradient(salt(), "MMFF94", dielectric=(2.5, model))
    found = jax.jit(potential.evaluate)(params, system, None)
    assert float(found.energies.sum()) * rdkit_mmff94.KCAL == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose(found.forces * rdkit_mmff94.KCAL, -gradient, atol=1e-7)


@needs_float64
def test_gradients_with_respect_to_every_parameter() -> None:
    slopes = jax.jit(jax.grad(jaxpot.energy(MODEL.potential)))(MODEL.params, MODEL.system, None)
    seen = 0
    for term, names in TERMS.items():
        for name in names:
            table = np.asarray(MODEL.params[term][name])
            slope = np.asarray(slopes[term][name])
            assert np.isfinite(slope).all() and len(table) > 0
            for row in range(len(table)):
                step = 1e-5 * max(1.0, abs(table[row]))
                ends = []
                for sign in (1, -1):
                    moved = table.copy()
                    moved[row] += sign * step
                    params = {**MODEL.params, term: {**MODEL.params[term], name: jnp.asarray(moved)}}
                    ends.append(float(energy_of(params, MODEL.system, None)))
                difference = (ends[0] - ends[1]) / (2 * step)
                assert slope[row] == pytest.approx(difference, rel=1e-6, abs=1e-8), f"{term} {name} {row}"
                seen += abs(slope[row]) > 1e-8
    assert seen > 80  # most of them matter


@needs_float64
def test_forces_and_virial_are_derivatives() -> None:
    """By autodiff of the energies of atoms and by differences, beside the way of its own that `evaluate` has."""
    found = evaluate(MODEL.params, MODEL.system, None)
    each = jax.jit(MODEL.potential.atomic_energies)(MODEL.params, MODEL.system, None)
    np.testing.assert_allclose(found.energies, each, atol=1e-12)
    slope = jax.jit(jax.grad(lambda x: energy_of(MODEL.params, MODEL.system.replace(positions=x), None)))
    np.testing.assert_allclose(found.forces, -slope(MODEL.system.positions), atol=1e-11)
    x = np.asarray(MODEL.system.positions)
    for axes in ((0, 0), (0, 1), (1, 2)):
        ends = []
        for h in (1e-5, -1e-5):
            strain = np.zeros((3, 3))
            strain[axes] += h / 2
            strain[axes[::-1]] += h / 2
            ends.append(float(energy_of(MODEL.params, MODEL.system.replace(positions=x + x @ strain), None)))
        assert float(found.virial[axes]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-7)
    assert np.abs(np.asarray(found.forces).sum(axis=0)).max() < 1e-12


@needs_float64
def test_hessian_is_the_derivative_of_the_forces() -> None:
    second = jax.jit(jaxpot.hessian(MODEL.potential))(MODEL.params, MODEL.system, None)
    x = np.asarray(MODEL.system.positions)
    for atom, axis in ((0, 0), (4, 1), (len(x) - 1, 2)):
        ends = []
        for h in (1e-5, -1e-5):
            moved = x.copy()
            moved[atom, axis] += h
            ends.append(np.asarray(evaluate(MODEL.params, MODEL.system.replace(positions=moved), None).forces))
        np.testing.assert_allclose(second[atom, axis], -(ends[0] - ends[1]) / 2e-5, atol=1e-5, rtol=1e-6)


def test_moved_turned_and_mirrored() -> None:
    x = np.asarray(MODEL.system.positions)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))  # with or without a mirror
    there = MODEL.system.replace(positions=jnp.asarray(x @ turn + np.array([3.0, -2.0, 1.0]), x.dtype))
    here, found = evaluate(MODEL.params, MODEL.system, None), evaluate(MODEL.params, there, None)
    tolerance = 1e-3 if FLOAT32 else 1e-10
    np.testing.assert_allclose(found.energies, here.energies, atol=tolerance)
    np.testing.assert_allclose(found.forces, here.forces @ turn, atol=10 * tolerance)


def test_padding_changes_nothing() -> None:
    padded = MODEL.system.pad(MODEL.system.positions.shape[0] + 3)
    here, found = evaluate(MODEL.params, MODEL.system, None), evaluate(MODEL.params, padded, None)
    np.testing.assert_allclose(found.forces[:-3], here.forces, atol=1e-5 if FLOAT32 else 1e-12)
    assert not np.any(found.forces[-3:]) and not np.any(found.energies[-3:])
    slope = jax.jit(jax.grad(jaxpot.energy(MODEL.potential)))
    slopes = [slope(MODEL.params, s, None) for s in (MODEL.system, padded)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *slopes)


def test_conformers_by_vmap() -> None:
    x = np.asarray(MODEL.system.positions)
    many = jnp.asarray(x + np.random.default_rng(3).normal(scale=0.05, size=(4, *x.shape)), x.dtype)
    each = [float(energy_of(MODEL.params, MODEL.system.replace(positions=one), None)) for one in many]

    def energy(positions: jax.Array) -> jax.Array:
        return jaxpot.energy(MODEL.potential)(MODEL.params, MODEL.system.replace(positions=positions), None)

    tolerance = 1e-5 if FLOAT32 else 1e-12
    np.testing.assert_allclose(jax.jit(jax.vmap(energy))(many), each, rtol=tolerance)
    topology = assign(salt()).topologies[0]
    energies, gradients = jax.jit(energies_and_gradients)(MODEL.params, topology, jnp.moveaxis(many, 0, -1))
    np.testing.assert_allclose(energies, each, rtol=tolerance)
    assert gradients.shape == (*x.shape, 4)


def test_float32_is_close_to_float64() -> None:
    single = jaxpot.mmff94(salt(), dtype="float32")
    found = jax.jit(single.potential.evaluate)(single.params, single.system, None)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}
    here = evaluate(MODEL.params, MODEL.system, None)
    np.testing.assert_allclose(found.energies.sum(), here.energies.sum(), rtol=1e-5)
    np.testing.assert_allclose(found.forces, here.forces, atol=1e-4 * float(jnp.abs(here.forces).max()))


# Propyne and carbon dioxide are linear, propadiene has a linear centre; of water the angle is opened and closed.
DEGENERATE: dict[str, tuple[str, Any]] = {
    "linear water": ("O", [[0, 0, 0], [0, 0, 0.96], [0, 0, -0.96]]),
    "folded water": ("O", [[0, 0, 0], [0, 0, 0.96], [0, 0, 0.9]]),
    "folded onto itself": ("O", [[0, 0, 0], [0, 0, 0.96], [0, 0, 0.96]]),
    "hydrogen on oxygen": ("O", [[0, 0, 0], [0, 0, 0], [0, 0, 0.96]]),
    "all at one place": ("O", [[0, 0, 0]] * 3),
    "carbon dioxide": ("O=C=O", [[0, 0, 1.17], [0, 0, 0], [0, 0, -1.17]]),
    "carbon dioxide, folded": ("O=C=O", [[0, 0, 1.17], [0, 0, 0], [0, 0, 1.17]]),
    "cyanogen": ("N#CC#N", [[0, 0, 0], [0, 0, 1.16], [0, 0, 2.54], [0, 0, 3.7]]),
    "peroxide on a line": ("OO", [[0, 0, 0], [0, 0, 1.45], [0, 0, -0.97], [0, 0, 2.42]]),
    "flat peroxide": ("OO", [[0, 0, 0], [0, 0, 1.45], [0.9, 0, -0.3], [0.9, 0, 1.75]]),
    "flat formaldehyde": ("C=O", [[0, 0, 0], [0, 0, 1.22], [0.94, 0, -0.54], [-0.94, 0, -0.54]]),
    "formaldehyde, upright": ("C=O", [[0, 0, 0], [0, 0, 1.22], [0, 0.94, 0], [0.94, 0, 0]]),
    "formaldehyde on a line": ("C=O", [[0, 0, 0], [0, 0, 1.22], [0, 0, 2.2], [0, 0, -1]]),
    "two ions at one place": ("[Na+].[Cl-]", [[0, 0, 0], [0, 0, 0]]),
}


@jax.jit
def everything(params: Any, topology: Any, x: jax.Array) -> Any:
    """Terms; energy and gradient by the fast way; derivatives by autodiff of the terms."""
    slopes = jax.grad(lambda p, x: sum(energy_terms(p, topology, x).values()), (0, 1))(params, x)
    return energy_terms(params, topology, x), energies_and_gradients(params, topology, x), slopes


@pytest.mark.filterwarnings("ignore:MMFF94's tables lack some bonds")
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_geometries_give_numbers(name: str) -> None:
    smiles, positions = DEGENERATE[name]
    x = jnp.asarray(positions, jnp.result_type(float))
    assigned = assign(Chem.AddHs(Chem.MolFromSmiles(smiles)))
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, x.dtype), assigned.params)
    terms, (energy, gradient), slopes = everything(params, assigned.topologies[0], x)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((terms, gradient, slopes)))
    assert float(energy) * rdkit_mmff94.KCAL == pytest.approx(float(sum(terms.values())), rel=1e-5)
    # the gradient written out and the one by autodiff agree where derivatives are a matter of definition, too
    scale = 1e-5 if FLOAT32 else 1e-11
    np.testing.assert_allclose(
        gradient * rdkit_mmff94.KCAL, slopes[1], atol=scale * (1 + float(jnp.abs(slopes[1]).max()))
    )


@needs_float64
def test_nearly_flat_torsions_lose_no_digits() -> None:
    """Against derivatives by complex steps; a quotient by the sine of the angle would lose half of the digits."""
    mol = Chem.AddHs(Chem.MolFromSmiles("OO"))
    x = np.array([[0, 0, 0], [0, 0, 1.45], [0.9, 1e-7, -0.3], [0.9, -2e-8, 1.75]])
    assigned = assign(mol)
    V1, V2, V3 = (assigned.params["torsion"][name][0] for name in ("V1", "V2", "V3"))

    def torsion(x: np.ndarray) -> complex:
        a, b, c = x[0] - x[2], x[1] - x[0], x[3] - x[1]
        m, n = np.cross(a, b), np.cross(b, c)
        cos = (m @ n) / np.sqrt((m @ m) * (n @ n))
        return 0.5 * (V1 * (1 + cos) + V2 * (2 - 2 * cos**2) + V3 * (1 + cos * (4 * cos**2 - 3)))

    expected = np.zeros((4, 3))
    for atom in range(4):
        for axis in range(3):
            moved = x.astype(complex)
            moved[atom, axis] += 1e-30j
            expected[atom, axis] = torsion(moved).imag / 1e-30
    assert np.abs(expected).max() > 1e-8
    slope = jax.jit(jax.grad(lambda x: energy_terms(assigned.params, assigned.topologies[0], x)["torsion"]))(x)
    np.testing.assert_allclose(slope, expected, atol=1e-12)


UNTYPABLE = {
    "C[Se]C": "atom 1 (Se)",
    "CB(O)O": "atom 1 (B)",
    "[Ag+]": "atom 0 (Ag)",
    "FS(F)(F)(F)(F)F": "atom 1 (S)",
    "C[I+]C": "atom 1 (I)",
    "CC[Mg]Br": "atom 2 (Mg)",
}


@pytest.mark.parametrize("smiles", UNTYPABLE)
def test_an_untypable_atom_is_named(smiles: str) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    positions = np.random.default_rng(0).normal(size=(mol.GetNumAtoms(), 3))
    with pytest.raises(ValueError, match="no type for") as refusal:
        jaxpot.mmff94(rdkit_mmff94.moved(mol, positions))
    assert UNTYPABLE[smiles] in str(refusal.value)


def test_what_is_wrong_with_a_molecule_is_said(tmp_path: Path) -> None:
    bare = Chem.MolFromSmiles("CCO")
    with pytest.raises(ValueError, match="no conformer"):
        jaxpot.mmff94(Chem.AddHs(bare))
    with pytest.raises(ValueError, match=r"atom 0 \(C\) has 3 hydrogens"):
        jaxpot.mmff94(rdkit_mmff94.moved(bare, np.eye(3)))
    with pytest.raises(ValueError, match="not a SMILES"):
        jaxpot.mmff94("CC(")
    with pytest.raises(ValueError, match="variant must be one of"):
        jaxpot.mmff94("CCO", variant="MMFF95")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dielectric constant"):
        jaxpot.mmff94("CCO", dielectric_constant=0.0)
    with pytest.raises(ValueError, match="dielectric model"):
        jaxpot.mmff94("CCO", dielectric_model="distnace")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot make a molecule of int"):
        jaxpot.mmff94(3)
    two = tmp_path / "two.sdf"
    write_sdf(two, [from_smiles("C"), from_smiles("O")])
    with pytest.raises(ValueError, match=r"holds 2 molecules; give it in a list"):
        jaxpot.mmff94(two)
    assert len(jaxpot.mmff94([two]).system) == 2
    with pytest.raises(ValueError, match="come with its molecules"):
        mmff94_potential().init()
    broken = {**MODEL.params, "torsion": {name: MODEL.params["torsion"][name] for name in ("V1", "V2")}}
    with pytest.raises(ValueError, match="V3"):
        MODEL.potential.evaluate(broken, MODEL.system, None)
    with pytest.raises(ValueError, match="bond_stretching"):
        MODEL.potential.evaluate({}, MODEL.system, None)


def test_a_system_that_is_not_the_molecule_is_refused() -> None:
    species = np.asarray(MODEL.system.species)
    other = MODEL.system.replace(species=jnp.asarray(species[::-1].copy()))
    with pytest.raises(ValueError, match="of another molecule, whose atom"):
        MODEL.potential.evaluate(MODEL.params, other, None)
    assert np.isnan(evaluate(MODEL.params, other, None).energies).all()  # under jit nothing can be raised
    periodic = MODEL.system.replace(pbc=jnp.array([True, False, False]))
    with pytest.raises(ValueError, match="no periodic images"):
        MODEL.potential.evaluate(MODEL.params, periodic, None)


def atoms_of(mol: Chem.Mol) -> Atoms:
    return Atoms([atom.GetSymbol() for atom in mol.GetAtoms()], mol.GetConformer().GetPositions())


def test_sources_give_one_molecule(tmp_path: Path) -> None:
    mol = from_smiles("CC(=O)[O-]")
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble())) for b in mol.GetBonds()]
    charges = [atom.GetFormalCharge() for atom in mol.GetAtoms()]
    file = tmp_path / "acetate.sdf"
    file.write_text(Chem.MolToMolBlock(mol) + "$$$$\n")
    models = [
        jaxpot.mmff94(mol),
        jaxpot.mmff94("CC(=O)[O-]"),
        jaxpot.mmff94(str(file)),
        jaxpot.mmff94(atoms_of(mol), bonds=bonds, charges=charges),
        jaxpot.mmff94(atoms_of(mol), bonds=[bond[:2] for bond in bonds], charges=-1),
    ]
    energies = [float(jaxpot.energy(m.potential)(m.params, m.system, None)) for m in models]
    np.testing.assert_allclose(energies, energies[0], atol=1e-3)  # the file has four digits
    np.testing.assert_allclose(energies[3:], energies[0], rtol=1e-5)
    with pytest.raises(ValueError, match="carry no bonds"):
        jaxpot.mmff94(atoms_of(mol))
    with pytest.raises(ValueError, match="no bond can join atoms 0 and 9"):
        jaxpot.mmff94(atoms_of(mol), bonds=[(0, 9, 1)])
    with pytest.raises(ValueError, match="no valid molecule"):
        jaxpot.mmff94(atoms_of(mol), bonds=[*bonds, (0, 3, 3)], charges=charges)


def test_ase_calculator_relaxes_and_refuses_other_atoms() -> None:
    mol = from_smiles("CCO")
    potential, params, system = jaxpot.mmff94(mol)
    atoms = atoms_of(mol)
    atoms.calc = Calculator(potential, params, extras=system.extras)
    BFGS(atoms, logfile=None).run(fmax=1e-2 if FLOAT32 else 1e-4, steps=300)
    field = rdkit_mmff94.field(mol, "MMFF94")
    assert field.Minimize(maxIts=1000, forceTol=1e-8) == 0
    expected = field.CalcEnergy() * units.KCAL_PER_MOL
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-3 if FLOAT32 else 1e-6)
    swapped = atoms[[2, 1, 0, *range(3, len(atoms))]]
    swapped.calc = Calculator(potential, params, extras=system.extras)
    with pytest.raises(ValueError, match="atom 0 is C, not O"):
        swapped.get_potential_energy()
    with pytest.raises(ValueError, match="9 atoms, not 8"):
        Calculator(potential, params, extras=system.extras).get_potential_energy(atoms[:-1])
    with pytest.raises(ValueError, match="needs topology"):
        Calculator(potential, params).get_potential_energy(atoms)
    with pytest.raises(ValueError, match="takes params as a dict"):
        Calculator(potential, {}, extras=system.extras).get_potential_energy(atoms)


@pytest.mark.slow
@needs_float64
def test_constant_energy_in_ase_and_jax_md() -> None:
    from jax_md import simulate, space

    mol = from_smiles("CC(=O)NC")
    potential, params, system = jaxpot.mmff94(mol)
    atoms = atoms_of(mol)
    momenta = np.random.default_rng(0).normal(size=(len(atoms), 3)) * np.sqrt(atoms.get_masses()[:, None] * 0.026)
    momenta -= momenta.mean(axis=0)
    atoms.calc = Calculator(potential, params, extras=system.extras)
    atoms.set_momenta(momenta)
    VelocityVerlet(atoms, 0.25 * ase_units.fs).run(1)  # the two programs take the same first step
    first = atoms.positions.copy()

    energy_fn = interop.energy_fn(potential, params, species=system.species, extras=system.extras)
    init, step = simulate.nve(energy_fn, space.free()[1], dt=0.25 * units.FEMTOSECOND)
    masses = jnp.asarray(atoms.get_masses())
    state = jax.jit(lambda x: init(jax.random.PRNGKey(0), x, kT=0.0, mass=masses))(system.positions)
    state = state.set(momentum=jnp.asarray(momenta))

    @jax.jit
    def run(state: Any) -> Any:
        def one(state: Any, _: Any) -> Any:
            state = step(state)
            return state, (energy_fn(state.position), simulate.kinetic_energy(state), state.position)

        return jax.lax.scan(one, state, length=400)

    _, (stored, kinetic, positions) = run(state)
    np.testing.assert_allclose(positions[0], first, atol=1e-9)
    total = np.asarray(stored + kinetic)
    assert np.std(np.asarray(kinetic)) > 0.02  # the two kinds of energy are exchanged
    assert np.ptp(total) < 0.02 * np.std(np.asarray(kinetic)) * 4
    assert abs(total[-100:].mean() - total[:100].mean()) < 1e-3  # and nothing drifts, eV


def test_potentials_add() -> None:
    total = MODEL.potential + jaxpot.scale(MODEL.potential, 2.0)
    found = jax.jit(total.evaluate)((MODEL.params, MODEL.params), MODEL.system, None)
    here = evaluate(MODEL.params, MODEL.system, None)
    np.testing.assert_allclose(found.energies, 3 * here.energies, rtol=1e-5, atol=1e-5)
    first, other = jaxpot.mmff94("CCO"), jaxpot.mmff94("COC")
    both = first.potential + other.potential
    with pytest.raises(ValueError, match="made with other tables"):
        both.evaluate((first.params, other.params), first.system, None)


def test_saves_loads_and_pickles(tmp_path: Path) -> None:
    jaxpot.save(tmp_path / "model", MODEL.potential, MODEL.params)
    loaded, params = jaxpot.load(tmp_path / "model")
    assert loaded.spec == MODEL.potential.spec == pickle.loads(pickle.dumps(MODEL.potential)).spec
    here, found = evaluate(MODEL.params, MODEL.system, None), jax.jit(loaded.evaluate)(params, MODEL.system, None)
    np.testing.assert_array_equal(found.energies, here.energies)
    again = pickle.loads(pickle.dumps((MODEL.potential, MODEL.params, MODEL.system)))
    np.testing.assert_array_equal(jax.jit(again[0].evaluate)(*again[1:], None).energies, here.energies)
    jax.tree.map(np.testing.assert_array_equal, loaded.init(), MODEL.potential.init())


MOLECULES = ["CCO", "O", "CC(=O)NC", "C#CCO", "[Na+].CC(=O)[O-]"]


def test_unequal_molecules_batch() -> None:
    potential, params, systems = jaxpot.mmff94(MOLECULES)
    results = jaxpot.evaluate(potential, params, systems, max_shapes=1)
    tolerance = 1e-4 if FLOAT32 else 1e-10
    for result, smiles, system in zip(results, MOLECULES, systems, strict=True):
        alone = jaxpot.mmff94(smiles)
        assert float(jaxpot.energy(potential)(params, system, None)) == pytest.approx(result.energy, abs=tolerance)
        assert float(jaxpot.energy(alone.potential)(*alone[1:], None)) == pytest.approx(result.energy, abs=tolerance)
        np.testing.assert_allclose(result.forces.sum(axis=0), 0.0, atol=10 * tolerance)
    *_, filled = jaxpot.batch(systems, potential, max_shapes=1, batch_size=3)
    assert not filled.mask.all()
    energies = jax.jit(jax.vmap(jaxpot.energy(potential), (None, 0, 0)))
    last = energies(params, filled.system, filled.neighbors)
    assert float(last[-1]) == 0.0  # the structure that fills the batch
    slope = jax.jit(jax.grad(lambda q: energies(q, filled.system, filled.neighbors).sum()))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
    stacked = jaxpot.stack_systems(systems)
    np.testing.assert_allclose(energies(params, stacked, None), [r.energy for r in results], atol=tolerance)


def test_interactions_of_equal_types_share_rows_with_later_molecules() -> None:
    potential, params, system = jaxpot.mmff94(["CCO", "CC(=O)NC"])
    params["bond_stretching"]["r0"] = params["bond_stretching"]["r0"] + 0.01  # as trained
    more = jaxpot.mmff94(["CCCO", "OCC"], like=(potential, params))
    for term, tables in params.items():
        for name, table in tables.items():
            np.testing.assert_array_equal(more.params[term][name][: len(table)], table)
    published = jaxpot.mmff94("CCO")
    rows = published.potential.spec.tables.bond_stretching
    known = more.potential.spec.tables.bond_stretching
    for label, values in rows:
        trained = more.params["bond_stretching"]["r0"][known.index((label, values))]
        assert float(trained) == pytest.approx(values[1] + 0.01, abs=1e-6)
    # the same molecule with its atoms in another order finds its charges
    assert len(known) >= len(rows)
    assert len(more.params["electrostatics"]["charge"]) == len(params["electrostatics"]["charge"]) + 8
    with pytest.raises(ValueError, match="made with other tables"):
        more.potential.evaluate(more.params, system[0], None)
    assert np.isnan(jax.jit(more.potential.evaluate)(more.params, system[0], None).energies).all()
    with pytest.raises(ValueError, match="other molecules; take those that came with it"):
        potential.evaluate(more.params, system[0], None)
    with pytest.raises(ValueError, match="leave them out"):
        jaxpot.mmff94("CCO", "MMFF94s", like=(potential, params))


def test_what_is_no_topology_is_said() -> None:
    with pytest.raises(ValueError, match="needs topology"):
        MODEL.potential.evaluate(MODEL.params, MODEL.system.replace(extras={}), None)
    with pytest.raises(ValueError, match="a molecule of 3 atoms, not"):
        MODEL.potential.evaluate(MODEL.params, MODEL.system.with_extras(**jaxpot.mmff94("O").system.extras), None)
