"""`input.nn`: elements, symmetry functions and the shape of the networks."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Any

from jaxpot.descriptors.symmetry_functions import CUTOFF_FUNCTIONS, SymmetryFunction
from jaxpot.descriptors.symmetry_functions.functions import TYPES
from jaxpot.heads import ACTIVATIONS
from jaxpot.io.errors import FileFormatError, warn
from jaxpot.io.n2p2_files.keywords import (
    ALIASES,
    CHARGES,
    COLUMNS,
    ENERGIES,
    LENGTHS,
    MANY,
    ONCE,
    POWERS,
    REFUSED,
    RUNNER,
    STYLES,
    TRAINING,
    WORDS,
)
from jaxpot.io.n2p2_files.lines import Words, words_of

__all__ = ["InputFile", "declared_units", "read_settings"]


SHORT_RANGED = ("2G", "2G-HDNNP", "2", "1", "0")  # names and numbers of the second generation in n2p2 and RuNNer
LATER_GENERATION = "this is a potential with charges (3G or 4G-HDNNP), of which the short-range part alone is no energy"
ONLY_SHORT = "only short-range networks (2G) are supported"


@dataclasses.dataclass(frozen=True, eq=False)
class InputFile:
    """The content of an ``input.nn``.

    Attributes:
        text: the text of the file.
        elements: chemical symbols in the order of their atomic numbers, as in ``scaling.data``.
        arguments: arguments of :func:`jaxpot.hdnnp`, with lengths in Å.
        atom_energies: eV, including the mean energy of a normalised training set.
        length: unit of length in the file, Å.
        energy: unit of energy in the file, eV.
        mean_energy: mean energy per atom of a normalised training set, in that unit.
    """

    text: str
    elements: tuple[str, ...]
    arguments: dict[str, Any]
    atom_energies: dict[str, float]
    length: float
    energy: float
    mean_energy: float


def read_settings(path: str | os.PathLike[str], style: str, text: str) -> InputFile:
    """Reads the text of an ``input.nn``.

    Raises:
        FileFormatError: a keyword is missing, wrong, given twice, unknown or not supported.
    """
    once: dict[str, Words] = {}
    many: dict[str, list[Words]] = {name: [] for name in MANY}
    lines = list(words_of(path, text))
    _check_generation(lines)
    ignored: dict[str, int] = {}
    for line in lines:
        keyword = ALIASES.get(line.words[0], line.words[0])
        if keyword in many:
            many[keyword].append(line)
        elif keyword in ONCE:
            if keyword in once:
                raise line.error(f"{keyword} was given on line {once[keyword].line} already", "remove one of the lines")
            once[keyword] = line
        elif keyword in REFUSED:
            raise line.error(f"{keyword} is not supported", REFUSED[keyword])
        elif TRAINING.fullmatch(keyword):
            continue
        elif RUNNER.fullmatch(keyword):
            ignored.setdefault(keyword, line.line)
        else:
            raise line.error(
                f"{keyword} is a keyword neither of n2p2 nor of RuNNer that is known here, and may change the energy",
                "correct it, or put # before it if the program that made the file ignores it",
            )

    if ignored:
        message = f"keywords of RuNNer that the energy does not depend on are ignored: {', '.join(ignored)}"
        warn(path, next(iter(ignored.values())), message)

    def get(keyword: str) -> Words:
        if keyword not in once:
            raise FileFormatError(path, None, f"{keyword} is missing", "add the line")
        return once[keyword]

    def number(keyword: str, default: float) -> float:
        return once[keyword].number(1, keyword) if keyword in once else default

    length, energy = _units(path, text, style)
    elements = _elements(get("elements"), once.get("number_of_elements"))
    functions = [_function(line, elements, length) for line in many["symfunction_short"]]
    for symbol in elements:
        if not any(f.center == symbol for f in functions):
            raise FileFormatError(path, None, f"{symbol} has no symfunction_short", "add the lines")
    hidden, letters = _network(get("global_hidden_layers_short"), get("global_nodes_short"),
                               get("global_activation_short"))  # fmt: skip
    kind, inner = _cutoff(once)
    mean, factor = number("mean_energy", 0.0), number("conv_energy", 1.0)
    if factor == 0:
        raise once["conv_energy"].error("conv_energy is 0")
    atoms = dict.fromkeys(elements, energy * mean)
    seen: set[str] = set()
    for line in many["atom_energy"]:
        symbol = _element(line, 1, elements)
        if symbol in seen:
            raise line.error(f"atom_energy of {symbol} was given before", "remove one of the lines")
        seen.add(symbol)
        atoms[symbol] = energy * (line.number(2, "atom_energy") + mean)
    arguments = {
        "functions": functions,
        "hidden": _by_element(hidden, many["element_nodes_short"], elements),
        "activations": letters,
        "cutoff_function": kind,
        "inner": inner,
        "scaling": _scaling(once),
        "scale_range": (number("scale_min_short", 0.0), number("scale_max_short", 1.0)),
        "normalize_nodes": "normalize_nodes" in once,
        "energy_unit": energy / factor,
    }
    return InputFile(text, elements, arguments, atoms, length, energy, mean)


def _check_generation(lines: list[Words]) -> None:
    """Refuses networks of later generations, which need more than the environment of each atom."""
    for line in lines:
        keyword = ALIASES.get(line.words[0], line.words[0])
        allowed = {"nnp_type": SHORT_RANGED, "nnp_gen": ("2", "2G"), "nn_type_short": ("1",)}.get(keyword)
        if allowed is not None and line.word(1, keyword) not in allowed:
            said = f"{line.words[0]} {line.words[1]}"
            if keyword == "nn_type_short":
                raise line.error(f"{said} is not supported", REFUSED["global_nodes_pair"])
            raise line.error(f"{said} is not supported: {LATER_GENERATION}", ONLY_SHORT)
    for line in lines:
        if CHARGES.fullmatch(line.words[0]):
            raise line.error(f"{line.words[0]} is not supported: {LATER_GENERATION}", ONLY_SHORT)


def declared_units(path: str | os.PathLike[str], text: str) -> tuple[float | None, float | None]:
    """The units that comments of an ``input.nn`` name ("# Length unit : Bohr"), in Å and eV; None where missing.

    Raises:
        FileFormatError: a unit is unknown.
    """
    found: list[float | None] = [None, None]
    for k, (what, known) in enumerate((("Length", LENGTHS), ("Energy", ENERGIES))):
        for number, line in enumerate(text.splitlines(), 1):
            said = re.fullmatch(rf"#\s*{what} unit\s*:\s*(\S+)\s*", line, re.IGNORECASE)
            if said is None:
                continue
            if said[1].lower() not in known:
                raise FileFormatError(
                    path,
                    number,
                    f"{what.lower()} unit {said[1]} is not known",
                    f"give style=, one of {', '.join(STYLES)}",
                )
            found[k] = known[said[1].lower()]
    return found[0], found[1]


def _units(path: str | os.PathLike[str], text: str, style: str) -> tuple[float, float]:
    """The units of the file in Å and eV; Bohr and Hartree where neither style nor comment names others."""
    if style in STYLES:
        return STYLES[style]
    length, energy = declared_units(path, text)
    atomic = STYLES["n2p2/atomic"]
    return atomic[0] if length is None else length, atomic[1] if energy is None else energy


def _elements(line: Words, count: Words | None) -> tuple[str, ...]:
    from ase.data import atomic_numbers

    symbols = line.words[1:]
    if not symbols or len(set(symbols)) < len(symbols):
        raise line.error(f"elements are {' '.join(symbols) or 'missing'}, must be different symbols")
    for symbol in symbols:
        if symbol not in atomic_numbers or symbol == "X":
            raise line.error(f"{symbol} is no chemical symbol")
    if count is not None and count.whole(1, "number_of_elements", 1) != len(symbols):
        raise count.error(
            f"number_of_elements is {count.words[1]}, but {len(symbols)} elements are on line {line.line}"
        )
    return tuple(sorted(symbols, key=atomic_numbers.__getitem__))


def _element(line: Words, place: int, elements: tuple[str, ...]) -> str:
    symbol = line.word(place, "an element")
    if symbol not in elements:
        raise line.error(f"{symbol} is not among the elements {' '.join(elements)}")
    return symbol


def _function(line: Words, elements: tuple[str, ...], length: float) -> SymmetryFunction:
    center = _element(line, 1, elements)
    kind = line.whole(2, "the type of the symmetry function")
    if kind not in COLUMNS:
        raise line.error(f"symmetry function type {kind} is not supported", f"only {', '.join(map(str, COLUMNS))} are")
    place = 3 + TYPES[kind]
    neighbors = tuple(_element(line, k, elements) for k in range(3, place))
    given: dict[str, Any] = {}
    for k, name in enumerate(COLUMNS[kind], place):
        bare = name.strip("()")
        if bare != name and k >= len(line.words):
            continue
        what = "lambda" if bare == "sign" else bare
        given[bare] = line.word(k, what) if bare in WORDS else line.number(k, what) * length ** POWERS.get(bare, 0)
    line.ends_before(place + len(COLUMNS[kind]))
    try:
        return SymmetryFunction(kind, center, neighbors, **given)
    except ValueError as error:
        raise line.error(str(error)) from None


def _network(layers: Words, nodes: Words, activation: Words) -> tuple[tuple[int, ...], str]:
    count = layers.whole(1, "global_hidden_layers_short")
    hidden = tuple(nodes.whole(k, "the number of nodes", 1) for k in range(1, count + 1))
    nodes.ends_before(count + 1)
    letters = [activation.word(k, "an activation") for k in range(1, count + 2)]
    activation.ends_before(count + 2)
    for letter in letters:
        if letter not in ACTIVATIONS:
            raise activation.error(f"activation {letter!r} is not known", f"use {', '.join(ACTIVATIONS)}")
    return hidden, "".join(letters)


def _by_element(
    hidden: tuple[int, ...], lines: list[Words], elements: tuple[str, ...]
) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    """The nodes of each hidden layer, after lines with an element, a layer and a number that change them."""
    if not lines:
        return hidden
    nodes = {symbol: list(hidden) for symbol in elements}
    for line in lines:
        symbol, layer = _element(line, 1, elements), line.whole(2, "the hidden layer", 1)
        if layer > len(hidden):
            raise line.error(f"there are {len(hidden)} hidden layers, and no {layer}")
        nodes[symbol][layer - 1] = line.whole(3, "the number of nodes", 1)
        line.ends_before(4)
    return {symbol: tuple(sizes) for symbol, sizes in nodes.items()}


def _cutoff(once: dict[str, Words]) -> tuple[str, float]:
    if "cutoff_type" not in once:
        return "cos", 0.0
    line = once["cutoff_type"]
    number = line.whole(1, "cutoff_type")
    if number >= len(CUTOFF_FUNCTIONS):
        raise line.error(f"cutoff_type {number} is not known", f"use 0 to {len(CUTOFF_FUNCTIONS) - 1}")
    inner = line.number(2, "alpha") if len(line.words) > 2 else 0.0
    line.ends_before(3)
    if "cutoff_alpha" in once:
        line = once["cutoff_alpha"]
        inner = line.number(1, "cutoff_alpha")
    if not 0 <= inner < 1:
        raise line.error(f"alpha is {inner:g}, must be from 0 to below 1")
    return list(CUTOFF_FUNCTIONS)[number], inner


def _scaling(once: dict[str, Words]) -> str:
    scale, center = "scale_symmetry_functions" in once, "center_symmetry_functions" in once
    sigma = "scale_symmetry_functions_sigma" in once
    if sigma and (scale or center):
        line = once["scale_symmetry_functions_sigma"]
        raise line.error(
            "scale_symmetry_functions_sigma is given together with another scaling", "remove one of the lines"
        )
    if sigma:
        return "scale_sigma"
    return {(True, True): "scale_center", (True, False): "scale", (False, True): "center"}.get((scale, center), "none")
