"""`jaxpot.load` and `jaxpot.save`: what is loaded, what survives saving, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxpot
from jaxpot.io.eam import EAMSource
from jaxpot.io.eam_files import EAMTables, read_eam, read_funcfl, write_funcfl
from jaxpot.io.load import FORMATS, Format
from tests import structures
from tests.conftest import FLOAT32, Precision
from tests.oracles import lammps
from tests.oracles.lammps import POTENTIALS

FILES = sorted(
    path.name for path in POTENTIALS.iterdir() if re.search(r"(\.eam|\.eam\.alloy|\.eam\.fs|\.adp)$", path.name)
)
STYLES = {".eam": "eam", ".alloy": "eam/alloy", ".fs": "eam/fs", ".adp": "adp"}


def tables_of(potential: jaxpot.Potential) -> EAMTables:
    assert isinstance(potential.spec.file, EAMSource)
    return potential.spec.file.tables


def energy(path: Path, elements: tuple[str, ...], seed: int = 1) -> float:
    """LAMMPS's, of a rattled crystal, with the potential of a file."""
    style = STYLES[path.suffix]
    names = "" if style == "eam" else " ".join(elements)
    atoms = structures.crystal(elements, 3.8, repeat=(2, 1, 1), seed=seed)
    return lammps.single_point(atoms, [f"pair_style {style}", f"pair_coeff * * {path} {names}"], elements).energy


def our_energy(potential: jaxpot.Potential, params: Any, seed: int = 1) -> float:
    assert potential.elements is not None
    atoms = structures.crystal(potential.elements, 3.8, repeat=(2, 1, 1), seed=seed)
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    return float(jax.jit(jaxpot.energy(potential))(params, system, neighbors))


@pytest.mark.parametrize("name", FILES)
def test_every_file_survives_load_and_save(name: str, tmp_path: Path) -> None:
    if name == "NiO.eam.fs":
        with pytest.raises(jaxpot.FileFormatError, match=r"NiO\.eam\.fs:2: says that it is for use with coul/ctip"):
            jaxpot.load(POTENTIALS / name)
        return
    potential, params = jaxpot.load(POTENTIALS / name)
    jaxpot.save(tmp_path / name, potential, params)
    # Bit for bit, in float32 too.
    assert read_eam(tmp_path / name).identical(read_eam(POTENTIALS / name))
    again, same = jaxpot.load(tmp_path / name)
    assert tables_of(again).identical(tables_of(potential))
    assert (again.name, again.cutoff, again.elements) == (potential.name, potential.cutoff, potential.elements)
    assert jax.tree.structure(same) == jax.tree.structure(params)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(same), jax.tree.leaves(params), strict=True))


@pytest.mark.parametrize("name", ["CuNi.eam.alloy", "NiAlH_jea.eam.fs", "AlCu.adp", "Cu_u3.eam"])
def test_lammps_gets_the_same_energy_from_a_saved_file(name: str, tmp_path: Path) -> None:
    potential, params = jaxpot.load(POTENTIALS / name)
    jaxpot.save(tmp_path / name, potential, params)
    elements = tables_of(potential).elements
    assert energy(tmp_path / name, elements) == energy(POTENTIALS / name, elements)


def trained(params: Any) -> Any:
    """Every knot moved a little, and a pair potential that is no longer symmetric."""
    rng = np.random.default_rng(0)
    return {
        name: value if name == "rounding" else value * jnp.asarray(1 + 1e-3 * rng.normal(size=value.shape), value.dtype)
        for name, value in params.items()
    }


@pytest.mark.parametrize(("name", "saved"), [
    ("CuNi.eam.alloy", "new.eam.alloy"),
    ("CuNi.eam.alloy", "new.eam.fs"),
    ("NiAlH_jea.eam.fs", "new.eam.fs"),
    ("Cu_u3.eam", "new.eam.alloy"),
])  # fmt: skip
def test_trained_knots_reach_lammps(name: str, saved: str, tmp_path: Path, precision: Precision) -> None:
    potential, params = jaxpot.load(POTENTIALS / name)
    params = trained(params)
    jaxpot.save(tmp_path / saved, potential, params)
    assert potential.elements is not None
    found, expected = our_energy(potential, params), energy(tmp_path / saved, potential.elements)
    np.testing.assert_allclose(found, expected, rtol=precision.energy)
    # and what the file said besides its numbers is still there
    old, new = tables_of(potential), read_eam(tmp_path / saved)
    for field in ("elements", "atomic_numbers", "structures", "n_rho", "d_rho", "n_r", "d_r", "cutoff"):
        assert getattr(old, field) == getattr(new, field)
    assert old.comments == new.comments[: len(old.comments)]
    assert np.array_equal(old.masses, new.masses) and np.array_equal(old.lattice_constants, new.lattice_constants)


@pytest.mark.parametrize("style", ["alloy", "fs"])
def test_a_potential_made_from_scratch_reaches_lammps(style: str, tmp_path: Path, precision: Precision) -> None:
    potential = jaxpot.eam(("Ni", "Al"), cutoff=5.0, n_rho=301, d_rho=0.1, n_r=501, d_r=0.0101, density=style)
    rho, r = np.arange(301) * 0.1, np.arange(501) * 0.0101
    fade = np.exp(-r) * np.where(r < 5, 1 - r / 5, 0) ** 2
    amount = np.array([[1.0, 2.0], [3.0, 4.0]])[..., None] if style == "fs" else np.array([1.0, 3.0])[:, None]
    params = potential.init(
        -np.array([[1.0], [1.5]]) * np.sqrt(rho),
        amount * fade,
        np.array([[3.0, 4.0], [4.0, 6.0]])[..., None] * r * fade,
    )
    path = tmp_path / f"made.eam.{style}"
    jaxpot.save(path, potential, params)
    assert potential.elements is not None
    np.testing.assert_allclose(our_energy(potential, params), energy(path, potential.elements), rtol=precision.energy)
    assert read_eam(path).atomic_numbers == (28, 13)
    assert read_eam(path).masses[1] == pytest.approx(26.98, abs=0.01)
    jaxpot.load(path)


def test_elements_are_picked_and_ordered(precision: Precision) -> None:
    whole = read_eam(POTENTIALS / "NiAlH_jea.eam.fs")
    potential, params = jaxpot.load(POTENTIALS / "NiAlH_jea.eam.fs", elements=["H", "Ni"])
    assert potential.elements == ("H", "Ni")
    tables = tables_of(potential)
    assert tables.atomic_numbers == (whole.atomic_numbers[2], whole.atomic_numbers[0])
    assert np.array_equal(tables.density[0, 1], whole.density[2, 0])
    found, expected = our_energy(potential, params), energy(POTENTIALS / "NiAlH_jea.eam.fs", ("H", "Ni"))
    np.testing.assert_allclose(found, expected, rtol=precision.energy)
    adp, _ = jaxpot.load(POTENTIALS / "AlCu.adp", elements=("Cu",))
    assert tables_of(adp).dipole is not None and tables_of(adp).r_phi.shape[:2] == (1, 1)


def test_style_is_taken_by_both_names_and_found_by_content(tmp_path: Path) -> None:
    for name, style in (("CuNi.eam.alloy", "eam/alloy"), ("AlFe_mm.eam.fs", "fs"), ("Cu_u3.eam", "eam")):
        copy = tmp_path / f"potential_{style.replace('/', '')}"
        copy.write_bytes((POTENTIALS / name).read_bytes())
        tables = tables_of(jaxpot.load(POTENTIALS / name)[0])
        assert tables_of(jaxpot.load(copy)[0]).identical(tables)
        assert tables_of(jaxpot.load(copy, style=style)[0]).identical(tables)
    assert jaxpot.load(POTENTIALS / "NiO.eam.fs", style="fs")[0].elements == ("Ni", "O")


def test_cutoff_can_be_shorter_only() -> None:
    path = POTENTIALS / "Cu_zhou.eam.alloy"
    potential, params = jaxpot.load(path, cutoff=6.0)
    assert potential.cutoff == 6.0
    assert our_energy(potential, params) != our_energy(*jaxpot.load(path))
    for wrong in (0.0, -1.0, 9.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"cutoff is .* Å; the tables of .*Cu_zhou.eam.alloy end at 9.0375 Å"):
            jaxpot.load(path, cutoff=wrong)


def test_a_shorter_cutoff_is_saved(tmp_path: Path) -> None:
    jaxpot.save(tmp_path / "a.eam.alloy", *jaxpot.load(POTENTIALS / "Cu_zhou.eam.alloy", cutoff=6.0))
    assert jaxpot.load(tmp_path / "a.eam.alloy")[0].cutoff == 6.0


def test_funcfl_files_without_an_atomic_number_take_their_names(tmp_path: Path) -> None:
    tables = read_funcfl(POTENTIALS / "Cu_u3.eam")
    write_funcfl(tmp_path / "unknown.eam", dataclasses.replace(tables, atomic_numbers=(0,)))
    with pytest.raises(jaxpot.FileFormatError, match=r"unknown\.eam:2: atomic number 0 is no element"):
        jaxpot.load(tmp_path / "unknown.eam")
    assert jaxpot.load(tmp_path / "unknown.eam", ["Cu"])[0].elements == ("Cu",)
    both = [POTENTIALS / "Ni_u3.eam", tmp_path / "unknown.eam"]
    assert jaxpot.load(both, ["Ni", "Cu"])[0].elements == ("Ni", "Cu")
    with pytest.raises(ValueError, match="has no Ag, only Cu"):  # a known number is not overruled
        jaxpot.load(POTENTIALS / "Cu_u3.eam", ["Ag"])
    with pytest.raises(jaxpot.FileFormatError, match="is another file of Cu"):
        jaxpot.load([POTENTIALS / "Cu_u3.eam", POTENTIALS / "Cu_u6.eam"])


def test_names_give_published_sets() -> None:
    potential, params = jaxpot.load("finnis_sinclair_1984:Fe")
    expected, same = jaxpot.published("finnis_sinclair_1984:Fe")
    assert (potential.name, potential.elements, potential.cutoff) == (expected.name, expected.elements, expected.cutoff)
    assert params == same
    assert jaxpot.load("rafii_tabar_sutton_1991", elements=["Cu", "Au"])[0].elements == ("Cu", "Au")
    assert jaxpot.load("sutton_chen_1990:Cu", cutoff=7.22)[0].cutoff == 7.22


@pytest.mark.parametrize(("arguments", "message"), [
    (("finnis_sinclair_1984:Xx",), "no published set is called 'finnis_sinclair_1984:Xx'"),
    (("nothing",), "no file is called nothing, and no published set is called 'nothing'"),
    (("finnis_sinclair_1984:Fe", ["Cu"]), "leave out elements"),
    (("finnis_sinclair_1984:Fe", None, "setfl"), "published sets have no style"),
    (("missing.eam.alloy",), "missing.eam.alloy: no such file; check the name"),
    (("folder/finnis_sinclair_1984",), "no such file"),
    ((["finnis_sinclair_1984:Fe", "sutton_chen_1990:Cu"],), "finnis_sinclair_1984:Fe is no file; a published set"),
    (([],), "no files given"),
    ((POTENTIALS / "CuNi.eam.alloy", ["Fe"]), "CuNi.eam.alloy has no Fe, only Ni, Cu; choose among these"),
    ((POTENTIALS / "CuNi.eam.alloy", []), "name at least one, and each once"),
    ((POTENTIALS / "CuNi.eam.alloy", ["Cu", "Cu"]), "name at least one, and each once"),
    ((POTENTIALS / "CuNi.eam.alloy", "Cu"), r"elements is 'Cu'; give a sequence of symbols such as \['Cu'\]"),
    ((POTENTIALS / "CuNi.eam.alloy", None, "meem"), "style is 'meem'; use one of funcfl, setfl"),
    ((POTENTIALS / "CuNi.eam.alloy", None, "adp"), "CuNi.eam.alloy:"),
    (([POTENTIALS / "CuNi.eam.alloy", POTENTIALS / "AlCu.eam.alloy"],), "CuNi.eam.alloy:"),
    (([POTENTIALS / "CuNi.eam.alloy", POTENTIALS / "AlCu.eam.alloy"], None, "setfl"), "is one of 2 files"),
    ((POTENTIALS / "FeCr.cdeam",), "eam/cd"),
    ((POTENTIALS / "CH.airebo",), "CH.airebo: not recognised as a file of any kind that can be read"),
    ((POTENTIALS,), "not one .snap file"),
])  # fmt: skip
def test_what_cannot_be_loaded_is_refused_in_one_line(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        jaxpot.load(*arguments)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    alloy, fs, adp = (jaxpot.load(POTENTIALS / n) for n in ("CuNi.eam.alloy", "AlFe_mm.eam.fs", "AlCu.adp"))
    funcfl, knots = jaxpot.load(POTENTIALS / "Cu_u3.eam")
    wrong = {name: value for name, value in knots.items() if name != "pair"}
    cases: list[tuple[str, jaxpot.Potential, Any, str | None, str]] = [
        ("a.eam.alloy", *fs, None, "setfl cannot hold this potential of style fs"),
        ("a.adp", *alloy, None, "adp cannot hold this potential of style setfl"),
        ("a.eam.fs", *adp, None, "fs cannot hold this potential of style adp"),
        ("a.eam", *alloy, None, "funcfl can hold only one element, as it was read"),
        ("a.eam", funcfl, trained(knots), None, "funcfl can hold only one element, as it was read"),
        ("a.eam.alloy", *alloy, "meem", "style is 'meem'"),
        ("a.eam.alloy", funcfl, wrong, None, "the params are not those of this potential"),
        ("a.eam.alloy", funcfl, {**knots, "pair": knots["pair"] * jnp.nan}, None, "must be finite"),
        ("a.eam.alloy", jaxpot.scale(funcfl, 2.0), knots, None, "no file format holds 2 [*] eam"),
        ("a.eam.alloy", funcfl + funcfl, (knots, knots), None, "no file format holds eam [+] eam"),
        ("no_folder/a.eam.alloy", *alloy, None, "cannot be written"),
    ]
    for name, potential, params, style, message in cases:
        with pytest.raises(ValueError, match=message) as caught:
            jaxpot.save(tmp_path / name, potential, params, style)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_arguments_of_save_in_another_order(tmp_path: Path) -> None:
    save: Any = jaxpot.save
    with pytest.raises(TypeError, match=r"the order is \(path, potential, params\)"):
        save(*jaxpot.load("finnis_sinclair_1984:Fe"), tmp_path / "iron")


def test_an_fs_file_whose_densities_do_not_depend_on_the_own_element_can_be_saved_as_setfl(tmp_path: Path) -> None:
    potential, params = jaxpot.load(POTENTIALS / "CuNi.eam.alloy")
    jaxpot.save(tmp_path / "a.eam.fs", potential, params)
    jaxpot.save(tmp_path / "b.eam.alloy", *jaxpot.load(tmp_path / "a.eam.fs"))
    assert read_eam(tmp_path / "b.eam.alloy").identical(read_eam(POTENTIALS / "CuNi.eam.alloy"))


@pytest.mark.skipif(FLOAT32, reason="params in float32 under a float64 session")
def test_params_of_lower_precision_are_saved_as_they_are(tmp_path: Path) -> None:
    potential, params = jaxpot.load(POTENTIALS / "CuNi.eam.alloy")
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)
    jaxpot.save(tmp_path / "a.eam.alloy", potential, params)
    # they are the rounded numbers of the file, and nobody has changed them
    assert read_eam(tmp_path / "a.eam.alloy").identical(tables_of(potential))


def test_a_new_format_is_one_more_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []
    made = jaxpot.load("finnis_sinclair_1984:Fe")
    form = Format(
        "words",
        ("words",),
        has_name=lambda path: str(path).endswith(".words"),
        has_content=lambda path: False,
        load=lambda *arguments: calls.append(arguments) or made,
    )
    monkeypatch.setattr("jaxpot.io.load.FORMATS", [*FORMATS, form])
    path = tmp_path / "a.words"
    path.write_text("words")
    assert jaxpot.load(path) is made
    assert jaxpot.load(str(path), elements=["Fe"], style="words", cutoff=3.0) is made
    assert calls == [([path], None, None, None), ([str(path)], ["Fe"], "words", 3.0)]
