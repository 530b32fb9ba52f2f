"""Ensembles on disk: each member in its own format in one folder or file, and a list of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxpot.evaluation import Params
from jaxpot.io.errors import FileFormatError
from jaxpot.io.folders import write_together
from jaxpot.potential import Potential
from jaxpot.potentials.committee import Committee, committee

__all__ = ["LIST", "has_ensemble", "load_ensemble", "save_ensemble"]

LIST = "ensemble.json"


def has_ensemble(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds an ensemble.

    Args:
        path: the folder.
    """
    return (Path(path) / LIST).is_file()


def load_ensemble(
    load: Callable[..., tuple[Potential, Params]],
    paths: Sequence[str | os.PathLike[str]],
    elements: Sequence[str] | None,
    style: str | None,
    cutoff: float | None,
) -> tuple[Potential, Params]:
    """Loads the members in a folder as a committee, and stacks their params.

    Args:
        load: :func:`jaxpot.load`, for the members.
        paths: one folder.
        elements: as in :func:`jaxpot.load`, for each member.
        style: style of the ensemble itself, always None.
        cutoff: as in :func:`jaxpot.load`.

    Raises:
        FileFormatError: the list is faulty, a member is missing, or members are of different kinds.
    """
    folder = Path(paths[0])
    where = folder / LIST
    try:
        members = json.loads(where.read_text())["members"]
        names_only = isinstance(members, list) and all(isinstance(name, str) for name in members)
        if len(paths) != 1 or not members or not names_only:
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise FileFormatError(
            where, None, 'is no list of members such as {"members": ["member_0", ...]}', "repair it"
        ) from error
    loaded = [load(folder / name, elements=elements, cutoff=cutoff) for name in members]
    trees = [jax.tree.structure(params) for _, params in loaded]
    shapes = [[jnp.shape(leaf) for leaf in jax.tree.leaves(params)] for _, params in loaded]
    for name, (potential, _), tree, shape in zip(members, loaded, trees, shapes, strict=True):
        if (potential.name, tree, shape) != (loaded[0][0].name, trees[0], shapes[0]):
            raise FileFormatError(where, None, f"{name} is of another kind or size than {members[0]}", "leave it out")
    stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(x) for x in leaves]), *[p for _, p in loaded])
    return committee(loaded[0][0]), stacked


def save_ensemble(
    save: Callable[..., None], path: str | os.PathLike[str], potential: Potential, params: Params, style: str | None
) -> None:
    """Writes each member of an ensemble to its own folder, or to a file where its format is a single file.

    Args:
        save: :func:`jaxpot.save`, for the members.
        path: the folder, created if it does not exist.
        potential: a :func:`jaxpot.committee`.
        params: the stacked params of the members.
        style: style of the members' files.

    Raises:
        FileFormatError: the folder cannot be written to.
    """
    assert isinstance(potential, Committee)
    folder = Path(path)
    count = jax.tree.leaves(params)[0].shape[0]
    names = [f"member_{m}" for m in range(count)]
    parts = [folder / f".{name}.part" for name in names]
    try:
        for m, part in enumerate(parts):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            save(part / "member", potential.member, jax.tree.map(lambda leaf, m=m: leaf[m], params), style)
        # from here on the folder holds no ensemble until all members are in their places
        with contextlib.suppress(FileNotFoundError):
            (folder / LIST).unlink()
        for name, part in zip(names, parts, strict=True):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            inside = part / "member"  # one folder or file "member", or several files whose names begin with it
            os.replace(inside if inside.exists() else part, folder / name)
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        message = f"cannot be written: {error.strerror}"
        raise FileFormatError(path, None, message, "check the folder, its permissions and the disk") from error
    finally:
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)
    write_together(folder, {LIST: json.dumps({"members": names}, indent=1) + "\n"}, LIST)
