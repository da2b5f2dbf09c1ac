"""Scores and figures of docs/results, from the runs' files in that folder.

python tools/draw_results.py --collect   the JSON files → scores.csv
python tools/draw_results.py             scores.csv → docs/figures/results_*.png
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RESULTS, FIGURES = ROOT / "docs" / "results", ROOT / "docs" / "figures"
SCORES = RESULTS / "scores.csv"
FIELDS = "environment settings algorithm seed t_env metric score".split()
# File → the settings of all its runs; and names of algorithms, where they are others.
FILES = {
    "predator_prey_tuned": "recipe predator_prey",
    "fair_lbf": "PyMARL's with adam",
    "fair_smax": "recipe pymarl2/smac",
    "skirmish": "recipe pymarl2/smac",
    "predator_prey_1m": "as in the paper",
}
NAMES = {
    "qmix": "QMIX",
    "qmix (1)": "QMIX",
    "qmix (0.1)": "QMIX × 0.1",
    "qmix_small": "QMIX × 0.1",
    "cw_qmix": "CW-QMIX",
    "cw_qmix (1)": "CW-QMIX",
    "cw_qmix (0.1)": "CW-QMIX × 0.1",
    "ow_qmix": "OW-QMIX",
    "uniform_qmix": "all weights 1",
    "vdn": "VDN",
}
COLOURS = {
    "CW-QMIX": "#0072B2",
    "CW-QMIX × 0.1": "#56B4E9",
    "OW-QMIX": "#009E73",
    "all weights 1": "#CC79A7",
    "VDN": "#999999",
    "QMIX × 0.1": "#D55E00",
    "QMIX": "#000000",
}
RETURN, WON = "test_return_mean", "test_battle_won_mean"
# Figure → panels: (title, environment, settings, metric).
PANELS = {
    "predator_prey": [
        (
            "p = −2, one recipe for all",
            "predator_prey",
            "recipe predator_prey",
            RETURN,
        ),
        ("p = −2, the paper's settings", "predator_prey", "as in the paper", RETURN),
    ],
    "initial_values": [
        ("LBF 5x5-2p-1f, return", "lbf", "PyMARL's with adam", RETURN),
        ("SMAX 2s3z, games won", "smax 2s3z", "recipe pymarl2/smac", WON),
    ],
    "skirmish": [
        ("skirmish 2s3z, games won", "skirmish 2s3z", "recipe pymarl2/smac", WON)
    ],
}


def collect():
    """Write every test of every run that a page shows, a row each."""
    rows = []
    for name, settings in FILES.items():
        content = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        for host, tasks in content.items():
            for task, algorithms in tasks.items():
                environment = named(host, task)
                for algorithm, seeds in algorithms.items():
                    for seed, tests in seeds.items():
                        key = (environment, settings, NAMES[algorithm], seed[5:])
                        rows += [(*key, *each) for each in scores(tests)]
    with open(SCORES, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([FIELDS, *rows])


def named(host, task):
    """Return the name of an environment: its own, and its map's where it has some."""
    if task.startswith("lbforaging"):
        return "lbf"
    return host if task == host else f"{host} {task}"


def scores(tests):
    """Yield (t_env, metric, score) of one run."""
    for step, facts in tests.items():
        for metric in (RETURN, WON):
            if step.startswith("step_") and metric in facts:
                (score,) = facts[metric]
                yield facts["step_count"], metric, f"{score:.6g}"


def curves():
    """Return {(environment, settings, metric): {algorithm: {seed: tests}}}."""
    found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with open(SCORES, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = row["environment"], row["settings"], row["metric"]
            test = int(row["t_env"]), float(row["score"])
            found[key][row["algorithm"]][row["seed"]].append(test)
    return found


def draw(name, panels, found):
    """Draw each seed thin and the mean of all thick."""
    width = 4.6 * len(panels)
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(width, 3.4), layout="constrained", squeeze=False
    )
    for axis, (title, *key) in zip(axes.flat, panels):
        algorithms = found[tuple(key)]
        for algorithm in (each for each in COLOURS if each in algorithms):
            seeds, colour = algorithms[algorithm], COLOURS[algorithm]
            for tests in seeds.values():
                axis.plot(*zip(*tests), color=colour, linewidth=0.6, alpha=0.5)
            together = [*zip(*seeds.values())]
            times = [max(t for t, _ in each) for each in together]
            means = [sum(v for _, v in each) / len(each) for each in together]
            axis.plot(times, means, color=colour, linewidth=2, label=algorithm)
        axis.set_title(title, fontsize="medium")
        axis.set_xlabel("environment steps")
        axis.xaxis.set_major_formatter(lambda t, _: f"{t / 1000:g}k")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize="small")
    figure.savefig(FIGURES / f"results_{name}.png", dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    if "--collect" in sys.argv[1:]:
        collect()
    for figure_name, figure_panels in PANELS.items():
        draw(figure_name, figure_panels, curves())
