"""Score following: references, online alignment, re-location."""
