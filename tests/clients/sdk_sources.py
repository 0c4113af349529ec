"""The scripts that a user of the SageMaker SDK hands over in its walk: see sdk_walk.py."""

PREPARE = """
    import argparse
    import pathlib

    import numpy as np
    import sklearn
    from shared import log

    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int)
    rows = parser.parse_args().rows
    table = np.loadtxt("/opt/ml/processing/input/table/train.csv", delimiter=",")
    log(f"scikit-learn {sklearn.__version__}, {len(table)} rows")
    np.savetxt("/opt/ml/processing/output/head/head.csv", table[:rows], delimiter=",")
"""
SHARED = """
    def log(line):
        print(f"prepare: {line}")
"""
TRAIN_SKLEARN = """
    import json
    import os
    import shutil

    import joblib
    import numpy as np
    from sklearn.linear_model import Ridge

    hyperparameters = json.loads(os.environ["SM_HPS"])
    table = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), delimiter=",")
    model = Ridge(alpha=float(hyperparameters["alpha"])).fit(table[:, 1:], table[:, 0])
    print(f"r2={model.score(table[:, 1:], table[:, 0]):.4f};")
    folder = os.environ["SM_MODEL_DIR"]
    joblib.dump(model, os.path.join(folder, "model.joblib"))
    os.makedirs(os.path.join(folder, "code"))
    shutil.copy("inference.py", os.path.join(folder, "code"))
"""
SERVE_SKLEARN = """
    import io
    import os

    import joblib
    import numpy as np


    def model_fn(folder):
        return joblib.load(os.path.join(folder, "model.joblib"))


    def input_fn(body, content_type):
        assert content_type == "text/csv", content_type
        return np.loadtxt(io.StringIO(body), delimiter=",", ndmin=2)


    def predict_fn(rows, model):
        return model.predict(rows)
"""
