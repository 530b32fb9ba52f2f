"""Published sets by name."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import jaxpot
from jaxpot.properties import Crystal
from jaxpot.units import BOLTZMANN

RECORDS = jaxpot.available()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_every_set_is_cited_and_builds(record: jaxpot.PublishedSet) -> None:
    family, _, elements = record.name.partition(":")
    year = family.rpartition("_")[2]
    assert f"({year})" in record.reference
    assert record.reference in str(record)
    assert elements in ("", *record.elements)
    potential, params = jaxpot.published(record.name)
    assert potential.elements == record.elements
    assert potential.cutoff > 0
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(params))


def test_the_list_prints_one_set_a_line() -> None:
    lines = str(RECORDS).splitlines()
    assert len(lines) == len(RECORDS) > 20
    assert lines == [str(record) for record in RECORDS]
    assert "doi:10.1080/01418618408244210" in str(RECORDS)
    assert [record.name for record in jaxpot.available("Cr")] == ["finnis_sinclair_1984:Cr"]
    assert jaxpot.available("Og") == []


@pytest.mark.parametrize(
    ("name", "temperature", "sigma"),
    [("rahman_1964:Ar", 120.0, 3.4), ("rowley_1975:Ar", 119.8, 3.405), ("white_1999:Ar", 125.7, 3.345)],
)
def test_argon(name: str, temperature: float, sigma: float) -> None:
    potential, params = jaxpot.published(name)
    assert potential.cutoff == 3 * sigma
    np.testing.assert_allclose((params["epsilon"] / BOLTZMANN, params["sigma"]), (temperature, sigma), rtol=1e-12)


def test_a_lennard_jones_crystal() -> None:
    # With the lattice sums A12 = 12.13188 and A6 = 14.45392 of fcc, neighbours are (2 A12 / A6)^(1/6) sigma apart, and
    # the energy is -A6^2 / (2 A12) epsilon (N. W. Ashcroft and N. D. Mermin, Solid State Physics, ch. 20).
    potential, params = jaxpot.published("rahman_1964:Ar", cutoff=10 * 3.4, mode="truncated")
    expected = (2 * 12.13188 / 14.45392) ** (1 / 6) * 3.4 * 2**0.5
    a, energy, _ = Crystal(potential, "fcc", 5.1).relaxed(params, expected)
    np.testing.assert_allclose(a, expected, rtol=5e-4)
    np.testing.assert_allclose(energy / params["epsilon"], -(14.45392**2) / (2 * 12.13188), rtol=2e-3)


def test_options_of_a_set() -> None:
    potential, _ = jaxpot.published("rahman_1964:Ar", cutoff=7.65, mode="truncated")
    assert potential.cutoff == 7.65
    assert "cutoff" in jaxpot.available("Ar")[0].options
    with pytest.raises(ValueError, match=r"takes the options cutoff, mode, switch_from; got 'cutof'"):
        jaxpot.published("rahman_1964:Ar", cutof=7.65)
    with pytest.raises(ValueError, match=r"finnis_sinclair_1984:Fe takes no options; got 'cutoff'"):
        jaxpot.published("finnis_sinclair_1984:Fe", cutoff=3.0)


def test_alloys_take_any_selection_in_any_order() -> None:
    for symbols in (("Au", "Cu"), ("Cu", "Au"), ("Pt",)):
        potential, params = jaxpot.published("rafii_tabar_sutton_1991:" + "-".join(symbols))
        assert potential.elements == symbols
        pure = [jaxpot.published(f"sutton_chen_1990:{symbol}")[1] for symbol in symbols]
        np.testing.assert_allclose(np.diagonal(params["a"]), [one["a"] for one in pure], rtol=1e-6)
        np.testing.assert_allclose(params["c"], [one["c"] for one in pure], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("finnis_sinclair_1984:fe", "no published set is called.*close ones are.*finnis_sinclair_1984:Fe"),
        ("finis_sinclar_1984:Fe", "close ones are finnis_sinclair_1984:Fe"),
        ("finnis_sinclair_1984", "close ones are finnis_sinclair_1984:Cr"),
        ("sutton_chen_1990:Cu-Au", "close ones are sutton_chen_1990:Ag"),
        ("", r"no published set is called ''; jaxpot\.available\(\) lists them all"),
        ("rafii_tabar_sutton_1991:Cu-Fe", "has parameters for Ni, Cu, .*; got Cu, Fe"),
        ("rafii_tabar_sutton_1991:Cu-Cu", "got Cu, Cu, one of them twice"),
        ("rafii_tabar_sutton_1991:", "got no element"),
    ],
)
def test_unknown_names_say_what_was_meant(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jaxpot.published(name)


def test_make_refuses_a_part_of_a_set() -> None:
    record = jaxpot.available("Fe")[0]
    with pytest.raises(ValueError, match="has parameters for Fe; got Cr"):
        record.make(("Cr",))
