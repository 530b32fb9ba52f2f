"""jaxpot's own directories: every potential of the contract suite comes back as it was; mistakes are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxpot
from jaxpot.io.native import FACTORIES
from tests.contract.registry import EXAMPLES, Example

STORED = [example for example in EXAMPLES if example.build()[0].recipe is not None]


@pytest.mark.parametrize("example", STORED, ids=lambda example: example.name)
def test_a_potential_comes_back(example: Example, tmp_path: Path) -> None:
    potential, params = example.build()
    jaxpot.save(tmp_path / "saved", potential, params, "safetensors")
    again, others = jaxpot.load(tmp_path / "saved")
    assert repr(again) == repr(potential)
    assert jax.tree.structure(others) == jax.tree.structure(params)
    for one, other in zip(jax.tree.leaves(params), jax.tree.leaves(others), strict=True):
        assert np.shape(one) == other.shape  # assert_array_equal takes a number for a vector of one
        np.testing.assert_array_equal(np.asarray(one, other.dtype), other)
    jaxpot.save(tmp_path / "twice", again, others, "safetensors")
    for name in ("potential.json", "params.safetensors"):
        assert (tmp_path / "twice" / name).read_bytes() == (tmp_path / "saved" / name).read_bytes()


def test_every_factory_can_be_stored() -> None:
    assert {example.build()[0].recipe.factory for example in STORED} >= set(FACTORIES) - {"committee"}


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
        (in_json(lambda found: found.update(format="jaxpot potential, version 2")), "use the version that saved it"),
        (in_json(lambda found: found["potential"].update(factory="os.system")), "unknown factory 'os.system'"),
        (in_json(lambda found: found["potential"]["arguments"].update(cutof=3.0)), "unexpected keyword"),
        (in_json(lambda found: found["potential"]["arguments"].update(cutoff=-3.0)), "positive"),
        (in_json(lambda found: found.pop("params")), "does not describe a potential"),
        (in_json(lambda found: found["params"]["mapping"][0][1].update(array="x")), "does not describe a potential"),
        (lambda folder: (folder / "params.safetensors").write_bytes(b"12345678"), "params.safetensors: cannot be read"),
        (lambda folder: (folder / "params.safetensors").unlink(), "params.safetensors: cannot be read"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, edit: Callable[[Path], None], message: str) -> None:
    jaxpot.save(tmp_path, jaxpot.lennard_jones(cutoff=8.5), {"epsilon": 0.0104, "sigma": 3.4})
    edit(tmp_path)
    with pytest.raises(jaxpot.FileFormatError, match=message):
        jaxpot.load(tmp_path)


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    formula = jaxpot.pair_potential(lambda p, r: p["a"] * r, cutoff=3.0)
    with pytest.raises(ValueError, match="what a factory made"):
        jaxpot.save(tmp_path / "a", formula, {"a": 1.0})
    lennard_jones = jaxpot.lennard_jones(cutoff=8.5)
    with pytest.raises(ValueError, match="only arrays in dicts"):
        jaxpot.save(tmp_path / "a", lennard_jones, {"epsilon": "0.01", "sigma": 3.4})
    with pytest.raises(ValueError, match="what a factory made"):
        jaxpot.save(tmp_path / "a", lennard_jones + lennard_jones, ({}, {}))
    with pytest.raises(ValueError, match="what a factory made"):
        jaxpot.save(tmp_path / "a", jaxpot.scale(lennard_jones, 2.0), {})
    with pytest.raises(ValueError, match="can only be saved with style='safetensors'"):
        jaxpot.save(tmp_path / "a", lennard_jones, {"epsilon": 0.01, "sigma": 3.4}, style="setfl")
