"""Parameters: checked when set, read from text, explained when wrong."""

from __future__ import annotations

import pytest

from engine.params import Param, Parametric, params_of


class Settings(Parametric):
    rate = Param(2.0, low=0.5, high=8.0, unit="Hz", live=True, help="a number")
    count = Param(4, low=1, help="a whole number")
    on = Param(True, help="a switch")
    mode = Param("soft", choices=("soft", "hard"), help="a choice")


class More(Settings):
    extra = Param(1, help="of the subclass")


def test_defaults_values_and_repr():
    settings = Settings(count=7)
    assert settings.param_values() == {"rate": 2.0, "count": 7, "on": True, "mode": "soft"}
    assert repr(settings) == "Settings(count=7)" and repr(Settings()) == "Settings()"
    assert list(params_of(More)) == ["rate", "count", "on", "mode", "extra"]


def test_instances_are_apart_and_the_declaration_stays():
    one, other = Settings(rate=3.0), Settings()
    assert (one.rate, other.rate, Settings.rate.default) == (3.0, 2.0, 2.0)


def test_numbers_take_the_type_of_the_default():
    settings = Settings(rate=3, count=5.0)
    assert (settings.rate, type(settings.rate)) == (3.0, float)
    assert (settings.count, type(settings.count)) == (5, int)


@pytest.mark.parametrize("value", [0.5, 8.0])
def test_both_ends_of_a_range_are_allowed(value):
    assert Settings(rate=value).rate == value


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("rate", 0.4, r"rate = 0.4 is out of range; allowed: 0.5 to 8 Hz"),
        ("rate", float("nan"), "not finite"),
        ("rate", "fast", "is not a number"),
        ("rate", True, "is not a number"),
        ("count", 1.5, "is not a whole number"),
        ("count", 0, "allowed: 1 to inf"),
        ("on", 1, "is not true or false"),
        ("mode", "softt", "did you mean 'soft'"),
        ("mode", 3, "is not a string; one of soft, hard"),
        ("rat", 3, "no parameter 'rat'; did you mean 'rate'"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(name, value, text):
    with pytest.raises(ValueError, match=text):
        Settings(**{name: value})


def test_refused_value_leaves_the_old_one():
    settings = Settings(rate=3.0)
    with pytest.raises(ValueError):
        settings.rate = 100.0
    assert settings.rate == 3.0


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "2.5", 2.5),
        ("count", "12", 12),
        ("on", "off", False),
        ("on", "YES", True),
        ("mode", "hard", "hard"),
    ],
)
def test_text_of_a_command_line(name, text, value):
    parsed = params_of(Settings)[name].parse(text)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text"), [("rate", "two"), ("count", "1.5"), ("on", "maybe"), ("mode", "x")]
)
def test_text_that_is_no_value_is_refused(name, text):
    with pytest.raises(ValueError, match=name):
        params_of(Settings)[name].parse(text)
