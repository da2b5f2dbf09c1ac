"""Draw docs/architecture.md's two pictures.

python tools/draw_architecture.py      docs/figures/architecture_{folders,batch}.png

The arrows between folders are those that tests/test_architecture.py allows.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.patches import FancyBboxPatch  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.test_architecture import MAY_IMPORT  # noqa: E402

# Folder → its place, and what it is.
FOLDERS = {
    "analysis": ((0, 3), "sweeps, tuning, curves,\ndemonstrations"),
    "session": ((1.65, 3), "get_runner"),
    "plugin": ((2.3, 2.1), "launcher, adapters,\nparity probe"),
    "host": ((0.95, 2.1), "the embedded host\nand its environments"),
    "theory": ((0, 1.1), "exact operators\non payoffs"),
    "src": ((1.65, 1.1), "the algorithm"),
    "config": ((0.8, 0.1), "defaults, schema,\nreading"),
    "storage": ((2.3, 0), "folders, manifests,\ntensors"),
}
# What a batch becomes: (place, name, shape, where).
STEPS = {
    "batch": ((0, 1), "replay batch", "[B, T+1, …]", "host's buffer"),
    "q": ((1, 2), "utilities Q_a", "[B, T+1, A, U]", "src/unroll.py"),
    "star": ((1, 0), "central agents", "[B, T+1, A, E]", "src/central.py"),
    "tot": ((2, 2), "Q_tot(s, u)", "[B, T, 1]", "the host's mixer"),
    "u": ((2, 1), "û = argmax Q_a", "[B, T+1, A]", "src/targets.py"),
    "qstar": ((2, 0), "Q̂*(s, u), Q̂*⁻(s, û)", "[B, T, 1]", "src/modules/mixers/"),
    "y": ((3, 0), "targets y", "[B, T, 1]", "src/targets.py"),
    "w": ((3, 1), "weights w(s, u)", "[B, T, 1]", "src/weightings.py"),
    "loss": ((4, 1), "Σ w (Q_tot − y)²\n+ Σ (Q̂* − y)²", "[]", "WQMixLearner.loss"),
    "step": ((5, 1), "clip, one step,\ntargets follow", "", "src/optim.py"),
}
FLOW = (
    "batch q, batch star, q tot, q u, star qstar, u qstar, qstar y, y w, tot w, u w, "
    "tot loss, w loss, y loss, qstar loss, loss step"
)
COLOUR, EDGE = "#E8F1FA", "#0072B2"


def box(axis, place, text, size):
    width, height = size
    x, y = place
    axis.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            *size,
            boxstyle="round,pad=0.02",
            facecolor=COLOUR,
            edgecolor=EDGE,
            zorder=3,
        )
    )
    axis.text(x, y, text, ha="center", va="center", fontsize=9, zorder=4)


def arrow(axis, start, end, size):
    """From the edge of one box to that of another."""
    (x, y), (u, v) = start, end
    dx, dy = u - x, v - y
    share = min(size[0] / 2 / abs(dx) if dx else 9, size[1] / 2 / abs(dy) if dy else 9)
    share += 0.03 / max(abs(dx), abs(dy))
    begin = x + share * dx, y + share * dy
    finish = u - share * dx, v - share * dy
    style = {"arrowstyle": "-|>", "color": "#666666", "linewidth": 0.9}
    axis.annotate("", finish, begin, arrowprops=style)


def canvas(width, height, limits):
    figure, axis = pyplot.subplots(figsize=(width, height), layout="constrained")
    axis.set_xlim(*limits[0])
    axis.set_ylim(*limits[1])
    axis.set_axis_off()
    return figure, axis


def folders(path):
    figure, axis = canvas(8, 5.2, ((-0.5, 2.8), (-0.4, 3.35)))
    size = 0.78, 0.5
    for folder, (allowed, _) in MAY_IMPORT.items():
        for other in sorted(allowed):
            arrow(axis, FOLDERS[folder][0], FOLDERS[other][0], size)
    for folder, (place, about) in FOLDERS.items():
        box(axis, place, f"$\\bf{{{folder}/}}$\n{about}", size)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def batch(path):
    figure, axis = canvas(11, 4.2, ((-0.5, 5.5), (-0.45, 2.45)))
    size = 0.84, 0.62
    for pair in FLOW.split(", "):
        start, end = pair.split()
        arrow(axis, STEPS[start][0], STEPS[end][0], size)
    for place, name, shape, where in STEPS.values():
        lines = [
            name,
            shape,
            f"$\\it{{{where}}}$".replace("_", r"\_").replace(" ", r"\ "),
        ]
        box(axis, place, "\n".join(filter(None, lines)), size)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    figures = ROOT / "docs" / "figures"
    folders(figures / "architecture_folders.png")
    batch(figures / "architecture_batch.png")
