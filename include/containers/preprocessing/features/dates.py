"""Numbers from dates and times."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

PARTS = ("days", "month", "weekday", "hour")


class DateParts(TransformerMixin, BaseEstimator):
    """Each column of ISO dates as days since 1970 (a fraction), month, weekday and hour. Stateless.

    What can't be read as a date is missing.
    """

    def fit(self, X, y=None):  # noqa: ARG002, N803 - scikit-learn's signature
        """Remember the columns."""
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X):  # noqa: N803
        """Shape (rows, columns) of text to (rows, 4 x columns) of float64."""
        parts = []
        for column in X.columns:
            moments = pd.to_datetime(X[column], errors="coerce", utc=True, format="ISO8601")
            days = (moments - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
            parts += [days, moments.dt.month, moments.dt.weekday, moments.dt.hour]
        return np.column_stack([part.to_numpy(dtype=np.float64, na_value=np.nan) for part in parts])

    def get_feature_names_out(self, input_features=None):
        """``<column>_<part>``."""
        names = self.feature_names_in_ if input_features is None else input_features
        return np.asarray([f"{name}_{part}" for name in names for part in PARTS], dtype=object)
