"""A model of money and stock, and everything that can happen to them. tests/test_rule_book.py plays it."""

import pytest

pytest.register_assert_rewrite("tests.rule_book.checks", "tests.rule_book.machine", "tests.rule_book.ending")
