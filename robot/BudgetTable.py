"""Makes a test of each row of a table of budgets, in the suite that imports this library."""

from __future__ import annotations

import csv
from pathlib import Path

from robot.api.deco import library
from robot.result import TestSuite as ResultSuite

from harness.demo import MODEL
from robot import running

_COLUMNS = ["network", "kernels", "metric", "limit", "unit"]


@library(scope="SUITE", version="1.0", auto_keywords=False)
class BudgetTable:
    """Replaces the tests of the suite that imports it: one for each row of a table.

    The table is a CSV file with the columns network, kernels, metric, limit and unit; lines that begin with ``#`` are
    comments. A network is a path, seen from the table's folder, or the name of one that the harness ships. Each test
    calls the keyword with the row's values:

    | Library    BudgetTable    budgets/rp2040.csv    Should Be Within Budget

    Where there is no table, the one test of the suite is skipped with that reason. What is wrong with a table fails
    the test that stands in its place.
    """

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, table: Path, keyword: str) -> None:
        self.ROBOT_LIBRARY_LISTENER = self
        self._table = table
        self._keyword = keyword

    def start_suite(self, data: running.TestSuite, _result: ResultSuite) -> None:
        """Called by Robot before the suite's tests run."""
        data.tests.clear()
        try:
            rows = self._rows()
        except FileNotFoundError:
            _only(data, "Budgets", "Skip", f"no table of budgets {self._table}")
            return
        except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
            _only(data, "Budgets", "Fail", f"{self._table}: {error}")
            return
        for network, kernels, metric, limit, unit in rows:
            test = data.tests.create(name=f"{Path(network).stem} {kernels} {metric}")
            beside = self._table.parent / network
            path = beside if beside.is_file() else MODEL.parent / network
            test.body.create_keyword(name=self._keyword, args=[str(path), kernels, metric, limit, unit])

    def _rows(self) -> list[list[str]]:
        """The rows of the table.

        Raises:
            ValueError: it is not a table of budgets.
        """
        with self._table.open(encoding="utf-8", newline="") as file:
            lines = [line for line in csv.reader(line for line in file if not line.startswith("#")) if line]
        if not lines or lines[0] != _COLUMNS:
            raise ValueError(f"the first line is not {','.join(_COLUMNS)}")
        for number, row in enumerate(lines[1:], 1):
            if len(row) != len(_COLUMNS):
                raise ValueError(f"row {number} has {len(row)} values, expected {len(_COLUMNS)}")
        if len(lines) == 1:
            raise ValueError("it has no rows")
        return lines[1:]


def _only(suite: running.TestSuite, name: str, keyword: str, message: str) -> None:
    suite.tests.create(name=name).body.create_keyword(name=keyword, args=[message])
