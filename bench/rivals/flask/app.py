"""The container that most teams write first: Flask behind gunicorn, one parser call, a DMatrix, one str() per score.

PARSER is `genfromtxt` or `pandas`; MODEL is the path of the model.
"""

from __future__ import annotations

import os
from io import StringIO

import flask  # type: ignore[import-not-found]
import numpy as np
import pandas as pd
import xgboost

app = flask.Flask(__name__)
booster = xgboost.Booster(model_file=os.environ["MODEL"])


@app.route("/ping")  # type: ignore[untyped-decorator]
def ping() -> flask.Response:
    return flask.Response("\n", mimetype="application/json")


@app.route("/invocations", methods=["POST"])  # type: ignore[untyped-decorator]
def invocations() -> flask.Response:
    text = StringIO(flask.request.data.decode("utf-8"))
    if os.environ["PARSER"] == "pandas":
        rows = pd.read_csv(text, header=None).to_numpy()
    else:
        rows = np.genfromtxt(text, delimiter=",")
    scores = booster.predict(xgboost.DMatrix(rows))
    return flask.Response("\n".join(str(score) for score in scores), mimetype="text/csv")
