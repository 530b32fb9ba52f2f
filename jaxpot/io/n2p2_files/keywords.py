"""The keywords of `input.nn`, and the numbers on its lines."""

from __future__ import annotations

import re

from jaxpot import units

__all__ = ["COLUMNS", "ENERGIES", "IGNORED", "LENGTHS", "MANY", "ONCE", "POWERS", "REFUSED", "STYLES", "WORDS"]

LENGTHS = {"angstrom": 1.0, "å": 1.0, "ang": 1.0, "a": 1.0, "bohr": units.BOHR, "a0": units.BOHR}
ENERGIES = {"ev": 1.0, "hartree": units.HARTREE, "ha": units.HARTREE}
STYLES = {"n2p2/metal": (1.0, 1.0), "n2p2/atomic": (units.BOHR, units.HARTREE)}

# What decides about the energy.
ONCE = (
    "number_of_elements", "elements", "cutoff_type", "cutoff_alpha", "scale_symmetry_functions",
    "scale_symmetry_functions_sigma", "center_symmetry_functions", "scale_min_short", "scale_max_short",
    "global_hidden_layers_short", "global_nodes_short", "global_activation_short", "normalize_nodes", "mean_energy",
    "conv_energy", "conv_length", "nnp_type", "nnp_gen", "nn_type_short", "nn_type",
)  # fmt: skip
MANY = ("atom_energy", "symfunction_short", "element_nodes_short")
# What decides about training, output, or structures alone.
IGNORED = re.compile(
    r"(kalman|gradient|write|print|optmode|rmse|task_batch|weights|short|force|energy|nguyen|analyze|fix|update|test|"
    r"max|ion|noise|joint|growth|dynamic|damp|find|detect|list|random|points|screen|md|steepest)_\w+"
    r"|epochs|updater_type|parallel_mode|jacobian_mode|selection_mode(_energy|_force|_charge)?|charge_fraction|"
    r"repeated_energy_update|use_short_forces|use_short_nn|use_old_weights_short|use_old_scaling|precondition_weights|main_error_metric|"
    r"memorize_symfunc_results|normalize_data_set|runner_mode|bond_threshold|mix_all_points|calculate_\w+|"
    r"remove_atom_energies|use_atom_energies|use_systematic_weights_short|check_\w+|enable_on_the_fly_input|"
    r"separate_kalman_short|save_kalman_matrices|restart_\w+|set_kalman_\w+|initialization_only"
)
REFUSED = {
    "global_symfunction_short": "write out one symfunction_short line for each function",
    "element_symfunction_short": "write out one symfunction_short line for each function",
    "symfunction_electrostatic": "charges are not supported; only short-range networks are",
    "use_electrostatics": "charges are not supported; only short-range networks are",
    "electrostatic_type": "charges are not supported; only short-range networks are",
    "use_vdw": "the dispersion correction is not supported",
    "remove_vdw_energies": "the dispersion correction is not supported",
    "element_hidden_layers_short": "only networks of equally many layers for all elements are supported",
    "element_activation_short": "only networks of the same activations for all elements are supported",
}

# Numbers after the elements of a symmetry function of each type; what is in () may be left out.
COLUMNS = {
    1: ("cutoff",),
    2: ("eta", "shift", "cutoff"),
    3: ("eta", "sign", "zeta", "cutoff", "(shift)"),
    4: ("kappa", "cutoff"),
    9: ("eta", "sign", "zeta", "cutoff", "(shift)"),
    12: ("eta", "shift", "cutoff"),
    13: ("eta", "shift", "sign", "zeta", "cutoff"),
    **dict.fromkeys((20, 23), ("start", "cutoff", "subtype")),
    **dict.fromkeys((21, 22, 24, 25), ("start", "cutoff", "angle_start", "angle_end", "subtype")),
}
WORDS = ("subtype",)  # what of them is no number
POWERS = {"cutoff": 1, "shift": 1, "start": 1, "eta": -2, "kappa": -1}  # of the unit of length
