"""Units and constants.

Inside jaxpot lengths are in Å, energies in eV, masses in amu and charges in e; conversions happen only at the borders,
with the factors below. Everything follows from CODATA 2018 unless a name says otherwise.

The unit of time that belongs to (eV, Å, amu) is ``TIME`` = Å (amu/eV)^(1/2), about 10.18 fs: velocities inside a
simulation are in Å per ``TIME``.
"""

from __future__ import annotations

ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact
AVOGADRO = 6.02214076e23  # 1/mol, exact
BOLTZMANN_SI = 1.380649e-23  # J/K, exact
ATOMIC_MASS_SI = 1.66053906660e-27  # kg

BOLTZMANN = BOLTZMANN_SI / ELEMENTARY_CHARGE  # eV/K
HARTREE = 27.211386245988  # eV
BOHR = 0.529177210903  # Å
KCAL_PER_MOL = 4184.0 / AVOGADRO / ELEMENTARY_CHARGE  # eV
KJ_PER_MOL = 1000.0 / AVOGADRO / ELEMENTARY_CHARGE  # eV
TIME = 1e-10 * (ATOMIC_MASS_SI / ELEMENTARY_CHARGE) ** 0.5 * 1e15  # fs per internal unit of time
FEMTOSECOND = 1.0 / TIME  # internal units of time
GPA = 1e9 * 1e-30 / ELEMENTARY_CHARGE  # eV/Å^3
BAR = GPA * 1e-4  # eV/Å^3

# One Coulomb constant, e^2 / (4 pi eps0) in eV Å, per convention; a potential says which one it uses.
COULOMB = 14.3996454784  # CODATA 2018
COULOMB_LAMMPS_METAL = 14.399645  # what LAMMPS uses with `units metal`, also in its ZBL
