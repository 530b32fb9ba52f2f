"""`input.nn` written: changed in places, or new."""

from __future__ import annotations

from jaxpot.descriptors.symmetry_functions import CUTOFF_FUNCTIONS, SymmetryFunction
from jaxpot.io.n2p2_files.keywords import COLUMNS, POWERS, STYLES, WORDS
from jaxpot.io.n2p2_files.lines import words_of
from jaxpot.io.n2p2_files.settings import InputFile
from jaxpot.potentials.hdnnp import HDNNPSettings

__all__ = ["new_settings_text", "with_atom_energies"]


def with_atom_energies(file: InputFile, energies: dict[str, float]) -> str:
    """The text of a file with other energies of the atoms, eV."""
    wanted = {symbol: value / file.energy - file.mean_energy for symbol, value in energies.items()}
    lines = file.text.splitlines()
    for line in words_of("", file.text):
        if line.words[0] == "atom_energy" and line.words[1] in wanted:
            symbol = line.words[1]
            lines[line.line - 1] = f"atom_energy {symbol} {float(wanted.pop(symbol))!r}"
    lines += [f"atom_energy {symbol} {float(value)!r}" for symbol, value in wanted.items()]
    return "\n".join(lines) + "\n"


def new_settings_text(
    settings: HDNNPSettings, elements: tuple[str, ...], atom_energies: dict[str, float], style: str
) -> str:
    """The text of an ``input.nn`` for a potential.

    Raises:
        ValueError: the elements' networks differ in their number of layers or in their activations.
    """
    length, energy = STYLES[style]
    if len({settings.activations[symbol] for symbol in elements}) > 1:
        raise ValueError(
            "n2p2: the elements' networks differ in layers or activations, which input.nn cannot say; use safetensors"
        )
    hidden, letters = settings.hidden[elements[0]], settings.activations[elements[0]]
    names = ("Angstrom", "eV") if style == "n2p2/metal" else ("Bohr", "Hartree")
    lines = [
        f"# Length unit     : {names[0]}",
        f"# Energy unit     : {names[1]}",
        f"number_of_elements {len(elements)}",
        f"elements {' '.join(elements)}",
        *(f"atom_energy {symbol} {float(atom_energies[symbol] / energy)!r}" for symbol in elements),
    ]
    if settings.energy_unit != energy:
        lines += ["mean_energy 0.0", f"conv_energy {energy / settings.energy_unit!r}", "conv_length 1.0"]
    lines.append(f"cutoff_type {list(CUTOFF_FUNCTIONS).index(settings.cutoff_function)} {settings.inner!r}")
    lines += {
        "none": [],
        "scale": ["scale_symmetry_functions"],
        "center": ["center_symmetry_functions"],
        "scale_center": ["scale_symmetry_functions", "center_symmetry_functions"],
        "scale_sigma": ["scale_symmetry_functions_sigma"],
    }[settings.scaling]
    lines += [
        f"scale_min_short {settings.scale_range[0]!r}",
        f"scale_max_short {settings.scale_range[1]!r}",
        f"global_hidden_layers_short {len(hidden)}",
        f"global_nodes_short {' '.join(map(str, hidden))}",
        f"global_activation_short {' '.join(letters)}",
        *(
            f"element_nodes_short {symbol} {layer} {nodes}"
            for symbol in elements
            for layer, (nodes, usual) in enumerate(zip(settings.hidden[symbol], hidden, strict=True), 1)
            if nodes != usual
        ),
        *(["normalize_nodes"] if settings.normalize_nodes else []),
    ]
    for symbol in elements:
        for f in settings.functions[symbol]:
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
