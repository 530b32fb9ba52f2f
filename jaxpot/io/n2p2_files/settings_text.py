"""The text of `input.nn`: a changed copy, or a new one."""

from __future__ import annotations

from jaxpot.descriptors.symmetry_functions import CUTOFF_FUNCTIONS, SymmetryFunction, SymmetryFunctions
from jaxpot.heads import NetworkHead
from jaxpot.io.n2p2_files.keywords import COLUMNS, POWERS, STYLES, WORDS
from jaxpot.io.n2p2_files.lines import words_of
from jaxpot.io.n2p2_files.settings import InputFile

__all__ = ["new_settings_text", "with_atom_energies"]

SCALINGS: dict[str, list[str]] = {
    "none": [],
    "scale": ["scale_symmetry_functions"],
    "center": ["center_symmetry_functions"],
    "scale_center": ["scale_symmetry_functions", "center_symmetry_functions"],
    "scale_sigma": ["scale_symmetry_functions_sigma"],
}


def with_atom_energies(file: InputFile, energies: dict[str, float]) -> str:
    """The text of a file with new atom energies, eV."""
    wanted = {symbol: value / file.energy - file.mean_energy for symbol, value in energies.items()}
    lines = file.text.splitlines()
    for line in words_of("", file.text):
        if line.words[0] == "atom_energy" and line.words[1] in wanted:
            symbol = line.words[1]
            lines[line.line - 1] = f"atom_energy {symbol} {float(wanted.pop(symbol))!r}"
    lines += [f"atom_energy {symbol} {float(value)!r}" for symbol, value in wanted.items()]
    return "\n".join(lines) + "\n"


def new_settings_text(
    functions: SymmetryFunctions,
    head: NetworkHead,
    elements: tuple[str, ...],
    atom_energies: dict[str, float],
    style: str,
) -> str:
    """The text of an ``input.nn`` for a potential, whose elements are given in the order of their atomic numbers.

    Raises:
        ValueError: the elements' networks differ in their number of layers or in their activations, or n2p2 has no such
            scaling.
    """
    length, energy = STYLES[style]
    place = {symbol: k for k, symbol in enumerate(functions.elements)}
    if len({head.letters_of(place[symbol]) for symbol in elements}) > 1:
        raise ValueError(
            "n2p2: the elements' networks differ in layers or activations, which input.nn cannot say; use safetensors"
        )
    if head.scaling not in SCALINGS:
        raise ValueError(f"n2p2 has no scaling {head.scaling!r}; save with style='safetensors'")
    hidden, letters = head.hidden_of(place[elements[0]]), head.letters_of(place[elements[0]])
    names = ("Angstrom", "eV") if style == "n2p2/metal" else ("Bohr", "Hartree")
    lines = [
        f"# Length unit     : {names[0]}",
        f"# Energy unit     : {names[1]}",
        f"number_of_elements {len(elements)}",
        f"elements {' '.join(elements)}",
        *(f"atom_energy {symbol} {float(atom_energies[symbol] / energy)!r}" for symbol in elements),
    ]
    if head.energy_unit != energy:
        lines += ["mean_energy 0.0", f"conv_energy {energy / head.energy_unit!r}", "conv_length 1.0"]
    lines.append(f"cutoff_type {list(CUTOFF_FUNCTIONS).index(functions.cutoff_function)} {functions.inner!r}")
    lines += SCALINGS[head.scaling]
    lines += [
        f"scale_min_short {head.scale_range[0]!r}",
        f"scale_max_short {head.scale_range[1]!r}",
        f"global_hidden_layers_short {len(hidden)}",
        f"global_nodes_short {' '.join(map(str, hidden))}",
        f"global_activation_short {' '.join(letters)}",
        *(
            f"element_nodes_short {symbol} {layer} {nodes}"
            for symbol in elements
            for layer, (nodes, usual) in enumerate(zip(head.hidden_of(place[symbol]), hidden, strict=True), 1)
            if nodes != usual
        ),
        *(["normalize_nodes"] if head.normalize_nodes else []),
    ]
    for symbol in elements:
        for f in functions.functions_of(symbol):
            words = [
                symbol,
                str(f.type),
                *f.neighbors,
                *(_word(f, name.strip("()"), length) for name in COLUMNS[f.type]),
            ]
            lines.append(f"symfunction_short {' '.join(words)}")
    return "\n".join(lines) + "\n"


def _word(f: SymmetryFunction, name: str, length: float) -> str:
    value = getattr(f, name)
    return value if name in WORDS else repr(float(value * length ** -POWERS.get(name, 0)))
