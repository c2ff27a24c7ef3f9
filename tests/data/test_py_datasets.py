"""Keras iterators: PyDataset, and the iterators of ImageDataGenerator."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import mlflow_interp
from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.exceptions import InputsError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel
from tests.running import confusion_matrix
from tests.tiny_models import save_images

layers = keras.layers
COUNT = 11
ROWS = np.arange(COUNT, dtype=np.float32)[:, None, None, None] * np.ones((1, 8, 8, 3), np.float32)
LABELS = np.arange(COUNT) % 2


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of 4 made by a function of positions; counts how many are read."""

    def __init__(self, make: Callable[[slice], Any], **options: Any) -> None:
        super().__init__(**options)
        self.make = make
        self.taken: list[int] = []

    def __len__(self) -> int:
        return math.ceil(COUNT / 4)

    def __getitem__(self, index: int) -> Any:
        self.taken.append(index)
        return self.make(slice(4 * index, 4 * index + 4))


class Endless(keras.utils.PyDataset):  # type: ignore[misc]
    @property
    def num_batches(self) -> None:
        return None

    def __getitem__(self, index: int) -> Any:
        return ROWS[:4], LABELS[:4]


def prepared_inputs(batch: Batch) -> np.ndarray:
    return np.concatenate([chunk.inputs for chunk in batch.chunks()])


def first_values(batch: Batch) -> list[int]:
    return prepared_inputs(batch)[:, 0, 0, 0].astype(int).tolist()


def labels(batch: Batch) -> list[int]:
    return np.concatenate([chunk.labels for chunk in batch.chunks()]).tolist()


def error_message(inputs: Any, loaded: LoadedModel, **options: Any) -> str:
    with pytest.raises(InputsError) as caught:
        for _ in load_inputs(inputs, loaded, **options).chunks():
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 5, 32])
def test_py_dataset_is_read_once(batch_size: int, loaded: LoadedModel) -> None:
    dataset = Batches(lambda rows: (ROWS[rows], LABELS[rows]), workers=2)
    batch = load_inputs(dataset, loaded, batch_size=batch_size)
    sizes = [len(chunk) for chunk in batch.chunks()]
    assert sizes == [batch_size] * (COUNT // batch_size) + [COUNT % batch_size] * (COUNT % batch_size > 0)
    assert dataset.taken == [0, 1, 2]
    assert first_values(batch) == list(range(COUNT))
    assert labels(batch) == LABELS.tolist()
    assert batch.source == "keras.utils.PyDataset"
    assert batch.preparation["preprocess"] == "none"
    assert batch.warnings == []


FORMS: dict[str, tuple[Callable[[slice], Any], list[int]]] = {
    "inputs": (lambda rows: ROWS[rows], [UNKNOWN] * COUNT),
    "inputs in a tuple": (lambda rows: (ROWS[rows],), [UNKNOWN] * COUNT),
    "a list": (lambda rows: [ROWS[rows], LABELS[rows]], LABELS.tolist()),
    "one-hot": (lambda rows: (ROWS[rows], np.eye(2)[LABELS[rows]]), LABELS.tolist()),
    "weights": (lambda rows: (ROWS[rows], LABELS[rows], np.ones(len(ROWS[rows]))), LABELS.tolist()),
    "tensors": (
        lambda rows: (keras.ops.convert_to_tensor(ROWS[rows]), keras.ops.convert_to_tensor(LABELS[rows])),
        LABELS.tolist(),
    ),
    "keys": (lambda rows: {"image": ROWS[rows], "label": LABELS[rows]}, LABELS.tolist()),
}


@pytest.mark.parametrize("form", FORMS)
def test_accepted_contents_of_a_batch(form: str, loaded: LoadedModel) -> None:
    make, expected = FORMS[form]
    batch = load_inputs(Batches(make), loaded, batch_size=3)
    assert first_values(batch) == list(range(COUNT))
    assert labels(batch) == expected
    assert batch.labelled == (expected[0] != UNKNOWN)
    weights = [chunk.weights for chunk in batch.chunks()]
    assert (weights[0] is not None) == (form == "weights")


def test_several_inputs_and_ignored_keys() -> None:
    image, number = keras.Input((8, 8, 3), name="image"), keras.Input((2,), name="number")
    outputs = layers.Dense(2)(layers.Concatenate()([layers.Flatten()(image), number]))
    model = load_model(keras.Model([image, number], outputs))
    numbers = np.random.default_rng(0).normal(size=(COUNT, 2)).astype(np.float32)
    forms: list[Callable[[slice], Any]] = [
        lambda rows: ((ROWS[rows], numbers[rows]), LABELS[rows]),
        lambda rows: ([ROWS[rows], numbers[rows]], LABELS[rows]),
        lambda rows: ({"image": ROWS[rows], "number": numbers[rows]}, LABELS[rows]),
        lambda rows: {
            "image": ROWS[rows],
            "number": numbers[rows],
            "label": LABELS[rows],
            "id": LABELS[rows],
        },
    ]
    expected = model.keras.predict([ROWS, numbers], verbose=0)
    for form in forms:
        batch = load_inputs(Batches(form), model, batch_size=5)
        found = np.concatenate([model.keras(chunk.inputs) for chunk in batch.chunks()])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        assert labels(batch) == LABELS.tolist()
        assert ("'id'" in str(batch.warnings)) == (form is forms[-1])


def test_uint8_is_preprocessed_and_floats_are_not(loaded: LoadedModel) -> None:
    pixels = ROWS.astype(np.uint8)
    batch = load_inputs(Batches(lambda rows: pixels[rows]), loaded, preprocess="auto")
    np.testing.assert_allclose(prepared_inputs(batch), pixels / 255, rtol=1e-6)
    assert batch.preparation["preprocess"] == "0..1"
    batch = load_inputs(Batches(lambda rows: ROWS[rows]), loaded, preprocess="-1..1")
    np.testing.assert_allclose(prepared_inputs(batch), ROWS / 127.5 - 1, atol=1e-6)


def test_max_inputs_limits_the_inputs_read(loaded: LoadedModel) -> None:
    dataset = Batches(lambda rows: (ROWS[rows], LABELS[rows]))
    batch = load_inputs(dataset, loaded, max_inputs=6, batch_size=4)
    assert first_values(batch) == list(range(6))
    assert dataset.taken == [0, 1]


def test_endless_dataset_needs_max_inputs(loaded: LoadedModel) -> None:
    assert error_message(Endless(), loaded) == (
        "the PyDataset is infinite; limit the number of inputs with max_inputs="
    )
    assert first_values(load_inputs(Endless(), loaded, max_inputs=6, batch_size=5)) == [0, 1, 2, 3, 0, 1]


def test_dataset_without_batches_is_rejected(loaded: LoadedModel) -> None:
    class Empty(Endless):
        num_batches = 0

    assert "has no batches" in error_message(Empty(), loaded)


@pytest.mark.parametrize("failing", [0, 2])
def test_failing_batch_is_named(failing: int, loaded: LoadedModel) -> None:
    def make(rows: slice) -> Any:
        if rows.start == 4 * failing:
            raise KeyError("no file")
        return ROWS[rows], LABELS[rows]

    message = error_message(Batches(make), loaded)
    assert f"batch {failing} of the PyDataset can't be read: KeyError: 'no file'; correct its" in message


def test_labels_option_is_rejected(loaded: LoadedModel) -> None:
    dataset = Batches(lambda rows: ROWS[rows])
    assert "a dataset carries its own labels" in error_message(dataset, loaded, labels=LABELS)


def test_values_are_checked_like_those_of_arrays(loaded: LoadedModel) -> None:
    def with_nan(rows: slice) -> Any:
        return np.where(ROWS[rows] == 9, np.nan, ROWS[rows])

    assert "input '#9' contains NaN or infinite values" in error_message(Batches(with_nan), loaded)
    assert "inputs have shape (9, 9, 3) each" in error_message(
        Batches(lambda rows: np.zeros((2, 9, 9, 3), np.float32)), loaded
    )
    texts = np.array(["a"] * COUNT)
    assert "inputs are text" in error_message(Batches(lambda rows: texts[rows]), loaded)


# Iterators of an ImageDataGenerator.


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "emu"):
        (folder / name).mkdir()
        for index in range(5):
            pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def classifier() -> LoadedModel:
    keras.utils.set_random_seed(1)
    outputs = [
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ]
    model = keras.Sequential([keras.Input((8, 8, 3)), *outputs])
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    return load_model(model)


def flow(folder: Path, **options: Any) -> Any:
    options = {"target_size": (8, 8), "batch_size": 4} | options
    generator = tf.keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255)
    return generator.flow_from_directory(folder, **options)


@pytest.mark.parametrize("mode", ["categorical", "sparse"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_iterator_over_a_folder(mode: str, shuffle: bool, photographs: Path, classifier: LoadedModel) -> None:
    iterator = flow(photographs, class_mode=mode, shuffle=shuffle, seed=4)
    batch = load_inputs(iterator, classifier)
    result = confusion_matrix(classifier.keras, batch)
    expected = classifier.keras.evaluate(
        flow(photographs, class_mode="categorical", shuffle=False), verbose=0, return_dict=True
    )
    assert result.metrics()["accuracy"] == pytest.approx(expected["accuracy"])
    assert result.counts.sum() == 15
    assert result.examples.class_names == batch.class_names == ("cat", "dog", "emu")
    # Inputs already scaled to 0..1 are not scaled again.
    assert batch.preparation["preprocess"] == "none"
    assert 0.9 < prepared_inputs(batch).max() <= 1
    assert len(batch.warnings) == shuffle
    assert not shuffle or "create it with shuffle=False" in batch.warnings[0]


def test_digest_does_not_depend_on_the_order(photographs: Path, classifier: LoadedModel) -> None:
    ordered, shuffled = (
        load_inputs(flow(photographs, shuffle=shuffle), classifier) for shuffle in (False, True)
    )
    assert ordered.record().digest == shuffled.record().digest
    assert ordered.record().order != shuffled.record().order
    # Each pass has the same order, because only `fit` shuffles again, at the end of an epoch.
    np.testing.assert_array_equal(prepared_inputs(shuffled), prepared_inputs(shuffled))
    assert not any("another order" in warning for warning in shuffled.warnings)


def test_iterator_without_labels(photographs: Path, classifier: LoadedModel) -> None:
    batch = load_inputs(flow(photographs, class_mode=None, shuffle=False), classifier)
    assert not batch.labelled
    assert labels(batch) == [UNKNOWN] * 15


def test_iterator_over_arrays_with_weights(loaded: LoadedModel) -> None:
    iterator = tf.keras.preprocessing.image.ImageDataGenerator().flow(
        ROWS, LABELS, sample_weight=np.arange(COUNT), batch_size=4, shuffle=False
    )
    batch = load_inputs(iterator, loaded)
    (chunk,) = batch.chunks()
    assert (first_values(batch), labels(batch)) == (list(range(COUNT)), LABELS.tolist())
    assert chunk.weights is not None
    assert chunk.weights.tolist() == list(range(COUNT))


def test_random_augmentation_gives_a_warning(photographs: Path, classifier: LoadedModel) -> None:
    generator = tf.keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255, horizontal_flip=True)
    iterator = generator.flow_from_directory(photographs, target_size=(8, 8), shuffle=False, batch_size=4)
    batch = load_inputs(iterator, classifier)
    prepared_inputs(batch)
    prepared_inputs(batch)
    assert any("no random augmentation" in warning for warning in batch.warnings)


def test_class_names_for_another_number_of_classes_are_not_used(tmp_path: Path, loaded: LoadedModel) -> None:
    save_images(tmp_path, {"cat/a.png": 1, "dog/a.png": 2, "emu/a.png": 3})
    assert load_inputs(flow(tmp_path, class_mode="sparse"), loaded).class_names is None


@pytest.mark.parametrize("indices", [["cat", "dog"], {0: "cat", 1: "dog"}, {"cat": 0, "dog": 2}, None])
def test_invalid_class_indices_are_not_class_names(indices: Any, loaded: LoadedModel) -> None:
    dataset = Batches(lambda rows: (ROWS[rows], LABELS[rows]))
    dataset.class_indices = indices
    assert load_inputs(dataset, loaded).class_names is None
    dataset.class_indices = {"dog": 1, "cat": 0}
    assert load_inputs(dataset, loaded).class_names == ("cat", "dog")


def test_interpret_with_an_iterator(photographs: Path, classifier: LoadedModel) -> None:
    found = mlflow_interp.interpret(
        classifier.keras, flow(photographs, shuffle=False), "gradcam,confusion_matrix", log=False, quiet=True
    )
    assert found["gradcam"].manifest["inputs"]["count"] == 15
    assert found["gradcam"].manifest["inputs"]["source"] == "keras.utils.PyDataset"
