"""A user's own network that masks a spectrum frame by frame, run by ONNX Runtime."""

from __future__ import annotations

from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import FollowspotError
from nodes.separate.onnx_kernels import carry_over

MOST_MASKS = 3

Array = npt.NDArray[np.float32]


class OnnxModel:
    """A model of magnitudes to masks, one frame at a time, with state that is carried from frame to frame.

    The first input is the frame's magnitudes, float32 (..., bins); the first output the masks, float32
    (..., stems, bins), one to three stems. Further inputs are states, which start at 0; the further outputs,
    in the same order, are their next values. All shapes are fixed. The metadata may name `rate` (Hz), `hop`
    (samples) and `stems` ("drums,vocals").

    Attributes
    ----------
    magnitude : (bins,), what `run` reads.
    masks : (stems, bins), what `run` writes; as the model gives them.
    metadata : as text by name.

    Errors: FollowspotError, one line, if onnxruntime is missing, the file is missing or no model, or the
    model is not of this kind.
    """

    def __init__(self, path: str | Path) -> None:
        runtime = _runtime()
        self._path = path
        if not Path(path).is_file():
            raise FollowspotError(f"model {path}: there is no such file; check the path")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a pool would wake up late
        options.log_severity_level = 4
        try:
            self._session: Any = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            reason = " ".join(str(error).split())
            raise FollowspotError(f"model {path}: cannot be read as an ONNX model ({reason})") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != len(outputs):
            raise FollowspotError(
                f"model {path}: has {len(inputs)} inputs and {len(outputs)} outputs; "
                "every state that goes in must come out"
            )
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        taken = [np.zeros(self._shape(port), np.float32) for port in inputs]
        given = [np.zeros(self._shape(port), np.float32) for port in outputs]
        for port, before, after in zip(inputs[1:], taken[1:], given[1:], strict=True):
            if before.shape != after.shape:
                raise FollowspotError(
                    f"model {path}: state {port.name} goes in as {before.shape}, comes out as {after.shape}"
                )
        bins = taken[0].shape[-1] if taken[0].ndim else 0
        stems = prod(given[0].shape[:-1])
        if taken[0].size != bins or given[0].shape[-1:] != (bins,):
            raise FollowspotError(
                f"model {path}: takes {taken[0].shape} and gives {given[0].shape}; "
                "needs magnitudes (1, bins) and masks (1, stems, bins)"
            )
        if not 1 <= stems <= MOST_MASKS:
            raise FollowspotError(
                f"model {path}: gives {stems} masks; one to three can be put out, what they leave is the rest"
            )
        self.magnitude: Array = taken[0].reshape(bins)
        self.masks: Array = given[0].reshape(stems, bins)
        self._states = [(a.reshape(-1), b.reshape(-1)) for a, b in zip(taken[1:], given[1:], strict=True)]
        self._arrays = (taken, given)  # the session reads and writes them where they lie
        self._binding: Any = self._session.io_binding()
        for port, array in zip(inputs, taken, strict=True):
            self._binding.bind_input(port.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for port, array in zip(outputs, given, strict=True):
            self._binding.bind_output(port.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def _shape(self, port: Any) -> tuple[int, ...]:
        if port.type != "tensor(float)":
            raise FollowspotError(f"model {self._path}: {port.name} is {port.type}; all must be float32")
        open_ones = [str(size) for size in port.shape if not isinstance(size, int)]
        if open_ones:
            raise FollowspotError(
                f"model {self._path}: the shape of {port.name} is open ({', '.join(open_ones)}); "
                "export it with fixed shapes, one frame a call"
            )
        return tuple(port.shape)

    def number(self, name: str) -> int | None:
        """A whole number of the metadata, or None if it is not there."""
        text = self.metadata.get(name)
        if text is None:
            return None
        if not text.isdigit() or int(text) == 0:
            raise FollowspotError(f"model {self._path}: metadata {name} is {text!r}, not a number")
        return int(text)

    def reset(self) -> None:
        """States back to 0."""
        for state, _ in self._states:
            state[:] = 0.0

    def run(self) -> None:
        """`masks` of `magnitude`; states move on. A state that is not finite starts afresh."""
        self._session.run_with_iobinding(self._binding)
        for state, following in self._states:
            carry_over(following, state)


def _runtime() -> Any:
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise FollowspotError(
            f"onnxruntime cannot be imported ({error}): pip install 'followspot[onnx]'"
        ) from None
