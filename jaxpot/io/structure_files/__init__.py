"""Structures from files that ASE reads, without its guesses, and from files of LAMMPS, RuNNer and FitSNAP."""

from jaxpot.io.structure_files.by_ase import line_of_frame
from jaxpot.io.structure_files.reading import FORMATS, UNITS, FileKind, files_in, read_frames

__all__ = ["FORMATS", "UNITS", "FileKind", "files_in", "line_of_frame", "read_frames"]
