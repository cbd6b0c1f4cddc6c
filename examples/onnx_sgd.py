"""Put a schedule inside an ONNX model: an SGD update that takes the step, so that no host computes the learning rate.

python examples/onnx_sgd.py examples/digits.yaml sgd.onnx
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, compose, helper

import tracelr


def sgd(schedule: tracelr.Schedule) -> onnx.ModelProto:
    """Return a model (step, weights, gradient) -> (lr, updated), updated = weights - lr * gradient."""
    rate = onnx.load_model_from_string(tracelr.lowering.lower(schedule, "onnx", name="lr").bytes)
    weights, gradient, updated = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["M"]) for name in ("weights", "gradient", "updated")
    )
    lr = helper.make_tensor_value_info("lr_in", TensorProto.FLOAT, [])
    change, update = (
        helper.make_node("Mul", ["lr_in", "gradient"], ["change"]),
        helper.make_node("Sub", ["weights", "change"], ["updated"]),
    )
    graph = helper.make_graph([change, update], "update", [lr, weights, gradient], [updated])
    step = helper.make_model(graph, opset_imports=rate.opset_import, ir_version=rate.ir_version)
    return compose.merge_models(rate, step, io_map=[("lr", "lr_in")], outputs=["lr", "updated"])


def main(config: str, output: str) -> None:
    schedule = tracelr.load_schedule(config)
    model = sgd(schedule)
    onnx.checker.check_model(model, full_check=True)
    Path(output).write_bytes(model.SerializeToString(deterministic=True))

    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    weights = np.ones(3, np.float32)
    for step in range(5):
        inputs = {"step": np.asarray(step), "weights": weights, "gradient": weights}
        rate, weights = session.run(["lr", "updated"], inputs)
        assert rate == schedule(step).numpy()
        print(f"step {step}  lr {rate:.9g}  weights {weights}")


if __name__ == "__main__":
    main(*sys.argv[1:])
