"""Early stopping and completion rules."""

from include.local_aws.tuning.early import ENOUGH, is_hopeless, not_improving


def test_a_training_below_the_median_of_the_running_averages_is_hopeless() -> None:
    """At step 2 the averages of the three before are 0.15, 0.35 and 0.55; the median is 0.35."""
    earlier = [[0.1, 0.2, 0.9], [0.3, 0.4, 0.9], [0.5, 0.6, 0.9]]
    assert is_hopeless([0.9, 0.34], earlier)
    assert not is_hopeless([0.0, 0.36], earlier)


def test_trainings_that_have_not_come_as_far_are_no_measure() -> None:
    """Only as many as `ENOUGH` with that many values stop another."""
    short = [[0.9]] * ENOUGH
    assert is_hopeless([0.1], short)
    assert not is_hopeless([0.1, 0.1], short)
    assert not is_hopeless([0.1], short[1:])
    assert not is_hopeless([], short)


def test_less_than_one_per_cent_better_is_not_better() -> None:
    """The count begins again only with an improvement of 1 % of the best so far, also where values are negative."""
    assert not_improving([]) == 0
    assert not_improving([1.0, 1.005, 1.009]) == 2
    assert not_improving([1.0, 1.005, 1.01]) == 0
    assert not_improving([-2.0, -1.99, -1.9, -3.0]) == 1
    assert not_improving([0.0, 0.0, 0.0]) == 2
    assert not_improving([0.0, 1e-9]) == 0
