"""Training of ensembles in one compiled step, and over several devices."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest

from jaxpot.fit import TrainSettings, train
from tests.conftest import REPOSITORY
from tests.fit.gradient_examples import wang_frenkel

SETTINGS = TrainSettings(
    epochs=4, batch_size=4, learning_rate=3e-3, precision="float64", max_shapes=1, clip=0.05, ema=0.9
)
STARTS = {"epsilon": np.array([0.0120, 0.0110, 0.0100]), "sigma": np.array([3.35, 3.38, 3.45])}


def test_members_train_as_they_would_alone() -> None:
    # clipping is by member; the fixed leaf is shared where all members have the same
    potential, _, frames = wang_frenkel()
    together = train(potential, STARTS, frames, SETTINGS, validation=0.25, members=3)
    assert together.history["train_loss"].shape == (4, 3)
    for m in range(3):
        start = {name: values[m] for name, values in STARTS.items()}
        alone = train(potential, start, frames, SETTINGS, validation=0.25)
        for name, value in alone.params.items():
            assert float(together.params[name][m]) == pytest.approx(float(value), rel=1e-9)
        np.testing.assert_allclose(
            together.history["validation_loss"][:, m], alone.history["validation_loss"], rtol=1e-7
        )
        assert together.best_epoch[m] == alone.best_epoch[0]


def test_resamples_set_members_apart() -> None:
    potential, _, frames = wang_frenkel()
    same = {name: np.full(3, values[0]) for name, values in STARTS.items()}
    plain = train(potential, same, frames, SETTINGS, members=3).params["sigma"]
    drawn = train(potential, same, frames, dataclasses.replace(SETTINGS, bootstrap=True), members=3).params["sigma"]
    assert np.ptp(plain) == 0.0
    assert len(set(np.asarray(drawn).tolist())) == 3
    fixed = {**same, "epsilon": STARTS["epsilon"]}
    kept = train(potential, fixed, frames, SETTINGS, members=3, trainable=lambda name: "sigma" in name).params
    assert np.array_equal(kept["epsilon"], fixed["epsilon"])
    with pytest.raises(ValueError, match="leading axis"):
        train(potential, {"epsilon": 0.01, "sigma": np.ones(3)}, frames, SETTINGS, members=3)


SCRIPT = """
import dataclasses, json, sys
import jax
jax.config.update("jax_enable_x64", True)
from jaxpot.fit import train
from tests.fit.gradient_examples import wang_frenkel
from tests.fit.test_gradient_ensembles import SETTINGS, STARTS
assert len(jax.devices()) == 4
potential, _, frames = wang_frenkel()
found = []
for devices in (None, 4):
    settings = dataclasses.replace(SETTINGS, devices=devices)
    result = train(potential, STARTS, frames[:7], settings, members=3, validation=frames[7:])
    found.append({name: leaf.tolist() for name, leaf in result.params.items()})
    found[-1]["loss"] = result.history["validation_loss"].tolist()
print(json.dumps(found))
"""


@pytest.mark.slow
def test_four_devices_equal_one() -> None:
    environment: dict[str, Any] = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(REPOSITORY),
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, run.stderr[-2000:]
    import json

    one, four = json.loads(run.stdout)
    for name, values in one.items():
        np.testing.assert_allclose(four[name], values, rtol=1e-9)
    assert not np.allclose(one["sigma"], STARTS["sigma"], rtol=1e-4)  # something was trained
