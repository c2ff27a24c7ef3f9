"""Image files: one, a folder of them with or without class folders, or those that a glob finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from mlflow_interp.data.images import SUFFIXES, ImageFile, find_images
from mlflow_interp.exceptions import InputsError

T = TypeVar("T")


@dataclass(frozen=True)
class ImageFiles:
    """Image files; `folders` are their class folders, and also their `labels` by default.

    `paths` may hold the contents of files instead. `classes` are all class folders, including those without
    images. If some images lie outside the class folders and are left out, `every` has all images of the
    folder, and `warnings` says so.
    """

    uri: str
    paths: Sequence[ImageFile]
    names: Sequence[str]
    labels: Any = None
    folders: Sequence[str] | None = None
    classes: Sequence[str] = ()
    every: ImageFiles | None = None
    warnings: Sequence[str] = ()


def read_folder(folder: Path, uri: str) -> ImageFiles:
    """The images below a folder; class folders are their labels.

    Raises:
        InputsError: there are no images.
    """
    relative = [path.relative_to(folder) for path in find_images(folder)]
    names = [path.as_posix() for path in relative]
    every = check_images(ImageFiles(uri, [folder / path for path in relative], names))
    inside = [path for path in relative if len(path.parts) > 1]
    beside = [path.as_posix() for path in relative if len(path.parts) == 1]
    if not has_class_folders(len({path.parts[0] for path in inside}), len(inside), len(beside)):
        return replace(every, warnings=_not_class_folders(uri, inside, beside))
    folders = [path.parts[0] for path in inside]
    return ImageFiles(
        uri,
        [folder / path for path in inside],
        [path.as_posix() for path in inside],
        labels=folders,
        folders=folders,
        classes=sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."),
        every=every if beside else None,
        warnings=[_left_out(beside)] if beside else [],
    )


def has_class_folders(folders: int, inside: int, beside: int) -> bool:
    """Whether subfolders are classes: at least two, with hardly any image outside, which Keras skips too.

    Args:
        folders: the number of subfolders with images.
        inside: the number of images in them.
        beside: the number of images outside.
    """
    return folders >= 2 and 2 * beside <= inside


def _left_out(names: Sequence[str]) -> str:
    named = listed(names)
    return f"images outside the class folders are left out: {named}; move each into the folder of its class"


def _not_class_folders(uri: str, inside: Sequence[Path], beside: Sequence[str]) -> list[str]:
    """A warning if subfolders might be meant as classes but are not used as such."""
    count = len({path.parts[0] for path in inside})
    if count < 2:
        return []
    return [
        f"{uri!r} has {len(beside)} images next to {count} subfolders, so the subfolders are not used as "
        "classes and there are no labels; pass labels=, or move each image into the folder of its class"
    ]


def named_like(name: str, named: Mapping[str, T]) -> T | None:
    """What is named like an image: by its path in its folder, else by its file name, without suffixes."""
    path = PurePosixPath(name)
    return named.get(str(path.with_suffix("")), named.get(path.stem))


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def check_images(images: ImageFiles) -> ImageFiles:
    """The same images.

    Raises:
        InputsError: there are no images.
    """
    if not images.paths:
        raise InputsError(f"no images in {images.uri!r}; give files that end in {', '.join(SUFFIXES)}")
    return images
