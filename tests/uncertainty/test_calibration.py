"""Reliability, sharpness and rescaling, on errors whose distribution is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jaxpot.plot import plot_learning_curve, plot_parity, plot_reliability, plot_spread
from jaxpot.uncertainty import miscalibration_area, reliability, rescaling, sharpness


def heteroscedastic(seed: int, number: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    """Errors, and the standard deviations that they were drawn with."""
    random = np.random.default_rng(seed)
    truth = np.exp(random.normal(-3.0, 0.7, number))
    return truth * random.normal(size=number), truth


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "calibrated"), (0.4, "overconfident"), (3.0, "underconfident")])
def test_area_of_normal_errors(factor: float, verdict: str) -> None:
    from scipy.special import erf, erfinv

    errors, truth = heteroscedastic(0)
    found = reliability(errors, factor * truth)
    # with spreads wrong by a factor f, the interval of level p holds erf(f erfinv(p))
    levels = found.expected[1:-1]
    np.testing.assert_allclose(found.observed[1:-1], erf(factor * erfinv(levels)), atol=0.015)
    assert found.verdict == verdict
    expected = np.trapezoid(np.abs(erf(factor * erfinv(levels)) - levels), levels)
    assert found.area == pytest.approx(expected, abs=0.01)


def test_extremes() -> None:
    errors = np.random.default_rng(1).normal(size=500)
    assert miscalibration_area(errors, np.zeros(500)) == pytest.approx(0.5, abs=0.01)  # certain, and always wrong
    assert miscalibration_area(errors, np.full(500, 1e9)) == pytest.approx(0.5, abs=0.01)
    assert reliability(np.zeros(3), np.zeros(3)).observed.tolist() == [1.0] * 201  # certain, and right
    assert sharpness([3.0, 4.0]) == pytest.approx(np.sqrt(12.5))


def test_rescaling_makes_held_back_errors_calibrated() -> None:
    # the spread knows the shape of the uncertainty, but is three times too small and lacks a constant part
    random = np.random.default_rng(2)
    known = np.exp(random.normal(-3.0, 0.7, 40000))
    truth = np.sqrt((3.0 * known) ** 2 + 0.05**2)
    errors = truth * random.normal(size=40000)
    found = rescaling(errors[::2], known[::2])
    assert found.factor == pytest.approx(3.0, rel=0.1) and found.floor == pytest.approx(0.05, rel=0.15)
    held_back = errors[1::2], known[1::2]
    assert miscalibration_area(*held_back) > 0.2
    assert miscalibration_area(held_back[0], found(held_back[1])) < 0.01
    assert rescaling(errors, known, floor=False).floor == 0.0


def test_rescaling_stands_long_tails() -> None:
    random = np.random.default_rng(3)
    truth = np.exp(random.normal(-3.0, 0.7, 20000))
    errors = truth * random.standard_t(3, size=20000)
    found = rescaling(errors[::2], 0.3 * truth[::2])
    assert miscalibration_area(errors[1::2], found(0.3 * truth[1::2])) < 0.05


def test_numbers_without_sense_are_refused() -> None:
    for errors, spreads, said in (
        ([1.0, 2.0], [1.0], "as many"),
        ([], [], "at least one"),
        ([np.nan], [1.0], "finite"),
        ([1.0], [-1.0], "not negative"),
    ):
        with pytest.raises(ValueError, match=said):
            reliability(errors, spreads)
    with pytest.raises(ValueError, match="nothing to scale"):
        rescaling([1.0, 2.0], [0.0, 0.0])


def test_pictures(tmp_path: Path) -> None:
    errors, truth = heteroscedastic(0, 500)
    curves = {"before": reliability(errors, 0.4 * truth), "after": reliability(errors, truth)}
    groups = np.where(np.arange(len(truth)) % 2, "crystal", "melt")
    name = "force (eV/Å)"
    drawn = {
        "reliability": plot_reliability(curves),
        "spread": plot_spread(errors, truth),
        "parity": plot_parity({name: truth}, {name: truth + errors}, {name: groups}),
    }
    assert drawn["parity"].axes[0].get_title().endswith(" eV/Å")
    for members in (1, 3):
        shape = (20,) if members == 1 else (20, members)
        epochs = np.broadcast_to(np.arange(1.0, 21.0).reshape(-1, *[1] * (len(shape) - 1)), shape)
        history = {
            f"{part}_{kind}_rmse": 1.0 / epochs for part in ("train", "validation") for kind in ("energy", "forces")
        }
        drawn[f"learning_{members}"] = plot_learning_curve({"epoch": epochs, **history})
    for kind, figure in drawn.items():
        figure.savefig(tmp_path / f"{kind}.png")
    for path in tmp_path.glob("*.png"):
        assert path.stat().st_size > 5000
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_pictures_are_drawn_into_given_axes() -> None:
    import matplotlib.pyplot as plt

    errors, truth = heteroscedastic(0, 100)
    figure, axes = plt.subplots(2, 2)
    name = "force (eV/Å)"
    assert plot_reliability({"raw": reliability(errors, truth)}, ax=axes[0, 0]) is figure
    assert plot_spread(errors, truth, ax=axes[0, 1]) is figure
    two = {name: truth, "energy (eV)": truth}
    assert plot_parity(two, two, {key: ["crystal"] * 100 for key in two}, ax=axes[1]) is figure
    assert len(figure.axes) == 4
    assert all(axis.get_xlabel() and axis.has_data() for axis in figure.axes)
    with pytest.raises(ValueError, match=r"2 panel\(s\), and ax= has 4 axes; give plt.subplots\(1, 2\)"):
        plot_parity(two, two, ax=axes)
    plt.close(figure)
