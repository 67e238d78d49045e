"""Predictions: amended and withdrawn until they are due, fired once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.events import Event
from engine.pending import Pending


def beat(time, key=0, revision=0, retracted=False, kind="beat"):
    return Event(kind, time, 0, "node", key, revision, retracted)


def test_events_fire_in_order_of_time_just_before_their_sample():
    pending = Pending()
    for key, time in enumerate((300, 100, 200)):
        pending.add(beat(time, key))
    assert pending.next_due() == 100 and len(pending) == 3
    assert pending.pop_due(100) == []  # sample 100 has not been consumed
    assert [e.time for e in pending.pop_due(201)] == [100, 200]
    assert [e.time for e in pending.pop_due(1000)] == [300] and pending.next_due() is None


def test_lead_fires_earlier_and_negative_lead_later():
    for lead, due in ((50, 51), (-50, 151)):
        pending = Pending(lead)
        pending.add(beat(100))
        assert not pending.pop_due(due - 1) and pending.pop_due(due)


def test_higher_revision_moves_the_event_lower_is_ignored():
    pending = Pending()
    pending.add(beat(100, revision=1))
    pending.add(beat(150, revision=2))
    pending.add(beat(120, revision=1))
    assert pending.pop_due(140) == []
    assert [(e.time, e.revision) for e in pending.pop_due(1000)] == [(150, 2)]


def test_moved_back_and_forth_fires_once():
    pending = Pending()
    for revision, time in enumerate((100, 200, 100)):
        pending.add(beat(time, revision=revision))
    assert [e.revision for e in pending.pop_due(1000)] == [2]


def test_retracted_does_not_fire_and_may_come_back():
    pending = Pending()
    pending.add(beat(100))
    pending.add(beat(100, revision=1, retracted=True))
    assert pending.pop_due(99) == []
    pending.add(beat(300, revision=2))
    assert [e.time for e in pending.pop_due(1000)] == [300]


def test_what_has_fired_is_not_fired_again_unless_it_may_be_corrected():
    for corrections, again in ((frozenset(), 0), (frozenset({("node", "drum")}), 1)):
        pending = Pending(corrections=corrections)
        pending.add(beat(100, kind="drum"))
        assert len(pending.pop_due(200)) == 1
        pending.add(beat(100, kind="drum"))
        pending.add(beat(100, kind="drum", revision=1))
        pending.add(beat(100, kind="drum", revision=1))
        assert len(pending.pop_due(300)) == again


def test_keys_kinds_and_sources_are_apart():
    pending = Pending()
    pending.add(beat(100, key=1))
    pending.add(beat(100, key=2))
    pending.add(beat(100, key=1, kind="downbeat"))
    assert len(pending.pop_due(200)) == 3


def test_memory_of_fired_events_is_bounded():
    pending = Pending()
    for key in range(3 * Pending.MEMORY):
        pending.add(beat(key, key))
        pending.pop_due(key + 1)
    assert len(pending._fired) == Pending.MEMORY and not pending._heap and not pending._waiting


def test_clear_forgets_everything():
    pending = Pending()
    pending.add(beat(100))
    pending.pop_due(200)
    pending.add(beat(300, 1))
    pending.clear()
    pending.add(beat(100))
    assert [e.time for e in pending.pop_due(1000)] == [100]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400), st.booleans()), max_size=40))
def test_whatever_is_said_each_key_fires_at_most_once_in_its_last_word(words):
    pending, last, fired = Pending(), {}, []
    for now, (key, time, retracted) in enumerate(words):
        revision = last[key].revision + 1 if key in last else 0
        event = beat(time, key, revision, retracted)
        pending.add(event)
        if key not in {e.key for e in fired}:
            last[key] = event
        due = pending.pop_due(now * 10)
        fired += due
        assert all(event is last[event.key] for event in due)
    fired += pending.pop_due(10_000)
    keys = [event.key for event in fired]
    assert len(keys) == len(set(keys))
    assert set(keys) == {key for key, event in last.items() if not event.retracted}
