"""The potential files that LAMMPS ships, and LAMMPS on files that jaxpot wrote."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from jaxpot.io.eam_files import EAMTables, merge_funcfl, read_eam, read_eam_fs, read_funcfl, write_funcfl, write_setfl
from jaxpot.io.errors import FileFormatError
from tests.io.eam_examples import EXTENSIONS, WRITERS, in_file_order
from tests.oracles.lammps import POTENTIALS, single_point

REFUSED = {"FeCr.cdeam": "eam/cd", "PdHHe.eam.he": "eam/he", "NiO.eam.fs": "coul/ctip"}
SHIPPED = sorted(
    path.name
    for path in POTENTIALS.iterdir()
    if re.search(r"\.(eam|alloy|fs|adp|he|cdeam|funcfl|setfl)$", path.name) and path.name not in REFUSED
)


def test_lammps_ships_files_of_every_style() -> None:
    assert {name[name.index(".") :] for name in SHIPPED} == set(EXTENSIONS.values())
    assert len(SHIPPED) >= 30


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files_are_read_and_survive_writing(name: str, tmp_path: Path) -> None:
    tables = read_eam(POTENTIALS / name)
    assert EXTENSIONS[tables.style] == name[name.index(".") :]
    assert same_numbers_as_the_file(tables, POTENTIALS / name)
    written = tmp_path / name
    WRITERS[tables.style](written, tables)
    again = read_eam(written)
    assert again.identical(tables)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def same_numbers_as_the_file(tables: EAMTables, path: Path) -> bool:
    """All numbers after the element headers, in the order of the file, and the headers, read word by word."""
    lines = path.read_bytes().decode("latin-1").replace("\r", "").split("\n")
    head = 1 if tables.style == "funcfl" else 3
    assert tables.comments == tuple(lines[:head])
    if tables.style == "funcfl":
        element_lines, lines = [lines[1]], [*lines[:1], *lines[2:]]
        grid, body = lines[1].split(), lines[2:]
    else:
        assert lines[3].split() == [str(len(tables.elements)), *tables.elements]
        grid, body = lines[4].split(), lines[5:]
        element_lines = [line for line in body if re.search(r"[a-df-zA-DF-Z]", line)]
        body = [line for line in body if line not in element_lines]
    assert [float(word) for word in grid[:5]] == [
        tables.n_rho, tables.d_rho, tables.n_r, tables.d_r, tables.cutoff,
    ]  # fmt: skip
    for index, line in enumerate(element_lines):
        number, mass, lattice_constant, structure = line.split()[:4]
        assert (int(number), structure) == (tables.atomic_numbers[index], tables.structures[index])
        assert (float(mass), float(lattice_constant)) == (tables.masses[index], tables.lattice_constants[index])
    return np.array_equal([float(word) for line in body for word in line.split()], in_file_order(tables))


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_shipped_files_of_other_styles_are_refused(name: str, reason: str) -> None:
    with pytest.raises(FileFormatError, match=reason):
        read_eam(POTENTIALS / name)


def test_half_a_potential_is_read_when_asked_for() -> None:
    tables = read_eam(POTENTIALS / "NiO.eam.fs", style="eam/fs")
    assert (tables.elements, tables.structures) == (("Ni", "O"), ("fcc", ""))


def test_eam_he_is_refused_under_any_name() -> None:
    with pytest.raises(FileFormatError, match=r"PdHHe.eam.he:5: .*eam/he"):
        read_eam_fs(POTENTIALS / "PdHHe.eam.he")


@pytest.mark.parametrize("name", ["AlCu.adp", "CuZr_mm.eam.fs"])
def test_the_largest_files_are_read_in_a_blink(name: str) -> None:
    times = []
    for _ in range(3):
        start = time.process_time()  # other processes may be busy
        read_eam(POTENTIALS / name)
        times.append(time.process_time() - start)
    assert min(times) < 0.3


def crystal(symbols: list[str], a: float) -> Atoms:
    """Rattled and sheared fcc, 32 atoms, elements at random."""
    atoms = bulk(symbols[0], "fcc", a, cubic=True) * (2, 2, 2)
    atoms.set_cell(atoms.cell.array @ np.array([[1, 0.02, 0.01], [0, 1, 0.02], [0, 0, 1]]), scale_atoms=True)
    atoms.rattle(0.08, seed=1)
    atoms.set_chemical_symbols(np.random.default_rng(0).choice(symbols, len(atoms)).tolist())
    return atoms


def spline(values: np.ndarray, spacing: float, x: np.ndarray) -> np.ndarray:
    """LAMMPS's Hermite cubic with finite-difference slopes, constant beyond the end."""
    f = np.asarray(values)
    slope = np.empty_like(f)
    slope[[0, -1]] = f[1] - f[0], f[-1] - f[-2]
    slope[[1, -2]] = (f[2] - f[0]) / 2, (f[-1] - f[-3]) / 2
    slope[2:-2] = (f[:-4] - f[4:] + 8 * (f[3:-1] - f[1:-3])) / 12
    k = np.minimum((x / spacing).astype(int), len(f) - 2)
    p = np.minimum(x / spacing - k, 1.0)
    df = f[k + 1] - f[k]
    return f[k] + p * (slope[k] + p * (3 * df - 2 * slope[k] - slope[k + 1] + p * (slope[k] + slope[k + 1] - 2 * df)))


def energy(tables: EAMTables, atoms: Atoms) -> float:
    """The EAM energy from its definition."""
    types = np.array([tables.elements.index(symbol) for symbol in atoms.get_chemical_symbols()])
    i, j, r = neighbor_list("ijd", atoms, tables.cutoff)
    rho, total = np.zeros(len(atoms)), 0.0
    for a in range(len(tables.elements)):
        for b in range(len(tables.elements)):
            here = (types[i] == a) & (types[j] == b)
            density = tables.density[a, b] if tables.style == "fs" else tables.density[b]
            np.add.at(rho, i[here], spline(density, tables.d_r, r[here]))
            total += 0.5 * np.sum(spline(tables.r_phi[a, b], tables.d_r, r[here]) / r[here])
    rho_max = tables.rho_max or (tables.n_rho - 1) * tables.d_rho
    for a in range(len(tables.elements)):
        slope = (tables.embedding[a][-1] - tables.embedding[a][-2]) / tables.d_rho
        beyond = np.maximum(rho[types == a] - rho_max, 0.0)
        total += np.sum(spline(tables.embedding[a], tables.d_rho, rho[types == a]) + slope * beyond)
    return float(total)


@pytest.mark.parametrize(
    ("name", "style", "symbols", "a"),
    [
        ("AlCu.eam.alloy", "eam/alloy", ["Al", "Cu"], 4.0),
        ("NiAlH_jea.eam.alloy", "eam/alloy", ["Ni", "Al", "H"], 3.6),
        ("NiAlH_jea.eam.fs", "eam/fs", ["Ni", "Al", "H"], 3.6),  # its densities are not symmetric
        ("AlFe_mm.eam.fs", "eam/fs", ["Al", "Fe"], 3.9),
        ("AlCu.adp", "adp", ["Al", "Cu"], 4.0),
    ],
)
def test_lammps_gets_the_same_energy_from_a_written_file(
    name: str, style: str, symbols: list[str], a: float, tmp_path: Path
) -> None:
    atoms = crystal(symbols, a)
    tables = read_eam(POTENTIALS / name)
    WRITERS[tables.style](tmp_path / name, tables)

    def lammps(path: Path) -> float:
        commands = [f"pair_style {style}", f"pair_coeff * * {path} {' '.join(symbols)}"]
        return single_point(atoms, commands, symbols, per_atom=False).energy

    expected = lammps(POTENTIALS / name)
    assert lammps(tmp_path / name) == expected
    if style != "adp":
        assert energy(tables, atoms) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("names", "a"),
    [
        (["Cu_u3.eam"], 3.6),
        (["Cu_u3.eam"], 2.4),  # densities beyond the table: where it ends matters
        (["Cu_smf7.eam"], 3.6),  # does not go to zero at its end
        (["Al_jnp.eam", "Cu_u3.eam"], 3.9),
        (["Cu_u3.eam", "Al_jnp.eam"], 3.9),
        (["Cu_smf7.eam", "Ni_u3.eam", "Pd_u3.eam"], 3.1),
    ],
)
def test_funcfl_files_are_merged_as_in_lammps(names: list[str], a: float, tmp_path: Path) -> None:
    files = [read_funcfl(POTENTIALS / name) for name in names]
    symbols = [file.elements[0] for file in files]
    atoms = crystal(symbols, a)

    def lammps(paths: list[Path]) -> float:
        pairs = [f"pair_coeff {i} {i} {path}" for i, path in enumerate(paths, start=1)]
        return single_point(atoms, ["pair_style eam", *pairs], symbols, per_atom=False).energy

    expected = lammps([POTENTIALS / name for name in names])
    merged = merge_funcfl(files)
    assert energy(merged, atoms) == pytest.approx(expected, rel=1e-12)
    if len(names) > 1:
        assert read_eam([POTENTIALS / name for name in names]).identical(merged)

    for name, file in zip(names, files, strict=True):
        write_funcfl(tmp_path / name, file)
    assert lammps([tmp_path / name for name in names]) == expected

    write_setfl(tmp_path / "merged.eam.alloy", merged)
    commands = ["pair_style eam/alloy", f"pair_coeff * * {tmp_path / 'merged.eam.alloy'} {' '.join(symbols)}"]
    in_setfl = dataclasses.replace(merged, rho_max=None)
    assert single_point(atoms, commands, symbols, per_atom=False).energy == pytest.approx(
        energy(in_setfl, atoms), rel=1e-12
    )
    if a > 3:  # no density is beyond the table
        assert energy(in_setfl, atoms) == energy(merged, atoms)


def test_a_funcfl_file_without_its_last_point_matters() -> None:
    # The reason for merge_funcfl of a single file: LAMMPS's tables end one point earlier.
    file = read_funcfl(POTENTIALS / "Cu_smf7.eam")
    atoms = crystal(["Cu"], 3.6)
    assert abs(energy(merge_funcfl([file]), atoms) / energy(file, atoms) - 1) > 1e-7


def test_lammps_reads_comments_of_the_longest_length(tmp_path: Path) -> None:
    atoms = crystal(["Cu"], 3.6)
    tables = dataclasses.replace(read_eam(POTENTIALS / "Cu_mishin1.eam.alloy"), comments=("x" * 1022,) * 3)
    write_setfl(tmp_path / "x", tables)
    commands = ["pair_style eam/alloy", f"pair_coeff * * {tmp_path / 'x'} Cu"]
    assert single_point(atoms, commands, ["Cu"]).energy == pytest.approx(energy(tables, atoms), rel=1e-11)
