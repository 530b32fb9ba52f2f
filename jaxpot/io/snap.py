"""Reading and writing of SNAP potentials in the files of LAMMPS."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.bispectrum import Bispectrum, bispectrum_triples
from jaxpot.engine import DescriptorPotential
from jaxpot.evaluation import Params
from jaxpot.heads import LinearHead
from jaxpot.io.eam_files.writing import write_text
from jaxpot.io.errors import FileFormatError
from jaxpot.io.snap_files import Coefficients, Parameters, read_coefficients, read_parameters, read_script
from jaxpot.potential import Potential
from jaxpot.potentials.snap import SnapFile, snap
from jaxpot.potentials.zbl import zbl

__all__ = ["SNAP_STYLES", "has_snap_content", "has_snap_name", "load_snap", "save_snap", "snap_files"]

Path = str | os.PathLike[str]
SNAP_STYLES = ("snap",)
ENDINGS = (".snapcoeff", ".snapparam", ".snap")


def has_snap_name(path: Path) -> bool:
    """Whether a file name has one of the usual endings, or a folder holds such files."""
    return os.fspath(path).lower().endswith(ENDINGS) or bool(_files_in(path))


def has_snap_content(path: Path) -> bool:
    """Whether a file can be read as one of the three kinds."""
    if os.path.isdir(path):
        return bool(_files_in(path))
    for read in (read_coefficients, read_parameters, read_script):
        try:
            read(path)
        except FileFormatError:
            continue
        return True
    return False


def load_snap(
    paths: Sequence[Path], elements: Sequence[str] | None, style: str | None, cutoff: float | None
) -> tuple[Potential, Params]:
    """Reads a SNAP potential from its files, for :func:`jaxpot.load`."""
    if cutoff is not None:
        raise ValueError(f"the cutoff of a SNAP potential is that of its fit; leave out cutoff={cutoff}")
    if len(paths) == 1 and os.path.isdir(paths[0]):
        paths = snap_files(paths[0])
    if len(paths) == 1 and os.fspath(paths[0]).lower().endswith(".snap"):
        return _load_script(paths[0], elements)
    if len(paths) == 1:
        other = _partner(paths[0])
        paths = [paths[0], other] if other is not None else paths
    if len(paths) != 2:
        raise ValueError(f"SNAP takes a .snapcoeff and a .snapparam file, got {[os.fspath(p) for p in paths]}")
    first, second = paths
    if os.fspath(first).lower().endswith(".snapparam"):
        first, second = second, first
    return _assemble(first, read_coefficients(first), second, read_parameters(second), elements)


def snap_files(folder: Path) -> list[Path]:
    """The files of the one potential in a folder: its script, or its coefficients and parameters.

    Raises:
        FileFormatError: there is none, or more than one.
    """
    found = _files_in(folder)
    scripts = [file for file in found if file.lower().endswith(".snap")]
    parts = [file for file in found if not file.lower().endswith(".snap")]
    if len(scripts) == 1:
        return [scripts[0]]
    endings = sorted(os.path.splitext(file)[1].lower() for file in parts)
    if not scripts and endings == [".snapcoeff", ".snapparam"]:
        return list(parts)
    names = ", ".join(os.path.basename(file) for file in scripts or parts) or "no files"
    message = f"holds {names}, not one .snap file or one .snapcoeff with one .snapparam"
    raise FileFormatError(folder, None, message, "name the files of one potential")


def _files_in(folder: Path) -> list[str]:
    if not os.path.isdir(folder):
        return []
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.lower().endswith(ENDINGS))


def _partner(path: Path) -> Path | None:
    """The second file of a pair, if it is in the same folder under the same name."""
    stem, ending = os.path.splitext(os.fspath(path))
    other = stem + {".snapcoeff": ".snapparam", ".snapparam": ".snapcoeff"}.get(ending, "")
    return other if other != stem and os.path.exists(other) else None


def _load_script(path: Path, elements: Sequence[str] | None) -> tuple[Potential, Params]:
    script = read_script(path)
    folder = os.path.dirname(os.fspath(path))
    files = [os.path.join(folder, name) for name in (script.coefficients, script.parameters)]
    for file in files:
        if not os.path.exists(file):
            raise FileFormatError(path, script.line, f"names {file}, which is no file", "put it beside the script")
    chosen = script.elements if elements is None else tuple(elements)
    strange = [symbol for symbol in chosen if symbol not in script.elements]
    if strange:
        raise ValueError(f"{os.fspath(path)} has the elements {script.elements}, not {strange}")
    potential, params = load_snap(files, chosen, None, None)
    if script.zbl is None:
        return potential, params
    inner, outer, charges = script.zbl
    core = zbl(inner, outer, chosen)
    by_symbol = dict(zip(script.elements, charges, strict=True))
    return potential + core, (params, {"Z": jnp.asarray([by_symbol[symbol] for symbol in chosen])})


def _assemble(
    path: Path, file: Coefficients, parameters_path: Path, parameters: Parameters, elements: Sequence[str] | None
) -> tuple[Potential, Params]:
    values = parameters.values
    chosen = file.elements if elements is None else tuple(elements)
    strange = [symbol for symbol in chosen if symbol not in file.elements]
    if strange:
        raise ValueError(f"{os.fspath(path)} has the elements {file.elements}, not {strange}")
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"elements has a symbol twice: {chosen}")

    def flag(name: str, default: bool) -> bool:
        return bool(values.get(name, (float(default),))[0])

    if flag("chemflag", False) and chosen != file.elements:
        raise ValueError(
            f"{os.fspath(path)} has a density for each element, and so coefficients for the elements {file.elements} "
            f"together; give them in this order, not {chosen}"
        )
    order = [file.elements.index(symbol) for symbol in chosen]
    inner = None
    if flag("switchinnerflag", False):
        for name in ("sinner", "dinner"):
            if len(values.get(name, ())) != len(chosen):
                raise FileFormatError(
                    parameters_path, parameters.lines.get(name), f"{name} has {len(values.get(name, ()))} numbers for "
                    f"{len(chosen)} elements", "give one an element, in the order of the elements"
                )  # fmt: skip
        inner = (values["sinner"], values["dinner"])
    elif "sinner" in values or "dinner" in values:
        name = "sinner" if "sinner" in values else "dinner"
        raise FileFormatError(
            parameters_path,
            parameters.lines[name],
            f"{name} without switchinnerflag 1",
            "set the flag, or leave it out",
        )
    factor = values["rcutfac"][0]
    # checked before anything of that size is allocated
    count = len(file.texts[0])
    expected = _number(values, len(chosen), flag("quadraticflag", False), flag("chemflag", False))
    if count != expected:
        raise FileFormatError(
            path, None, f"has {count} coefficients an element, but {os.fspath(parameters_path)} asks for {expected} "
            f"(twojmax {values['twojmax'][0]:g})", "check that the two files belong together"
        )  # fmt: skip
    try:
        potential = snap(
            chosen,
            int(values["twojmax"][0]),
            tuple(2.0 * factor * file.radii[k] for k in order),
            tuple(file.weights[k] for k in order),
            quadratic=flag("quadraticflag", False),
            rfac0=values.get("rfac0", (0.99363,))[0],
            rmin0=values.get("rmin0", (0.0,))[0],
            switch=flag("switchflag", True),
            inner=inner,
            subtract_isolated=flag("bzeroflag", True),
            normalize=flag("bnormflag", False),
            by_elements=flag("chemflag", False),
            self_in_all=flag("wselfallflag", False),
        )
    except ValueError as error:
        raise FileFormatError(parameters_path, None, str(error), "correct the file") from error
    texts = tuple(file.texts[k] for k in order)
    numbers = np.array([[float(text) for text in each] for each in texts])
    said = SnapFile(factor, texts, file.comments, parameters.comments)
    return potential.with_file(said), {"coefficients": jnp.asarray(numbers)}


def _parts(potential: Potential) -> tuple[Bispectrum, LinearHead]:
    """The bispectrum and the head of a potential made by :func:`jaxpot.snap`."""
    assert isinstance(potential, DescriptorPotential)
    bispectrum, head = potential.descriptor, potential.head
    assert isinstance(bispectrum, Bispectrum) and isinstance(head, LinearHead)
    return bispectrum, head


def _number(values: Mapping[str, tuple[float, ...]], elements: int, quadratic: bool, by_elements: bool) -> int:
    """Number of coefficients of an element: one constant, the components B[j1, j2, j], and their products."""
    components = len(bispectrum_triples(int(values["twojmax"][0]))) * (elements**3 if by_elements else 1)
    return 1 + components + (components * (components + 1) // 2 if quadratic else 0)


def save_snap(path: Path, potential: Potential, params: Params, style: str | None) -> None:
    """Writes ``.snapcoeff`` and ``.snapparam``, for :func:`jaxpot.save`."""
    if style not in (None, *SNAP_STYLES):
        raise ValueError(f"{potential.name} cannot be written as {style!r}; use 'snap' or leave style out")
    settings, head = _parts(potential)
    said = potential.spec.file if potential.spec is not None else None
    file = said if isinstance(said, SnapFile) else SnapFile(settings.cutoff, ())
    stem, ending = os.path.splitext(os.fspath(path))
    stem = stem if ending.lower() in ENDINGS else os.fspath(path)
    numbers = np.asarray(params["coefficients"])
    size = head.size(settings)
    if numbers.shape != (len(settings.elements), size):
        raise ValueError(f"coefficients must have shape [{len(settings.elements)}, {size}], got {list(numbers.shape)}")
    if not np.isfinite(numbers).all():
        raise ValueError("coefficients are not all finite; there is no file of such a potential")

    def text(species: int, k: int) -> str:
        value = numbers[species, k]
        if file.texts and numbers.dtype.type(file.texts[species][k]) == value:
            return file.texts[species][k]  # as it was read
        return repr(float(value))

    factor = file.rcutfac
    parts = [f"{line}\n" for line in file.coefficient_comments or ("# SNAP coefficients UNITS: metal",)]
    parts.append(f"{len(settings.elements)} {size}\n")
    for k, symbol in enumerate(settings.elements):
        parts.append(f"{symbol} {_short(settings.radii[k] / factor)} {settings.weights[k]!r}\n")
        parts += [f"{text(k, n)}\n" for n in range(size)]
    lines = {
        "rcutfac": repr(factor), "twojmax": settings.twojmax, "rfac0": repr(settings.rfac0),
        "rmin0": repr(settings.rmin0), "switchflag": int(settings.switch),
        "bzeroflag": int(settings.subtract_isolated), "quadraticflag": int(not head.plain),
        "bnormflag": int(settings.normalize), "chemflag": int(settings.by_elements),
        "wselfallflag": int(settings.self_in_all),
    }  # fmt: skip
    if settings.inner is not None:
        sinner, dinner = (" ".join(map(repr, values)) for values in settings.inner)
        lines |= {"switchinnerflag": 1, "sinner": sinner, "dinner": dinner}
    comments = file.parameter_comments or ("# SNAP parameters UNITS: metal",)
    with contextlib.suppress(FileNotFoundError):  # so that old parameters never meet new coefficients
        os.remove(stem + ".snapparam")
    write_text(stem + ".snapcoeff", parts)
    write_text(stem + ".snapparam", [*(f"{line}\n" for line in comments), *(f"{k} {v}\n" for k, v in lines.items())])


def _short(radius: float) -> str:
    """A radius as text, without the rounding error that the multiplication by rcutfac leaves in the last digit."""
    short = f"{radius:.15g}"
    return short if abs(float(short) - radius) < 4e-16 * abs(radius) else repr(radius)
