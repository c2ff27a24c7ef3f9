"""What a model ignores of its inputs changes nothing that is written, if images are not logged.

Two sets of inputs differ only in what the model multiplies by zero, so that predictions and heatmaps are the
same. If a file differs, then it shows values of the inputs, in whatever form. This holds for every kind of
input, without any assumption about how it is drawn.
"""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.report.folder import read_entries
from mlflow_interp.report.note import note

COUNT = 8
LABELS = np.array([0, 1] * 4)


def first_channel(tensor):
    """A convolution of size 1 that ignores all channels but the first."""
    import keras

    axes = len(tensor.shape) - 2
    convolution = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[axes]
    layer = convolution(1, 1, use_bias=False)
    found = layer(tensor)
    weights = np.zeros((*[1] * axes, tensor.shape[-1], 1), np.float32)
    weights[..., 0, :] = 1
    layer.set_weights([weights])
    return found


def classified(entry, inputs):
    """A model that continues with a coarse feature map."""
    import keras

    layers = keras.layers
    axes = len(entry.shape) - 2
    convolution = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[axes]
    pool = {
        1: layers.GlobalAveragePooling1D,
        2: layers.GlobalAveragePooling2D,
        3: layers.GlobalAveragePooling3D,
    }
    found = convolution(4, 4, strides=4, activation="relu", bias_initializer="ones", name="map")(entry)
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(pool[axes]()(found)))


def with_channels(shape):
    """Inputs of a shape, twice: the second has other values in all channels but the first."""
    import keras

    keras.utils.set_random_seed(2)
    given = keras.Input(shape)
    return classified(first_channel(given), given), *pair(shape)


def pair(shape):
    one, other = np.random.default_rng(0).random((2, COUNT, *shape)).astype(np.float32)
    other[..., 0] = one[..., 0]
    return one, other


def texts():
    """Tokens of which two are embedded alike."""
    import keras

    keras.utils.set_random_seed(2)
    given = keras.Input((16,), dtype="int32")
    embedding = keras.layers.Embedding(20, 3)
    embedded = embedding(given)
    weights = embedding.get_weights()[0]
    weights[7] = weights[6]
    embedding.set_weights([weights])
    one = np.random.default_rng(0).integers(5, 8, (COUNT, 16)).astype(np.int32)
    return classified(embedded, given), one, np.where(one == 6, 7, one)


def several():
    """An image and a table, of which the table is ignored."""
    import keras

    keras.utils.set_random_seed(2)
    image, table = keras.Input((16, 16, 1), name="image"), keras.Input((3,), name="table")
    scale = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones")(table)
    entry = keras.layers.Multiply()([image, keras.layers.Reshape((1, 1, 1))(scale)])
    generator = np.random.default_rng(0)
    images = generator.random((COUNT, 16, 16, 1)).astype(np.float32)
    one, other = generator.random((2, COUNT, 3)).astype(np.float32)
    model = classified(entry, {"image": image, "table": table})
    return model, {"image": images, "table": one}, {"image": images, "table": other}


def videos():
    """Frames whose channels but the first are ignored, and a map for each."""
    import keras

    keras.utils.set_random_seed(2)
    layers = keras.layers
    given = keras.Input((3, 16, 16, 3))
    maps = layers.TimeDistributed(layers.Conv2D(4, 4, strides=4, activation="relu", bias_initializer="ones"))
    pooled = layers.GlobalAveragePooling3D()(maps(first_channel(given)))
    return keras.Model(given, layers.Dense(2, activation="softmax")(pooled)), *pair((3, 16, 16, 3))


KINDS = {
    "images": lambda: with_channels((16, 16, 3)),
    "images of many channels": lambda: with_channels((16, 16, 5)),
    "signals": lambda: with_channels((32, 2)),
    "volumes": lambda: with_channels((8, 8, 8, 3)),
    "videos": videos,
    "texts": texts,
    "several inputs": several,
}


def contents(model, inputs, folder, *, log_images):
    """What is saved, by file: but for the digests, which identify the inputs, and the manifests with them."""
    mlflow_interp.interpret(
        model,
        inputs,
        "gradcam,layercam,eigencam,umap,confusion_matrix",
        labels=LABELS,
        preprocess="none",
        n_neighbors=3,
        log=False,
        save=folder,
        quiet=True,
        log_images=log_images,
    )
    found = {}
    for path in sorted(folder.rglob("*.*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".npz":
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                found |= {f"{name}: {key}": arrays[key].tobytes() for key in arrays if key != "digests"}
        elif path.name == "manifest.json":
            manifest = json.loads(path.read_text())
            found[name] = json.dumps(
                [manifest[key] for key in ("parameters", "metrics", "warnings")]
            ).encode()
        elif path != folder / "index.html":  # made of the others, and of the manifests
            found[name] = path.read_bytes()
    # Sorted, as methods that end in the same second have no order.
    parts = re.split(r"\n|, |- Pages: ", note(read_entries(folder), "0", "abc", "interpretations"))
    found["note"] = "\n".join(sorted(parts)).encode()
    return found


def differing(model, one, other, folder, *, log_images):
    first = contents(model, one, folder / "one", log_images=log_images)
    second = contents(model, other, folder / "other", log_images=log_images)
    assert set(first) == set(second)
    assert len(first) > 20
    return {name for name, content in first.items() if content != second[name]}


@pytest.mark.filterwarnings("ignore::mlflow_interp.exceptions.InterpretationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_depends_on_what_the_model_ignores(kind, tmp_path):
    model, one, other = KINDS[kind]()
    assert differing(model, one, other, tmp_path / "private", log_images=False) == set()
    if kind != "several inputs":  # a table beside an image is never drawn
        assert "gradcam/figure.png" in differing(model, one, other, tmp_path / "public", log_images=True)
