"""How a follower says where the performer is."""

from __future__ import annotations

from typing import Any

from nodes.follow.score import Score

#: What `position` events hold.
POSITION = {
    "position": "beat (quarter notes of the unfolded score from its start; seconds of a recording), bar "
    "(printed; 0 for a recording), seconds (of the reference), tempo (beats a minute), rate (seconds of the "
    "reference a second), confidence 0..1, state waiting tracking lost finished"
}


def position_values(score: Score | None, tracker: Any) -> dict[str, Any]:
    """Values of a position event from a tracker's position, tempo, confidence and state."""
    seconds, rate = tracker.position, tracker.tempo
    if score is None:
        beat, bar, beats_a_second = seconds, 0, 1.0
    else:
        beat = score.beat_at(seconds)
        bar = score.bar_at(beat)
        beats_a_second = score.beat_at(seconds + 0.5) - score.beat_at(seconds - 0.5)
    return {
        "beat": round(beat, 5),
        "bar": bar,
        "seconds": round(seconds, 5),
        "tempo": round(60.0 * rate * beats_a_second, 3),
        "rate": round(rate, 5),
        "confidence": round(tracker.confidence, 4),
        "state": tracker.state,
    }
