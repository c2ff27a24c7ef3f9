"""A vision transformer that tells a red, a blue and no bright patch apart: do heatmaps find the patch?

python -m examples.planted_patch
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import mlflow_interp

layers, ops = keras.layers, keras.ops

#: Without the last class, a model could conclude one colour from the absence of the other.
CLASSES = ("red", "blue", "none")
COLOURS = ((1, 0, 0), (0, 0, 1))


@keras.saving.register_keras_serializable("planted_patch")
class ClassToken(keras.layers.Layer):  # type: ignore[misc]
    """Prepends a class token to the others, and adds position embeddings."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Create the class token and the position embeddings."""
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="random_normal", name="token")
        self.places = self.add_weight(
            shape=(1, shape[1] + 1, shape[-1]), initializer="random_normal", name="places"
        )

    def call(self, tokens: Any) -> Any:
        """The tokens with one more in front, (batch, 1 + n, dim)."""
        first = ops.repeat(self.token, ops.shape(tokens)[0], axis=0)
        return ops.concatenate([first, tokens], axis=1) + self.places


def vision_transformer(
    size: tuple[int, int] = (16, 16),
    *,
    patch: int = 4,
    dim: int = 16,
    classes: int = len(CLASSES),
    class_token: bool = True,
) -> keras.Model:
    """Two pre-norm blocks on patches; the head reads the class token, or the mean of all tokens."""
    pixels = keras.Input((*size, 3))
    count = (size[0] // patch) * (size[1] // patch)
    value = layers.Reshape((count, dim))(layers.Conv2D(dim, patch, patch, name="patches")(pixels))
    value = ClassToken(name="classed")(value) if class_token else value
    for block in "ab":
        normed = layers.LayerNormalization(name=f"{block}_norm")(value)
        value = value + layers.MultiHeadAttention(2, dim // 2, name=f"{block}_attention")(normed, normed)
        normed = layers.LayerNormalization(name=f"{block}_norm2")(value)
        hidden = layers.Dense(2 * dim, activation="gelu", name=f"{block}_hidden")(normed)
        value = value + layers.Dense(dim, name=f"{block}_out")(hidden)
    value = layers.LayerNormalization(name="last")(value)
    value = value[:, 0] if class_token else layers.GlobalAveragePooling1D()(value)
    return keras.Model(pixels, layers.Dense(classes, activation="softmax", name="head")(value), name="vit")


def planted_patches(
    count: int, seed: int, *, classes: int = len(COLOURS)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of 16 dull patches, one of which is bright; their classes; and masks of the bright patch.

    Args:
        count: the number of images.
        seed: of all that is random.
        classes: the number of classes, the first ones; with all three, some images have no bright patch.
    """
    random = np.random.default_rng(seed)
    grey, tint = random.uniform(0.3, 0.7, (count, 4, 4, 1)), random.uniform(-0.15, 0.15, (count, 4, 4, 3))
    images = (grey + tint).repeat(4, axis=1).repeat(4, axis=2)
    labels = random.integers(0, classes, count)
    masks = np.zeros((count, 16, 16), bool)
    for image, label, mask in zip(images, labels, masks, strict=True):
        top, left = random.integers(0, 4, 2) * 4
        if label < len(COLOURS):
            image[top : top + 4, left : left + 4] = COLOURS[label]
            mask[top : top + 4, left : left + 4] = True
    images += random.normal(0, 0.03, images.shape)
    return np.clip(images, 0, 1).astype(np.float32), labels, masks


def trained(seed: int = 1) -> keras.Model:
    """A vision transformer that tells the classes apart, after some seconds of training."""
    keras.utils.set_random_seed(seed)
    model = vision_transformer()
    images, labels, _ = planted_patches(2048, seed=0, classes=len(CLASSES))
    # Compiling with XLA would take longer than the training.
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(images, labels, epochs=6, batch_size=64, verbose=0)
    return model


def main() -> dict[str, dict[str, float]]:
    """Train, interpret in one run, and print how much of the heat lies on the bright patch."""
    images, labels, masks = planted_patches(60, seed=1)
    found = mlflow_interp.interpret(
        trained(),
        images,
        "attention,gradcam",
        labels=labels,
        masks=masks,
        class_names=list(CLASSES),
        preprocess="none",
    )
    for name, each in found.items():
        print(f"{name}: {each.metrics['mass_inside']:.0%} of the heat on {masks.mean():.0%} of an image")
    return {name: each.metrics for name, each in found.items()}


if __name__ == "__main__":
    main()
