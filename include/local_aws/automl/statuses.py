"""The secondary statuses of an AutoML job, in the order in which each mode passes through them.

The statuses are botocore's AutoMLJobSecondaryStatus. No page states their order: it
follows the stages that the developer guide describes, and was not checked on a real account. Entries marked (?) are the
least certain: they occur in the enumeration, and their place is a guess from their names.
"""

ORDER = {
    "HYPERPARAMETER_TUNING": (
        "Starting",
        "AnalyzingData",
        "CandidateDefinitionsGenerated",  # (?) the last one where candidate definitions only are asked for
        "FeatureEngineering",
        "ModelTuning",
        "GeneratingExplainabilityReport",
        "ExplainabilityError",  # (?) that report was not made; the job goes on
        "GeneratingModelInsightsReport",
        "ModelInsightsError",  # (?) as above
    ),
    "ENSEMBLING": (
        "Starting",
        "AnalyzingData",  # (?) the data are read before the mode AUTO is resolved
        "PreTraining",  # (?)
        "TrainingModels",
        "GeneratingExplainabilityReport",
        "ExplainabilityError",  # (?) that report was not made; the job goes on
        "GeneratingModelInsightsReport",
        "ModelInsightsError",  # (?) as above
    ),
}

FINAL = ("Completed", "MaxCandidatesReached", "MaxAutoMLJobRuntimeReached", "CandidateDefinitionsGenerated")
"""Secondary statuses of a job whose status is Completed."""

_EVERY = tuple(dict.fromkeys((*ORDER["HYPERPARAMETER_TUNING"], *ORDER["ENSEMBLING"])))


def advances(mode: str | None, now: str, following: str) -> bool:
    """Whether a job may go from one secondary status to another: forward only, within its mode once that is known."""
    order = ORDER[mode] if mode else _EVERY
    if following not in order:
        return False
    return now not in order or order.index(following) > order.index(now)
