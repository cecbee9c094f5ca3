#!/usr/bin/env python3
"""Draws a replay over time: what came when, what the buffer held, and what was done to the sound.

    scripts/plot-replay TRACE.csv LOG.csv OUT.png [FROM_S TO_S]

Above, each packet is a dot: how long it was on its way, against the fastest one, with its own 20 ms. A dot above the
blue line came too late. Below, a mark for each pull in which something was done.
"""

import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

PACKET_MS = 20.0
# Counter in the log, what it is called, colour.
DONE = [
    ("extrapolated_frames", "guessed from the past", "#c0392b"),
    ("bridged_frames", "bridged from both sides", "#e67e22"),
    ("noise_frames", "comfort noise", "#7f8c8d"),
    ("squeezed_frames", "squeezed (faster)", "#2471a3"),
    ("stretched_frames", "stretched (slower)", "#229954"),
]


def main():
    if len(sys.argv) not in (4, 6):
        sys.exit(__doc__)
    trace, log, out = sys.argv[1:4]
    sent_s, way_ms, lost_s = read_trace(trace)
    columns = read_log(log)
    t = columns["t_ms"] / 1000
    begin, end = map(float, sys.argv[4:6]) if len(sys.argv) == 6 else (0.0, t[-1])

    fig, (above, below) = plt.subplots(
        2, 1, figsize=(16, 8), sharex=True, height_ratios=[4, 1.4], constrained_layout=True
    )
    columns["floor_ms"] = above_fastest(columns)
    draw_delay(above, sent_s, way_ms, lost_s, t, columns)
    draw_operations(below, t, columns)
    shown = (t >= begin) & (t <= end)
    arrivals = way_ms[(sent_s >= begin) & (sent_s <= end)]
    playing = shown & (columns["mode"] != "waiting")
    highest = max(np.max((columns["delay_ms"] + columns["floor_ms"])[playing], initial=60), np.percentile(arrivals, 99.5) if len(arrivals) else 60)
    above.set(xlim=(begin, end), ylim=(0, 1.15 * highest), ylabel="ms")
    below.set(xlabel="s since packet 0 was sent")
    fig.suptitle(f"{trace}   ({len(lost_s)} of {len(lost_s) + len(np.unique(sent_s))} packets lost)", fontsize=10)
    fig.savefig(out, dpi=80)
    print(f"plot-replay: wrote {out}")


def read_trace(path):
    """When each packet was sent and how long it was on its way, and when the lost ones were sent."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [(float(r["send_ms"]), r["arrive_ms"].strip()) for r in csv.DictReader(file)]
    came = np.array([(sent, float(arrived) - sent) for sent, arrived in rows if arrived]).reshape(-1, 2)
    lost_s = np.array([sent for sent, arrived in rows if not arrived]) / 1000
    fastest = came[:, 1].min() if len(came) else 0.0
    return came[:, 0] / 1000, came[:, 1] - fastest + PACKET_MS, lost_s


def read_log(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or "t_ms" not in rows[0]:
        sys.exit(f"{path}: no log of offhook replay; make one with --log")
    number = lambda name: np.array([float(row[name]) for row in rows])
    columns = {name: number(name) for name in rows[0] if name != "mode"}
    return {**columns, "mode": np.array([row["mode"] for row in rows])}


def above_fastest(columns):
    """The floor that the engine's delays are told against, above the lowest one, ms."""
    playing = columns["mode"] != "waiting"
    lowest = columns["floor_ms"][playing].min(initial=np.inf)
    return np.where(playing, columns["floor_ms"] - lowest, 0.0)


def draw_delay(axes, sent_s, way_ms, lost_s, t, columns):
    for sent in lost_s:
        axes.axvline(sent, color="#c0392b", linewidth=0.5, alpha=0.35)
    axes.plot([], [], color="#c0392b", linewidth=1, alpha=0.5, label="lost on the way")
    axes.plot(sent_s, way_ms, ".", color="black", markersize=2.5, label="packet came")
    playing = columns["mode"] != "waiting"
    for name, label, colour in (("delay_ms", "delay", "#1f4e9e"), ("target_ms", "target", "#27ae60")):
        axes.plot(t[playing], (columns[name] + columns["floor_ms"])[playing], color=colour, linewidth=1.1, label=label)
    axes.legend(loc="upper right", ncols=4, fontsize=9)
    axes.grid(True, linewidth=0.3)


def draw_operations(axes, t, columns):
    for row, (name, label, colour) in enumerate(DONE):
        more = np.diff(columns[name], prepend=0.0)
        axes.plot(t[more > 0], np.full((more > 0).sum(), -row), "|", color=colour, markersize=9)
        axes.text(1.005, -row, f"{100 * (more > 0).mean():.1f} %", transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.set_yticks([-row for row in range(len(DONE))], [label for _, label, _ in DONE])
    axes.set_ylim(-len(DONE) + 0.4, 0.6)
    axes.grid(True, axis="x", linewidth=0.3)


main()
