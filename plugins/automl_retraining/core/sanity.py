"""Checks of the data before anything is trained: what would make a model look better than it is, or serve worse.

Each check says what it looked for, on how many rows, and what it found; what follows is the policy's. Limits and their
sources are in docs/data.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from automl_retraining.core import sanity_features, sanity_identifiers, sanity_parts, sanity_target
from automl_retraining.core.gate_policy import ChecksPolicy
from automl_retraining.core.records import CheckName, CheckResult, DataChecks, Manifest, Part
from automl_retraining.core.sanity_copies import expected_copies
from automl_retraining.core.sanity_features import Codes
from automl_retraining.core.sanity_looked import Looked, fixed_in_groups
from automl_retraining.core.sanity_sample import Column

AUC_LIMIT = 0.99
"""What a feature alone may reach. The strongest honest features of real tables reach .97 (docs/data.md)."""
R2_LIMIT = 0.98
"""The same for the share of a number's variance, of ranks."""
COPIES_LIMIT = 0.01
"""Share of the test rows, as gate.max_leaked_share's default."""
CHANCE = 0.1
"""Copies of a row to expect in the train part by chance, from which on one says nothing."""
MIN_TRAIN, MIN_TEST, MIN_CLASS = 100, 50, 10
"""Fewest rows to say something about one feature: of each part, and of a class in the test part."""
_SHOWN = 5


def wanted(policy: ChecksPolicy) -> tuple[CheckName, ...]:
    """The checks that the policy does not switch off, in the order in which they are made."""
    return tuple(name for name in _CHECKS if getattr(policy, name) != "off")


def look(looked: Looked, policy: ChecksPolicy, *, run_id: str, seed: int) -> DataChecks:
    """Make the checks that the policy does not switch off. Deterministic for a sample and a seed."""
    with np.errstate(over="ignore", invalid="ignore"):  # a column may hold what has no square
        results = tuple(_CHECKS[name](looked, seed) for name in wanted(policy))
    return DataChecks(
        pipeline=looked.manifest.pipeline,
        run_id=run_id,
        train_rows=looked.train.rows,
        test_rows=looked.test.rows,
        seed=seed,
        results=results,
    )


def stopping(checks: DataChecks, policy: ChecksPolicy) -> list[CheckResult]:
    """What was found of the checks that the policy says to stop at."""
    return [result for result in checks.results if result.found and getattr(policy, result.name) == "stop"]


# ---------------------------------------------------------------- one feature alone


def single_feature(looked: Looked, seed: int) -> CheckResult:
    """Whether a feature alone predicts the target: its bins' means on train rows, scored on test rows."""
    del seed
    manifest, target = looked.manifest, looked.manifest.target
    rows = f"on {looked.test.rows:,} test rows after {looked.train.rows:,} train rows"
    if looked.train.rows < MIN_TRAIN or looked.test.rows < MIN_TEST:
        return _too_few("single_feature", "whether one feature alone predicts the target", looked)
    measure: Callable[[sanity_features.Binned], float]
    if manifest.problem_type == "Regression":
        statistic, limit = "R² of ranks", R2_LIMIT
        fit, scored = sanity_features.ranks(looked.train.columns[target].numbers, looked.test.columns[target].numbers)

        def measure(feature: sanity_features.Binned) -> float:
            return sanity_features.r2(feature, fit, scored)
    else:
        classes = len(manifest.labels)
        statistic, limit = "ROC AUC" if classes == 2 else "mean ROC AUC of a class against the rest", AUC_LIMIT
        known, truth = (_classes(sample.columns[target], manifest) for sample in (looked.train, looked.test))
        judged = np.flatnonzero(np.bincount(truth, minlength=classes) >= MIN_CLASS).tolist()
        if len(judged) < 2:
            return _too_few("single_feature", "whether one feature alone predicts the target", looked, of_class=True)
        judged = judged[-1:] if classes == 2 else judged

        def measure(feature: sanity_features.Binned) -> float:
            return sanity_features.auc(feature, known, truth, classes, judged)

    values = {
        train.name: measure(sanity_features.binned(train, test))
        for train, test in zip(looked.features(looked.train), looked.features(looked.test), strict=True)
    }
    order = sorted(values, key=lambda name: (-values[name], name))
    best = order[0]
    columns = tuple(name for name in order if values[name] > limit)
    shown = "; ".join(f"column {name!r}: {values[name]:.4f}" for name in columns[:_SHOWN])
    if columns:
        sentence = (
            f"{'one feature' if len(columns) == 1 else f'each of {len(columns)} features'} alone predicts the target "
            f"{target!r}: {shown}{'; …' if len(columns) > _SHOWN else ''} ({statistic} {rows}, limit {limit:g}). "
            "Is it known before the target is? If not, drop it"
        )
    else:
        sentence = (
            f"no feature alone predicts the target {target!r}: the best, column {best!r}, reaches {values[best]:.4f} "
            f"({statistic} {rows}, limit {limit:g})"
        )
    return CheckResult(
        name="single_feature", found=bool(columns), sentence=sentence, columns=columns, value=values[best], limit=limit
    )


def _classes(column: Column, manifest: Manifest) -> Codes:
    codes = {label: code for code, label in enumerate(manifest.labels)}
    assert column.words is not None, "a class is known by its text"
    return np.array([codes[word] for word in column.words], dtype=np.int64)


# ---------------------------------------------------------------- identifiers


def identifier(looked: Looked, seed: int) -> CheckResult:
    """Whether a feature names the row."""
    del seed
    found = {
        column.name: why
        for column in looked.features(looked.train)
        if (why := sanity_identifiers.why(column)) is not None
    }
    if found:
        shown = "; ".join(f"column {name!r} {why}" for name, why in list(found.items())[:_SHOWN])
        sentence = (
            f"{'a feature names' if len(found) == 1 else f'{len(found)} features name'} the row rather than describe "
            f"it: {shown}{'; …' if len(found) > _SHOWN else ''} (in {looked.train.rows:,} train rows). Drop what is "
            "no measurement, or name it in split.key or split.group"
        )
    elif looked.train.rows < sanity_identifiers.ROWS:
        return _too_few("identifier", "whether a feature names the row", looked)
    else:
        sentence = f"no feature names the row (in {looked.train.rows:,} train rows)"
    return CheckResult(name="identifier", found=bool(found), sentence=sentence, columns=tuple(found))


# ---------------------------------------------------------------- copies


def duplicates(looked: Looked, seed: int) -> CheckResult:
    """How many more test rows than by chance stand in the train part too, byte for byte."""
    del seed
    copies = np.array([looked.copies.found[record] for record in looked.test.records], dtype=np.int64)
    copied, expected = copies > 0, expected_copies(looked, copies)
    telling = expected < CHANCE
    by_chance = float(expected[telling].sum())
    share = max(0.0, int((copied & telling).sum()) - by_chance) / max(1, looked.test.rows)
    found = share > COPIES_LIMIT
    more = (
        f", with the same features and the same target: {share:.2%} of all, beyond those that agree by chance (limit "
        f"{COPIES_LIMIT:.0%})"
        if copied.any()
        else ""
    )
    sentence = f"{int(copied.sum()):,} of {looked.test.rows:,} test rows stand in the train part too{more}" + (
        ": the challenger is trained on them. Remove the doubles, or say split.group for what they have in common"
        if found
        else ""
    )
    return CheckResult(name="duplicates", found=found, sentence=sentence, value=share, limit=COPIES_LIMIT)


# ---------------------------------------------------------------- shifts


def target_shift(looked: Looked, seed: int) -> CheckResult:
    """Whether the target is of another kind than where the champion was trained, or in the test part."""
    del seed
    manifest = looked.manifest
    now = manifest.split
    train_share, test_share = looked.independent
    share = min(train_share, test_share)
    shifts: list[tuple[str, sanity_target.Shift | None]] = []
    notes = []
    champion = looked.champion
    if champion is not None and (champion.target, champion.problem_type) != (manifest.target, manifest.problem_type):
        notes.append(
            f"the champion learned another target ({champion.target!r}, {champion.problem_type}), so theirs are not "
            "compared"
        )
    elif champion is not None:
        where = f"where the champion was trained (run {champion.run_id})"
        shifts.append(("in the train part", _since(champion, manifest, where, train_share)))
    elif looked.champion_unknown:
        notes.append(looked.champion_unknown)
    if manifest.problem_type == "Regression":
        train, test = (sample.columns[manifest.target].numbers for sample in (looked.train, looked.test))
        within: sanity_target.Shift | None = sanity_target.distributions(train, test, "in the train part", share)
    else:
        within = sanity_target.classes(now.train.class_counts, now.test.class_counts, "in the train part", share)
    shifts.append(("in the test part", within))
    known = [(where, shift) for where, shift in shifts if shift is not None]
    found = [(where, shift) for where, shift in known if shift.found]
    timed = " With split.time the test part is later, so some drift is to be expected." if now.spec.time else ""
    if not known:
        return CheckResult(name="target_shift", found=False, sentence="; ".join(["the target's rows are none", *notes]))
    said = [f"{where} {shift.said}{_by_chance(shift)}" for where, shift in (found or known)]
    start = f"the target {manifest.target!r} {'shifted' if found else 'did not shift'}: "
    worst = max((shift for _, shift in (found or known)), key=lambda shift: shift.effect / shift.limit)
    return CheckResult(
        name="target_shift",
        found=bool(found),
        sentence=start + "; ".join([*said, *notes]) + (f".{timed}" if found and timed else ""),
        columns=(manifest.target,) if found else (),
        value=worst.effect,
        limit=worst.limit,
    )


def _by_chance(shift: sanity_target.Shift) -> str:
    return ", which so few rows show by chance" if shift.effect > shift.limit and not shift.found else ""


def _since(then: Manifest, now: Manifest, where: str, share: float) -> sanity_target.Shift | None:
    before, after = then.split.train, now.split.train
    if now.problem_type != "Regression":
        return sanity_target.classes(before.class_counts, after.class_counts, where, share)
    profile = next((column for column in then.columns if column.name == then.target), None)
    if profile is None or profile.std is None or before.target_mean is None or after.target_mean is None:
        return None
    return sanity_target.means(
        (before.target_mean, profile.std, _rows(before, share)), (after.target_mean, _rows(after, share)), where
    )


def _rows(part: Part, share: float) -> int:
    return max(1, int(part.rows * share))


def train_test(looked: Looked, seed: int) -> CheckResult:
    """Whether a classifier tells test rows from train rows by their features."""
    manifest = looked.manifest
    fixed = fixed_in_groups(looked)
    told = None
    names = [name for name in manifest.features if name not in fixed]
    if names:
        told = sanity_parts.tell_apart(
            [looked.train.columns[name] for name in names],
            [looked.test.columns[name] for name in names],
            share=looked.independent,
            seed=seed,
        )
    without = (
        f"; without {', '.join(map(repr, fixed[:_SHOWN]))}{', …' if len(fixed) > _SHOWN else ''}, which each group of "
        "the split has one value of"
        if fixed
        else ""
    )
    if told is None:
        return _too_few("train_test", f"whether a classifier tells the parts apart{without}", looked)
    figures = (
        f"ROC AUC {told.auc:.3f}, interval {told.low:.3f} to {told.high:.3f}, limit {sanity_parts.TELLS:g}{without}"
    )
    if not told.found:
        sentence = f"a classifier does not tell test rows from train rows by their features ({figures})"
        return CheckResult(name="train_test", found=False, sentence=sentence, value=told.low, limit=sanity_parts.TELLS)
    alone = [(name, value) for name, value in told.columns if value > sanity_parts.TELLS]
    by = (
        "most by " + ", ".join(f"{name!r} (alone {value:.3f})" for name, value in alone)
        if alone
        else "by several features together, none of them alone"
    )
    why = (
        "with split.time the test part is later, so drift is to be expected: what is served will be as different"
        if manifest.split.spec.time
        else "the test part is not of the kind that is trained on, so its score may not hold where the model serves"
    )
    return CheckResult(
        name="train_test",
        found=True,
        sentence=f"a classifier tells test rows from train rows by their features, {by} ({figures}): {why}",
        columns=tuple(name for name, _ in alone),
        value=told.low,
        limit=sanity_parts.TELLS,
    )


# ---------------------------------------------------------------- words


def _too_few(name: CheckName, what: str, looked: Looked, *, of_class: bool = False) -> CheckResult:
    rows = f"{looked.train.rows:,} train and {looked.test.rows:,} test rows"
    few = f" (fewer than {MIN_CLASS} test rows of a class)" if of_class else ""
    return CheckResult(name=name, found=False, sentence=f"too few rows{few} to tell {what} ({rows})")


_CHECKS: dict[CheckName, Callable[[Looked, int], CheckResult]] = {
    "single_feature": single_feature,
    "identifier": identifier,
    "duplicates": duplicates,
    "target_shift": target_shift,
    "train_test": train_test,
}
