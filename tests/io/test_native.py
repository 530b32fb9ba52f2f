"""jaxpot's own directories: sums, multiples and committees come back as they were, mistakes are refused.

The contract suite saves and pickles every single potential.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxpot


def test_sums_multiples_and_committees_come_back_with_their_numbers(tmp_path: Path) -> None:
    argon = {"epsilon": 0.0104, "sigma": 3.4}
    lj, morse = jaxpot.lennard_jones(cutoff=6.0), jaxpot.morse(cutoff=4.5)
    params = ({"epsilon": np.array([0.010, 0.011]), "sigma": np.array([3.4, 3.5])}, (argon, {"D0": 0.1, "alpha": 1.0,
              "r0": 3.0}))  # fmt: skip
    potential = jaxpot.committee(lj) + jaxpot.scale(lj + morse, 0.5)
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.8, 3.6], [3.9, 0.0, 0.3]])
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    jaxpot.save(tmp_path / "sum", potential, params)
    again, others = jaxpot.load(tmp_path / "sum")
    assert again.spec == potential.spec
    expected = jaxpot.energy(potential)(params, system, neighbors)
    assert jaxpot.energy(again)(others, system, neighbors) == expected != 0
    assert jaxpot.energy(pickle.loads(pickle.dumps(potential)))(params, system, neighbors) == expected


def test_a_committee_and_its_numbers_come_back(tmp_path: Path) -> None:
    potential = jaxpot.committee(jaxpot.schnet(["H", "O"], 3.0, features=4, interactions=1, gaussians=5))
    params = potential.init(jax.random.split(jax.random.key(0), 3))
    jaxpot.save(tmp_path, potential, params)
    again, others = jaxpot.load(tmp_path)
    system = jaxpot.System.create([[0.0, 0.0, 0.0], [0.0, 0.8, 0.6], [0.9, 0.0, 0.3]], [1, 0, 0])
    neighbors = jaxpot.neighbor_list(3.0).allocate(system)
    energies = [float(jaxpot.energy(p)(q, system, neighbors)) for p, q in ((potential, params), (again, others))]
    assert energies[0] == energies[1] != 0


def edited(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(change((folder / name).read_text()))


def in_json(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        found = json.loads((folder / "potential.json").read_text())
        change(found)
        (folder / "potential.json").write_text(json.dumps(found))

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edited("potential.json", lambda text: text[:-9]), "is no JSON"),
        (in_json(lambda found: found.update(format="jaxpot potential, version 99")), "use the version that saved it"),
        (in_json(lambda found: found["potential"].update(kind="os.system")), "called 'os.system'"),
        (in_json(lambda found: found["potential"]["settings"].update(cutof=3.0)), "unexpected keyword"),
        (in_json(lambda found: found["potential"]["settings"].update(cutoff=-3.0)), "positive"),
        (in_json(lambda found: found.pop("params")), "does not describe a potential"),
        (in_json(lambda found: found["params"]["mapping"][0][1].update(array="x")), "does not describe a potential"),
        (in_json(lambda found: found["params"]["mapping"][0][1].update(shape=[2])), r"not float64 of shape \[2\]"),
        (in_json(lambda found: found.update(potential=[1, 2])), "does not describe a potential"),
        (in_json(lambda found: found.update(potential={"data": "os", "fields": {}})), "does not describe"),
        (lambda folder: (folder / "params.safetensors").write_bytes(b"12345678"), "params.safetensors: cannot be read"),
        (lambda folder: (folder / "params.safetensors").unlink(), "params.safetensors: cannot be read"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, edit: Callable[[Path], None], message: str) -> None:
    jaxpot.save(tmp_path, jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4})
    edit(tmp_path)
    with pytest.raises(jaxpot.FileFormatError, match=message):
        jaxpot.load(tmp_path)


def test_tensors_that_are_not_those_of_the_json_are_refused(tmp_path: Path) -> None:
    for name, sigma in (("a", 3.4), ("b", 3.5)):
        jaxpot.save(tmp_path / name, jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": sigma})
    shutil.copy(tmp_path / "a" / "params.safetensors", tmp_path / "b" / "params.safetensors")
    with pytest.raises(jaxpot.FileFormatError, match="does not belong to potential"):
        jaxpot.load(tmp_path / "b")


def test_nan_is_neither_saved_nor_loaded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sigma holds NaN"):
        jaxpot.save(tmp_path, jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": np.nan})
    jaxpot.save(tmp_path, jaxpot.lennard_jones(cutoff=8.5), {"epsilon": np.float64(0.0104), "sigma": np.float64(3.4)})
    data = (tmp_path / "params.safetensors").read_bytes()
    broken = data.replace(np.float64(3.4).tobytes(), np.float64(np.nan).tobytes())
    assert broken != data
    (tmp_path / "params.safetensors").write_bytes(broken)
    text = (tmp_path / "potential.json").read_text()
    digests = [hashlib.sha256(d).hexdigest() for d in (data, broken)]
    (tmp_path / "potential.json").write_text(text.replace(*digests))
    with pytest.raises(jaxpot.FileFormatError, match="holds NaN"):
        jaxpot.load(tmp_path)


def test_a_folder_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    lj, params = jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4}
    stacked = jax.tree.map(lambda x: np.array([x, x]), params)
    jaxpot.save(tmp_path / "one", lj, params)
    with pytest.raises(jaxpot.FileFormatError, match="holds a potential of another kind"):
        jaxpot.save(tmp_path / "one", jaxpot.committee(lj), stacked)
    jaxpot.save(tmp_path / "several", jaxpot.committee(lj), stacked)
    with pytest.raises(jaxpot.FileFormatError, match="holds a potential of another kind"):
        jaxpot.save(tmp_path / "several", lj, params)
    shutil.copytree(tmp_path / "one", tmp_path / "several", dirs_exist_ok=True)
    with pytest.raises(jaxpot.FileFormatError, match="potentials of several kinds"):
        jaxpot.load(tmp_path / "several")
    assert jaxpot.load(tmp_path / "several", style="safetensors")[0].name == "lennard_jones"


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    formula = jaxpot.pair_potential(lambda p, r: p["a"] * r, cutoff=3.0)
    with pytest.raises(ValueError, match="made of functions"):
        jaxpot.save(tmp_path / "a", formula, {"a": 1.0})
    with pytest.raises(ValueError, match="made of functions"):
        jaxpot.save(tmp_path / "a", jaxpot.scale(formula, 2.0), {"a": 1.0})
    with pytest.raises(ValueError, match="made of functions"):
        pickle.dumps(formula)
    lennard_jones = jaxpot.lennard_jones(cutoff=8.5)
    with pytest.raises(ValueError, match="only arrays in dicts"):
        jaxpot.save(tmp_path / "a", lennard_jones, {"epsilon": "0.01", "sigma": 3.4})
    with pytest.raises(ValueError, match="can only be saved with style='safetensors'"):
        jaxpot.save(tmp_path / "a", lennard_jones, {"epsilon": 0.01, "sigma": 3.4}, style="setfl")
