"""The nodes and sinks that come with Followspot, by name. Nothing is imported until it is used."""

CATALOGUE: dict[str, str] = {
    "bands": "nodes.spectral.bands:Bands",
    "chroma": "nodes.spectral.chroma:Chroma",
    "istft": "nodes.spectral.istft:Istft",
    "artnet": "nodes.outputs.artnet:ArtNet",
    "json_lines": "nodes.outputs.jsonl:JsonLines",
    "level": "nodes.spectral.level:Level",
    "midi_clock": "nodes.outputs.midi_clock:MidiClock",
    "midi_file": "nodes.outputs.midi_file:MidiFile",
    "midi_notes": "nodes.outputs.midi_notes:MidiNotes",
    "novelty": "nodes.spectral.novelty:Novelty",
    "osc": "nodes.outputs.osc:Osc",
    "sacn": "nodes.outputs.sacn_dmx:Sacn",
    "silence": "nodes.spectral.silence:Silence",
    "stft": "nodes.spectral.stft:Stft",
    "wav": "nodes.outputs.wav:Wav",
}
