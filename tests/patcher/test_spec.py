"""A patch is data: what it says when nothing is said, and the way back."""

import pytest

from greening.patcher.spec import NOTHING, Entry, Patch, Undo


def test_a_patch_does_nothing_but_what_it_names() -> None:
    patch = Patch("time", "time", {"sleep": 1})
    assert (patch.methods, patch.removes, patch.after, patch.bind) == (NOTHING, (), None, None)
    assert not NOTHING


def test_the_methods_that_all_patches_have_cannot_be_changed_by_one() -> None:
    with pytest.raises(TypeError):
        Patch("time", "time", {}).methods["Class"] = {}  # type: ignore[index]


def test_undo_callbacks_are_noted_in_order_where_the_caller_takes_them_back() -> None:
    steps: list[object] = []
    undo = Undo(steps)  # type: ignore[arg-type]
    undo.add(int)
    undo.add(str)
    assert steps == [int, str]


def test_a_line_of_the_catalogue_says_target_flag_and_module() -> None:
    assert Entry("time", "sleep", "greening.patches.time") == ("time", "sleep", "greening.patches.time")
