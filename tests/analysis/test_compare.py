"""Comparisons: which runs count, the statistics by hand, and what is written."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from wqmix.analysis.compare import cli, drawing, statistics, tables
from wqmix.analysis.compare.scores import compare
from wqmix.analysis.runs import read_all

from .folders_of_runs import write_run

METRIC = "test_return_mean"


def comparison(tmp_path, last=1, **options):
    return compare(read_all([str(tmp_path)], METRIC), METRIC, last, **options)


# Which runs count --------------------------------------------------------------------


def test_scores_are_taken_where_every_algorithm_came(tmp_path):
    """QMIX ends at 100 and VDN at 200: VDN's score is its mean up to 100."""
    write_run(tmp_path / "1", "qmix", values=(0, 5, 6), steps=(0, 50, 100))
    write_run(tmp_path / "2", "vdn", values=(1, 2, 3, 9), steps=(0, 50, 100, 200))
    found = comparison(tmp_path, last=2)
    assert found.horizons == {"3s5z": 100}
    assert found.groups["qmix", "3s5z"].scores.tolist() == [5.5]
    assert found.groups["vdn", "3s5z"].scores.tolist() == [2.5]
    assert found.ranges == {"3s5z": (2.5, 5.5)}
    (remark,) = found.remarks
    assert "unequal length (qmix 100, vdn 200 steps)" in remark
    assert "taken at step 100" in remark


def test_a_run_that_broke_off_has_no_final_score_and_is_named(tmp_path):
    write_run(tmp_path / "1", seed=1)
    write_run(tmp_path / "2", seed=2, values=(1,), steps=(0,), status="FAILED")
    found = comparison(tmp_path)
    group = found.groups["qmix", "3s5z"]
    assert len(group.runs) == 2 and group.scores.tolist() == [2]
    assert "none: 3s5z: 1" in found.remarks[0]
    assert "ends at step 0 (FAILED)" in found.on_runs[0]


def test_of_equal_runs_the_completed_one_counts(tmp_path):
    """As a sweep leaves them where a worker was lost."""
    write_run(tmp_path / "1", values=(1, 9, 9), steps=(0, 50, 100), status="RUNNING")
    write_run(tmp_path / "2", values=(1, 3), steps=(0, 90))
    write_run(tmp_path / "3", seed=2, values=(1, 4), steps=(0, 90))
    found = comparison(tmp_path)
    assert found.groups["qmix", "3s5z"].scores.tolist() == [3, 4]
    (said,) = found.on_runs
    assert "1: left out" in said and "is the same (qmix on 3s5z, seed 1)" in said


def test_resumed_runs_are_not_in_the_curves_over_hours(tmp_path):
    write_run(tmp_path / "1", seed=1, resume=True)
    write_run(tmp_path / "2", seed=2)
    found = comparison(tmp_path)
    (remark,) = found.remarks
    assert remark.startswith("1 resumed run without a clock")
    (curve,) = statistics.curves(found, statistics.by_hours).values()
    assert set(curve[2]) == {1}


def test_runs_without_a_seed_are_all_different(tmp_path):
    for number in (1, 2):
        write_run(tmp_path / str(number), seed=None)
    assert len(comparison(tmp_path).groups["qmix", "3s5z"].runs) == 2


def test_a_run_without_values_is_left_out_and_named(tmp_path):
    write_run(tmp_path / "1")
    write_run(tmp_path / "2", seed=2, values=(), steps=())
    found = comparison(tmp_path)
    assert found.remarks == ["1 of 2 runs without a value that counts: left out"]
    assert "no value that counts (COMPLETED), left out" in found.on_runs[0]


def test_a_run_that_does_not_say_what_it_is_is_left_out_and_named(tmp_path):
    write_run(tmp_path / "1")
    for number, text in enumerate(('{"env": "sc2", "name": "qm', "", "[]"), start=2):
        folder = write_run(tmp_path / str(number), seed=number)
        (folder / "config.json").write_text(text)
    found = comparison(tmp_path)
    assert list(found.groups) == [("qmix", "3s5z")]
    assert found.remarks == ["3 of 4 runs without a value that counts: left out"]
    said = [remark.split(": ", 1)[1] for remark in found.on_runs]
    unknown = "config.json does not tell the algorithm and the environment"
    assert said[0].startswith("config.json is cut off") and said.count(unknown) == 3


def test_what_is_cut_off_is_named(tmp_path):
    folder = write_run(tmp_path / "1")
    (folder / "run.json").write_text('{"status": "RUNNING", "heartbeat": "20')
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text[: text.index('"t_max"')])
    found = comparison(tmp_path)
    assert found.remarks == [
        "1 of 1 run not COMPLETED (RUNNING 1), compared like the others as far as they "
        "came"
    ]
    assert [said.rsplit("/", 1)[1] for said in found.on_runs] == [
        "1: run.json is cut off: what is whole in it was read",
        "1: config.json is cut off: what is whole in it was read",
    ]


def test_how_many_of_the_compared_runs_are_not_completed(tmp_path):
    statuses = ["COMPLETED", "FAILED", "RUNNING", "FAILED", "COMPLETED"]
    for seed, status in enumerate(statuses):
        write_run(tmp_path / str(seed), seed=seed, status=status)
    write_run(tmp_path / "again", seed=0, status="INTERRUPTED")  # not compared
    (remark,) = comparison(tmp_path).remarks
    assert remark.startswith("3 of 5 runs not COMPLETED (FAILED 2, RUNNING 1)")


def test_scales(tmp_path):
    write_run(tmp_path / "1", "qmix", values=(0, 4), steps=(0, 100))
    write_run(tmp_path / "2", "vdn", values=(0, 8), steps=(0, 100))
    found = comparison(tmp_path)
    assert found.normalised(np.array([4.0, 5.0, 8.0]), "3s5z").tolist() == [0, 0.25, 1]
    found = comparison(tmp_path, ranges={"3s5z": (0, 20)})
    assert found.normalised(np.array([5.0]), "3s5z").tolist() == [0.25]
    write_run(tmp_path / "b" / "1", "qmix")
    assert comparison(tmp_path / "b").normalised(np.array([2.0]), "3s5z") == [0.5]


def test_lower_is_better(tmp_path):
    write_run(tmp_path / "1", "qmix", values=(9, 8, 4), steps=(0, 50, 100))
    write_run(tmp_path / "2", "vdn", values=(9, 7, 8), steps=(0, 50, 100))
    found = comparison(tmp_path, lower_is_better=True)
    assert found.ranges == {"3s5z": (8, 4)}
    assert found.normalised(np.array([4.0, 7.0, 8.0]), "3s5z").tolist() == [1, 0.25, 0]
    final = {("qmix", "3s5z"): (4.0, 3.0, 5.0), ("vdn", "3s5z"): (8.0, 6.0, 9.0)}
    assert tables.best_of(found, final, "3s5z") == ["qmix"]
    final["vdn", "3s5z"] = (8.0, 5.0, 9.0)  # its interval reaches that of 4.0
    assert tables.best_of(found, final, "3s5z") == ["qmix", "vdn"]
    assert tables.best_of(comparison(tmp_path), final, "3s5z") == ["qmix", "vdn"]
    final["vdn", "3s5z"] = (8.0, 6.0, 9.0)
    assert tables.best_of(comparison(tmp_path), final, "3s5z") == ["vdn"]
    (qmix, *_), vdn = [
        [r for r in statistics.steps_to_reach(found) if r["algorithm"] == name]
        for name in ("qmix", "vdn")
    ]
    assert (qmix["value"], qmix["median_steps"]) == (6, 100)  # half way from 8 to 4
    assert [row["reached"] for row in vdn] == [0, 0, 0]
    runs = marl_eval(found)["sc2"]["3s5z"]["vdn"]["seed_1"]
    assert runs["absolute_metrics"] == {METRIC: [7.0]}
    found = comparison(tmp_path, ranges={"3s5z": (0, 20)}, lower_is_better=True)
    assert found.normalised(np.array([5.0]), "3s5z").tolist() == [0.75]


def test_statistics_over_tasks_need_every_algorithm(tmp_path):
    write_run(tmp_path / "1", "qmix", "3s5z")
    write_run(tmp_path / "2", "vdn", "3s5z")
    write_run(tmp_path / "3", "qmix", "MMM2")
    found = comparison(tmp_path)
    assert found.complete_tasks() == ["3s5z"]
    assert {name: each.shape for name, each in statistics.matrices(found).items()} == {
        "qmix": (1, 1),
        "vdn": (1, 1),
    }


def test_algorithms_in_the_order_of_papers(tmp_path):
    for number, name in enumerate(("cw_qmix", "zzz", "qmix", "aaa", "vdn")):
        write_run(tmp_path / str(number), name)
    names = comparison(tmp_path).algorithms
    assert names == ["vdn", "qmix", "cw_qmix", "aaa", "zzz"]


# Statistics --------------------------------------------------------------------------


def test_the_interquartile_mean_by_hand():
    assert statistics.iqm(np.arange(1.0, 9)) == 4.5  # of 3, 4, 5, 6
    assert statistics.iqm(np.array([100.0, 1, 2, -50])) == 1.5
    assert statistics.iqm(np.array([3.0, 1, 5])) == 3  # too few: the mean
    table = np.array([[1.0, 10], [2, 20], [3, 30], [100, -7]])
    assert statistics.iqm(table).tolist() == [2.5, 15]


def test_the_probability_of_improvement_by_hand():
    x, y = np.array([[1.0, 5], [3, 5]]), np.array([[2.0, 4], [2, 5]])
    # First task: 1 < 2, 1 < 2, 3 > 2, 3 > 2, so 1/2. Second: 5 > 4, 5 = 5 twice: 3/4.
    assert statistics.improvement(x, y) == [0.625]


def test_the_same_as_rliables():
    metrics = pytest.importorskip("rliable.metrics")
    draw = np.random.default_rng(1)
    for runs in (1, 2, 3, 5, 8):
        x, y = draw.integers(0, 4, (2, runs, 3)).astype(float)
        assert np.isclose(statistics.iqm(x.ravel()), metrics.aggregate_iqm(x))
        theirs = metrics.probability_of_improvement(x, y)
        assert np.isclose(statistics.improvement(x, y)[0], theirs)


def test_intervals_and_profiles_are_rliables():
    """Its resamples are others than ours: as many of them differ by so little."""
    library = pytest.importorskip("rliable.library")
    metrics = pytest.importorskip("rliable.metrics")
    draw = np.random.default_rng(2)
    for runs, tasks in ((5, 1), (10, 3)):
        scores = draw.normal(size=(runs, tasks))
        strata = [scores[:, [task]] for task in range(tasks)]
        ours = np.stack([each[0] for each in statistics.bootstrap(strata)])
        points, intervals = library.get_interval_estimates(
            {"a": scores}, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=4000
        )
        assert np.isclose(ours[0], points["a"][0])
        width = ours[2] - ours[1]
        assert np.allclose(ours[1:], intervals["a"][:, 0], atol=0.08 * width)
        shares, _ = library.create_performance_profile({"a": scores}, statistics.TAUS)
        assert np.allclose(statistics.profiles({"a": scores})["a"][0], shares["a"])


def test_equal_runs_leave_no_doubt_and_one_run_tells_of_none():
    same = np.tile([1.0, 2, 3], (5, 1))
    for strata in ([same], [same[:1]], [same, same]):
        for each in statistics.bootstrap(strata):
            assert each.tolist() == [1, 2, 3]


def test_the_interval_holds_the_estimate_and_shrinks_with_more_runs():
    draw = np.random.default_rng(0)
    few, many = draw.normal(size=(5, 1)), draw.normal(size=(400, 1))
    widths = []
    for sample in (few, many):
        middle, low, high = statistics.bootstrap([sample])
        assert low < middle < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_strata_are_resampled_each_on_its_own():
    """Two tasks at 0 and 1: every resample has half of each, so there is no doubt."""
    strata = [np.zeros((4, 1)), np.ones((4, 1))]
    assert [each.tolist() for each in statistics.bootstrap(strata)] == [[0.5]] * 3
    mixed = statistics.bootstrap([np.concatenate(strata)])
    assert mixed[1] < 0.3 and mixed[2] > 0.7


def test_a_curve_goes_on_with_the_runs_that_go_on():
    steps = [np.array([0.0, 100]), np.array([0.0, 100, 200])]
    values = [np.array([0.0, 10]), np.array([0.0, 20, 40])]
    grid, (middle, low, high), count = statistics.curve(steps, values)
    assert grid[0] == 0 and grid[-1] == 200
    assert set(count[grid <= 100]) == {2} and set(count[grid > 103]) == {1}
    assert np.allclose(middle[grid <= 100], 0.15 * grid[grid <= 100])
    assert np.allclose(middle[grid > 103], 0.2 * grid[grid > 103])
    assert (low <= middle + 1e-12).all() and (middle <= high + 1e-12).all()


def test_a_curve_of_one_point():
    grid, (middle, _, _), count = statistics.curve([np.array([7.0])], [np.array([3.0])])
    assert (grid.tolist(), middle.tolist(), count.tolist()) == ([7], [3], [1])


def test_one_run_has_no_interval_to_speak_of(tmp_path):
    write_run(tmp_path / "1", name="qmix", seed=1)
    write_run(tmp_path / "2", name="qmix", seed=2)
    assert statistics.without_width(comparison(tmp_path)) == []
    write_run(tmp_path / "3", name="vdn", seed=1)
    (remark,) = statistics.without_width(comparison(tmp_path))
    assert remark.startswith("3s5z: one run of vdn: such an interval has no width")


def several(tmp_path, n_of):
    """Runs of two algorithms whose scores are far apart; how many of each."""
    for name, n in n_of.items():
        for seed in range(n):
            write_run(tmp_path / f"{name}{seed}", name, seed=seed)
    return comparison(tmp_path)


def test_nothing_is_bold_beside_intervals_that_tell_nothing_apart(tmp_path):
    apart = {("qmix", "3s5z"): (4.0, 3.0, 5.0), ("vdn", "3s5z"): (8.0, 6.0, 9.0)}
    found = several(tmp_path / "a", {"qmix": 5, "vdn": 5})
    assert tables.bold_of(found, apart, "3s5z") == ["vdn"]
    same = {**apart, ("qmix", "3s5z"): (4.0, 0.0, 8.0)}  # both would be bold
    assert tables.bold_of(found, same, "3s5z") == []
    for number, sizes in enumerate(({"qmix": 5, "vdn": 3}, {"qmix": 4, "vdn": 5})):
        found = several(tmp_path / str(number), sizes)
        assert tables.bold_of(found, apart, "3s5z") == []


def test_few_runs_are_told(tmp_path):
    found = several(tmp_path / "a", {"qmix": 3, "vdn": 4, "cw_qmix": 5})
    (remark,) = statistics.few_runs(found)
    assert remark.startswith("fewer than 5 runs (3s5z: 3 of qmix, 4 of vdn): ")
    assert statistics.few_runs(several(tmp_path / "b", {"qmix": 5})) == []


@pytest.mark.slow
def test_how_often_the_interval_of_few_runs_holds_the_true_value():
    """What the remark and the page say: 76, 88 and, of ten, 93 of 100."""
    draw = np.random.default_rng(0)
    shares = {}
    for n in (3, 4, 10):
        # As columns: 2,000 samples at once, each resampled by itself.
        _, low, high = statistics.bootstrap([draw.normal(size=(n, 2000))])
        shares[n] = float(np.mean((low <= 0) & (high >= 0)))
    assert shares == pytest.approx({3: 0.76, 4: 0.88, 10: 0.93}, abs=0.03)


def report(*facts):
    """`report` of a comparison; skipped without what `wqmix compare` needs."""
    pytest.importorskip("pandas")
    from wqmix.analysis.compare.report import report

    return report(*facts)


def test_each_cell_and_each_panel_says_of_how_many_runs(tmp_path):
    found = several(tmp_path, {"qmix": 2, "vdn": 3})
    final = {(name, "3s5z"): (2.0, 1.0, 3.0) for name in ("qmix", "vdn")}
    page = report(found, {"final": final, "reaching": []}, {}, [])
    assert re.findall("<small>n = (.)</small>", page) == ["3", "2"]  # VDN is first
    look, curves = drawing.styles(found), statistics.curves(found, statistics.by_steps)
    (axis,) = drawing.curves(found, curves, look, drawing.STEPS).axes
    assert axis.get_title() == "3s5z (n = 2 to 3)"
    (axis,) = drawing.final_scores(found, final, look).axes
    assert axis.get_title() == "3s5z\nat step 100 (n = 2 to 3)"
    scores = statistics.matrices(found)
    runs = drawing.over_tasks(found, map(len, scores.values()))
    assert runs == "n = 2 to 3"


def test_panels_and_rows_are_sorted_by_their_numbers(tmp_path):
    for number, task in enumerate(("10m_vs_11m", "5m_vs_6m", "MMM2")):
        for alpha in (0.1, 0.05):
            folder = tmp_path / f"{number} {alpha}"
            write_run(folder, "cw_qmix", task, alpha=alpha)
    found = comparison(tmp_path)
    assert found.tasks == ["5m_vs_6m", "10m_vs_11m", "MMM2"]
    assert found.algorithms == ["cw_qmix alpha=0.05", "cw_qmix alpha=0.1"]
    rows = [row["task"] for row in tables.runs(found)]
    assert rows[:3] == found.tasks
    assert [task for _, task in statistics.final_scores(found)][:3] == found.tasks


def test_the_settings_in_which_algorithms_differ_alpha_always(tmp_path):
    for number, name in enumerate(("cw_qmix", "ow_qmix")):
        more = {"alpha": 0.1, "weighting": name[:2], "lr": 0.01 * (number + 1)}
        write_run(tmp_path / f"{name}", name, gamma=0.9, **more)
    write_run(tmp_path / "prey", "ow_qmix", "prey", alpha=0.5, weighting="ow", lr=0.02)
    page = report(comparison(tmp_path), {"final": {}, "reaching": []}, {}, [])
    page = page[page.index("<h2>Settings") :]
    rows = re.findall("<tr><td>(\\w+)</td><td>(.*?)</td><td>(.*?)</td></tr>", page)
    assert rows == [
        ("weighting", "cw", "ow"),
        ("alpha", "0.1", "0.1 (3s5z); 0.5 (prey)"),
        ("lr", "0.01", "0.02"),
    ]


def test_steps_to_reach_a_score(tmp_path):
    write_run(tmp_path / "1", seed=1, values=(0, 6, 10), steps=(0, 50, 100))
    write_run(tmp_path / "2", seed=2, values=(0, 1, 8), steps=(0, 50, 100))
    found = comparison(tmp_path, ranges={"3s5z": (0, 10)})
    rows = {row["threshold"]: row for row in statistics.steps_to_reach(found)}
    assert (rows[0.5]["median_steps"], rows[0.5]["reached"]) == (75, 2)
    assert (rows[0.75]["median_steps"], rows[0.75]["value"]) == (100, 7.5)
    assert (rows[0.9]["median_steps"], rows[0.9]["reached"]) == (float("inf"), 1)


# What is written ---------------------------------------------------------------------


def test_marl_evals_layout(tmp_path):
    write_run(tmp_path / "1", values=(1, 7, 2), steps=(0, 50, 100), seed=3)
    assert marl_eval(comparison(tmp_path)) == {
        "sc2": {
            "3s5z": {
                "qmix": {
                    "seed_3": {
                        "step_0": step(0, 0, 1.0),
                        "step_1": step(50, 3600, 7.0),
                        "step_2": step(100, 7200, 2.0),
                        "absolute_metrics": {METRIC: [7.0]},
                    }
                }
            }
        }
    }


def marl_eval(found):
    return json.loads("".join(tables.marl_eval(found)))


def step(count, seconds, value):
    return {"step_count": count, "elapsed_time": seconds, METRIC: [value]}


def test_the_latex_table(tmp_path):
    write_run(tmp_path / "1", "qmix", "5m_vs_6m")
    write_run(tmp_path / "2", "cw_qmix", "5m_vs_6m", values=(0, 5))
    final = {
        ("qmix", "5m_vs_6m"): (2.0, 1.0, 3.0),
        ("cw_qmix", "5m_vs_6m"): (5.0, 4.0, 6.5),
    }
    for seed in range(10, 14):  # with the first ones 5 runs of each
        write_run(tmp_path / f"1.{seed}", "qmix", "5m_vs_6m", seed)
        write_run(tmp_path / f"2.{seed}", "cw_qmix", "5m_vs_6m", seed, values=(0, 5))
    lines = tables.latex(comparison(tmp_path), final).splitlines()
    assert lines[3] == r"\begin{tabular}{lrr}"
    assert lines[5] == r" & QMIX & CW-QMIX \\"
    assert lines[7] == (
        r"5m\_vs\_6m & $2.00$ {\scriptsize $[1.00, 3.00]$, $5$} & "
        r"$\mathbf{5.00}$ {\scriptsize $[4.00, 6.50]$, $5$} \\"
    )
    assert "a_b & 100%".translate(tables.LATEX) == r"a\_b \& 100\%"


def test_the_report_s_head_and_its_steps_to_a_score(tmp_path):
    write_run(tmp_path / "<1>", seed=1, values=(0, 6, 9.5), steps=(0, 50, 100))
    found = comparison(tmp_path, ranges={"3s5z": (0, 10)})
    page = report(found, {"final": {}, "reaching": reached(found)}, {}, ["a=<1>", "b"])
    assert "1 run: 1 algorithm on 1 task, in <code>a=&lt;1&gt;</code>, <code>b" in page
    write_run(tmp_path / "2", seed=2, values=(0, 1, 4), steps=(0, 50, 100))
    write_run(tmp_path / "3", seed=3, values=(0, 1, 6), steps=(0, 50, 100))
    found = comparison(tmp_path, ranges={"3s5z": (0, 10)})
    page = report(found, {"final": {}, "reaching": reached(found)}, {}, [])
    cells = re.findall(r"<td>([^<]*) <small>(\d of \d)</small>", page)
    assert cells == [("100", "2 of 3"), ("–", "1 of 3"), ("–", "1 of 3")]


def reached(found):
    return statistics.steps_to_reach(found)


def test_an_algorithm_has_one_colour_and_a_source_one_pattern(tmp_path):
    for place in ("here", "there"):
        for number, settings in enumerate((("qmix",), ("vdn",), ("mine",))):
            write_run(tmp_path / place / str(number), *settings)
    write_run(tmp_path / "there" / "3", "only")
    places = [f"{place}={tmp_path / place}" for place in ("here", "there")]
    look = drawing.styles(compare(read_all(places, METRIC), METRIC, 1))
    colours = {name: colour for name, (colour, _) in look.items()}
    for name in ("qmix", "vdn", "mine"):
        assert colours[f"{name} (here)"] == colours[f"{name} (there)"]
    assert colours["qmix (here)"] == "#D55E00" and len(set(colours.values())) == 4
    solid, dashed = drawing.DASHES[:2]
    assert {d for name, (_, d) in look.items() if "(here)" in name} == {solid}
    assert {d for name, (_, d) in look.items() if "(here)" not in name} == {dashed}


class Links(HTMLParser):
    """Whatever a page would load, and its tags."""

    def __init__(self, page):
        super().__init__()
        self.links, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for key, value in attributes if key in ("src", "href")]


@pytest.mark.slow
def test_everything_is_written_and_the_report_needs_nothing_else(tmp_path, capsys):
    pytest.importorskip("rliable")
    runs = tmp_path / "runs"
    for task in ("3s5z", "<script>alert(1)</script>"):
        for name, top in (("qmix", 2.0), ("cw_qmix", 5.0)):
            for seed in (1, 2, 3):
                folder = runs / f"{len(list(runs.glob('*')))}"
                values = (0.0, top, top + seed / 10)
                write_run(folder, name, task, seed, values, (0, 50, 100))
    out = tmp_path / "out"
    assert cli.main([str(runs), "--last", "1", "--out", str(out)]) == 0
    names = "learning_curves wall_clock final_scores aggregates profiles improvement"
    for name in [*names.split(), "sample_efficiency"]:
        assert (out / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        pdf = (out / f"{name}.pdf").read_bytes()
        assert pdf[:5] == b"%PDF-" and b"/FontFile2" in pdf and b"/Type3" not in pdf
    page = Links((out / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("img") == 7 and "script" not in page.tags
    assert all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    with open(out / "final_scores.csv", newline="", encoding="utf-8") as file:
        rows = {(r["algorithm"], r["task"]): r for r in csv.DictReader(file)}
    best = rows["cw_qmix", "3s5z"]
    assert float(best["iqm"]) == pytest.approx(5.2)
    assert 5.1 <= float(best["low"]) <= 5.2 <= float(best["high"]) <= 5.3
    with open(out / "improvement.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["x"], row["y"], float(row["probability"])) == ("cw_qmix", "qmix", 1)
    assert len(json.loads((out / "marl_eval.json").read_text())["sc2"]) == 2
    assert re.search(r"3s5z +2\.2 \[.*\] +5\.2 \[", capsys.readouterr().out)


def test_what_an_earlier_comparison_wrote_does_not_stay(tmp_path):
    pytest.importorskip("rliable")
    out = tmp_path / "out"
    write_run(tmp_path / "1", "qmix")
    write_run(tmp_path / "2", "vdn")
    places = [str(tmp_path / "1"), str(tmp_path / "2")]
    assert cli.main([*places, "--out", str(out)]) == 0
    (out / "mine.csv").touch()
    only_of_two = {f"improvement.{suffix}" for suffix in ("csv", "pdf", "png")}
    written = {path.name for path in out.iterdir()}
    assert only_of_two < written and "profiles.png" in written
    # Over one task these would repeat its scores and its curves.
    assert not any(n.startswith(("aggregates", "sample_efficiency")) for n in written)
    assert cli.main([places[0], "--lower-is-better", "--out", str(out)]) == 0
    left = {path.name for path in out.iterdir()}
    assert not left & only_of_two and "mine.csv" in left
    assert "Lower values count as better" in (out / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "argv, message",
    [
        (["absent"], "no such folder"),
        (["."], "no run in it"),
        (["runs", "--range", "3s5z=2:1"], "LOW must be less than HIGH"),
        (["runs", "--range", "3s5z"], "TASK=LOW:HIGH is needed"),
        (["runs", "--range", "3s5=0:1"], "did you mean '3s5z'"),
        (["runs", "--last", "0"], "--last is a whole number from 1"),
        (["runs", "--metric", "los"], "none of 1 run has 'los'; recorded: test_"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, argv, message):
    pytest.importorskip("rliable")
    write_run(tmp_path / "inside" / "runs" / "1")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / ("empty" if argv == ["."] else "inside"))
    assert cli.main(argv) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
    assert not (tmp_path / "inside" / "results").exists()


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "rliable", None)
    write_run(tmp_path / "1")
    assert cli.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "needs rliable: pip install 'matplotlib>=3.7' 'rliable" in error
