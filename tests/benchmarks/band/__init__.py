"""A made-up band: music composed by style, with exact beats, notes and stems.

`compose(style, seed)` writes a song as notes on a beat grid; `render` plays it
with FluidSynth, one stem per player; `mix` puts the stems into a room, adds
noise and compression. Everything follows from the seed, nothing is copied from
a recording, so what is learnt from it may be shipped.
"""
