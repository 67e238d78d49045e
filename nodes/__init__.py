"""The nodes and sinks that come with Followspot, by name. Nothing is imported until it is used."""

CATALOGUE: dict[str, str] = {}
