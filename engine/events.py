"""Events: sparse things that happen at a sample, said ahead of time and amended until they are due."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Event:
    """One thing heard or foreseen.

    Parameters
    ----------
    kind : what it is: "beat", "tempo", "note", "gap", "fault", ...
    time : sample index of the input at which it happens; it may lie in the future.
    emitted : number of input samples that had been consumed when it was decided.
    source : id of the node that said it.
    key : identity of a prediction, e.g. the number of the beat.
    revision : a later word on the same (source, kind, key) carries a higher revision and replaces
        the earlier one as long as that is not yet due.
    retracted : the prediction is withdrawn.
    values : the payload: numbers and short strings (bpm, confidence, pitch, ...).
    """

    kind: str
    time: int
    emitted: int
    source: str = ""
    key: int = 0
    revision: int = 0
    retracted: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, int]:
        """What revisions of one prediction share."""
        return self.source, self.kind, self.key

    def to_json(self, rate: float) -> dict[str, Any]:
        """The line written for machines: times in seconds of the input stream at `rate` Hz."""
        record: dict[str, Any] = {
            "kind": self.kind,
            "time": round(self.time / rate, 6),
            "emitted": round(self.emitted / rate, 6),
            **self.values,
            "source": self.source,
            "key": self.key,
        }
        if self.revision:
            record["revision"] = self.revision
        return record

    def to_line(self, rate: float) -> str:
        """`to_json` as one line of text without a line break; a number that is not finite is null."""
        record = {key: _plain(value) for key, value in self.to_json(rate).items()}
        return json.dumps(record, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
