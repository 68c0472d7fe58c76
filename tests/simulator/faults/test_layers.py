from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from include.simulator.faults.layers import Layers


@given(values=st.lists(st.integers(), min_size=1, max_size=6), data=st.data())
def test_what_several_faults_hold_is_given_back_in_any_order(values: list[int], data: st.DataObject) -> None:
    layers, thing = Layers(), {"value": 100}
    held = []
    for value in values:
        held.append((value, layers.put("thing", thing["value"], value, lambda each: thing.update(value=each))))
        assert thing["value"] == value, "the last one has its way"
    while held:
        _, give_back = held.pop(data.draw(st.integers(0, len(held) - 1)))
        give_back()
        assert thing["value"] == (held[-1][0] if held else 100)


def test_what_nobody_holds_any_more_is_held_anew_from_what_it_is_now() -> None:
    layers, thing = Layers(), {"value": 1}
    layers.put("thing", 1, 2, lambda each: thing.update(value=each))()
    layers.put("thing", 7, 8, lambda each: thing.update(value=each))()
    assert thing == {"value": 7}
