"""Code in examples and references: Python runs or at least compiles, SQL runs, data formats parse."""

import ast
import csv
import json
import sqlite3
import subprocess
import sys

import pytest

from tests.starter.texts import FENCE, STARTER, texts

BLOCKS = [(text.id, match[1], match[2]) for text in texts() for match in FENCE.finditer(text.answer)]
SHOP = """
CREATE TABLE payments(id, customer_id, paid_on, amount);
CREATE TABLE employees(id, name, department, salary);
CREATE TABLE customers(id INTEGER PRIMARY KEY);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id);
INSERT INTO payments VALUES (1, 1, '2020-01-01', 5), (2, 1, '2020-01-01', 7), (3, 2, '2020-01-02', 1);
INSERT INTO employees VALUES (1, 'a', 'x', 5), (2, 'b', 'x', 5), (3, 'c', 'x', 3), (4, 'd', 'y', 9), (5, 'e', 'y', 9);
INSERT INTO customers VALUES (1), (2);
INSERT INTO orders VALUES (1, 1), (2, NULL);
"""
"""What the queries are about."""


def blocks(language: str) -> list[tuple[str, str]]:
    return [(name, code) for name, found, code in BLOCKS if found == language]


def test_every_block_of_python_compiles() -> None:
    assert len(blocks("python")) >= 10
    for name, code in blocks("python"):
        ast.parse(code, name)


@pytest.mark.parametrize("name", ["authored-004", "test-003", "test-111"])
def test_programs_print_what_their_comments_say(name: str) -> None:
    [code] = [code for found, code in blocks("python") if found == name]
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    said = [line.partition("# ")[2] for line in code.splitlines() if line.startswith(("#", "print(")) and "# " in line]
    assert printed.split("\n")[:-1] == said


def test_the_leap_year_tests_pass_on_the_function_given_with_them() -> None:
    tests, function = [code for name, code in blocks("python") if name == "test-252"]
    space: dict = {}
    exec(function, space)
    leap = space["is_leap_year"]
    assert [leap(year) for year in (1996, 2000, 1900, 2023)] == [True, True, False, False]
    assert "== 97" in tests
    assert sum(map(leap, range(2001, 2401))) == 97


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("authored-044", [(1, 1, "2020-01-01", 5, 5), (2, 1, "2020-01-01", 7, 12), (3, 2, "2020-01-02", 1, 1)]),
        ("test-025", [("x", 3)]),
        ("authored/starter/dialogue-29", [(2,)]),
    ],
)
def test_queries_answer_as_they_should(name: str, rows: list[tuple]) -> None:
    [code] = [code for found, code in blocks("sql") if found == name]
    with sqlite3.connect(":memory:") as shop:
        shop.executescript(SHOP)
        assert shop.execute(code).fetchall() == rows


def test_bare_data_parses() -> None:
    answers = {text.id: text.answer for text in texts()}
    assert [row["day"] for row in json.loads(answers["authored-009"])] == ["Mon", "Wed", "Sat", "Sat"]
    assert json.loads(answers["authored-073"])["2"] == "mixed"
    assert json.loads(answers["ood-001"])[4] == {"name": "basil", "qty": 1, "unit": None}
    [(_, people)] = blocks("csv")
    assert [row["start_date"] for row in csv.DictReader(people.splitlines())] == [
        "2024-06-03",
        "2023-01-15",
        "2022-12-01",
    ]


def test_formats_are_kept() -> None:
    answers = {text.id: text.answer for text in texts()}
    assert len(answers["authored-153"].split()) == 50
    assert len(answers["authored-119"]) <= 280
    assert len(answers["authored-197"].replace(">", "").split()) <= 45
    assert all(len(line.split()) <= 10 for line in answers["authored-053"].splitlines())
    countries = answers["authored-096"].split(", ")
    assert len(countries) == 10
    assert countries == sorted(countries)
    assert not any("a" in country.lower() for country in countries)
    limerick = answers["ood-002"].partition(">")[2]
    assert "a" not in limerick.lower()
    assert [len(line.split()) for line in answers["ood-013"].splitlines()] == [1, 2, 3, 4, 5]
    assert not any(end in answers["ood-020"] for end in (".", "!"))


def test_tasks_have_instructions_and_several_examples() -> None:
    files = sorted((STARTER / "tasks").glob("*.json"))
    assert len(files) >= 50
    for path in files:
        task = json.loads(path.read_text(encoding="utf-8"))
        told = task["Definition"]
        assert len((told if isinstance(told, str) else " ".join(told)).split()) >= 8, path.name
        assert task["Instances"], path.name
        assert all(instance["input"] and instance["output"][0] for instance in task["Instances"]), path.name
