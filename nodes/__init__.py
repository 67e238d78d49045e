"""The nodes and sinks that come with Followspot, by name. Nothing is imported until it is used."""

CATALOGUE: dict[str, str] = {
    "istft": "nodes.spectral.istft:Istft",
    "json_lines": "nodes.outputs.jsonl:JsonLines",
    "midi_clock": "nodes.outputs.midi_clock:MidiClock",
    "midi_file": "nodes.outputs.midi_file:MidiFile",
    "midi_notes": "nodes.outputs.midi_notes:MidiNotes",
    "osc": "nodes.outputs.osc:Osc",
    "stft": "nodes.spectral.stft:Stft",
    "wav": "nodes.outputs.wav:Wav",
}
