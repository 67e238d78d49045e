"""The nodes and sinks that come with Followspot, by name. Nothing is imported until it is used."""

CATALOGUE: dict[str, str] = {
    "artnet": "nodes.outputs.artnet:ArtNet",
    "aubio_onset": "nodes.aubio.onset:AubioOnset",
    "aubio_pitch": "nodes.aubio.pitch:AubioPitch",
    "aubio_tempo": "nodes.aubio.tempo:AubioTempo",
    "bands": "nodes.spectral.bands:Bands",
    "chroma": "nodes.spectral.chroma:Chroma",
    "click": "nodes.sound.click:Click",
    "istft": "nodes.spectral.istft:Istft",
    "json_lines": "nodes.outputs.jsonl:JsonLines",
    "level": "nodes.spectral.level:Level",
    "midi_clock": "nodes.outputs.midi_clock:MidiClock",
    "midi_file": "nodes.outputs.midi_file:MidiFile",
    "midi_notes": "nodes.outputs.midi_notes:MidiNotes",
    "novelty": "nodes.spectral.novelty:Novelty",
    "osc": "nodes.outputs.osc:Osc",
    "pyo_synth": "nodes.sound.pyo_synth:PyoSynth",
    "sacn": "nodes.outputs.sacn_dmx:Sacn",
    "silence": "nodes.spectral.silence:Silence",
    "stft": "nodes.spectral.stft:Stft",
    "wav": "nodes.outputs.wav:Wav",
}
