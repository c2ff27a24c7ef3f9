"""Which layers have a feature map, and what methods get of them.

Both are read from the shapes and the graph of a traced forward pass; see `layouts`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from mlflow_interp.backend import ops
from mlflow_interp.backend.compile import compile_for
from mlflow_interp.backend.forward import Forward, forward
from mlflow_interp.backend.graph import dependencies
from mlflow_interp.backend.layer_calls import CallChoice, LayerCall, choose_calls, layer_calls
from mlflow_interp.backend.layer_tree import has_attention, leaf_paths, walk
from mlflow_interp.backend.layouts import SpatialLayout, find_layout, spatial_axes
from mlflow_interp.core.calls import Call, numbers_text
from mlflow_interp.exceptions import InapplicableError, ModelError, OptionError

Pooling = Literal["mean", "max", "flatten"]

_ANY_LENGTH = 16  # of a noise input along an axis whose length varies


def feature_maps(
    model: Any, passed: Forward, path: str, score: Any, choice: CallChoice = None
) -> tuple[list[Call], list[Any]]:
    """Calls of a layer, and the feature map of each, which `ops.gradient` accepts.

    Args:
        model: the Keras model.
        passed: a traced pass.
        path: the path of the layer.
        score: only calls that it depends on have a map that explains it.
        choice: which calls to use.

    Returns:
        The calls, and maps (batch, *space, channels) float32, all of the same shape except for the channels.

    Raises:
        OptionError: the layer has no spatial feature map, or the score does not depend on it; calls that do
            not exist, or have different shapes.
    """
    used = dependencies(score)
    layouts: dict[int, SpatialLayout] = {}

    def refusal(each: LayerCall) -> str | None:
        values = each.values(each.tensor)
        layout = find_layout(model, passed, values)
        if layout is None:
            return (
                f"has output shape {tuple(values.shape)}, but the method needs a spatial feature map such as "
                "(batch, height, width, channels); `mlflow-interp layers` shows which layers have one"
            )
        if each.tensor.op.name not in used:
            return "has no influence on the class score; choose a layer that the score depends on"
        layouts[each.call.number] = layout
        return None

    calls = choose_calls(path, layer_calls(model, passed, path), choice, refusal=refusal)
    sizes = {layouts[each.call.number].sizes for each in calls}
    if len(sizes) > 1:
        numbers = numbers_text([each.call for each in calls])
        raise OptionError(
            f"calls {numbers} of layer {path!r} have feature maps of different sizes; choose calls of one "
            f"size with calls=, such as calls={calls[-1].call.number}"
        )
    lay_outs = [_lay_out(each, layouts[each.call.number]) for each in calls]
    maps = [lay_out(ops.as_float(each.tensor)) for each, lay_out in zip(calls, lay_outs, strict=True)]
    ops.declare_feature_maps(maps, [each.tensor for each in calls], lay_outs, path)
    return [each.call for each in calls], maps


def _lay_out(call: LayerCall, layout: SpatialLayout) -> Callable[[Any], Any]:
    return lambda tensor: layout.lay_out(call.values(tensor))


def last_spatial_layer(model: Any, traced: Forward, upto: Any) -> str:
    """The path of the last layer with a spatial feature map that `upto` depends on.

    In a transformer, the output often depends on a single token alone, such as a class token; in this case,
    it is the last layer on whose other tokens the output still depends.

    Raises:
        InapplicableError: the model has no such layer.
    """
    import tensorflow as tf

    candidates = spatial_layers(model, traced, upto)
    if not candidates:
        raise InapplicableError(
            f"model {model.name!r} has no layer with a spatial feature map, which the method needs; "
            "`mlflow-interp layers` shows the methods for each layer"
        )
    path, layout = list(candidates.items())[-1]
    if not layout.before and not (layout.axes == (1,) and has_attention(model)):
        return path
    with tf.init_scope():  # out of the graph that is being traced
        return _last_influential_layer(model, traced.inputs) or path


def spatial_layers(model: Any, traced: Forward, upto: Any) -> dict[str, SpatialLayout]:
    """By path in order of completion, the layers with a spatial feature map that `upto` depends on.

    For a layer that is called several times, the last call with a feature map counts.
    """
    return {path: layout for path, (layout, _) in _spatial_tensors(model, traced, upto).items()}


def _spatial_tensors(model: Any, traced: Forward, upto: Any) -> dict[str, tuple[SpatialLayout, Any]]:
    used = dependencies(upto)
    leaves = leaf_paths(model)
    found: dict[str, tuple[SpatialLayout, Any]] = {}
    for path, tensor in traced.completed:
        if path in leaves and tensor.op.name in used:
            layout = find_layout(model, traced, tensor)
            if layout is not None:
                found.pop(path, None)
                found[path] = layout, tensor
    return found


def _last_influential_layer(model: Any, like: Any) -> str | None:
    """The last layer with positions that the output depends on, tested on noise.

    Leading tokens don't count; without any, the class token may be at any of the positions, so that a single
    one doesn't count either.
    """
    import tensorflow as tf

    paths: list[str] = []

    def influences(inputs: Any) -> Any:
        passed = forward(model, inputs)
        found = _spatial_tensors(model, passed, passed.outputs)
        paths.extend(found)
        # The square, as probabilities sum to one whatever the input.
        gradients = tf.gradients(tf.square(passed.outputs), [tensor for _, tensor in found.values()])
        gradients_and_layouts = zip(gradients, found.values(), strict=True)
        return [_is_influential(layout, each) for each, (layout, _) in gradients_and_layouts]

    noise = tf.nest.map_structure(_noise, like)
    influential = compile_for(influences, noise)(noise)
    return next(
        (
            path
            for path, has_influence in zip(reversed(paths), reversed(influential), strict=True)
            if has_influence
        ),
        None,
    )


def _is_influential(layout: SpatialLayout, gradient: Any) -> Any:
    import tensorflow as tf

    positions = tf.reduce_any(layout.lay_out(gradient) != 0, axis=-1)
    least = 1 if layout.before or layout.axes != (1,) else 2
    return tf.reduce_sum(tf.cast(positions, tf.int32)) >= least


def _noise(like: Any) -> Any:
    """One random input; integers are 1, as 0 often means that there is no token."""
    import tensorflow as tf

    shape = [1, *(_ANY_LENGTH if size is None else size for size in like.shape[1:])]
    if like.dtype.is_floating:
        return tf.cast(tf.random.stateless_uniform(shape, (0, 0)), like.dtype)
    return tf.fill(shape, "a") if like.dtype == tf.string else tf.ones(shape, like.dtype)


def layer_before_head(model: Any, traced: Forward) -> str:
    """The path of the last layer before the head, which is the last layer with weights.

    Its activations are the representation on which the classification is based.

    Raises:
        ModelError: nothing comes before the head.
    """
    used = dependencies(traced.outputs)
    leaves = leaf_paths(model)
    used_paths = [path for path, tensor in traced.tapped.items() if path in leaves and tensor.op.name in used]
    weighted = {located.path for located in walk(model) if located.layer.weights}
    before_head = used_paths[
        : max((index for index, path in enumerate(used_paths) if path in weighted), default=0)
    ]
    if not before_head:
        raise ModelError(
            f"model {model.name!r} has no layer before its head to use by default; pass layers= "
            "(`mlflow-interp layers` shows the methods for each layer)"
        )
    return before_head[-1]


def pooled(model: Any, tensor: Any, pooling: Pooling, path: str) -> Any:
    """The output of a layer as (batch, features) float32, with the axes in between pooled.

    Raises:
        OptionError: the layer should be flattened, but its size varies.
    """
    import tensorflow as tf

    tensor = tf.cast(tensor, tf.float32)
    rank = tensor.shape.rank
    if rank == 2:
        return tensor
    if pooling == "flatten":
        size = tensor.shape[1:].num_elements()
        if size is None:
            raise OptionError(
                f"layer {path!r} has the varying shape {tuple(tensor.shape)}; use pooling='mean' or 'max'"
            )
        return tf.reshape(tensor, (-1, size))
    axes = spatial_axes(model, tensor)
    return tf.reduce_mean(tensor, axes) if pooling == "mean" else tf.reduce_max(tensor, axes)


def pooled_calls(values: Sequence[Any], pooling: Pooling, path: str) -> Any:
    """The outputs of several calls of a layer, each (batch, features), pooled over calls as over positions.

    Raises:
        OptionError: calls with different numbers of features.
    """
    import tensorflow as tf

    if len(values) == 1:
        return values[0]
    if pooling == "flatten":
        return tf.concat(values, axis=1)
    if len({each.shape[1] for each in values}) > 1:
        raise OptionError(
            f"the calls of layer {path!r} have {', '.join(str(each.shape[1]) for each in values)} features, "
            "which can't be pooled; choose calls of one size with calls=, or pass pooling='flatten'"
        )
    stacked = tf.stack(values)
    return tf.reduce_mean(stacked, axis=0) if pooling == "mean" else tf.reduce_max(stacked, axis=0)
