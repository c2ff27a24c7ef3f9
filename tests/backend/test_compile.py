"""A function is compiled once for any number of rows."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mlflow_interp.backend.compile import compile_for


def test_function_is_compiled_once_for_any_number_of_rows(tiny_cnn):
    traces = []

    def function(inputs):
        traces.append(1)
        return tiny_cnn(inputs, training=False)

    compiled = compile_for(function, np.zeros((4, 8, 8, 3), np.float32))
    assert [compiled(tf.zeros((rows, 8, 8, 3))).shape[0] for rows in (4, 1, 7)] == [4, 1, 7]
    assert len(traces) == 1
