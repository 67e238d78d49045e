"""Songs with true stems, measures of separation, and a node run over a signal."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import soundfile

from engine.graph import Graph
from engine.node import Node
from engine.plan import compile_graph
from engine.runner import Runner

RATE = 44100
STEMS = ("drums", "vocals", "bass", "rest")
DATA = Path(os.environ.get("FOLLOWSPOT_DATA", Path(__file__).parents[3] / "shared" / "data"))
LEVEL = 10 ** (-23 / 20)  # RMS of every group


def song_names() -> list[str]:
    """The real multitrack songs of the data folder."""
    return sorted(path.name for path in (DATA / "mdb").glob("*") if path.is_dir())


def song(name: str, *, level: bool = True) -> np.ndarray:
    """Stems (4, samples), float64, as in STEMS; a stem that is missing is silent.

    With `level` each is scaled to -23 dBFS RMS, as in the reported figures; else they are as mixed.
    """
    waves = {}
    for stem, file in zip(STEMS, ("drums", "vocals", "bass", "other"), strict=True):
        path = DATA / "mdb" / name / f"{file}.flac"
        if path.exists():
            waves[stem] = soundfile.read(path)[0]
    length = max(map(len, waves.values()))
    out = np.zeros((4, length))
    for stem, wave in waves.items():
        out[STEMS.index(stem), : len(wave)] = wave
    if level:
        power = np.sqrt((out**2).mean(axis=1, keepdims=True))
        out *= np.where(power > 1e-6, LEVEL / np.maximum(power, 1e-9), 0.0)
    return out


def loudest(wave: np.ndarray, seconds: float = 12.0) -> slice:
    """Where `seconds` of a stem have the most energy."""
    length = int(seconds * RATE)
    energy = np.concatenate([[0.0], np.cumsum(wave**2)])
    if len(wave) <= length:
        return slice(0, len(wave))
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return slice(start, start + length)


def run_node(node: Node, mix: np.ndarray, outputs: tuple[str, ...], quantum: int = 512) -> tuple[dict, dict]:
    """Outputs by name, without the declared latency; latency with the quantum, RTF, ms of a hop."""
    graph = Graph(rate=RATE, quantum=quantum).add("node", node).connect("input", "node")
    plan = compile_graph(graph)
    runner = Runner(plan, strict=True)
    latency = plan.formats[f"node.{outputs[0]}"].latency
    padded = np.pad(mix.astype(np.float32), (0, latency + -(len(mix) + latency) % quantum))[None]
    kept: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    runner.warm_up(20)
    spent = []
    for start in range(0, padded.shape[1], quantum):
        block = np.ascontiguousarray(padded[:, start : start + quantum])
        begun = time.perf_counter()
        runner.tick(block)
        spent.append(time.perf_counter() - begun)
        for name in outputs:
            kept[name].append(plan.streams[f"node.{name}"][0].copy())
    plan.release()
    out = {name: np.concatenate(parts)[latency : latency + len(mix)] for name, parts in kept.items()}
    times = 1000 * np.array(spent)
    cost = {
        "latency_ms": 1000 * (latency + quantum) / RATE,
        "rtf": float(times.sum() / 1000 / (len(mix) / RATE)),
        "p50_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "max_ms": float(times.max()),
    }
    return out, cost


def measures(truth: np.ndarray, others: np.ndarray, heard: np.ndarray) -> dict[str, float]:
    """SDR, and scale-invariant SDR, SIR and SAR in dB of an estimate (samples,).

    truth (samples,), others (sources, samples) what else was in the mix. SIR and SAR by projection on the
    sources, without the distortion filters of BSS Eval (Le Roux et al., ICASSP 2019).
    """
    sdr = decibels(truth, heard - truth)
    truth, heard = truth - truth.mean(), heard - heard.mean()
    target = truth * (heard @ truth) / (truth @ truth)
    span = np.stack([truth, *[o - o.mean() for o in others if (o**2).sum() > 1e-6]])
    weights = np.linalg.lstsq(span @ span.T, span @ heard, rcond=None)[0]
    projected = weights @ span
    return {
        "sdr": sdr,
        "si_sdr": decibels(target, heard - target),
        "sir": decibels(target, projected - target),
        "sar": decibels(projected, heard - projected),
    }


def decibels(signal: np.ndarray, error: np.ndarray) -> float:
    return float(10 * np.log10(((signal**2).sum() + 1e-12) / ((error**2).sum() + 1e-12)))
