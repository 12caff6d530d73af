"""Headers on the embedded cloud: a model with named features, and files with columns in any order."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pytest
import xgboost

from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import manifest_key
from model_tools.importing.command import import_artifact
from tests.e2e.conftest import Driver, cloud_of

NAMES = ["a", "b", "c", "d"]
ROWS = 200
SETTINGS = """
[worker]
shard_mib = 1

[models.named]
artifact = "model.tar.gz"

[routes.default]
model = "named"

[routes.position]
model = "named"
match_columns = "position"

[routes.ids]
model = "named"
id = "customer_id"
exclude = ["note"]
output = "id"

[routes.forgiving]
model = "named"
max_bad_rows = "100%"

[reconcile]
every_minutes = 1440
"""


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Numbers that float32 represents exactly as they are written."""
    cells = np.random.default_rng(10).integers(-512, 512, (ROWS, len(NAMES))) / 8
    return pd.DataFrame(cells, columns=NAMES)


@pytest.fixture(scope="module")
def booster(table: pd.DataFrame) -> xgboost.Booster:
    """Each feature has another weight, so that no two column orders give the same scores."""
    labels = table["a"] + 3 * table["b"] - 2 * table["c"] * table["d"]
    return xgboost.train({"max_depth": 4, "nthread": 1}, xgboost.DMatrix(table, labels, nthread=1), 20)


@pytest.fixture(scope="module")
def driver(booster: xgboost.Booster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("named")
    booster.save_model(folder / "trained.ubj")
    assert import_artifact(folder / "trained.ubj", folder / "model.tar.gz").feature_names == tuple(NAMES)
    (folder / "dropscore.toml").write_text(SETTINGS)
    with cloud_of(folder / "dropscore.toml", tmp_path_factory.mktemp("cloud")) as running:
        yield Driver(running)


def predicted(booster: xgboost.Booster, table: pd.DataFrame, order: Sequence[str] = NAMES) -> list[np.float32]:
    """XGBoost's scores for the cells in this order, whatever the columns' names."""
    matrix = xgboost.DMatrix(table[list(order)].to_numpy(), feature_names=NAMES, nthread=1)
    return list(booster.predict(matrix))


def written(table: pd.DataFrame, columns: Sequence[str], **options: object) -> bytes:
    text: str = table.to_csv(columns=list(columns), index=False, **options)  # type: ignore[call-overload]
    return text.encode()


def scores(driver: Driver, job: Job) -> list[np.float32]:
    assert job.status is State.SUCCEEDED, f"{job.code}: {job.message}"
    return [np.float32(line) for line in driver.read(job.output_key).decode().split()]


def columns_of(driver: Driver, job: Job) -> dict[str, object]:
    columns: dict[str, object] = json.loads(driver.read(manifest_key(job.output_key)))["columns"]
    return columns


def test_columns_in_another_order_are_matched_by_name(
    driver: Driver, booster: xgboost.Booster, table: pd.DataFrame
) -> None:
    job = driver.ended(driver.drop("input/turned.csv", written(table, "dcba")))

    assert scores(driver, job) == predicted(booster, table)
    assert columns_of(driver, job) | {"feature_names": ""} == {
        "matched": "by name",
        "reordered": True,
        "feature_names": "",
    }


def test_columns_go_by_position_where_that_is_asked_for(
    driver: Driver, booster: xgboost.Booster, table: pd.DataFrame
) -> None:
    job = driver.ended(driver.drop("input/position/turned.csv", written(table, "dcba")))

    assert scores(driver, job) == predicted(booster, table, "dcba") != predicted(booster, table)
    assert columns_of(driver, job) == {"matched": "by position", "why": 'match_columns = "position"'}


def test_columns_of_a_packed_file_are_matched_by_name(
    driver: Driver, booster: xgboost.Booster, table: pd.DataFrame
) -> None:
    text = b"\xef\xbb\xbf" + written(table, "bdac", lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    assert scores(driver, driver.ended(driver.drop("input/packed.csv.gz", gzip.compress(text)))) == predicted(
        booster, table
    )


def test_columns_of_all_shards_are_matched_by_name(
    driver: Driver, booster: xgboost.Booster, table: pd.DataFrame
) -> None:
    large = pd.concat([table] * 500, ignore_index=True)
    job = driver.ended(driver.drop("input/large.csv", written(large, "cadb")))

    assert job.shards > 1
    assert scores(driver, job) == predicted(booster, table) * 500


def test_an_id_and_a_dropped_column_stand_in_any_place(
    driver: Driver, booster: xgboost.Booster, table: pd.DataFrame
) -> None:
    wide = table.assign(customer_id=[f"c,{number}" for number in range(ROWS)], note='a "b"\n')
    columns = ["d", "note", "b", "customer_id", "a", "c"]
    job = driver.ended(driver.drop("input/ids/wide.csv", written(wide, columns)))

    assert job.status is State.SUCCEEDED, job
    first, *rows = csv.reader(io.StringIO(driver.read(job.output_key).decode(), newline=""))
    assert first == ["customer_id", "score"]
    assert [row[0] for row in rows] == list(wide["customer_id"])
    assert [np.float32(row[1]) for row in rows] == predicted(booster, table)


@pytest.mark.parametrize(
    ("name", "data", "code", "words"),
    [
        ("id", b"customer_id,a,b,c,d\nx7,1,2,3,4\n", "NOT_A_FEATURE", 'not a feature; add `id = "customer_id"`'),
        ("label", b"a,b,c,d,label\n1,2,3,4,0\n", "NOT_A_FEATURE", 'add `exclude = ["label"]`'),
        ("index", b",a,b,c,d\n0,1,2,3,4\n", "NOT_A_FEATURE", "add `exclude = [1]`"),
        ("lacking", b"a,b,c,D\n1,2,3,4\n", "COLUMN_MISSING", "the most similar name is `D`"),
        ("counted", b"0,1,2,3\n1.5,2.5,3.5,4.5\n", "AMBIGUOUS_HEADER", "header = false"),
        ("titled", b"# exported\na,b,c,d\n1,2,3,4\n5,6,7,8\n", "AMBIGUOUS_HEADER", "it has 1 cell"),
        ("alone", b"d,c,b,a\n", "EMPTY_FILE", "no rows"),
        ("alone-crlf", b"\xef\xbb\xbfd,c,b,a\r\n\r\n", "EMPTY_FILE", "no rows"),
    ],
)
@pytest.mark.parametrize("route", ["", "forgiving/"])
def test_a_file_that_would_be_misread_is_rejected(
    driver: Driver, route: str, name: str, data: bytes, code: str, words: str
) -> None:
    job = driver.ended(driver.drop(f"input/{route}{name}.csv", data))
    assert (job.status, job.code) == (State.REJECTED, code), job
    assert words in (job.message or "")


def test_a_packed_header_alone_is_an_empty_file(driver: Driver) -> None:
    job = driver.ended(driver.drop("input/alone.csv.gz", gzip.compress(b"d,c,b,a\r\n")))
    assert (job.status, job.code) == (State.REJECTED, "EMPTY_FILE"), job


def test_a_header_that_the_options_deny_is_refused(driver: Driver) -> None:
    driver.drop("input/forgiving/denied.csv.job.json", b'{"header": false}')
    job = driver.ended(driver.drop("input/forgiving/denied.csv", b"a,b,c,d\n1,2,3,4\n"))
    assert (job.status, job.code) == (State.REJECTED, "UNEXPECTED_HEADER"), job


def test_a_file_without_header_goes_by_position(driver: Driver, booster: xgboost.Booster, table: pd.DataFrame) -> None:
    job = driver.ended(driver.drop("input/bare.csv", written(table, NAMES, header=False)))
    assert scores(driver, job) == predicted(booster, table)
    assert columns_of(driver, job) == {"matched": "by position", "why": "no header"}
