from __future__ import annotations

import json

import numpy as np

from model.serving.formats.replies import csv_of, json_lines_of, json_of

ONE = np.array([0.5, 1e-20], np.float32)
THREE = np.array([[0.5, 0.25, 0.25], [1, 0, 0]], np.float32)


def test_text_gives_the_same_float32_again() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    edges = np.array([0, 1, 0x80000000, 0x00800000, 0x7F7FFFFF, 0x3F800000, 0x3F800001], dtype=np.uint32)
    scores = np.concatenate([bits, edges]).view(np.float32)
    scores = scores[np.isfinite(scores)]
    lines = csv_of(scores).decode().splitlines()
    again = np.array([float(line) for line in lines]).astype(np.float32)
    assert again.tobytes() == scores.tobytes()
    assert max(map(len, lines)) <= 16
    predictions = json.loads(json_of(scores), parse_int=float)["predictions"]
    assert np.array(predictions).astype(np.float32).tobytes() == scores.tobytes()


def test_csv_is_one_line_a_row() -> None:
    assert csv_of(np.array([0.5, 0.1], np.float32)) == b"0.5\n0.1\n"
    assert csv_of(THREE) == b"0.5,0.25,0.25\n1,0,0\n"
    assert csv_of(np.array([[0.5], [0.1]], np.float32)) == b"0.5\n0.1\n"
    assert csv_of(THREE.reshape(1, 2, 3)) == b"0.5,0.25,0.25,1,0,0\n"


def test_json_is_a_number_or_a_list_a_row() -> None:
    assert json.loads(json_of(ONE)) == {"predictions": [0.5, 1e-20]}
    assert json.loads(json_of(THREE)) == {"predictions": THREE.tolist()}
    assert json.loads(json_of(THREE[:1])) == {"predictions": THREE[:1].tolist()}
    assert [json.loads(line) for line in json_lines_of(ONE).splitlines()] == [0.5, 1e-20]
    assert [json.loads(line) for line in json_lines_of(THREE).splitlines()] == THREE.tolist()


def test_nan_and_infinity_are_null_in_json() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    assert json.loads(json_of(odd)) == {"predictions": [None, None, None, 1]}
    assert csv_of(odd) == b"nan\ninf\n-inf\n1\n"
