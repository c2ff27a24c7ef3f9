"""A model that is quick to build, and whose heatmaps are coarse."""

from __future__ import annotations


def make_model():
    """Three strided convolutions: 32×32 RGB bytes to a feature map of 4×4 and two classes."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="early"),
            layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="late"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(2, activation="softmax", name="head"),
        ],
        name="private",
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model
