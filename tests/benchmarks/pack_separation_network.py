"""Write the separation's gains as they ship:

    python -m tests.benchmarks.pack_separation_network stage.npz studio.npz --out nodes/separate/gains.npz

Each answer is to one half the network's (`train_separation_network`), to the other that of the linear map of
`linear_gains.npz`, which hears five inputs of its own band only. The two err in different places: the network
knows more, the map was less taken in by what made-up music sounds like.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nodes.separate.gain_kernels import ANSWERS, LEANS

LINEAR = Path(__file__).with_name("linear_gains.npz")
HEARD = (0, 4, 5, 6, 7)  # inputs that the linear map knows, of `gain_kernels.band_inputs`
SHARE = 0.5  # of the network


def blended(network: dict[str, np.ndarray], linear: np.ndarray) -> dict[str, np.ndarray]:
    """The network and the linear map (9, BANDS, 5), which does not lean on what is fresh, as one network."""
    own, last = SHARE * network["own"].astype(np.float32), SHARE * network["last"].astype(np.float32)
    for row in range(ANSWERS):
        stem, kind = divmod(row, LEANS)
        if kind < 3:
            own[row, HEARD] += (1 - SHARE) * linear[3 * stem + kind].T
    return network | {"own": own, "last": last}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", type=Path)
    parser.add_argument("studio", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/gains.npz"))
    options = parser.parse_args()
    arrays = {}
    with np.load(LINEAR) as linear:
        for mode in ("stage", "studio"):
            with np.load(getattr(options, mode)) as file:
                network = {name: file[name] for name in file.files}
            for name, array in blended(network, linear[mode].astype(np.float32)).items():
                arrays[f"{mode}_{name}"] = array.astype(np.float16)
    np.savez_compressed(options.out, **arrays)


if __name__ == "__main__":
    main()
