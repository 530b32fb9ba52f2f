"""Files of tabulated EAM potentials: funcfl (`.eam`), setfl (`.eam.alloy`), Finnis-Sinclair (`.eam.fs`), ADP (`.adp`).

This package uses plain numpy, without JAX, splines or energies.
"""

from jaxpot.io.eam_files.detect import read_eam
from jaxpot.io.eam_files.funcfl import merge_funcfl, read_funcfl, write_funcfl
from jaxpot.io.eam_files.setfl import read_adp, read_eam_fs, read_setfl, write_adp, write_eam_fs, write_setfl
from jaxpot.io.eam_files.tables import STYLES, EAMTables, Style

__all__ = [
    "STYLES",
    "EAMTables",
    "Style",
    "merge_funcfl",
    "read_adp",
    "read_eam",
    "read_eam_fs",
    "read_funcfl",
    "read_setfl",
    "write_adp",
    "write_eam_fs",
    "write_funcfl",
    "write_setfl",
]
