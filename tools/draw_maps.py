"""Draw skirmish's maps as battles begin there, for docs/skirmish.md.

python tools/draw_maps.py docs/figures/skirmish_maps.png
"""

import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

from wqmix.host.envs.skirmish import maps  # noqa: E402
from wqmix.host.envs.skirmish.batch import SkirmishBatch  # noqa: E402

COLUMNS = 4


def main(out):
    names = list(maps.read("maps"))
    rows = -(-len(names) // COLUMNS)
    figure, axes = pyplot.subplots(
        rows, COLUMNS, figsize=(12, 2.4 * rows), layout="constrained", squeeze=False
    )
    for panel in axes.flat:
        panel.set_axis_off()
    for panel, name in zip(axes.flat, names):
        battle = SkirmishBatch(1, name, None, False, seed=0)
        battle.reset()
        panel.imshow(battle.render())
        panel.set_title(f"{name}, {battle.episode_limit} steps", fontsize="medium")
    figure.savefig(out, dpi=75)


if __name__ == "__main__":
    main(sys.argv[1])
