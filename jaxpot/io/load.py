"""The functions ``load`` and ``save`` for potentials in files of all formats, and in the published sets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxpot.errors import misplaced
from jaxpot.evaluation import Params
from jaxpot.io.angular import (
    ANGULAR_STYLES,
    has_angular_content,
    has_angular_name,
    load_angular,
    save_angular,
)
from jaxpot.io.eam import EAM_STYLES, has_eam_content, has_eam_name, load_eam, save_eam
from jaxpot.io.ensemble_files import has_ensemble, load_ensemble, save_ensemble
from jaxpot.io.errors import FileFormatError
from jaxpot.io.meam import MEAM_STYLES, has_meam_content, has_meam_name, load_meam
from jaxpot.io.meam_saving import save_meam
from jaxpot.io.n2p2 import N2P2_STYLES, is_n2p2, load_n2p2, save_n2p2
from jaxpot.io.native import NATIVE_STYLES, is_native, load_native, save_native
from jaxpot.io.network_exports import EXPORT_STYLES, has_export_content, has_export_name, load_export
from jaxpot.io.snap import SNAP_STYLES, has_snap_content, has_snap_name, load_snap, save_snap
from jaxpot.potential import Potential, check_potential
from jaxpot.potentials.committee import Committee
from jaxpot.spec import kind_of

__all__ = ["FORMATS", "Format", "load", "save"]

Path = str | os.PathLike[str]


class Format(NamedTuple):
    """A file format with its reader and writer. A new format is a new entry of ``FORMATS``.

    Attributes:
        name: name of the format, for messages.
        styles: values of ``style=`` that choose the format.
        has_name: ``(path) -> bool``, whether the file name fits the format.
        has_content: ``(path) -> bool``, whether the content fits the format; False where it cannot be read.
        load: ``(paths, elements, style, cutoff) -> (potential, params)``; values that were not given are None.
        holds: ``(potential) -> bool``, whether ``save`` can write a potential.
        save: ``(path, potential, params, style)``; None for formats that are only read.
        names_elements: whether files may call elements by any name, so that ``elements`` may be a mapping.
    """

    name: str
    styles: tuple[str, ...]
    has_name: Callable[[Path], bool]
    has_content: Callable[[Path], bool]
    load: Callable[[Sequence[Path], Any, str | None, float | None], tuple[Potential, Params]]
    holds: Callable[[Potential], bool] = lambda potential: False
    save: Callable[[Path, Potential, Params, str | None], None] | None = None
    names_elements: bool = False


def _is_kind(*names: str) -> Callable[[Potential], bool]:
    """A function that tells whether a potential is of one of the kinds."""
    return lambda potential: type(potential.spec) in {kind_of(name) for name in names}


def _is_committee(potential: Potential) -> bool:
    return isinstance(potential, Committee)


def _load_ensemble(*arguments: Any) -> tuple[Potential, Params]:
    return load_ensemble(load, *arguments)


def _save_ensemble(*arguments: Any) -> None:
    save_ensemble(save, *arguments)


NATIVE = Format("jaxpot", NATIVE_STYLES, is_native, is_native, load_native)
FORMATS: list[Format] = [
    Format("ensemble", (), has_ensemble, has_ensemble, _load_ensemble, _is_committee, _save_ensemble),
    Format("EAM/ADP", EAM_STYLES, has_eam_name, has_eam_content, load_eam, _is_kind("eam", "adp"), save_eam),
    Format(
        "SW/Tersoff/EDIP/Vashishta",
        ANGULAR_STYLES,
        has_angular_name,
        has_angular_content,
        load_angular,
        _is_kind("stillinger_weber", "tersoff", "tersoff_mod", "edip", "vashishta"),
        save_angular,
        names_elements=True,
    ),
    Format(
        "MEAM",
        MEAM_STYLES,
        has_meam_name,
        has_meam_content,
        load_meam,
        _is_kind("meam"),
        save_meam,
        names_elements=True,
    ),
    Format("n2p2", N2P2_STYLES, is_n2p2, is_n2p2, load_n2p2, _is_kind("hdnnp"), save_n2p2),
    NATIVE,
    Format("exported network", EXPORT_STYLES, has_export_name, has_export_content, load_export),
    Format("SNAP", SNAP_STYLES, has_snap_name, has_snap_content, load_snap, _is_kind("snap"), save_snap),
]


def load(
    path: Path | Sequence[Path],
    elements: Sequence[str] | Mapping[str, str] | None = None,
    style: str | None = None,
    cutoff: float | None = None,
) -> tuple[Potential, Params]:
    """Loads a potential and its params from files of jaxpot or other programs, or from the published sets.

    ======================= ============================================ ==================================
    style                   files                                        LAMMPS
    ======================= ============================================ ==================================
    ``"setfl"``             ``.eam.alloy``                               ``pair_style eam/alloy``
    ``"fs"``                ``.eam.fs``                                  ``pair_style eam/fs``
    ``"funcfl"``            ``.eam``, one or several, one an element     ``pair_style eam``
    ``"adp"``               ``.adp``                                     ``pair_style adp``
    ``"snap"``              ``.snapcoeff`` and ``.snapparam``, or        ``pair_style snap``, also overlaid
                            ``.snap``, which names them                  with ``zbl``
    ``"sw"``, ``"sw/mod"``  ``.sw``, ``.sw.mod``                         the same ``pair_style``
    ``"tersoff"``           ``.tersoff``                                 ``pair_style tersoff``
    ``"tersoff/zbl"``       ``.tersoff.zbl``                             ``pair_style tersoff/zbl``
    ``"tersoff/mod"``       ``.tersoff.mod``                             ``pair_style tersoff/mod``
    ``"tersoff/mod/c"``     ``.tersoff.modc``                            ``pair_style tersoff/mod/c``
    ``"edip"``              ``.edip``                                    ``pair_style edip/multi``
    ``"vashishta"``         ``.vashishta``                               ``pair_style vashishta``
    ``"meam"``              a library and a ``.meam`` of parameters,     ``pair_style meam``
                            which counts elements as ``elements`` does
    ``"n2p2"``              a directory with ``input.nn`` (also RuNNer)  ``pair_style hdnnp``
    ``"safetensors"``       a directory that :func:`jaxpot.save` made
    ``"schnetpack"``        ``.npz``, exported SchNet
    ``"deepchem"``          ``.npz``, exported DTNN
    ======================= ============================================ ==================================

    Args:
        path: a file or directory, a sequence of files that belong together, or the name of a published set such as
            ``"finnis_sinclair_1984:Fe"``, if no file has this name (:func:`jaxpot.available` lists the sets).
        elements: the elements to load, in the order of the species; by default all, in the order of the file. The same
            holds for a published set that mixes elements. For files of angular potentials, which may name elements
            freely, it may be a mapping such as ``{"Si": "Si(D)"}`` from symbols to the file's names.
        style: kind of file, as in the table or by LAMMPS's name; by default recognised by file name, then by content.
            Files of n2p2 are in Bohr and Hartree, unless comments in ``input.nn`` such as "# Length unit : Angstrom"
            name other units; ``"n2p2/metal"`` and ``"n2p2/atomic"`` override both. A file of an angular potential
            whose entries for both ends of a pair, or both orders of an angle, differ by more than rounding is refused,
            unless ``"/mean"`` is added, as in ``"tersoff/mean"``.
        cutoff: Å; by default that of the file. Only a shorter one is possible, and it truncates abruptly. Angular
            potentials, whose functions have ends of their own, take only a longer one, which leaves room for fits of
            these ends. Some published sets also take a cutoff.

    Returns:
        The :class:`jaxpot.Potential` and its params, in JAX's default float type.

    Raises:
        FileFormatError: (a ValueError) a file is missing, not recognised, or faulty; the message names file and line.
        ValueError: the file lacks an element, the style or set is unknown, or the cutoff is beyond that of the file.

    Example:
        >>> import jaxpot, numpy as np
        >>> potential = jaxpot.eam(["Cu"], cutoff=4.0, n_rho=11, d_rho=1.0, n_r=41, d_r=0.1)
        >>> density = (1 - np.arange(41) / 40)[None] ** 2
        >>> params = potential.init(-np.sqrt(np.arange(11.0))[None], density, np.zeros((1, 1, 41)))
        >>> jaxpot.save("Cu.eam.alloy", potential, params)
        >>> again, params = jaxpot.load("Cu.eam.alloy")
        >>> again
        Potential('eam', cutoff=4, elements=('Cu',))
    """
    if isinstance(elements, str):
        raise ValueError(f"elements is {elements!r}; give a sequence of symbols such as [{elements!r}]")
    if isinstance(path, str) and _is_name_of_set(path):
        return _load_published(path, None if elements is None else tuple(elements), style, cutoff)
    several = (
        isinstance(path, Iterable) and not isinstance(path, str | os.PathLike) and not hasattr(path, "get_positions")
    )
    paths: list[Path] = list(path) if several else [path]  # type: ignore[arg-type, list-item]
    for one in paths:
        if not isinstance(one, str | os.PathLike):
            remedy = "give the path of a file or directory, several, or the name of a published set"
            raise misplaced("load", one, "a path", remedy)
    if not paths:
        raise ValueError("no files given; name at least one")
    for one in paths:
        if len(paths) > 1 and isinstance(one, str) and ":" in one and _is_name_of_set(one):
            raise ValueError(f"{one} is no file; a published set is loaded by itself, and added to others with +")
        if not os.path.exists(one):
            raise FileFormatError(one, None, "no such file", "check the name; jaxpot.available() lists published sets")
    form = _format_of(paths, style)
    if isinstance(elements, Mapping) and not form.names_elements:
        raise ValueError(f"{form.name} files name elements by their symbols; give elements=[...], not a mapping")
    return form.load(paths, elements, style, cutoff)


def save(path: Path, potential: Potential, params: Params, style: str | None = None) -> None:
    """Writes a potential to files of another program if their format can hold it, otherwise to a directory of jaxpot.

    Further content of the file that it was loaded from (comments, masses, lattice constants) is written again, and
    numbers that did not change are written exactly as they were read.

    Args:
        path: the file, replaced atomically; for n2p2 the directory, for SNAP ``path.snapcoeff`` and
            ``path.snapparam``.
        potential: a potential from :func:`jaxpot.load`, :func:`jaxpot.eam`, :func:`jaxpot.adp`, :func:`jaxpot.snap` or
            :func:`jaxpot.hdnnp`. A potential of any other factory is written to a directory with ``potential.json``
            (the factory and its arguments) and ``params.safetensors``; ``style="safetensors"`` does this for all.
        params: its params.
        style: kind of file, as in :func:`jaxpot.load`; by default chosen by file name, then by potential.

    Raises:
        FileFormatError: (a ValueError) the format cannot hold the potential, or the file cannot be written.
        ValueError: there is no format for the potential, or the params do not fit it.
        TypeError: arguments in another order.

    Example:
        >>> import jaxpot
        >>> jaxpot.save("Ar.eam.alloy", jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4})
        Traceback (most recent call last):
        ...
        ValueError: no file format holds lennard_jones (... files hold theirs); what a factory ...
        >>> jaxpot.save("argon", jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4})
        >>> jaxpot.load("argon/")[0]
        Potential('lennard_jones', cutoff=8.5, elements=None)
    """
    check_potential("save", potential, "the order is (path, potential, params)")
    if not isinstance(path, str | os.PathLike):
        raise misplaced("save", path, "a path", "the order is (path, potential, params)")
    form = next((f for f in FORMATS if f.save is not None and f.holds(potential)), None)
    if style in NATIVE_STYLES:
        form = None
    _refuse_other_kinds(path, NATIVE if form is None else form)
    if form is not None:
        assert form.save is not None
        form.save(path, potential, params, style)
        return
    named_as_another = any(f.save is not None and f.has_name(path) and not f.has_content(path) for f in FORMATS)
    if named_as_another and style is None:
        kinds = ", ".join(f.name for f in FORMATS if f.save is not None)
        raise ValueError(
            f"no file format holds {potential.name} ({kinds} files hold theirs); "
            "what a factory made goes to a directory by style='safetensors'"
        )
    if style is not None and style not in NATIVE_STYLES:
        raise ValueError(f"style is {style!r}, but {potential.name} can only be saved with style='safetensors'")
    save_native(path, potential, params)


def _refuse_other_kinds(path: Path, form: Format) -> None:
    """Raise FileFormatError where a folder holds a potential of another format: load could find the wrong one."""
    others = [f for f in FORMATS if f is not form and os.path.isdir(path) and f.has_content(path)]
    if others:
        raise FileFormatError(
            path,
            None,
            f"holds a potential of another kind ({others[0].name})",
            "choose another folder, or empty this one",
        )


def _format_of(paths: Sequence[Path], style: str | None) -> Format:
    if style is not None:
        for form in FORMATS:
            if style in form.styles:
                return form
        known = ", ".join(s for form in FORMATS for s in form.styles)
        raise ValueError(f"style is {style!r}; use one of {known}, or leave it out")
    for path in paths:
        found = [form.name for form in FORMATS if os.path.isdir(path) and form.has_content(path)]
        if len(found) > 1:
            raise FileFormatError(
                path, None, f"holds potentials of several kinds ({', '.join(found)})", "give style=..."
            )
    for claims in ("has_name", "has_content"):
        for form in FORMATS:
            if all(getattr(form, claims)(path) for path in paths):
                return form
    strange = next((path for path in paths if not any(form.has_content(path) for form in FORMATS)), paths[0])
    known = ", ".join(form.name for form in FORMATS)
    raise FileFormatError(strange, None, f"not recognised as a file of any kind that can be read ({known})",
                          "check the file, or give style=...")  # fmt: skip


def _is_name_of_set(path: str) -> bool:
    """Whether a text names a published set: neither a file nor a path, and without a file's extension."""
    return re.fullmatch(r"\w[\w-]*(:[\w-]+)?", path) is not None and not os.path.exists(path)


def _load_published(
    name: str, elements: Sequence[str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    from jaxpot.parameters import published

    if style is not None:
        raise ValueError(f"no file is called {name}, and published sets have no style; leave out style={style!r}")
    full = name if elements is None or ":" in name else f"{name}:{'-'.join(elements)}"
    try:
        potential, params = published(full, **({} if cutoff is None else {"cutoff": cutoff}))
    except ValueError as error:
        if ":" in name:
            raise
        raise ValueError(f"no file is called {name}, and {error}") from error
    if elements is not None and tuple(elements) != potential.elements:
        raise ValueError(f"{name} is a set for {potential.elements}, not for {tuple(elements)}; leave out elements")
    return potential, params
