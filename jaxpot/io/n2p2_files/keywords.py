"""The keywords of `input.nn` in n2p2 and RuNNer, and the numbers that follow them."""

from __future__ import annotations

import re

from jaxpot import units

__all__ = [
    "ALIASES", "CHARGES", "COLUMNS", "ENERGIES", "LENGTHS", "MANY", "ONCE", "POWERS", "REFUSED", "RUNNER", "STYLES",
    "TRAINING", "WORDS",
]  # fmt: skip

LENGTHS = {"angstrom": 1.0, "å": 1.0, "ang": 1.0, "a": 1.0, "bohr": units.BOHR, "a0": units.BOHR}
ENERGIES = {"ev": 1.0, "hartree": units.HARTREE, "ha": units.HARTREE, "eh": units.HARTREE}
STYLES = {"n2p2/metal": (1.0, 1.0), "n2p2/atomic": (units.BOHR, units.HARTREE)}

# Keywords that determine the energy, and are given once.
ONCE = (
    "number_of_elements", "elements", "cutoff_type", "cutoff_alpha", "scale_symmetry_functions",
    "scale_symmetry_functions_sigma", "center_symmetry_functions", "scale_min_short", "scale_max_short",
    "global_hidden_layers_short", "global_nodes_short", "global_activation_short", "normalize_nodes", "mean_energy",
    "conv_energy", "conv_length", "nnp_type", "nnp_gen", "nn_type_short",
)  # fmt: skip
MANY = ("atom_energy", "symfunction_short", "element_nodes_short")
# Other names of the same keywords, in n2p2 or in versions of RuNNer.
ALIASES = {
    "nn_type": "nnp_type", "nnp_generation": "nnp_gen", "symfunction": "symfunction_short",
    "symfunction_short_atomic": "symfunction_short", "global_nodes_short_atomic": "global_nodes_short",
    "global_hidden_layers_short_atomic": "global_hidden_layers_short",
    "global_activation_short_atomic": "global_activation_short", "scale_min_short_atomic": "scale_min_short",
    "scale_max_short_atomic": "scale_max_short", "element_nodes_short_atomic": "element_nodes_short",
}  # fmt: skip
# Keywords of the third and fourth generation: networks of charges or electronegativities, and electrostatics.
CHARGES = re.compile(
    r"(global|element)_(symfunction|hidden_layers|nodes|activation|output_nodes)_(electrostatic|elec|hardness)|"
    r"symfunction_elec(trostatic)?|use_electrostatics|use_electrostatic_nn|use_fixed_charges|use_gausswidth|"
    r"electrostatic_type|nn_type_elec|fixed_charge|fixed_gausswidth|initial_hardness|screen_electrostatics|"
    r"enforce_totcharge|use_charge_constraint|use_atom_charges|ewald_\w+|four_pi_epsilon|kspace_solver|"
    r"scale_(min|max)_elec(trostatic)?"
)
# Keywords that change the energy in an unsupported way, each with its remedy.
WRITE_OUT = "write out one symfunction_short line for each function"
PAIRS = "only a network for each atom (nn_type_short 1) is supported, not one for each pair"
LAYERS = "only networks of equally many layers and of the same activations for all elements are supported"
REFUSED = {
    "global_symfunction_short": WRITE_OUT, "global_symfunction_short_atomic": WRITE_OUT,
    "element_symfunction_short": WRITE_OUT, "element_symfunction_short_atomic": WRITE_OUT,
    "pairsymfunction_short": PAIRS, "element_pairsymfunction_short": PAIRS, "global_pairsymfunction_short": PAIRS,
    "global_symfunction_short_pair": PAIRS, "global_nodes_pair": PAIRS, "global_nodes_short_pair": PAIRS,
    "global_hidden_layers_pair": PAIRS, "global_activation_pair": PAIRS, "element_nodes_pair": PAIRS,
    "element_hidden_layers_pair": PAIRS, "element_activation_pair": PAIRS, "scale_min_short_pair": PAIRS,
    "scale_max_short_pair": PAIRS,
    "element_hidden_layers_short": LAYERS, "element_activation_short": LAYERS,
    "use_vdw": "the dispersion correction is not supported", "vdw_type": "the dispersion correction is not supported",
    "remove_vdw_energies": "the dispersion correction is not supported",
    "use_damping": "damping of the energy is not supported",
}  # fmt: skip
# Keywords of n2p2 for training, output, parallel runs or the choice of structures, which do not change the energy.
TRAINING = re.compile(
    r"random_seed|test_fraction|epochs|use_short_forces|rmse_threshold(_trials)?(_energy|_force|_charge)?|"
    r"short_(energy|force)_(error_threshold|fraction)|(energy|force|charge)_fraction|force_weight|"
    r"use_old_weights_(short|charge)|weights_(min|max)|nguyen_widrow_weights_(short|charge)|precondition_weights|"
    r"main_error_metric|write_\w+|repeated_energy_update|updater_type|parallel_mode|jacobian_mode|update_strategy|"
    r"selection_mode(_energy|_force|_charge)?|task_batch_size_(energy|force|charge)|gradient_\w+|kalman_\w+|"
    r"memorize_symfunc_results|normalize_data_set"
)
# The same for RuNNer, as far as n2p2 does not have these keywords.
RUNNER = re.compile(
    r"(nguyen_widrow|print|analyze|optmode|noise|steepest_descent|md|growth|dynamic_force|joint|update|separate|restart|"
    r"set_kalman|save_kalman|read_kalman|check|calculate|find|detect|biasweights|weightse|shuffle_weights|max_num|list|"
    r"fixed_short_(energy|force)_error|total_charge_error|use_old_weights|use_systematic_weights|short_(energy|force))_\w+"
    r"|(charge|force)_(error_threshold|threshold|group|grouping_by_structure|update_scaling)|energy_threshold|"
    r"use_(short_nn|old_scaling|atom_energies|noisematrix|ipi|omp_mkl|charge_forces)|detailed_timing(_epoch)?|"
    r"(weight|weighte|environment)_(analysis|constraint)|runner_mode|bond_threshold|mix_all_points|remove_atom_energies|"
    r"enable_on_the_fly_input|initialization_only|random_(number_type|order_training)|points_in_memory|nblock|"
    r"max_(energy|force)|ion_forces_only|fix_weights|fit(mode|ting_unit)|reset_kalman|restrict_weights|silent_mode|"
    r"debug_mode|data_clustering|symfunction_correlation|read_unformatted|prepare_md|screen_output|"
    r"enforce_max_num_neighbors_atomic|element_decoupled_(kalman|forces_v2)|global_output_nodes_(short|pair)"
)

# Values that follow the elements of a symmetry function of each type; those in () are optional.
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
WORDS = ("subtype",)  # values that are not numbers
POWERS = {"cutoff": 1, "shift": 1, "start": 1, "eta": -2, "kappa": -1}  # powers of the unit of length
