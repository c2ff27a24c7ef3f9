"""Class names: every accepted form, and every error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_interp.data.class_names import load_class_names
from mlflow_interp.exceptions import InputsError

NAMES = ("tench", "goldfish", "great white shark")

IN_MEMORY = {
    "list": list(NAMES),
    "tuple": NAMES,
    "by number": {0: "tench", 1: "goldfish", 2: "great white shark"},
    "in any order": {2: "great white shark", 0: "tench", 1: "goldfish"},
    "by text": {"0": "tench", "1": "goldfish", "2": "great white shark"},
    "JSON in place of a path": json.dumps(NAMES),
    "a JSON object in place of a path": ' {"2": "great white shark", "0": "tench", "1": "goldfish"} ',
}

IN_FILES = {
    "list.json": json.dumps(NAMES),
    "object.json": json.dumps({"0": "tench", "2": "great white shark", "1": "goldfish"}),
    "imagenet_class_index.json": json.dumps(
        {"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"], "2": ["n01484850", "great white shark"]}
    ),
    "upper.JSON": json.dumps(NAMES),
    "bom.json": "\ufeff" + json.dumps(NAMES),
    "plain.txt": "tench\ngoldfish\ngreat white shark",
    "newline.txt": "tench\ngoldfish\ngreat white shark\n",
    "windows.txt": "\ufefftench\r\ngoldfish\r\ngreat white shark\r\n",
    "no-suffix": "tench\ngoldfish\ngreat white shark\n",
}


def error_message(class_names: Any) -> str:
    with pytest.raises(InputsError) as caught:
        load_class_names(class_names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode())
        return path

    return write


def test_no_class_names() -> None:
    assert load_class_names(None) is None


@pytest.mark.parametrize("form", IN_MEMORY)
def test_class_names_in_memory(form: str) -> None:
    assert load_class_names(IN_MEMORY[form]) == NAMES


@pytest.mark.parametrize("name", IN_FILES)
@pytest.mark.parametrize("as_type", [str, Path])
def test_class_names_in_a_file(name: str, as_type: type, write: Callable[[str, str], Path]) -> None:
    assert load_class_names(as_type(write(name, IN_FILES[name]))) == NAMES


@pytest.mark.parametrize(
    "name", ["<b>cat</b>", '"><script>alert(1)</script>', "=1+1", "Café 犬 \u2028", "a\tb"]
)
def test_unusual_names_are_kept_as_text(name: str, write: Callable[[str, str], Path]) -> None:
    assert load_class_names([name, "dog"]) == (name, "dog")
    assert load_class_names(write("names.json", json.dumps([name, "dog"]))) == (name, "dog")
    assert load_class_names(write("names.txt", f"{name}\ndog\n")) == (name, "dog")


def test_numbers_as_names() -> None:
    assert load_class_names([0, 1.5, True]) == ("0", "1.5", "True")


GAPS = {
    "middle": ({0: "a", 2: "b"}, "skip index 1"),
    "start": ({1: "a", 2: "b"}, "skip index 0"),
    "negative": ({-1: "a", 0: "b"}, "skip index 1"),
    "twice": ({"0": "a", "00": "b"}, "skip index 1"),
    "none": ({}, "skip index 0"),
}


@pytest.mark.parametrize("kind", GAPS)
def test_gaps_in_the_indices(kind: str) -> None:
    mapping, expected = GAPS[kind]
    assert expected in error_message(mapping)


@pytest.mark.parametrize("key", ["cat", "", "1.5", None, (1, 2)])
def test_keys_that_are_not_numbers_are_rejected(key: Any) -> None:
    assert "class names have a non-numeric key" in error_message({0: "a", key: "b"})


@pytest.mark.parametrize("names", [[], [""], ["a", " "], ["a", "\t"], {0: ""}, {0: "a", 1: " "}])
def test_empty_names_are_rejected(names: Any) -> None:
    assert "class names are missing or contain an empty name" in error_message(names)


@pytest.mark.parametrize("names", [[None, "a"], [["a"], "b"], [{}], {0: None}, {0: []}, {0: {"a": 1}}])
def test_names_that_are_not_text_are_rejected(names: Any) -> None:
    assert "which is not a name" in error_message(names)


@pytest.mark.parametrize("names", [7, 1.5, object()])
def test_objects_without_names_are_rejected(names: Any) -> None:
    assert f"class names are a {type(names).__name__}; give " in error_message(names)


MALFORMED = {
    "cut.json": ('["a", "b"', "cut.json' is not valid JSON"),
    "empty.json": ("", "empty.json' is not valid JSON"),
    "deep.json": ("[" * 100_000, "deep.json' is not valid JSON"),
    "text.json": ('"cat"', "text.json' contains a str"),
    "number.json": ("3", "number.json' contains a int"),
    "null.json": ("null", "null.json' contains a NoneType"),
    "nothing.txt": ("", "class names are missing or contain an empty name"),
    "blank.txt": ("cat\n\ndog\n", "class names are missing or contain an empty name"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_file_is_rejected(name: str, write: Callable[[str, str], Path]) -> None:
    content, expected = MALFORMED[name]
    assert expected in error_message(write(name, content))


def test_file_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe\xfa")
    assert "names.txt': 'utf-8' codec can't decode" in error_message(tmp_path / "names.txt")


@pytest.mark.parametrize("path", ["missing.txt", "missing.json", "cat,dog", "a\0b", "x" * 5000])
def test_missing_file_is_rejected(path: str) -> None:
    message = error_message(path)
    assert message.startswith("class names can't be read from ")
    assert "a JSON list" in message


def test_folder_is_rejected(tmp_path: Path) -> None:
    assert "Is a directory" in error_message(tmp_path)


visible = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20).filter(str.strip)
quietly = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50
)


@quietly
@given(names=st.lists(visible, min_size=1, max_size=8), as_object=st.booleans())
def test_names_are_unchanged_by_json(names: list[str], as_object: bool, tmp_path: Path) -> None:
    content: Any = {str(index): name for index, name in enumerate(names)} if as_object else names
    (tmp_path / "names.json").write_text(json.dumps(content), encoding="utf-8")
    assert load_class_names(tmp_path / "names.json") == tuple(names)


@quietly
@given(names=st.lists(visible.filter(lambda name: not {"\r", "\n"} & set(name)), min_size=1, max_size=8))
def test_names_are_unchanged_by_text(names: list[str], tmp_path: Path) -> None:
    if names[0].startswith("\ufeff"):  # read as a byte order mark
        return
    (tmp_path / "names.txt").write_bytes("\n".join(names).encode())
    assert load_class_names(tmp_path / "names.txt") == tuple(names)


@pytest.mark.parametrize(
    "text", ['["tench", ]', "[tench, goldfish]", '{"0": "tench", "0": "goldfish"}', "[]"]
)
def test_invalid_json_text_is_rejected_with_the_reason(text: str) -> None:
    message = error_message(text)
    assert message.startswith("class names ")
    assert "can't be read from" not in message
