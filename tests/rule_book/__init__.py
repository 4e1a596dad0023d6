"""A model of money and stock, and everything that can happen to them. tests/test_rule_book.py plays it."""

import pytest

for name in ("checks", "crowd", "ending", "front_doors", "machine", "staff"):
    pytest.register_assert_rewrite(f"tests.rule_book.{name}")
