"""Numbers from the text of a CSV file."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Numbers(TransformerMixin, BaseEstimator):
    """Text columns as floats; what is no finite number is missing. Stateless.

    Training and serving both start from a CSV's text, so that a value is read the same way in both.
    """

    def fit(self, X, y=None):  # noqa: ARG002, N803 - scikit-learn's signature
        """Remember how many columns there are."""
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X):  # noqa: N803
        """Shape (rows, columns) of text to the same shape of float64."""
        numbers = X.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
        return np.where(np.isfinite(numbers), numbers, np.nan)

    def get_feature_names_out(self, input_features=None):
        """As they came in."""
        return self.feature_names_in_ if input_features is None else np.asarray(input_features, dtype=object)
