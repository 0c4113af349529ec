"""The feature pipeline: imputation and scaling for numbers, one-hot for categories."""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from features.dates import DateParts
from features.numbers import Numbers
from features.spec import Spec

MAX_CATEGORIES = 50
"""One-hot columns of one category column at most; the rarer values share one."""
MISSING = "(missing)"


def build(spec: Spec) -> ColumnTransformer:
    """An unfitted transformer from the text of the features (a frame, columns by name) to numbers.

    A category that was not there in training, and the rare ones, share one column: none of them is an error.
    """
    steps = []
    if numbers := spec.of_kind("number"):
        steps.append(("number", Pipeline([("read", Numbers()), *_scaled()]), numbers))
    if dates := spec.of_kind("datetime"):
        steps.append(("date", Pipeline([("read", DateParts()), *_scaled()]), dates))
    if categories := spec.of_kind("category"):
        encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MAX_CATEGORIES, sparse_output=False
        )
        missing = SimpleImputer(strategy="constant", fill_value=MISSING)
        steps.append(("category", Pipeline([("missing", missing), ("one_hot", encoder)]), categories))
    return ColumnTransformer(steps, verbose_feature_names_out=False)


def _scaled():
    # A column without any value in the train part stays, as zeros: the number of features must not depend on luck.
    return [
        ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
        ("scale", StandardScaler()),
    ]
