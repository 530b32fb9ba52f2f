"""Keywords of `input.nn`: other names, what training needs alone, charges, and what must never be ignored."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jaxpot.io.errors import FileFormatError, FileWarning
from jaxpot.io.n2p2_files.keywords import ALIASES, CHARGES, MANY, ONCE, REFUSED, RUNNER, TRAINING
from jaxpot.io.n2p2_files.settings import read_settings

PLAIN = """\
number_of_elements 1
elements Cu
atom_energy Cu -1.5
nnp_type 2G
scale_symmetry_functions
scale_min_short -1.0
scale_max_short 2.0
global_hidden_layers_short 1
global_nodes_short 3
global_activation_short t l
element_nodes_short Cu 1 4
symfunction_short Cu 2 Cu 0.3 1.0 6.0
symfunction_short Cu 2 Cu 0.2 0.0 6.0
"""
# of the manuals: what n2p2 trains by, what only RuNNer knows, and what the energy depends on
N2P2 = """random_seed test_fraction epochs use_short_forces rmse_threshold rmse_threshold_energy rmse_threshold_force
rmse_threshold_trials rmse_threshold_trials_energy rmse_threshold_trials_force rmse_threshold_trials_charge
energy_fraction force_fraction charge_fraction use_old_weights_short use_old_weights_charge weights_min weights_max
nguyen_widrow_weights_short precondition_weights main_error_metric write_trainpoints write_trainforces write_trainlog
write_weights_epoch write_neuronstats repeated_energy_update updater_type parallel_mode jacobian_mode update_strategy
selection_mode selection_mode_energy selection_mode_force task_batch_size_energy task_batch_size_force gradient_type
gradient_eta gradient_adam_beta1 kalman_type kalman_epsilon kalman_q0 kalman_qmin kalman_lambda_short kalman_nue_short
memorize_symfunc_results force_weight short_energy_error_threshold short_force_error_threshold short_energy_fraction
short_force_fraction normalize_data_set"""
OF_RUNNER = """analyze_composition analyze_error biasweights_max bond_threshold calculate_forces check_input_forces
charge_group data_clustering debug_mode detailed_timing detect_saturation dynamic_force_grouping energy_threshold
element_decoupled_kalman enable_on_the_fly_input environment_analysis find_contradictions fitmode fitting_unit
fix_weights growth_mode ion_forces_only joint_energy_force_update max_force md_mode mix_all_points noise_energy
optmode_short_energy points_in_memory nblock print_mad random_number_type remove_atom_energies reset_kalman
restrict_weights runner_mode save_kalman_matrices separate_kalman_short short_energy_group silent_mode
steepest_descent_step_energy_short update_single_element update_worst_short_energies use_atom_energies use_old_scaling
use_short_nn use_systematic_weights_short weight_analysis weight_constraint"""
OF_THE_ENERGY = """global_symfunction_short element_symfunction_short element_hidden_layers_short
element_activation_short use_vdw pairsymfunction_short global_nodes_pair scale_max_short_pair use_damping
use_electrostatics electrostatic_type nn_type_elec fixed_charge fixed_gausswidth initial_hardness screen_electrostatics
ewald_prec ewald_alpha symfunction_electrostatic global_symfunction_elec global_nodes_electrostatic enforce_totcharge
element_nodes_electrostatic use_charge_constraint use_atom_charges scale_max_elec"""


def read(folder: Path, text: str) -> object:
    path = folder / "input.nn"
    path.write_text(text)
    return read_settings(path, "n2p2/metal", path.read_text())


def test_other_names_mean_the_same(tmp_path: Path) -> None:
    plain = read(tmp_path, PLAIN)
    renamed = PLAIN.replace("nnp_type 2G", "nnp_generation 2")
    for other, name in ALIASES.items():
        renamed = re.sub(rf"\b{name}\b", other, renamed)
    assert "symfunction_short Cu" not in renamed
    again = read(tmp_path, renamed)
    for field in ("elements", "arguments", "atom_energies", "length", "energy"):
        assert getattr(again, field) == getattr(plain, field)
    with pytest.raises(FileFormatError, match=r"global_nodes_short was given on line 9 already"):
        read(tmp_path, PLAIN + "global_nodes_short_atomic 5\n")


@pytest.mark.parametrize("keyword", N2P2.split())
def test_what_trains_is_ignored(keyword: str, tmp_path: Path) -> None:
    read(tmp_path, PLAIN + f"{keyword} 1\n")


def test_keywords_of_runner_are_ignored_with_a_note(tmp_path: Path) -> None:
    text = PLAIN + "".join(f"{keyword} 1\n" for keyword in OF_RUNNER.split())
    with pytest.warns(
        FileWarning, match=r"input.nn:14: keywords of RuNNer .* are ignored: analyze_composition, "
    ) as record:
        read(tmp_path, text)
    (note,) = record
    assert all(keyword in str(note.message) for keyword in OF_RUNNER.split())


@pytest.mark.parametrize("keyword", OF_THE_ENERGY.split())
def test_what_the_energy_depends_on_is_never_ignored(keyword: str, tmp_path: Path) -> None:
    assert keyword in REFUSED or CHARGES.fullmatch(keyword)
    with pytest.raises(FileFormatError, match=f"input.nn:14: {keyword} is not supported") as caught:
        read(tmp_path, PLAIN + f"{keyword} 1 1 1\n")
    assert "remove" not in str(caught.value)


def test_no_keyword_is_of_two_sorts() -> None:
    for keyword in (*ONCE, *MANY, *ALIASES, *REFUSED):
        assert not (TRAINING.fullmatch(keyword) or RUNNER.fullmatch(keyword) or CHARGES.fullmatch(keyword))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "nnp_generation 4",
            r"input.nn:1: nnp_generation 4 is not supported: this is a potential with charges \(3G or 4G",
        ),
        ("nnp_type 4G-HDNNP", r"input.nn:1: nnp_type 4G-HDNNP is not supported: .*3G or 4G"),
        ("nnp_gen 3", r"input.nn:1: nnp_gen 3 is not supported: .*3G or 4G"),
        ("nn_type_short 2", r"input.nn:1: nn_type_short 2 is not supported; only a network for each atom"),
        ("nonsense 1", r"input.nn:1: nonsense is a keyword neither of n2p2 nor of RuNNer that is known here"),
    ],
)
def test_other_generations_say_so_at_once(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(tmp_path, f"{line}\n" + PLAIN.replace("nnp_type 2G\n", ""))


def test_the_published_potential_with_charges(shared_data: Path) -> None:
    file = shared_data / "n2p2" / "AlAuMgO_4G" / "input.nn"
    with pytest.raises(FileFormatError, match=r"input.nn:11: nnp_generation 4 is not supported: .*\(3G or 4G-HDNNP\)"):
        read_settings(file, "n2p2", file.read_text())
