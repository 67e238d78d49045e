"""synctoolbox's MrMsDTW on two files, in an environment of its own; prints JSON.

PEER/bin/python tests/benchmarks/peer_sync.py A.flac B.flac
"""

import json
import resource
import sys
import time

import librosa
import numpy as np
from synctoolbox.dtw.mrmsdtw import sync_via_mrmsdtw
from synctoolbox.dtw.utils import make_path_strictly_monotonic
from synctoolbox.feature.chroma import pitch_to_chroma, quantize_chroma
from synctoolbox.feature.dlnco import pitch_onset_features_to_DLNCO
from synctoolbox.feature.pitch import audio_to_pitch_features
from synctoolbox.feature.pitch_onset import audio_to_pitch_onset_features
from synctoolbox.feature.utils import estimate_tuning

RATE, FRAMES = 22050, 50


def features(path):
    audio, _ = librosa.load(path, sr=RATE)
    tuning = estimate_tuning(audio, RATE)
    pitch = audio_to_pitch_features(
        f_audio=audio, Fs=RATE, tuning_offset=tuning, feature_rate=FRAMES, verbose=False
    )
    chroma = quantize_chroma(f_chroma=pitch_to_chroma(f_pitch=pitch))
    onset = audio_to_pitch_onset_features(f_audio=audio, Fs=RATE, tuning_offset=tuning, verbose=False)
    dlnco = pitch_onset_features_to_DLNCO(
        f_peaks=onset, feature_rate=FRAMES, feature_sequence_length=chroma.shape[1], visualize=False
    )
    return chroma, dlnco


begun = time.perf_counter()
(a, da), (b, db) = features(sys.argv[1]), features(sys.argv[2])
heard = time.perf_counter()
path = sync_via_mrmsdtw(
    f_chroma1=a,
    f_onset1=da,
    f_chroma2=b,
    f_onset2=db,
    input_feature_rate=FRAMES,
    step_weights=np.array([1.5, 1.5, 2.0]),
    threshold_rec=10**6,
    verbose=False,
)
path = make_path_strictly_monotonic(path) / FRAMES
ended = time.perf_counter()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(
    json.dumps(
        {"path": path.T.tolist(), "features_s": heard - begun, "align_s": ended - heard, "mib": memory}
    )
)
