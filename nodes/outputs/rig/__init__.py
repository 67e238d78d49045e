"""A small lighting rig: which fixtures there are, and what they do in time with the music."""
