"""The report's figures, as SVG to stand inside an HTML page: text is text, colours are the page's CSS variables.

Colours follow the reader's light or dark theme because matplotlib draws with stand-in colours that are then replaced by
``var(--…)``. No mathtext, no files, no global figure: safe for names that come from data, and for several threads.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from automl_retraining.core.metric_table import MINUS
from automl_retraining.core.metrics import Answers, Task, metric_value
from automl_retraining.core.plot_data import MOST_DOTS, reliability, thin
from automl_retraining.core.records import Interval, Leaderboard

INK, MUTED, GRID, PAPER = "#010203", "#010204", "#010205", "#010206"
CHALLENGER, CHAMPION, GOOD, BAD = "#010207", "#010208", "#010209", "#01020a"
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    PAPER: "--card",
    CHALLENGER: "--challenger",
    CHAMPION: "--champion",
    GOOD: "--good",
    BAD: "--bad",
}
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.titleweight": "bold",
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
_WIDTH = 10.6
_COLOUR = {"challenger": CHALLENGER, "champion": CHAMPION}


@dataclass(frozen=True)
class Effect:
    """One line of the comparison: how much better the challenger is, positive is better."""

    name: str
    gain: Interval


def effects(lines: Sequence[Effect], metric: str, margin: float, other: str) -> str:
    """Improvement with its interval, overall and per slice, with the zero line and, if it is not 0, the margin's."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(lines))[::-1]
        bar = margin if margin else 0.0
        for place, line in zip(places, lines, strict=True):
            gain = line.gain
            colour = GOOD if gain.low > bar else BAD if gain.high < min(bar, 0) else CHALLENGER
            axes.plot([gain.low, gain.high], [place, place], color=colour, linewidth=2.4, solid_capstyle="round")
            axes.plot(gain.value, place, "o", color=colour, markersize=7.5, markeredgecolor=PAPER, markeredgewidth=1.2)
        axes.axvline(0, color=INK, linewidth=1)
        if margin:
            axes.axvline(margin, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(
                f"margin {margin:g}".replace("-", MINUS), (margin, len(lines) - 0.45), color=MUTED, fontsize=9,
                ha="right" if margin < 0 else "left", va="center", xytext=(-4 if margin < 0 else 4, 0),
                textcoords="offset points",
            )  # fmt: skip
        low, high = (
            min(0.0, margin, *(line.gain.low for line in lines)),
            max(0.0, margin, *(line.gain.high for line in lines)),
        )
        room = (high - low) * 0.08 or 0.5
        axes.set_xlim(low - room, high + room)
        axes.set_ylim(-0.6, len(lines) - 0.4 + (0.25 if margin else 0))
        axes.set_yticks(places, [line.name for line in lines])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"← worse · {metric}, how much better than the {other} · better →")

    return _svg("effects", f"Improvement of {metric} with its interval", 0.75 + 0.42 * len(lines), draw)


def curves(models: Mapping[str, Answers], task: Task) -> str:
    """ROC, precision and recall, and calibration of a two-class model, challenger over champion."""

    def draw(figure: Figure) -> None:
        roc, recall, calibration = figure.subplots(1, 3)
        roc.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        calibration.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        for role, answers in reversed(list(models.items())):
            assert answers.probabilities is not None
            truth, score = answers.truth == task.positive, answers.probabilities[:, task.positive]
            auc = metric_value("roc_auc", answers, task)
            style = {"color": _COLOUR[role], "linewidth": 2 if role == "challenger" else 1.6}
            false, true, _ = roc_curve(truth, score)
            roc.plot(*thin(false, true), label=f"{role}, AUC {auc:.3f}", **style)
            precision, hit, _ = precision_recall_curve(truth, score)
            recall.plot(*thin(hit, precision), label=role, **style)
            calibration.plot(*reliability(truth, score)[:2], "o-", label=role, markersize=5, **style)
        prevalence = float((next(iter(models.values())).truth == task.positive).mean())
        recall.axhline(prevalence, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        titles = (
            (roc, "ROC", "false positive rate", "true positive rate"),
            (recall, "Precision and recall", "recall", "precision"),
            (calibration, "Calibration", f"predicted probability of {task.positive_label}", "observed share"),
        )
        for axes, title, x, y in titles:
            axes.set(title=title, xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
            axes.set_box_aspect(0.92)
        _legend(roc, "lower right")
        _legend(recall, "lower left")
        _legend(calibration, "upper left")

    return _svg("curves", "ROC, precision-recall and calibration curves", 3.75, draw)


def errors(models: Mapping[str, Answers], target: str) -> str:
    """Predicted against actual, residuals, and the distribution of absolute errors of a regression."""

    def draw(figure: Figure) -> None:
        fit, residuals, spread = figure.subplots(1, 3)
        truth = next(iter(models.values())).truth.astype(np.float64)
        dots = np.random.default_rng(0).permutation(len(truth))[:MOST_DOTS]
        ends = [float(truth.min()), float(truth.max())]
        fit.plot(ends, ends, color=INK, linewidth=0.9)
        residuals.axhline(0, color=INK, linewidth=0.9)
        for role, answers in reversed(list(models.items())):
            prediction = answers.prediction.astype(np.float64)
            alpha = max(min(60 / max(len(dots), 1) ** 0.7, 0.75), 0.2)
            dot = {"color": _COLOUR[role], "alpha": alpha, "markersize": 4, "markeredgewidth": 0, "linestyle": "none"}
            fit.plot(truth[dots], prediction[dots], marker="o", label=role, **dot)
            residuals.plot(prediction[dots], (prediction - truth)[dots], marker="o", label=role, **dot)
            size = np.sort(np.abs(prediction - truth))
            share = np.arange(1, len(size) + 1) / len(size)
            spread.plot(*thin(size, share), color=_COLOUR[role], linewidth=1.9, label=role)
        fit.set(title="Predicted and actual", xlabel=f"actual {target}", ylabel=f"predicted {target}")
        residuals.set(title="Residuals", xlabel=f"predicted {target}", ylabel="predicted less actual")
        spread.set(title="Absolute errors", xlabel="absolute error up to", ylabel="share of test rows", ylim=(0, 1.03))
        for axes in (fit, residuals, spread):
            axes.set_box_aspect(0.92)
        _legend(fit, "upper left")
        _legend(spread, "lower right")

    return _svg("errors", "Predicted and actual values, residuals and absolute errors", 3.75, draw)


def classes(models: Mapping[str, Answers], task: Task) -> str:
    """F1 of each class beside the challenger's confusion matrix (shares of the true class); the 15 largest classes."""

    def draw(figure: Figure) -> None:
        bars, matrix = figure.subplots(1, 2, width_ratios=(1.1, 1))
        truth = next(iter(models.values())).truth.astype(np.int64)
        largest = np.argsort(-np.bincount(truth, minlength=len(task.labels)), kind="stable")[:15]
        names = [task.labels[code] for code in largest]
        places = np.arange(len(names))[::-1]
        height = 0.8 / len(models)
        for position, (role, answers) in enumerate(models.items()):
            hit = [((answers.truth == code) & (answers.prediction == code)).sum() for code in largest]
            both = [(answers.truth == code).sum() + (answers.prediction == code).sum() for code in largest]
            score = 2 * np.array(hit) / np.maximum(both, 1)
            shift = height * ((len(models) - 1) / 2 - position)
            bars.barh(places + shift, score, height * 0.9, color=_COLOUR[role], label=role)
        bars.set(title="F1 by class", xlim=(0, 1.02), xlabel="F1")
        bars.set_yticks(places, names)
        bars.tick_params(axis="y", length=0, labelcolor=INK)
        bars.grid(visible=False, axis="y")
        bars.legend(loc="upper right", bbox_to_anchor=(1, -0.09), ncols=2, labelcolor=INK)
        counts = confusion_matrix(truth, models["challenger"].prediction, labels=largest)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        for row, line in enumerate(shares):
            for column, share in enumerate(line):
                colour = CHALLENGER if row == column else BAD
                matrix.add_patch(_square(column, row, colour, float(share)))
                if len(names) <= 8:
                    matrix.text(column, row, f"{share:.0%}", ha="center", va="center", fontsize=9, color=INK)
        matrix.set(title="Challenger's confusion, shares of the true class", xlabel="predicted", ylabel="true")
        matrix.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))
        matrix.set_xticks(range(len(names)), names, rotation=90 if len(names) > 6 else 0)
        matrix.set_yticks(range(len(names)), names)
        matrix.grid(visible=False)

    height = max(3.4, 1.2 + 0.3 * min(len(task.labels), 15))
    return _svg("classes", "F1 by class and confusion matrix", height, draw)


def candidates(leaderboard: Leaderboard, most: int = 20) -> str:
    """The objective of the best candidates, best first."""
    scored = [one for one in leaderboard.candidates if one.objective_value is not None][:most]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(scored))[::-1]
        values = np.array([one.objective_value for one in scored], dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        room = (high - low) * 0.25 or abs(high) * 0.05 or 0.5
        floor = max(low - room, 0.0) if low >= 0 else low - room
        for place, value, one in zip(places, values, scored, strict=True):
            best = one.name == leaderboard.best
            colour = CHALLENGER if best else MUTED
            axes.plot([floor, value], [place, place], color=colour, linewidth=1.6, alpha=1 if best else 0.5)
            axes.plot(value, place, "o", color=colour, markersize=7 if best else 6)
            axes.annotate(
                f"{value:.5g}", (value, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9,
                color=INK if best else MUTED,
            )  # fmt: skip
        axes.set_xlim(floor, high + room * 0.6)
        axes.set_ylim(-0.6, len(scored) - 0.4)
        axes.set_yticks(places, [_cut(one.algorithm or one.name, 34) for one in scored])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        better = "higher" if leaderboard.greater_is_better else "lower"
        axes.set_xlabel(f"{leaderboard.objective_metric} on the validation part ({better} is better)")

    return _svg("candidates", "Candidates by objective", 0.75 + 0.3 * len(scored), draw) if scored else ""


def importance(shares: Mapping[str, float], most: int = 15) -> str:
    """The most important features, most important first."""
    ranked = sorted(shares.items(), key=lambda item: -abs(item[1]))[:most]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(ranked))[::-1]
        axes.barh(places, [value for _, value in ranked], 0.62, color=CHALLENGER)
        axes.set_ylim(-0.6, len(ranked) - 0.4)
        axes.set_yticks(places, [_cut(name, 34) for name, _ in ranked])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("importance")

    return _svg("importance", "Feature importance", 0.75 + 0.28 * len(ranked), draw) if ranked else ""


# ---------------------------------------------------------------- drawing


def _square(x: float, y: float, colour: str, share: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, alpha=0.06 + 0.6 * share, linewidth=0)


def _legend(axes: Any, where: str) -> None:
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], names[::-1], loc=where, labelcolor=INK)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _svg(name: str, label: str, height: float, draw: Any) -> str:
    """Run ``draw`` on a fresh figure and return an <svg> element that takes the page's width, fonts and colours."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Names in scripts that the measuring font lacks: the browser has them, only the measured width is a guess.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = re.sub(r"(font(?:-family)?: (?:[0-9a-z. ]*px )?)'DejaVu Sans'[^;\"]*", r"\1var(--font)", svg)
    svg = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box is not None
    title = html.escape(label, quote=True)
    head = f'<svg viewBox="{box[1]}" role="img" aria-label="{title}" xmlns="http://www.w3.org/2000/svg"'
    head += ' xmlns:xlink="http://www.w3.org/1999/xlink">'
    return head + svg[svg.index(">") + 1 :].strip()
