"""Unusual and invalid arrays, labels and class files on the command line: read correctly or rejected."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

PIXELS = np.float32([[200, 40, 90], [10, 20, 30], [90, 80, 70]]) / 255
EXPECTED = np.rint(PIXELS * 255).astype(int).tolist()


def rows(dtype: Any = np.float32) -> np.ndarray:
    """Three inputs of one colour each."""
    return (PIXELS[:, None, None, :] * np.ones((1, 8, 8, 1), np.float32)).astype(dtype)


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def header(shape: str, descr: str = "'<f4'", content: bytes = bytes(64)) -> bytes:
    """An .npy file whose header need not match its content."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-len(text) - 11 % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def put(place: tuple[int, ...], value: float) -> np.ndarray:
    array = rows()
    array[place] = value
    return array


#: By file name: valid content, and options; the model must receive the three colours.
ODD: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "half.npy": (npy(rows(np.float16)), ()),
    "double.npy": (npy(rows(np.float64)), ()),
    "big-endian.npy": (npy(rows(">f4")), ()),
    "fortran.npy": (npy(np.asfortranarray(rows())), ()),
    "bytes.npz": (npz(inputs=np.rint(rows() * 255).astype(np.uint8)), ()),
    "LOUD.NPZ": (npz(x=rows()), ()),
    "up.npz": (archive(**{"../../evil.npy": npy(rows()), "inputs.npy": npy(rows())}), ()),
    "alone.npz": (npz(inputs=rows(), labels=np.array(5)[None].repeat(3)), ()),
    "html.npz": (npz(inputs=rows(), **{"<script>": rows()}), ()),
    "beyond.npy": (npy(rows()), ("--max-inputs", "2000000000")),
}

#: By file name: invalid content, and what the error must contain besides the name.
BAD: dict[str, tuple[bytes, str]] = {
    "empty.npy": (b"", "can't be read"),
    "empty.npz": (b"", "can't be read"),
    "magic.npy": (b"\x93NUMPY", "can't be read"),
    "text.npy": (b"1,2,3\n", "can't be read"),
    "text.npz": (b"1,2,3\n", "can't be read"),
    "truncated.npy": (npy(rows())[:300], "can't be read"),
    "truncated.npz": (npz(inputs=rows())[:200], "can't be read"),
    "objects.npy": (npy(np.array([{"a": 1}, None], object), allow_pickle=True), "can't be read"),
    "objects.npz": (npz(inputs=np.array([{"a": 1}, None], object)), "can't be read"),
    "pickle.npy": (b"\x80\x04cos\nsystem\n(S'touch ran'\ntR.", "can't be read"),
    "pickle.npz": (b"\x80\x04cos\nsystem\n(S'touch ran'\ntR.", "can't be read"),
    "huge.npy": (header("(1000000000000, 8, 8, 3)"), "can't be read"),
    "huge.npz": (archive(**{"inputs.npy": header("(1000000000000, 8, 8, 3)")}), "can't be read"),
    "overflow.npy": (header("(4611686018427387904, 4611686018427387904)"), "can't be read"),
    "negative.npy": (header("(-3, 8, 8, 3)"), "can't be read"),
    "code.npy": (header("__import__('os').system('touch ran')"), "can't be read"),
    "long-header.npy": (
        b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 100,
        "can't be read",
    ),
    "deep-header.npy": (header("(" * 5000), "can't be read"),
    "dtype.npy": (header("(3, 8, 8, 3)", "'|O'"), "can't be read"),
    "no-dtype.npy": (header("(3, 8, 8, 3)", "'<q99'"), "can't be read"),
    "crc.npz": (npz(inputs=rows()).replace(b"inputs", b"inputz", 1), ""),
    "bomb.npz": (archive(**{"inputs.npy": header("(2500000000,)", "'|u1'", bytes(50_000_000))}), ""),
    "nothing.npz": (archive(), "contains no arrays; save arrays with numpy.savez"),
    "others.npz": (npz(foo=rows(), bar=rows()), "none is known as an input; name the input 'inputs'"),
    "strings.npy": (npy(np.array([["a", "b"]])), "give numbers"),
    "dates.npy": (npy(np.array([["2024-01-01"]], "M8[D]")), "give numbers"),
    "complex.npy": (npy(rows().astype(complex)), "give numbers"),
    "records.npy": (npy(np.zeros((3, 2), [("a", "f4")])), "give numbers"),
    "scalar.npy": (npy(np.float32(1)), "give an axis of inputs and one or more axes"),
    "flat.npy": (npy(rows().reshape(-1)), "give an axis of inputs and one or more axes"),
    "no-rows.npy": (npy(rows()[:0]), "are empty"),
    "no-width.npy": (npy(rows()[:, :, :0]), "shape (8, 0, 3)"),
    "one.npy": (npy(rows()[0]), "takes (8, 8, 3)"),
    "five-axes.npy": (npy(rows()[None]), "takes (8, 8, 3)"),
    "size.npy": (npy(np.zeros((3, 9, 8, 3))), "shape (9, 8, 3)"),
    "channels.npy": (npy(np.zeros((3, 8, 8, 4))), "shape (8, 8, 4)"),
    "nan.npy": (npy(put((1, 2, 3, 0), np.nan)), "input '#1' contains NaN"),
    "inf.npy": (npy(put((2, 0, 0, 0), np.inf)), "input '#2' contains NaN or infinite"),
    "minus-inf.npy": (npy(put((0, 0, 0, 0), -np.inf)), "input '#0' contains NaN or infinite"),
    "overflows.npy": (npy(rows(np.float64) * 1e300), "input '#0' contains NaN or infinite"),
    "differ.npz": (npz(inputs=rows(), labels=[0, 1]), "there are 2 labels for 3 inputs"),
    "scalar-label.npz": (npz(inputs=rows(), labels=np.array(1)), "labels"),
    "object-label.npz": (npz(inputs=rows(), labels=np.array([{}, 1, 2], object)), "can't be read"),
}


@pytest.mark.parametrize("name", ODD)
def test_unusual_arrays_are_read_correctly(
    name: str, read_pixels: Callable[..., Any], tmp_path: Path
) -> None:
    content, options = ODD[name]
    (tmp_path / name).write_bytes(content)
    pixels, _ = read_pixels(tmp_path / name, *_as_fed(name), *options)
    assert list(pixels.values()) == [pytest.approx(each, abs=1) for each in EXPECTED]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def _as_fed(name: str) -> tuple[str, ...]:
    """Floats are model inputs already."""
    return () if name == "bytes.npz" else ("--preprocess", "none")


@pytest.mark.parametrize("name", BAD)
def test_invalid_arrays_are_rejected(
    name: str, run_gradcam: Callable[..., Result], assert_error: Callable[..., str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(BAD[name][0])
    assert_error(run_gradcam(name), BAD[name][1])
    assert [path.name for path in tmp_path.iterdir()] == [name]


# Labels: the value of the option, and the result.

LABELS: dict[str, tuple[str, bytes | None, str]] = {
    "missing": ("no.txt", None, "labels can't be read from 'no.txt'"),
    "blank": (" ", None, "is not a path"),
    "too few": ("l.txt", b"0\n1\n", "there are 2 labels for 3 inputs"),
    "too many": ("l.txt", b"0\n1\n2\n0\n", "there are 4 labels for 3 inputs"),
    "empty": ("l.txt", b"", "there are 0 labels for 3 inputs"),
    "not text": ("l.txt", b"\xff\xfe\x00", "labels can't be read"),
    "enormous": ("l.txt", b"0\n1\n99999999999999999999999\n", "99999999999999999999999"),
    "objects": ("l.npy", npy(np.array([{}, 1, 2], object), allow_pickle=True), "labels can't be read"),
    "damaged": ("l.npy", b"\x93NUMPY\x01", "labels can't be read"),
    "one number": ("l.npy", npy(np.array(3)), "labels"),
    "dates": ("l.npy", npy(np.array(["2024-01-01"] * 3, "M8[D]")), "labels"),
    "complex": ("l.npy", npy(np.array([1j, 2, 3])), "labels"),
    "ragged csv": ("l.csv", b"0,1\n1\n2,3\n", "labels can't be read"),
    "words in csv": ("l.csv", b"0,a\n1,b\n2,c\n", "labels can't be read"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_invalid_labels_are_rejected(
    kind: str,
    command: Callable[..., Result],
    rgb_model: str,
    assert_error: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    name, content, message = LABELS[kind]
    np.save("in.npy", rows())
    if content is not None:
        Path(name).write_bytes(content)
    for method in ("confusion_matrix", "gradcam"):
        assert_error(
            command(method, rgb_model, "in.npy", "--no-log", "--json", "--quiet", "--labels", name),
            message,
        )


def test_labels_that_are_not_classes_are_left_out_with_a_reason(
    command: Callable[..., Result],
    rgb_model: str,
    assert_error: Callable[..., str],
    read_pixels: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Methods that need no labels continue with a warning; a confusion matrix fails with the same reason."""
    np.save(tmp_path / "in.npy", rows())
    np.save(tmp_path / "l.npy", np.zeros((3, 2, 2)))
    arguments = (rgb_model, tmp_path / "in.npy", "--save", tmp_path, "--no-log", "--quiet", "--labels")
    reason = "labels have 2×2 values for each input, so they can't be its class"
    assert_error(command("confusion_matrix", *arguments, tmp_path / "l.npy"), reason)
    done = command("gradcam", *arguments, tmp_path / "l.npy")
    assert done.exit_code == 0, done.output
    assert f"warning: {reason}" in done.output


def test_unknown_class_names_as_labels_give_a_warning(
    read_pixels: Callable[..., Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "in.npy", rows())
    (tmp_path / "l.txt").write_text("red\n=cmd()\n<b>\n")
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    pixels, warned = read_pixels(
        tmp_path / "in.npy", "--preprocess", "none", "--labels", tmp_path / "l.txt",
        "--class-names", tmp_path / "names.txt",
    )  # fmt: skip
    assert len(pixels) == 3
    assert "labels that are not class names count as unknown: <b>, =cmd()" in "".join(warned)


@pytest.mark.parametrize("label", ["3", "-7", "inf", "nan", "0.5"])
def test_labels_out_of_range_are_reported(
    label: str,
    command: Callable[..., Result],
    rgb_model: str,
    read_pixels: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Methods that need no labels continue with a warning; a confusion matrix fails or skips the input."""
    np.save(tmp_path / "in.npy", rows())
    (tmp_path / "l.txt").write_text(f"0\n1\n{label}\n")
    options = ("--labels", tmp_path / "l.txt")
    _, warned = read_pixels(tmp_path / "in.npy", "--preprocess", "none", *options)
    assert label in "".join(line for line in warned if line.startswith("warning: label"))
    done = command(
        "confusion_matrix", rgb_model, tmp_path / "in.npy", "--no-log", "--json", "--quiet", *options
    )
    if label in ("3", "-7"):
        assert (done.exit_code, "give labels in this range" in done.stderr) == (2, True)
    else:
        assert (done.exit_code, "1 inputs have no label" in done.stderr) == (0, True)


# Class names: invalid files.

CLASSES: dict[str, tuple[str, bytes | None, str]] = {
    "missing": ("no.json", None, "class names can't be read from 'no.json'"),
    "blank": (" ", None, "is not a path"),
    "folder": (".", None, "class names can't be read from '.'"),
    "cut": ("c.json", b'["a", "b"', "is not valid JSON"),
    "number": ("c.json", b"3", "contains a int"),
    "deep": ("c.json", b"[" * 100_000, "is not valid JSON"),
    "long number": ("c.json", b"[" + b"9" * 10_000 + b"]", "is not valid JSON"),
    "page": ("c.json", b"<!doctype html><title>404</title>", "is not valid JSON"),
    "gap": ("c.json", b'{"0": "a", "2": "b"}', "skip index 1"),
    "words": ("c.json", b'{"a": 0, "b": 1}', "a non-numeric key"),
    "same key": ("c.json", b'{"0": "a", "00": "b", "1": "c"}', "index"),
    "repeated key": ("c.json", b'{"0": "a", "0": "b", "1": "c"}', "duplicate key"),
    "not UTF-8": ("c.txt", b"\xff\xfe\x00a", "class names can't be read"),
    "empty": ("c.txt", b"", "class names are missing or contain an empty name"),
    "gap in text": ("c.txt", b"a\n\nb\n", "class names are missing or contain an empty name"),
    "null": ("c.json", b'[null, "a", "b"]', "which is not a name"),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_invalid_class_files_are_rejected(
    kind: str, run_gradcam: Callable[..., Result], assert_error: Callable[..., str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    name, content, message = CLASSES[kind]
    np.save("in.npy", rows())
    if content is not None:
        Path(name).write_bytes(content)
    assert_error(run_gradcam("in.npy", "--class-names", name), message)


@pytest.mark.parametrize("count", [2, 4])
def test_wrong_number_of_class_names_is_reported(
    count: int, command: Callable[..., Result], rgb_model: str, read_pixels: Callable[..., Any],
    assert_error: Callable[..., str], tmp_path: Path,
) -> None:  # fmt: skip
    np.savez(tmp_path / "in.npz", inputs=rows(), labels=[0, 1, 1])
    (tmp_path / "c.txt").write_text("a\nb\nc\nd\n"[: 2 * count])
    options = ("--class-names", tmp_path / "c.txt")
    _, warned = read_pixels(tmp_path / "in.npz", *options)
    assert f"warning: there are {count} class names, but the model has 3 classes; give one for each" in warned
    done = command(
        "confusion_matrix", rgb_model, tmp_path / "in.npz", "--no-log", "--json", "--quiet", *options
    )
    assert_error(done, f"there are {count} class names")


def test_unusual_class_names_are_unchanged(
    command: Callable[..., Result], rgb_model: str, tmp_path: Path
) -> None:
    """Equal names, formulas and markup: each class keeps its name, and cells of tables are not executed."""
    names = ["=HYPERLINK(1)", "<script>alert(1)</script>", "=HYPERLINK(1)"]
    np.savez(tmp_path / "in.npz", inputs=rows(), labels=[0, 1, 2])
    (tmp_path / "c.json").write_text(json.dumps(names))
    done = command(
        "confusion_matrix", rgb_model, tmp_path / "in.npz", "--no-log", "--quiet", "--save", tmp_path / "out",
        "--class-names", tmp_path / "c.json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    folder = tmp_path / "out" / "confusion_matrix"
    table = (folder / "predictions.json").read_text()
    assert all(json.dumps(name)[1:-1] in table for name in names)
    for path in folder.glob("*.csv"):
        assert not [line for line in path.read_text().splitlines() if line.startswith(("=", '"='))]
        assert ",=" not in path.read_text()
    assert "<script>alert" not in (folder / "figure.html").read_text()
    assert "<script>alert" not in (tmp_path / "out" / "index.html").read_text()
