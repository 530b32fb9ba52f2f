"""The tables of docs/performance.md from the kept figures: ``python -m benchmarks report``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, Row, load
from benchmarks.dynamics import bytes_per_atom, exponent

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
NAMES = {
    "lj": "Lennard-Jones",
    "eam_cu": "EAM/alloy Cu",
    "eam_fe": "EAM/FS Fe",
    "sw": "Stillinger-Weber Si",
    "tersoff": "Tersoff Si",
    "edip": "EDIP Si",
    "vashishta": "Vashishta SiC",
}


def main() -> None:
    """Replace what stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` for all results there are."""
    text = PAGE.read_text()
    for name, make in PARTS.items():
        file = name.split(".")[0]
        if (RESULTS / f"{file}.json").exists():
            before, rest = text.split(f"<!-- begin {name} -->", 1)
            _, after = rest.split(f"<!-- end {name} -->", 1)
            text = f"{before}<!-- begin {name} -->\n{make(load(file))}\n<!-- end {name} -->{after}"
    PAGE.write_text(text)


def machine_of(results: dict[str, Any]) -> str:
    """One sentence on what the figures were taken on."""
    m = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    where = f"{m['processor']}, {m['cores']} cores, {m['memory_GiB']} GiB, {m['system']}, Python {m['python']}"
    return f"`{results['command']}`, {m['date']}, on {where}; {versions}."


def steps(results: dict[str, Any]) -> str:
    """Time of a step of all programs, and how many times ours it is."""
    rows: list[Row] = results["rows"]
    lines = [
        "| work | atoms | program | ms a step | times jaxpot's | atom-steps/s | first call, s | peak MiB |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        head = f"| {NAMES.get(r['work'], r['work'])} | {r['atoms']} | {r['engine']} |"
        if "error" in r:
            lines.append(f"{head} {r['error']} | | | | |")
            continue
        ratio = f"{r['ratio']:.2f}" if "ratio" in r else ""
        lines.append(
            f"{head} {r['min_s'] * 1e3:.3g} | {ratio} | {r['atom_steps_per_s']:.2g} | {r['first_s']:.1f} | "
            f"{r['peak_MiB']:.0f} |"
        )
    return "\n".join([machine_of(results), "", *lines])


def targets(results: dict[str, Any]) -> str:
    """How many times jaxpot is faster than what it is measured against."""
    rows: list[Row] = results["rows"]
    wanted = (
        ("lj", 32000, "lammps-omp2", 1.0),
        ("lj", 32000, "jax-md", 6.0),
        ("lj", 864, "jax-md", 2.0),
        ("eam_cu", 32000, "lammps-mpi2", 1.0),
        ("eam_fe", 16000, "lammps-mpi2", 1.0),
    )
    lines = ["| work | atoms | beside | wanted | measured |", "|---|---:|---|---:|---:|"]
    for work, atoms, engine, least in wanted:
        found = [r for r in rows if r["work"] == work and r["engine"] == engine and 0.9 < r["atoms"] / atoms < 1.1]
        measured = f"{found[0]['ratio']:.2f}" if found and "ratio" in found[0] else "none"
        lines.append(f"| {NAMES[work]} | {atoms} | {engine} | {least:g} | {measured} |")
    return "\n".join(lines)


def plain(results: dict[str, Any]) -> str:
    """Times in turn."""
    rows: Sequence[Row] = results["rows"]
    lines = ["| work | atoms | program | ms (min) | ms (median) | times the first's |", "|---|---:|---|---:|---:|---:|"]
    for r in rows:
        head = f"| {r['work']} | {r['atoms']} | {r['engine']} |"
        if "error" in r:
            lines.append(f"{head} {r['error']} | | |")
            continue
        ratio = f"{r['ratio']:.2f}" if "ratio" in r else ""
        lines.append(f"{head} {r['min_s'] * 1e3:.3g} | {r['median_s'] * 1e3:.3g} | {ratio} |")
    return "\n".join([machine_of(results), "", *lines])


def gradients(results: dict[str, Any]) -> str:
    """Times, and memory against the number of steps."""
    memory: list[Row] = results["memory"]
    counts = sorted({r["steps"] for r in memory})
    lines = ["", f"| temporaries, MiB | {' | '.join(f'{s} steps' for s in counts)} |", "|---|" + "---:|" * len(counts)]
    for engine in dict.fromkeys(r["engine"] for r in memory):
        found = {r["steps"]: r["temporary_MiB"] for r in memory if r["engine"] == engine}
        lines.append(f"| {engine} | {' | '.join(f'{found[s]:.3g}' for s in counts)} |")
    return "\n".join([plain(results), *lines])


def growth(results: dict[str, Any]) -> str:
    """Atom-steps a second, the exponent of growth, and memory."""
    rows: list[Row] = results["rows"]
    engines = list(dict.fromkeys(r["engine"] for r in rows))
    sizes = sorted({r["atoms"] for r in rows if "min_s" in r})
    lines = [f"| atom-steps/s at atoms | {' | '.join(f'{s}' for s in sizes)} |", "|---|" + "---:|" * len(sizes)]
    for engine in engines:
        found = {r["atoms"]: r["atom_steps_per_s"] for r in rows if r["engine"] == engine and "min_s" in r}
        lines.append(f"| {engine} | {' | '.join(f'{found[s]:.2g}' if s in found else '' for s in sizes)} |")
    more = []
    for engine in engines:
        power, size = exponent(rows, engine), bytes_per_atom(rows, engine)
        said = [f"exponent {power:.2f} from 4,000 atoms on"] if power is not None else []
        said += [f"{size / 1000:.2f} kB for each further atom"] if size is not None else []
        if said:
            more.append(f"- {engine}: {', '.join(said)}")
    picture(rows, engines)
    return "\n".join([machine_of(results), "", *lines, "", *more, "", "![Atom-steps a second](growth.png)"])


def picture(rows: Sequence[Row], engines: Sequence[str]) -> None:
    """docs/growth.png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for engine in engines:
        points = [(r["atoms"], r["atom_steps_per_s"]) for r in rows if r["engine"] == engine and "min_s" in r]
        if points:
            axes.loglog(*zip(*points, strict=True), "o-", label=engine)
    axes.set(xlabel="atoms", ylabel="atom-steps per second", title="Lennard-Jones melt, NVE, rebuilds included")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(PAGE.parent / "growth.png", dpi=120)
    plt.close(figure)


PARTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "md.targets": targets,
    "md": steps,
    "md_gpu": steps,
    "angles": steps,
    "lists": plain,
    "gradient": gradients,
    "first_call": plain,
    "growth": growth,
}
