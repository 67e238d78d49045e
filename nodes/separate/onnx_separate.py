"""A mix taken apart by a network of the user's own."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import numpy as np

from engine.errors import FollowspotError
from engine.node import AudioFormat, AudioOut, Param
from nodes.separate.masked import MaskedNode
from nodes.separate.onnx_kernels import tidy_masks
from nodes.separate.onnx_model import OnnxModel


class OnnxSeparate(MaskedNode):
    """Stems of a mix, live, by the masks of an ONNX model: a frame in, masks out, states carried over.

    The model hears one frame at a time, float32 (1, bins): the absolute value of the transform of a window
    of 2 * (bins - 1) samples under a Hann window (its square root where the hop is half the window), not
    scaled, the root of the mean power of the channels. It answers (1, stems, bins) gains, one to three
    stems; they are held to 0 to 1 and in sum to at most 1, and all channels get them. Further inputs
    and outputs are its recurrent states. Outputs are the model's stems in order, `rest` is what they leave;
    outputs beyond the model's stems are silent. The contract in full is in docs/separation.md.

    Latency: window - gcd(hop, quantum) samples, as the outputs' format declares. What the model takes to
    compute is not in it: `followspot bench` measures that.

    Errors: a model that is missing, of another kind or for another rate is refused. Needs the optional
    module onnxruntime.

    Source: Stoeter et al., "Open-Unmix", JOSS 2019, for this kind of model.
    """

    requires = ("onnxruntime",)

    one = AudioOut("the model's first stem, float32 (channels, quantum)")
    two = AudioOut("the second, silent if there is none (channels, quantum)")
    three = AudioOut("the third, silent if there is none")
    rest = AudioOut("what the stems leave: the delayed input minus the others")

    model = Param("", help="file of the model (.onnx)")
    hop = Param(
        0, low=0, high=16384, unit="samples", help="0: as the model's metadata say, else half its window"
    )

    test_seconds = 1.0

    def prepare(self, audio: AudioFormat) -> dict[str, AudioFormat]:
        if not self.model:
            raise ValueError("needs a model: set model to an .onnx file")
        self._model = OnnxModel(self.model)
        rate = self._model.number("rate")
        if rate not in (None, audio.rate):
            raise FollowspotError(
                f"model {self.model}: is for {rate} Hz, this runs at {audio.rate}: set engine.rate = {rate}"
            )
        window = 2 * (len(self._model.magnitude) - 1)
        hop = self.hop or self._model.number("hop") or window // 2
        if window % hop or 2 * hop > window:
            raise FollowspotError(
                f"model {self.model}: a hop of {hop} does not fit a window of {window}: "
                f"set hop to {window // 2} or {window // 4}"
            )
        return self.cutting(audio, window, hop)

    def reset(self) -> None:
        super().reset()
        self._model.reset()

    def mask(self, power: np.ndarray, masks: np.ndarray) -> None:
        model = self._model
        np.sqrt(power, out=model.magnitude)
        model.run()
        tidy_masks(model.masks, masks)

    @classmethod
    def test_params(cls) -> list[dict[str, object]]:
        """For the conformance kit: a small model with a state; none without onnx, which makes it."""
        if importlib.util.find_spec("onnx") is None:
            return []
        from nodes.separate.made_up_model import made_up_model

        path = Path(tempfile.gettempdir()) / f"followspot-model-{os.getpid()}.onnx"
        made_up_model(path)
        return [{"model": str(path)}]
