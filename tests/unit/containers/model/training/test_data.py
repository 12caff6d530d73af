"""Channels, CSV and Parquet: reading, and errors that name file and row but no content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet

from model.training.cluster import Hosts
from model.training.data import csv_file, parquet_file
from model.training.data.channels import channel
from model.training.data.rows import Block, Rows, rows_of
from model.training.errors import TrainingError
from model.training.folders import Folders
from model.training.hyperparameters.hyperparameters import parse
from tests.unit.containers.model.training.conftest import Home, Table, csv_of, table

ALONE = Hosts(("algo-1",), "algo-1")


def rows_in(home: Home, hosts: Hosts = ALONE, **hyperparameters: str) -> Rows:
    found = channel(Folders(home.root), "train")
    assert found
    return rows_of(found, parse({"objective": "reg:squarederror", **hyperparameters}), hosts)


def joined(rows: Rows) -> Table:
    blocks = list(rows.blocks())
    labels = np.concatenate([block.labels for block in blocks])
    return np.column_stack([labels, np.concatenate([block.features for block in blocks])])


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(TrainingError) as refused:
        act()
    return str(refused.value)


def parquet_bytes(columns: dict[str, Any]) -> bytes:
    out = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), out)
    content: bytes = out.getvalue().to_pybytes()
    return content


def test_csv_cells_are_read_as_float32_with_the_label_first(home: Home) -> None:
    written = table(50)
    home.put("train", csv_of(written))
    np.testing.assert_array_equal(joined(rows_in(home)), written.astype(np.float32))


def test_blocks_are_bounded_and_lose_no_row(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    written = table(300)
    home.put("train", csv_of(written).rstrip("\n"))  # the last line end may be absent
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", 1000)
    blocks = list(rows_in(home).blocks())
    assert max(len(block.labels) for block in blocks) < 30
    np.testing.assert_array_equal(joined(rows_in(home)), written.astype(np.float32))


def test_parquet_is_read_in_batches(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "BATCH_CELLS", 6)
    columns = {"y": [True, False, True], "a": [1, None, 3], "b": pa.array([0.1, 2.5, -1], pa.float64())}
    home.put("train", parquet_bytes(columns), "rows.parquet")
    rows = rows_in(home)
    assert rows.names == ("a", "b")
    assert len(list(rows.blocks())) == 2
    expected = np.array([[1, 1, 0.1], [0, np.nan, 2.5], [1, 3, -1]], dtype=np.float32)
    np.testing.assert_array_equal(joined(rows), expected)


@pytest.mark.parametrize("header", ["label,a,b,c,d", '"label","a","b","c","d"', "\ufefflabel,a,b,c,d"])
def test_a_header_names_the_features(home: Home, header: str) -> None:
    home.put("train", csv_of(table(20), header))
    rows = rows_in(home)
    assert len(joined(rows)) == 20
    assert rows.names == ("a", "b", "c", "d")


def test_each_file_may_have_its_header_or_none(home: Home) -> None:
    home.put("train", csv_of(table(5), "y,a,b,c,d"), "1.csv")
    home.put("train", csv_of(table(6)), "2.csv")
    home.put("train", csv_of(table(7), "y,a,b,c,d"), "3.csv")
    assert len(joined(rows_in(home))) == 18


def test_column_numbers_as_header_are_not_guessed(home: Home) -> None:
    home.put("train", csv_of(table(5), "0,1,2,3,4"))
    assert "Set csv_header to true if it is a header" in refusal(lambda: rows_in(home))
    assert len(joined(rows_in(home, csv_header="true"))) == 5
    assert len(joined(rows_in(home, csv_header="false"))) == 6


def test_a_first_row_with_a_number_is_data_and_refused_not_skipped(home: Home) -> None:
    home.put("train", "1,2,3\n".replace("2", "secret") + "0,1,2\n")
    message = refusal(lambda: joined(rows_in(home)))
    assert message == "train/rows.csv: row 1, column 2 is not a number. If row 1 is a header, set csv_header to true"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n4,5\n", "train/rows.csv: row 2 does not have 3 columns, as row 1 has"),
        ("1,2,3\n4,5,6,7\n", "train/rows.csv: row 2 does not have 3 columns, as row 1 has"),
        ("1,2,3\n\n4,5,6\n", "train/rows.csv: row 2 does not have 3 columns, as row 1 has"),
        ("y,a,b\n1,2,3\n4,5,secret\n", "train/rows.csv: row 3, column 3 is not a number"),
        ("1,2,3\nsecret,secret,secret\n", "train/rows.csv: row 2, column 1 is not a number"),
        ("1,2,3\n1,inf,2\n", "train/rows.csv: row 2, column 2 is infinite"),
        (
            "1,2,3\n,5,6\n",
            "the label is missing: it must be the first column of train/rows.csv; row 2 does not have one",
        ),
        ("1;2;3\n1;2;3\n", "train/rows.csv: cells must be separated by commas, but row 1 has no comma"),
        ("1\n2\n", "train/rows.csv needs at least 2 columns, with the label first, but has 1"),
        ("y,a,a\n1,2,3\n", "train/rows.csv: two columns have the same name"),
    ],
)
def test_bad_csv_is_refused_by_file_and_row(home: Home, text: str, message: str) -> None:
    home.put("train", text)
    said = refusal(lambda: joined(rows_in(home)))
    assert said.startswith(message)
    assert "secret" not in said


def test_row_numbers_count_over_all_blocks_of_a_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", 100)
    home.put("train", "y,a,b\n" + "1,2,3\n" * 100 + "1,x,3\n")
    assert "row 102, column 2 is not a number" in refusal(lambda: joined(rows_in(home)))


def test_parquet_with_text_or_infinity_is_refused(home: Home) -> None:
    home.put("train", parquet_bytes({"y": [1], "name": ["secret"]}), "rows.parquet")
    assert refusal(lambda: rows_in(home)).startswith("train/rows.parquet: columns name are not numeric")
    home.put("train", parquet_bytes({"y": [1.0, 1.0], "a": [1.0, float("inf")]}), "rows.parquet")
    assert "row 2, column 2 is infinite" in refusal(lambda: joined(rows_in(home)))
    home.put("train", "1,2\n", "rows.parquet")
    assert "cannot be read as Parquet" in refusal(lambda: rows_in(home))


def test_files_must_agree_on_columns_and_their_order(home: Home) -> None:
    home.put("train", "y,a,b\n1,2,3\n", "1.csv")
    home.put("train", "y,b,a\n1,2,3\n", "2.csv")
    assert refusal(lambda: joined(rows_in(home))).startswith("train/2.csv: its header has other names")
    home.put("train", "1,2\n", "2.csv")
    assert refusal(lambda: joined(rows_in(home))).startswith("train/2.csv has 2 columns, but the first file")


@pytest.mark.parametrize(
    ("objective", "label", "wanted"),
    [
        ("binary:logistic", "2", "that is 0 or 1"),
        ("binary:logistic", "0.5", "that is 0 or 1"),
        ("multi:softprob", "3", "a whole number from 0 to 2"),
        ("multi:softprob", "1.5", "a whole number from 0 to 2"),
        ("multi:softprob", "-1", "a whole number from 0 to 2"),
        ("reg:logistic", "1.1", "from 0 to 1"),
        ("count:poisson", "-1", "of 0 or more"),
        ("reg:tweedie", "-1", "of 0 or more"),
        ("reg:gamma", "0", "over 0"),
    ],
)
def test_a_label_the_objective_cannot_take_is_refused_by_row(
    home: Home, objective: str, label: str, wanted: str
) -> None:
    home.put("train", f"1,2\n{label},2\n")
    order = {"objective": objective} | ({"num_class": "3"} if objective.startswith("multi") else {})
    message = refusal(lambda: joined(rows_in(home, ALONE, **order)))
    assert wanted in message
    assert message.endswith("row 2 does not have one")


def test_weights_are_the_second_column_if_enabled(home: Home) -> None:
    home.put("train", "y,w,a\n1,0.5,7\n0,2,8\n")
    rows = rows_in(home, csv_weights="1")
    (block,) = list[Block](rows.blocks())
    assert rows.names == ("a",)
    assert block.weights is not None
    assert (block.labels.tolist(), block.weights.tolist(), block.features.tolist()) == ([1, 0], [0.5, 2], [[7], [8]])
    home.put("train", "1,-1,7\n")
    assert "the weight must be 0 or more" in refusal(lambda: joined(rows_in(home, csv_weights="1")))


def test_the_number_for_missing_becomes_missing(home: Home) -> None:
    home.put("train", "1,-999,2\n")
    assert np.isnan(joined(rows_in(home, missing="-999"))[0, 1])


@pytest.mark.parametrize("count", [2, 3])
def test_hosts_with_the_same_files_share_out_the_rows(home: Home, count: int) -> None:
    home.put("train", csv_of(table(50)), "1.csv")
    home.put("train", csv_of(table(31, seed=1)), "2.csv")
    names = tuple(f"algo-{number}" for number in range(count))
    parts = [joined(rows_in(home, Hosts(names, name))) for name in names]
    together = np.concatenate(parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert sorted(map(str, together)) == sorted(map(str, joined(rows_in(home))))


def test_hosts_with_their_own_files_read_all_of_them(home: Home) -> None:
    home.put("train", csv_of(table(50)))
    home.config("inputdataconfig", {"train": {"S3DistributionType": "ShardedByS3Key"}})
    assert len(joined(rows_in(home, Hosts(("a", "b"), "b")))) == 50


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"TrainingInputMode": "Pipe"}, "Pipe mode is not supported"),
        (
            {"ContentType": "text/libsvm"},
            "content type text/libsvm is not supported; use text/csv or application/x-parquet",
        ),
        ({"ContentType": "text/csv;label_size=2"}, "label_size=2 is not supported"),
    ],
)
def test_an_unreadable_channel_is_refused_with_advice(home: Home, config: dict[str, str], message: str) -> None:
    home.put("train", "1,2\n")
    home.config("inputdataconfig", {"train": config})
    assert message in refusal(lambda: rows_in(home))


def test_the_content_type_decides_not_the_name(home: Home) -> None:
    home.put("train", "1,2\n", "part-00000")
    assert "the name must end in .csv or .parquet" in refusal(lambda: rows_in(home))
    for mode in ("File", "FastFile"):
        config = {"ContentType": "text/csv; label_size=1", "TrainingInputMode": mode}
        home.config("inputdataconfig", {"train": config})
        assert len(joined(rows_in(home))) == 1


def test_files_that_tools_leave_behind_are_ignored(home: Home) -> None:
    home.put("train", "1,2\n", "deep/er/1.csv")
    for name in ("_SUCCESS", ".1.csv.crc", "deep/_2.csv"):
        home.put("train", "secret", name)
    home.put("train", "", "empty.csv")
    assert len(joined(rows_in(home))) == 1


def test_an_empty_channel_is_refused_and_an_absent_one_is_none(home: Home, tmp_path: Path) -> None:
    home.config("inputdataconfig", {"train": {}})
    assert "channel train has no file" in refusal(lambda: rows_in(home))
    assert channel(Folders(tmp_path), "validation") is None
