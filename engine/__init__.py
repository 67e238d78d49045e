"""The streaming engine. It knows graphs, time and latency; it knows no node and no music."""
