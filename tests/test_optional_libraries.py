"""Libraries that not every installation has: what is said where one is missing or broken."""

import sys

import pytest
from vireid.errors import UserError, optional_library


def test_one_that_is_there_is_given():
    assert optional_library("json", "a test needs json") is sys.modules["json"]


def test_a_missing_one_is_named_with_what_to_install():
    with pytest.raises(UserError) as raised:
        optional_library("no_such", "a test needs it", extra="footage", packages="a b")
    assert str(raised.value) == (
        "a test needs it, which is not installed: pip install 'vireid[footage]' (or pip install a "
        "b)"
    )


def test_a_broken_one_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text("import another_that_is_missing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"cannot be imported \(No module named 'another"):
        optional_library("broken_one", "a test needs it", kind=ValueError)
