"""Structures from files of other programs: right elements, units and cells, or a question; never a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lammps import Prism

import jaxpot
from jaxpot import units
from jaxpot.fit import read_dataset
from jaxpot.io.errors import FileFormatError, FileWarning
from jaxpot.io.structure_files import FileKind, read_frames
from tests import structures
from tests.oracles import lammps as oracle

HEADER = "title\n\n2 atoms\n{types} atom types\n0 4 xlo xhi\n0 4 ylo yhi\n0 4 zlo zhi\n\n"
MASSES = "Masses\n\n1 63.546\n\n"
ATOMS = "Atoms{style}\n\n1 1 0 0 0\n2 1 2 2 1.9\n"


def one(path: Path, **kind: object) -> Atoms:
    (atoms,) = read_frames(path, FileKind(**kind))  # type: ignore[arg-type]
    return atoms


def written(folder: Path, text: str, name: str = "a.data") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def distances(atoms: Atoms) -> np.ndarray:
    return np.sort(atoms.get_all_distances(mic=True).ravel())


@pytest.mark.parametrize("name", ["copper.data", "data.copper", "copper.lmp", "copper"])
@pytest.mark.parametrize("style", ["", " # atomic", " # my own comment"])
def test_a_data_file_is_known_by_its_content(name: str, style: str, tmp_path: Path) -> None:
    path = written(tmp_path, HEADER.format(types=1) + MASSES + ATOMS.format(style=style), name)
    atoms = one(path)
    assert atoms.get_chemical_formula() == "Cu2" and atoms.pbc.all() and atoms.cell.volume == pytest.approx(64.0)
    potential, params = jaxpot.load("sutton_chen_1990:Cu")
    system = jaxpot.System.from_ase(atoms, potential.elements)
    neighbors = jaxpot.neighbor_list(potential.cutoff).allocate(system)
    found = float(jaxpot.energy(potential)(params, system, neighbors))
    assert found == pytest.approx(-3.63019437, rel=1e-6 if system.positions.dtype == np.float32 else 1e-8)


BY_STYLE = {
    "atomic": "1 2 0 0 0\n2 1 2 2 1.9\n",
    "charge": "1 2 -0.5 0 0 0\n2 1 0.5 2 2 1.9\n",
    "molecular": "1 7 2 0 0 0\n2 7 1 2 2 1.9\n",
    "full": "1 7 2 -0.5 0 0 0\n2 7 1 0.5 2 2 1.9\n",
    "sphere": "1 2 0.5 1.5 0 0 0\n2 1 0.5 1.5 2 2 1.9\n",
    "dipole": "1 2 -0.5 0 0 0 0.1 0 0\n2 1 0.5 2 2 1.9 0.1 0 0\n",
}


@pytest.mark.parametrize("style", BY_STYLE)
@pytest.mark.parametrize("flags", [False, True])
@pytest.mark.parametrize("said", [False, True])
def test_every_usual_atom_style_is_told_by_its_words(style: str, flags: bool, said: bool, tmp_path: Path) -> None:
    rows = BY_STYLE[style].replace("\n", " 1 0 -1\n") if flags else BY_STYLE[style]
    comment = f" # {style}" if said else ""
    atoms = one(written(tmp_path, f"{HEADER.format(types=2)}Atoms{comment}\n\n{rows}"), types=("Ni", "Cu"))
    assert atoms.get_chemical_symbols() == ["Cu", "Ni"]
    np.testing.assert_allclose(distances(atoms), [0, 0, 3.4, 3.4][:2] + [np.sqrt(4 + 4 + 1.9**2)] * 2, atol=1e-9)


def test_rarer_atom_styles_are_read_where_they_are_named(tmp_path: Path) -> None:
    rows = "1 2 0.1 0.2 0.3 0 0 0\n2 1 0.1 0.2 0.3 2 2 1.9\n"
    path = written(tmp_path, f"{HEADER.format(types=2)}Atoms\n\n{rows}")
    with pytest.raises(FileFormatError, match=r"a.data:9: does not say its atom style.*--structure-format"):
        one(path, types=("Ni", "Cu"))
    for style in ("electron", "sph"):
        atoms = one(path, types=("Ni", "Cu"), format=f"lammps-data/{style}")
        np.testing.assert_allclose(atoms.positions[1], [2, 2, 1.9])
    hybrid = f"{HEADER.format(types=2)}Atoms # hybrid\n\n1 2 0 0 0 0.5 1.5 3\n2 1 2 2 1.9 0.5 1.5 3\n"
    np.testing.assert_allclose(one(written(tmp_path, hybrid), types=("Ni", "Cu")).positions[1], [2, 2, 1.9])
    with pytest.raises(ValueError, match="atom style 'nonsense' is not known"):
        one(path, format="lammps-data/nonsense")


def test_words_that_allow_several_styles_are_a_question(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEADER.format(types=2)}Atoms\n\n1 2 1 0 0 0\n2 1 2 2 2 1.9\n")  # charge or molecular
    with pytest.raises(FileFormatError, match=r"may be of style (molecular or charge|charge or molecular)"):
        one(path, types=("Ni", "Cu"))
    assert one(path, types=("Ni", "Cu"), format="lammps-data/charge").get_chemical_symbols() == ["Cu", "Ni"]
    assert one(path, types=("Ni", "Cu"), format="lammps-data/molecular").get_chemical_symbols() == ["Ni", "Cu"]


@pytest.mark.parametrize(
    ("masses", "types", "symbols"),
    [
        ("Masses\n\n1 58.69\n2 63.55\n\n", None, ["Cu", "Ni"]),
        ("Masses\n\n1 58.69 # Ni\n2 63.55 # Cu\n\n", None, ["Cu", "Ni"]),
        ("Masses\n\n1 2.0 # H\n2 3.0 # Cu\n\n", None, ["Cu", "H"]),  # names where masses tell nothing
        ("Atom Type Labels\n\n1 Ni\n2 Cu\n\nMasses\n\n1 1.0\n2 1.0\n\n", None, ["Cu", "Ni"]),
        ("", ("Al", "Fe"), ["Fe", "Al"]),
        ("Masses\n\n1 58.69\n2 63.55\n\n", ("Al", "Fe"), ["Fe", "Al"]),
    ],
)
def test_elements_come_from_the_file_or_the_caller(
    masses: str, types: tuple[str, ...] | None, symbols: list[str], tmp_path: Path
) -> None:
    path = written(tmp_path, f"{HEADER.format(types=2)}{masses}Atoms # atomic\n\n{BY_STYLE['atomic']}")
    assert one(path, types=types).get_chemical_symbols() == symbols


def test_type_labels_stand_for_types(tmp_path: Path) -> None:
    text = f"{HEADER.format(types=2)}Atom Type Labels\n\n1 Ni\n2 Cu\n\nAtoms # atomic\n\n1 Cu 0 0 0\n2 Ni 2 2 1.9\n"
    assert one(written(tmp_path, text)).get_chemical_symbols() == ["Cu", "Ni"]


@pytest.mark.parametrize(
    ("text", "types", "message"),
    [
        (HEADER.format(types=1) + ATOMS.format(style=""), None, "not say which elements its 1 atom types are.*--types"),
        (HEADER.format(types=1) + "Masses\n\n1 1.0\n\n" + ATOMS.format(style=""), None, r":11: the mass 1.0 of type 1"),
        (HEADER.format(types=1) + "Masses\n\n1 58.8\n\n" + ATOMS.format(style=""), None, "does not tell the element"),
        (HEADER.format(types=1) + "Masses\n\n1 63.546 # Ni\n\n" + ATOMS.format(style=""), None, "is called Ni but has"),
        (HEADER.format(types=2) + MASSES + ATOMS.format(style=""), None, "masses of 1 of them"),
        (HEADER.format(types=1) + MASSES + ATOMS.format(style=""), ("Cu", "Ni"), "has 1 atom types, but 2 are named"),
        (HEADER.format(types=1) + MASSES + "Atoms\n\n1 1 0 0 0\n", None, "lists 1 atoms where the header says 2"),
        (HEADER.format(types=1) + MASSES + "Atoms # atomic\n\n1 1 0 0 0\n2 2 0 0 1\n", None, "type 2 among 1 types"),
        (HEADER.format(types=1) + MASSES + "Atoms # atomic\n\n1 1 0 0 0\n2 1 0 nan 1\n", None, ":16: 'nan' is no"),
        (HEADER.format(types=1) + MASSES + "Atoms # atomic\n\n1 1 0 0 0\n2 1 0 0\n", None, ":16: has 4 words"),
        (HEADER.format(types=1) + MASSES + "Atoms # full\n\n1 1 0 0 0\n2 1 0 0 1\n", None, ":15: has 5 words, but"),
        (HEADER.format(types=1) + MASSES, None, "has no section Atoms"),
        (HEADER.format(types=1) + MASSES + "Atoms # atomic\n\n1 1 0 0 0\n1 1 0 0 1\n", None, ":16: atom 1 is here"),
        (HEADER.format(types=1).replace("0 4 y", "0 x y") + MASSES + ATOMS.format(style=""), None, "ASE cannot read"),
        (HEADER.format(types=1).replace("title", "units = lj") + MASSES + ATOMS.format(style=""), None, ":1: is in"),
    ],
)  # fmt: skip
def test_a_data_file_that_leaves_something_open_is_refused(
    text: str, types: tuple[str, ...] | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FileFormatError, match=message):
        one(written(tmp_path, text), types=types)


@pytest.mark.parametrize("atom_style", ["atomic", "charge", "full"])
def test_what_lammps_writes_is_read_back(atom_style: str, tmp_path: Path) -> None:
    lmp = oracle.lammps.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    atoms = structures.crystal(["Cu", "Ni"], 3.7, repeat=1, seed=2)
    atoms.set_cell(atoms.cell.array + np.tril(np.full((3, 3), 0.4), -1), scale_atoms=True)
    start = tmp_path / "start.data"
    ase.io.write(start, atoms, format="lammps-data", specorder=["Cu", "Ni"], masses=True, atom_style=atom_style)
    for command in (
        "units metal", f"atom_style {atom_style}", f"read_data {start}", "pair_style zero 5.0", "pair_coeff * *",
        f"write_data {tmp_path / 'out.data'}", f"dump a all custom 1 {tmp_path / 'out.dump'} id type xu yu zu fx fy fz",
        "dump_modify a units yes", f"dump b all custom 1 {tmp_path / 'plain.dump'} id type xs ys zs vx vy vz fx fy fz",
        f"dump c all custom 1 {tmp_path / 'named.dump'} id element x y z", "dump_modify c element Cu Ni", "run 0",
    ):  # fmt: skip
        lmp.command(command)
    lmp.close()
    turned = Prism(atoms.cell.array).vector_to_lammps(atoms.cell.array)
    frames = [
        one(tmp_path / "out.data"), one(tmp_path / "named.dump"),
        one(tmp_path / "out.dump", types=("Cu", "Ni")), one(tmp_path / "plain.dump", types=("Cu", "Ni")),
    ]  # fmt: skip
    for found in frames:
        assert found.get_chemical_symbols() == atoms.get_chemical_symbols() and found.pbc.all()
        np.testing.assert_allclose(found.cell.array, turned, atol=1e-5)
        np.testing.assert_allclose(distances(found), distances(atoms), atol=1e-4)
    # forces are labels where the dump says its units, and an energy there is none
    assert frames[2].calc is not None and set(frames[2].calc.results) == {"forces"}
    assert frames[3].calc is None and "dump_forces" in frames[3].arrays
    with pytest.raises(FileFormatError, match=r"out.dump:3: .* which elements.*columns are id type xu.*--types"):
        one(tmp_path / "out.dump")
    with pytest.raises(FileFormatError, match="has atoms of type 2, but 1 types are named"):
        one(tmp_path / "out.dump", types=("Cu",))
    with pytest.raises(ValueError, match=r"no label that is wanted and recognised; there are dump_forces"):
        read_dataset(tmp_path / "plain.dump", types=["Cu", "Ni"])
    data = read_dataset(tmp_path / "plain.dump", types=["Cu", "Ni"], units="real")
    assert data[0].energy is None and data[0].forces is not None


DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS {flags}
0 4
0 4
0 4
ITEM: ATOMS {columns}
{rows}
"""


@pytest.mark.parametrize(
    ("columns", "rows", "symbols"),
    [
        ("id mass x y z", "1 63.546 0 0 0\n2 58.693 2 2 1.9", ["Cu", "Ni"]),
        ("id type mass x y z", "2 2 58.693 2 2 1.9\n1 1 63.546 0 0 0", ["Cu", "Ni"]),
        ("element xs ys zs", "Cu 0 0 0\nNi 0.5 0.5 0.475", ["Cu", "Ni"]),
    ],
)
def test_dumps_that_say_their_elements(columns: str, rows: str, symbols: list[str], tmp_path: Path) -> None:
    path = written(tmp_path, DUMP.format(flags="pp pp ff", columns=columns, rows=rows), "run.lammpstrj")
    atoms = one(path)
    assert atoms.get_chemical_symbols() == symbols and atoms.pbc.tolist() == [True, True, False]
    np.testing.assert_allclose(atoms.positions[1], [2, 2, 1.9])


def test_dumps_that_leave_something_open(tmp_path: Path) -> None:
    rows = "1 1.0 0 0 0\n2 1.0 2 2 1.9"
    with pytest.raises(FileFormatError, match=r"the mass 1.0 does not tell the element"):
        one(written(tmp_path, DUMP.format(flags="pp pp pp", columns="id mass x y z", rows=rows), "a.dump"))
    rows = "1 Cu 0 0 0\n2 Cu 2 2 1.9"
    with pytest.warns(FileWarning, match="does not say in which directions it repeats"):
        atoms = one(written(tmp_path, DUMP.format(flags="", columns="id element x y z", rows=rows), "a.dump"))
    assert atoms.pbc.all()
    text = "ITEM: UNITS\nlj\n" + DUMP.format(flags="pp pp pp", columns="id element x y z", rows=rows)
    with pytest.raises(FileFormatError, match="is in LAMMPS's units 'lj'"):
        one(written(tmp_path, text, "a.dump"))
    with pytest.raises(FileFormatError, match="this frame has 1 atoms where it announces 2"):
        one(written(tmp_path, DUMP.format(flags="pp pp pp", columns="id element x y z", rows="1 Cu 0 0 0"), "a.dump"))


RUNNER = """begin
comment from the wild
lattice 4.0 0 0
lattice 0 4.0 0
lattice 0 0 4.0
atom 0 0 0 Cu 0 0 0.1 0 0
atom 2.0 2.0 1.9 Cu 0 0 -0.1 0 0
energy -7.0
charge 0
end
"""


@pytest.mark.parametrize(
    ("how", "length", "energy"),
    [
        ("metal", 1.0, 1.0),
        ("atomic", units.BOHR, units.HARTREE),
        ("# Length unit     : Angstrom\n# Energy unit     : eV\n", 1.0, 1.0),
        ("# Length unit     : Bohr\n# Energy unit     : Ha\n", units.BOHR, units.HARTREE),
    ],
)
def test_units_of_an_input_data_are_said(how: str, length: float, energy: float, tmp_path: Path) -> None:
    path = written(tmp_path, RUNNER * 2, "input.data")
    with pytest.raises(FileFormatError, match=r"whether it is in Å and eV or in Bohr and Hartree.*--units"):
        read_dataset(path)
    if how.startswith("#"):
        written(tmp_path, how + "elements Cu\n", "input.nn")
        data = read_dataset(path)
    else:
        data = read_dataset(path, units=how)
    assert len(data) == 2 and data[1].energy == pytest.approx(-7.0 * energy) and data[1].forces is not None
    np.testing.assert_allclose(data[0].atoms.cell.array, 4.0 * length * np.eye(3))
    np.testing.assert_allclose(data[0].atoms.positions[1], length * np.array([2, 2, 1.9]))
    np.testing.assert_allclose(data[0].forces, np.array([[0.1, 0, 0], [-0.1, 0, 0]]) * (energy / length))


def test_an_input_nn_that_says_half_is_still_a_question(tmp_path: Path) -> None:
    path = written(tmp_path, RUNNER, "input.data")
    written(tmp_path, "# Length unit : Angstrom\n", "input.nn")
    with pytest.raises(FileFormatError, match=r"input.nn does not either"):
        one(path)


def test_clusters_and_other_layouts_of_input_data(tmp_path: Path) -> None:
    cluster = re.sub(r"lattice.*\n", "", RUNNER)
    atoms = one(written(tmp_path, cluster, "water.data"), units="metal")
    assert not atoms.pbc.any() and len(atoms) == 2
    text = RUNNER.replace("begin", "begin position(3) element force(3)").replace("Cu 0 0", "Cu")
    atoms = one(written(tmp_path, text, "input.data"), units="metal")
    np.testing.assert_allclose(atoms.calc.results["forces"][0], [0.1, 0, 0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("energy -7.0", "energy x", r"input.data:8: the energy is 'x', must be a number"),
        ("energy -7.0", "energy nan", r"input.data:8: the energy is 'nan', must be finite"),
        ("energy -7.0", "enrgy -7.0", r"input.data:8: 'enrgy' is no keyword"),
        ("lattice 4.0 0 0\n", "", r"input.data:9: the structure has 2 lines 'lattice'"),
        ("Cu 0 0 0.1", "Cx 0 0 0.1", r"input.data:6: 'Cx' is no chemical symbol"),
        ("Cu 0 0 0.1 0 0", "Cu 0 0 0.1", r"input.data:6: has 7 words behind 'atom', must have 9"),
        ("end\n", "", r"input.data:1: this structure has no 'end'"),
        ("end\n", "begin\nend\n", r"input.data:10: a structure begins before"),
    ],
)
def test_faults_of_an_input_data_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        one(written(tmp_path, RUNNER.replace(old, new), "input.data"), units="metal")


CIF = """data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Cu1 Cu 0 0 0 1.0
{sites}
"""


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        (
            "Cu2 Cu 0.5 0.5 0.475 0.5\nNi2 Ni 0.5 0.5 0.475 0.5",
            r"a.cif:17: .* the site Cu2 is occupied by 0.5 Cu, 0.5 Ni",
        ),
        ("Cu2 Cu 0.5 0.5 0.475 0.75", r"a.cif:17: frame 0: the site Cu2 is occupied by 0.75 Cu"),
    ],
)
def test_sites_that_are_not_one_whole_atom_are_refused(sites: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        one(written(tmp_path, CIF.format(sites=sites), "a.cif"))
    whole = one(written(tmp_path, CIF.format(sites="Ni2 Ni 0.5 0.5 0.475 1.0"), "b.cif"))
    assert whole.get_chemical_symbols() == ["Cu", "Ni"]


POSCAR = "{title}\n1.0\n4 0 0\n0 4 0\n0 0 4\n{symbols}{counts}\nDirect\n0 0 0\n0.5 0.5 0.475\n"


def test_an_old_poscar_is_refused_or_told(tmp_path: Path) -> None:
    path = written(tmp_path, POSCAR.format(title="from the wild", symbols="", counts="1 1"), "POSCAR")
    with pytest.raises(FileFormatError, match=r"POSCAR:6: names no elements \(a POSCAR of VASP 4\).*--types"):
        one(path)
    assert one(path, types=("Cu", "Ni")).get_chemical_symbols() == ["Cu", "Ni"]
    with pytest.raises(FileFormatError, match="has 2 kinds of atoms, but 1 are named"):
        one(path, types=("Cu",))
    titled = written(tmp_path, POSCAR.format(title="Cu Ni", symbols="", counts="1 1"), "POSCAR")
    with pytest.warns(FileWarning, match="names no elements .* but in its title; they are taken as Cu Ni"):
        assert one(titled).get_chemical_symbols() == ["Cu", "Ni"]
    for title in ("CuNi", "Pb-free solder", "Cu", "No title"):  # of which ASE makes elements
        with pytest.raises(FileFormatError, match="names no elements"):
            one(written(tmp_path, POSCAR.format(title=title, symbols="", counts="1 1"), "CONTCAR"))
    new = written(tmp_path, POSCAR.format(title="Al Fe", symbols="Cu Ni\n", counts="1 1"), "POSCAR")
    assert one(new).get_chemical_symbols() == ["Cu", "Ni"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("1\n\n1 0 0 0\n", "a.xyz", "ASE cannot read frame 0"),
        ("1\nProperties=type:I:1:pos:R:3\n2 0 0 0\n", "a.xyz", r"a.xyz:1: frame 0: the element of atom 0 is not known"),
        ("1\n\nX 0 0 0\n", "a.xyz", "the element of atom 0 is not known"),
        ("0\n\n1\n\nCu 0 0 0\n", "a.xyz", "frame 0 has no atoms"),
        ("1\n\nCu 0 0 0\n1\n\nCu 0 0\n", "a.xyz", r"a.xyz:4: ASE cannot read frame 1"),
        ('1\nlattice="4 0 0 0 4 0 0 0 4"\nCu 0 0 0\n', "a.xyz", "a.xyz:1: .* lattice= is not what .*; write Lattice="),
        ("", "a.xyz", "the file is empty"),
        ("hello\n", "a.nonsense", "is of no format that is recognised.*--structure-format"),
    ],
)
def test_what_ase_would_guess_or_cannot_read_is_refused(text: str, name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        list(read_frames(written(tmp_path, text, name)))


def test_types_of_an_xyz_file(tmp_path: Path) -> None:
    path = written(tmp_path, "2\nProperties=type:I:1:pos:R:3\n2 0 0 0\n1 0 0 2\n", "a.xyz")
    assert one(path, types=("Cu", "Ni")).get_chemical_symbols() == ["Ni", "Cu"]


def fitsnap(stress: str = "kB", factor: float = 1.0) -> str:
    data = {
        "AtomTypes": ["Cu", "Ni"], "NumAtoms": 2, "Energy": -7, "Lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 5]],
        "Positions": [[0, 0, 0], [2, 2, 1.9]], "Forces": [[0.1, 0, 0], [-0.1, 0, 0]],
        "Stress": (factor * np.diag([16.0, 8.0, 4.0])).tolist(),
    }  # fmt: skip
    styles = {"EnergyStyle": "electronvolt", "ForcesStyle": "electronvoltperangstrom", "StressStyle": stress,
              "LatticeStyle": "angstrom", "PositionsStyle": "angstrom"}  # fmt: skip
    return json.dumps({"Dataset": {"Data": [data], "Label": "made here", **styles}})


@pytest.mark.parametrize(("stress", "factor"), [("kB", 1.0), ("bar", 1000.0), ("GPa", 0.1)])
def test_fitsnap_folders_are_data_sets(stress: str, factor: float, tmp_path: Path) -> None:
    for group in ("bulk", "surface"):
        (tmp_path / group).mkdir()
        for k in range(2):
            written(tmp_path / group, "# a comment\n" * k + fitsnap(stress, factor), f"{k}.json")
    data = read_dataset(tmp_path)
    assert len(data) == 4 and data.groups == ("bulk", "surface") and data[0].energy == -7.0
    np.testing.assert_allclose(data[0].forces, [[0.1, 0, 0], [-0.1, 0, 0]])
    # FitSNAP's stress is a pressure: 16 kbar of it are -1.6 GPa of stress
    np.testing.assert_allclose(data[0].stress, -np.diag([1.6, 0.8, 0.4]) * units.GPA)
    assert data[0].source.endswith("0.json, frame 0")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text[:-20], r"1.json:\d: is no JSON"),
        (lambda text: text.replace("kB", "furlong"), "StressStyle is 'furlong', not known"),
        (lambda text: text.replace('"NumAtoms": 2', '"NumAtoms": 3'), "NumAtoms is 3, and there are 2"),
        (lambda text: text.replace('"Ni"', '"Nx"'), "'Nx' is no chemical symbol"),
        (lambda text: text.replace('"Forces"', '"Other"'), None),
        (lambda text: text.replace('"Lattice"', '"Other"'), "has no Lattice"),
        (lambda text: text.replace("[2, 2, 1.9]", "[2, 2]"), "Positions is not of numbers"),
    ],
)
def test_faults_of_a_fitsnap_file_are_named(edit: Callable[[str], str], message: str | None, tmp_path: Path) -> None:
    path = written(tmp_path, edit(fitsnap()), "1.json")
    if message is None:
        assert read_dataset(path)[0].forces is None
        return
    with pytest.raises(FileFormatError, match=message):
        read_dataset(path)


def test_a_folder_of_xyz_files_has_a_group_a_file(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.info["energy"] = -14.0
    for name in ("Bulk.xyz", "Surface.extxyz"):
        ase.io.write(tmp_path / name, [atoms, atoms], format="extxyz")
    atoms.info["config_type"] = "own"
    ase.io.write(tmp_path / "Third.xyz", atoms, format="extxyz")
    written(tmp_path, "notes", "notes.txt")
    with pytest.warns(FileWarning, match="1 files of other kinds in this folder are not read: notes.txt"):
        data = read_dataset(tmp_path)
    assert data.groups == ("Bulk", "Surface", "own") and len(data) == 5
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match="this is a folder without"):
        read_dataset(tmp_path / "empty")
    (tmp_path / "empty" / "type.raw").write_text("0 1\n")
    with pytest.raises(
        FileFormatError, match="a folder of DeePMD-kit, which is not read; convert it: pip install dpdata"
    ):
        read_dataset(tmp_path / "empty")


def test_what_the_caller_says_must_make_sense(tmp_path: Path) -> None:
    path = written(tmp_path, RUNNER, "input.data")
    with pytest.raises(ValueError, match="'Cx' is no chemical symbol"):
        one(path, types=("Cx",))
    with pytest.raises(ValueError, match="units 'furlong' are not known"):
        one(path, units="furlong")
    with pytest.raises(FileFormatError, match="of a format 'nonsense' that is not known"):
        one(path, format="nonsense")
    with pytest.raises(ValueError, match="units 'real' are none of such a file"):
        one(path, units="real")
