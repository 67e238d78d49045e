"""A small model for tests, and an example of the contract: steady sound and what rises."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

KEPT = 0.9  # of the mean level, from frame to frame


def made_up_model(path: Path, bins: int = 513, hop: int = 256) -> None:
    """Write a model whose state is a slow mean m of the magnitudes x, (1, bins):

    m' = 0.9 m + 0.1 x; the masks are m' / (m' + x + 1e-6), x / (...) / 2 and x / (...) / 4.
    """
    frame = [1, bins]
    constants = {"kept": KEPT, "new": 1 - KEPT, "tiny": 1e-6, "half": 0.5, "quarter": 0.25}
    nodes = [
        helper.make_node("Mul", ["mean", "kept"], ["old_part"]),
        helper.make_node("Mul", ["magnitude", "new"], ["new_part"]),
        helper.make_node("Add", ["old_part", "new_part"], ["next_mean"]),
        helper.make_node("Add", ["next_mean", "magnitude"], ["sum"]),
        helper.make_node("Add", ["sum", "tiny"], ["total"]),
        helper.make_node("Div", ["next_mean", "total"], ["steady"]),
        helper.make_node("Div", ["magnitude", "total"], ["share"]),
        helper.make_node("Mul", ["share", "half"], ["rising"]),
        helper.make_node("Mul", ["share", "quarter"], ["air"]),
        helper.make_node("Concat", ["steady", "rising", "air"], ["all"], axis=0),
        helper.make_node("Unsqueeze", ["all", "first_axis"], ["masks"]),
    ]
    scalars = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "steady, rising, air",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, frame) for name in ("magnitude", "mean")],
        [
            helper.make_tensor_value_info("masks", TensorProto.FLOAT, [1, 3, bins]),
            helper.make_tensor_value_info("next_mean", TensorProto.FLOAT, frame),
        ],
        [*scalars, helper.make_tensor("first_axis", TensorProto.INT64, [1], [0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"hop": str(hop), "stems": "steady,rising,air"})
    onnx.save(model, str(path))
