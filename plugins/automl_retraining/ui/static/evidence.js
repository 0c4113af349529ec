/** Why: the gate's rules, the comparison with its margin, all metrics. */

import { h } from './dom.js';
import { count, number, percent } from './format.js';
import { empty, METRIC_COLUMNS, rules, section, sentences, verdict } from './parts.js';
import { effectsPlot } from './plots_effects.js';
import { table } from './table.js';

/** The panel of a run; `run` is the API's. */
export function evidencePanel(run) {
  const { decision, evaluation, outcome } = run.records;
  if (!evaluation && !decision) {
    return section('Why', outcome ? [h('p', {}, outcome.sentence), sentences(outcome.reasons)] : empty('The gate decides when both models are scored. Until then, the tab Jobs shows what runs.'));
  }
  return [
    decision && section('Why', h('p', { class: 'over' }, 'The gate says', verdict(decision.verdict)), rules(decision.rules), h('p', { class: 'note' }, policyWords(decision.policy)), approval(outcome)),
    evaluation && metrics(run, evaluation),
  ];
}

/** The comparison plot over the table of metrics. */
export function metrics(run, evaluation) {
  const columns = METRIC_COLUMNS.filter(({ title }) => title !== 'Champion' || run.metrics.some((row) => row.champion));
  const notes = [
    `On ${count(evaluation.rows)} test rows, the same for all. Ranges are ${percent(evaluation.confidence)} intervals from ${count(evaluation.resamples)} resamples of ${evaluation.unit === 'row' ? 'rows' : `${evaluation.unit}s`}.`,
    evaluation.positive_class && `The positive class is ${evaluation.positive_class}.`,
    evaluation.champion_error,
  ];
  return section('Challenger and champion', effectsPlot(run.effects), table(columns, { rows: run.metrics, caption: 'Metrics', marked: (row) => row.primary }), h('p', { class: 'note' }, notes.filter(Boolean).join(' ')), sentences(evaluation.warnings));
}

/** A policy in a line. */
export function policyWords(policy) {
  const floors = Object.entries(policy.floors ?? {}).map(([name, floor]) => `${name} ${number(typeof floor === 'object' ? floor?.value : floor)}`);
  return [
    `Policy: ${policy.metric ?? 'the pipeline’s metric'}`,
    policy.mode === 'non_inferiority' ? `non-inferiority, margin ${number(policy.margin)}` : `superiority, margin ${number(policy.margin ?? 0)}`,
    `confidence ${number(policy.confidence)}`,
    floors.length && `floors ${floors.join(', ')}`,
    policy.approval && `approval ${policy.approval}`,
  ].filter(Boolean).join(' · ');
}

function approval(outcome) {
  if (!outcome?.answer) return null;
  const who = outcome.answered_by ? ` by ${outcome.answered_by}` : '';
  return h('p', {}, `A person was asked: ${outcome.answer.replace('_', ' ')}${who}${outcome.answer_comment ? `: “${outcome.answer_comment}”` : ''}.`);
}
