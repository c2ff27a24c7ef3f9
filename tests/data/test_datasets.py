"""Datasets: elements with keys, text, and detecting whether a dataset is batched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlflow_interp.core.batch import Batch
from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.data.prepare import load_inputs
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.models.load import load_model
from mlflow_interp.models.origin import LoadedModel
from tests.running import confusion_matrix, gradcam
from tests.tiny_models import save_images, small_model

layers = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(7) % 2
SIZES = np.random.default_rng(1).normal(size=(7, 2)).astype(np.float32)


def prepared_inputs(batch: Batch) -> Any:
    return np.concatenate([chunk.inputs for chunk in batch.chunks()])


def labels(batch: Batch) -> list[int]:
    return np.concatenate([chunk.labels for chunk in batch.chunks()]).tolist()


def error_message(
    inputs: Any, loaded: LoadedModel, error: type[Exception] = InputsError, **options: Any
) -> str:
    with pytest.raises(error) as caught:
        for _ in load_inputs(inputs, loaded, **options).chunks():
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def slices(content: Any, *, batched: bool = False) -> tf.data.Dataset:
    dataset = tf.data.Dataset.from_tensor_slices(content)
    return dataset.batch(3) if batched else dataset


FORMS: dict[str, Callable[[Any], Any]] = {
    "single": slices,
    "batched": lambda content: slices(content, batched=True),
    "arrays": lambda content: content,
}
forms = pytest.mark.parametrize("form", FORMS)


# Keys, such as those of TensorFlow Datasets.


@forms
@pytest.mark.parametrize(
    "keys", [("image", "label"), ("images", "labels"), ("x", "y"), ("pixel_values", "label")]
)
def test_images_and_labels_by_key(form: str, keys: tuple[str, str], loaded: LoadedModel) -> None:
    batch = load_inputs(FORMS[form]({keys[0]: IMAGES, keys[1]: LABELS}), loaded, batch_size=4)
    np.testing.assert_allclose(prepared_inputs(batch), IMAGES / 255, rtol=1e-6)
    assert labels(batch) == LABELS.tolist()
    assert batch.preparation["preprocess"] == "0..1"
    np.testing.assert_array_equal(next(batch.chunks()).images, IMAGES[:4])
    (warning,) = batch.warnings
    assert "assuming '0..1' (pixel / 255)" in warning
    assert batch.labelled


@forms
def test_predictions_equal_those_of_keras_on_the_same_images(form: str, loaded: LoadedModel) -> None:
    batch = load_inputs(FORMS[form]({"image": IMAGES, "label": LABELS}), loaded)
    result = confusion_matrix(loaded.keras, batch)
    predicted = loaded.keras.predict(IMAGES / 255, verbose=0).argmax(axis=1)
    assert result.metrics()["accuracy"] == pytest.approx((predicted == LABELS).mean())


@forms
def test_other_keys_are_left_out_with_a_warning(form: str, loaded: LoadedModel) -> None:
    content = {
        "id": np.array([f"row {index}" for index in range(7)]),
        "image": IMAGES,
        "label": LABELS,
        "segmentation_mask": IMAGES[..., :1],
    }
    batch = load_inputs(FORMS[form](content), loaded, preprocess="none")
    np.testing.assert_array_equal(prepared_inputs(batch), IMAGES)
    assert labels(batch) == LABELS.tolist()
    (warning,) = batch.warnings
    assert warning.startswith("keys of the ")
    assert warning.endswith("neither inputs of the model nor labels: 'id', 'segmentation_mask'")


def test_other_keys_may_vary_in_shape(loaded: LoadedModel) -> None:
    def rows() -> Any:
        for index in range(5):
            boxes = np.zeros((index, 4), np.float32)
            yield {"image": IMAGES[index], "label": index % 2, "objects": {"bbox": boxes}}

    spec = {
        "image": tf.TensorSpec((8, 8, 3), tf.uint8),
        "label": tf.TensorSpec((), tf.int64),
        "objects": {"bbox": tf.TensorSpec((None, 4), tf.float32)},
    }
    batch = load_inputs(
        tf.data.Dataset.from_generator(rows, output_signature=spec), loaded, preprocess="none"
    )
    np.testing.assert_array_equal(prepared_inputs(batch), IMAGES[:5])
    assert labels(batch) == [0, 1, 0, 1, 0]
    assert any("'objects'" in warning for warning in batch.warnings)


def test_weights_by_key(loaded: LoadedModel) -> None:
    content = {"image": IMAGES, "label": LABELS, "sample_weight": np.arange(7.0)}
    for inputs in (slices(content), content):
        (chunk,) = load_inputs(inputs, loaded, preprocess="none").chunks()
        assert chunk.weights is not None
        assert chunk.weights.tolist() == list(range(7))


def test_labels_next_to_a_mapping(loaded: LoadedModel) -> None:
    """With (inputs, labels), a key "label" among the inputs means something else."""
    batch = load_inputs(slices(({"image": IMAGES, "label": 1 - LABELS}, LABELS)), loaded, preprocess="none")
    assert labels(batch) == LABELS.tolist()
    assert "nor labels: 'label'" in batch.warnings[0]
    np.testing.assert_array_equal(prepared_inputs(batch), IMAGES)


def test_labels_option_overrides_labels_of_a_mapping(loaded: LoadedModel) -> None:
    content = {"image": IMAGES, "label": LABELS}
    assert labels(load_inputs(content, loaded, labels=1 - LABELS)) == (1 - LABELS).tolist()


def named_inputs(*names: str, as_dict: bool = True) -> LoadedModel:
    """A model with an image and further inputs of two numbers."""
    inputs = {names[0]: keras.Input((8, 8, 3), name=names[0])}
    inputs |= {name: keras.Input((2,), name=name) for name in names[1:]}
    joined = layers.Concatenate()([layers.Flatten()(each) for each in inputs.values()])
    outputs = layers.Dense(2)(joined if len(inputs) > 1 else layers.Flatten()(inputs[names[0]]))
    return load_model(keras.Model(inputs if as_dict else list(inputs.values()), outputs, name="named"))


@forms
@pytest.mark.parametrize("as_dict", [True, False])
def test_names_of_model_inputs_take_precedence(form: str, as_dict: bool) -> None:
    model = named_inputs("image", "label", as_dict=as_dict)
    batch = load_inputs(FORMS[form]({"image": IMAGES, "label": SIZES}), model, preprocess="none")
    (chunk,) = batch.chunks()
    np.testing.assert_array_equal(chunk.inputs["label"], SIZES)
    assert chunk.labels.tolist() == [UNKNOWN] * 7


@forms
def test_labels_and_other_keys_next_to_several_inputs(form: str) -> None:
    model = named_inputs("image", "size")
    content = {"image": IMAGES, "size": SIZES, "label": LABELS, "id": np.arange(7)}
    batch = load_inputs(FORMS[form](content), model, preprocess="none", batch_size=50)
    (chunk,) = batch.chunks()
    assert sorted(chunk.inputs) == ["image", "size"]
    np.testing.assert_array_equal(chunk.inputs["image"], IMAGES)
    assert chunk.labels.tolist() == LABELS.tolist()
    assert "'id'" in batch.warnings[0]
    model.keras(chunk.inputs)


@forms
def test_mapping_without_the_model_inputs_is_rejected(form: str, loaded: LoadedModel) -> None:
    both = named_inputs("image", "size")
    message = error_message(FORMS[form]({"image": IMAGES, "sizes": SIZES}), both)
    assert (
        message == "inputs have the keys 'image', 'sizes', and the model takes 'image', 'size'; name them so"
    )
    message = error_message(FORMS[form]({"left": IMAGES, "right": IMAGES, "label": LABELS}), loaded)
    assert (
        message
        == "inputs have the keys 'left', 'right', and none is known as an input; name the input 'inputs'"
    )
    assert "inputs have the keys of labels only" in error_message(FORMS[form]({"label": LABELS}), loaded)


class Subclassed(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.head = layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        return self.head(layers.Flatten()(inputs))


@pytest.mark.parametrize("form", ["single", "batched"])
def test_model_of_unknown_input_shape(form: str) -> None:
    batch = load_inputs(FORMS[form]({"image": IMAGES, "label": LABELS}), load_model(Subclassed()))
    np.testing.assert_allclose(prepared_inputs(batch), IMAGES / 255, rtol=1e-6)
    assert labels(batch) == LABELS.tolist()


# Detecting whether a dataset is batched.


def of_shape(*shape: int) -> LoadedModel:
    inputs = keras.Input(shape)
    return load_model(
        keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)) if None not in shape else inputs)
    )


@pytest.mark.parametrize("size", [None, 1, 3, 50])
@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ((8, 8), (8, 8, 1)),  # grey images without channels
        ((8, 8, 1), (8, 8, 1)),
        ((8, 8, 1), (8, 8)),  # MNIST from TensorFlow Datasets, with Flatten(input_shape=(28, 28))
        ((8, 8), (8, 8)),
        ((), (1,)),
        ((1,), (1,)),
        ((5,), (5,)),
        ((5,), (5, 1)),
        ((5, 1), (5, 1)),
    ],
)
def test_axis_of_length_one_may_be_missing_or_extra(
    given: tuple[int, ...], taken: tuple[int, ...], size: int | None
) -> None:
    """As `fit` of Keras does."""
    values = np.arange(7 * int(np.prod(given)), dtype=np.float32).reshape(7, *given)
    dataset = tf.data.Dataset.from_tensor_slices(values)
    dataset = dataset if size is None else dataset.batch(size)
    batch = load_inputs(dataset, of_shape(*taken), batch_size=4)
    np.testing.assert_array_equal(prepared_inputs(batch), values.reshape(7, *taken))


@pytest.mark.parametrize("size", [None, 3])
def test_scalars_for_several_inputs(size: int | None) -> None:
    first, second = keras.Input((1,), name="age"), keras.Input((1,), name="income")
    outputs = layers.Dense(2)(layers.Concatenate()([first, second]))
    model = load_model(keras.Model({"age": first, "income": second}, outputs))
    content = {"age": np.arange(7.0), "income": np.arange(7.0)[::-1]}
    dataset = tf.data.Dataset.from_tensor_slices((content, LABELS))
    batch = load_inputs(dataset if size is None else dataset.batch(size), model)
    (chunk,) = batch.chunks()
    assert chunk.inputs["age"].tolist() == list(range(7))
    assert labels(batch) == LABELS.tolist()


def test_elements_of_different_shapes_give_a_one_line_error(loaded: LoadedModel) -> None:
    dataset = tf.data.Dataset.from_generator(
        lambda: (np.zeros((size, size, 3), np.uint8) for size in (8, 9)),
        output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
    )
    message = error_message(dataset, loaded)
    assert message.startswith("the dataset can't be read: Cannot batch tensors with different shapes")
    assert message.endswith("; give elements of one shape")


def test_class_names_of_a_keras_dataset_are_used(tmp_path: Any) -> None:
    save_images(tmp_path, {"cat/a.png": 1, "dog/b.png": 2})
    dataset = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(8, 8), shuffle=False, verbose=False
    )
    assert load_inputs(dataset, load_model(small_model())).class_names == ("cat", "dog")
    assert load_inputs(dataset, load_model(small_model(classes=3))).class_names is None


# Text.

TEXTS = ["good film", "bad film", "good good", "bad, bad", "a film", "ä good film", ""]


@pytest.fixture(scope="module", params=[(1,), ()], ids=["rows of one", "scalars"])
def text_model(request: pytest.FixtureRequest) -> LoadedModel:
    keras.utils.set_random_seed(3)
    vectorize = layers.TextVectorization(output_sequence_length=6, vocabulary=["good", "bad", "film", "ä"])
    inputs = keras.Input(request.param, dtype="string")
    tokens = layers.Embedding(10, 4)(vectorize(inputs))
    features = layers.Conv1D(3, 2, activation="relu", bias_initializer="ones", name="conv")(tokens)
    outputs = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(features))
    return load_model(keras.Model(inputs, outputs, name="text"))


TEXT_FORMS: dict[str, Callable[[], Any]] = {
    "list": lambda: list(TEXTS),
    "array": lambda: np.array(TEXTS),
    "objects": lambda: np.array(TEXTS, object),
    "column": lambda: np.array(TEXTS, object)[:, np.newaxis],
    "bytes": lambda: np.array([text.encode() for text in TEXTS], object),
    "tensor": lambda: tf.constant(TEXTS),
    "single": lambda: slices(TEXTS),
    "batched": lambda: slices(TEXTS, batched=True),
    "by key": lambda: slices({"text": TEXTS, "label": LABELS}),
    "arrays by key": lambda: {"text": np.array(TEXTS), "label": LABELS},
}


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_text_is_passed_to_a_text_model(form: str, text_model: LoadedModel) -> None:
    batch = load_inputs(TEXT_FORMS[form](), text_model, batch_size=3)
    probabilities = text_model.keras.predict(tf.constant(TEXTS), verbose=0)
    np.testing.assert_allclose(
        np.concatenate([text_model.keras(chunk.inputs) for chunk in batch.chunks()]), probabilities, rtol=1e-5
    )
    assert batch.preparation["preprocess"] == "none"
    assert batch.warnings == []
    assert labels(batch) == (LABELS.tolist() if "key" in form else [UNKNOWN] * 7)


def test_methods_support_text(text_model: LoadedModel) -> None:
    model = text_model.keras
    dataset = slices((TEXTS, LABELS), batched=True)
    batch = load_inputs(dataset, text_model)
    predicted = model.predict(tf.constant(TEXTS), verbose=0).argmax(axis=1)
    accuracy = confusion_matrix(model, batch).metrics()["accuracy"]
    assert accuracy == pytest.approx((predicted == LABELS).mean())
    result = gradcam(model, batch)
    assert result.heatmaps.shape == (7, 5)
    np.testing.assert_array_equal(result.examples.classes[:, 0], predicted)


def test_digest_of_text_depends_on_its_characters(text_model: LoadedModel) -> None:
    expected = load_inputs(TEXTS[:6], text_model).record().digest
    assert load_inputs(slices(TEXTS[:6]), text_model).record().digest == expected
    assert load_inputs(TEXTS[1:], text_model).record().digest != expected


def test_trailing_zeros_of_a_text_are_kept(text_model: LoadedModel) -> None:
    for inputs in (["a\0"], slices(["a\0"])):
        (text,) = prepared_inputs(load_inputs(inputs, text_model)).reshape(-1).tolist()
        assert text in ("a\0", b"a\0")


def test_text_from_a_file(tmp_path: Any, text_model: LoadedModel) -> None:
    np.save(tmp_path / "texts.npy", TEXTS[:6])
    np.savez_compressed(tmp_path / "texts.npz", text=TEXTS[:6], label=LABELS[:6])
    for name in ("texts.npy", "texts.npz"):
        rows = prepared_inputs(load_inputs(tmp_path / name, text_model, batch_size=4))
        assert rows.reshape(-1).tolist() == TEXTS[:6]
    assert labels(load_inputs(tmp_path / "texts.npz", text_model)) == LABELS[:6].tolist()


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_text_is_rejected_for_a_model_with_numeric_inputs(form: str, loaded: LoadedModel) -> None:
    message = error_message(TEXT_FORMS[form](), loaded)
    assert message == "inputs are text, but the model takes float32 values; give numbers"


def test_text_is_not_treated_as_pixels(text_model: LoadedModel) -> None:
    message = error_message(TEXTS, text_model, OptionError, preprocess="0..1")
    assert message == "preprocess is '0..1', but the inputs are text; leave preprocess out"


def test_text_and_numeric_inputs_together() -> None:
    text, number = keras.Input((), dtype="string", name="text"), keras.Input((2,), name="number")
    tokens = layers.TextVectorization(output_mode="multi_hot", vocabulary=["good", "bad", "film"])(text)
    joined = layers.Concatenate()([tokens, number])
    model = load_model(keras.Model({"text": text, "number": number}, layers.Dense(2)(joined)))
    content = {"text": np.array(TEXTS), "number": SIZES}
    expected = model.keras.predict({"text": tf.constant(TEXTS), "number": SIZES}, verbose=0)
    for inputs in (content, slices(content), slices(content, batched=True)):
        (chunk,) = load_inputs(inputs, model).chunks()
        np.testing.assert_allclose(model.keras(chunk.inputs), expected, rtol=1e-5)
