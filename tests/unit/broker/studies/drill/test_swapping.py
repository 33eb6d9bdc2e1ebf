from __future__ import annotations

import base64

from broker.studies.drill.swapping import swapped


def test_a_word_that_is_a_whole_value_is_swapped_there_and_nowhere_else() -> None:
    params = {"name": "a", "title": "a cat", "more": [{"name": "a"}, 5, None, True]}
    assert swapped(params, {"a": "b"}) == {"name": "b", "title": "a cat", "more": [{"name": "b"}, 5, None, True]}


def test_a_word_that_is_no_whole_value_is_swapped_inside_of_values() -> None:
    assert swapped({"ref": "refs/heads/main"}, {"main": "next", "mai": "no"}) == {"ref": "refs/heads/next"}


def test_words_in_base64_are_swapped_in_the_data() -> None:
    data = b"# header\n\x00\xff refs/heads/main\n"
    found = swapped({"bundle": base64.b64encode(data).decode()}, {"main": "release/1"})
    assert base64.b64decode(found["bundle"]) == data.replace(b"main", b"release/1")


def test_a_word_that_fits_in_no_bytes_leaves_the_data_alone() -> None:
    params = {"bundle": base64.b64encode(b"a long header, refs/heads/main").decode()}
    assert swapped(params, {"main": "日本"}) == params


def test_nothing_to_swap_leaves_the_params_alone() -> None:
    assert swapped({"name": "a"}, {}) == {"name": "a"}
    assert swapped({"name": "a", "note": "this is no data in base64 at all"}, {"": "x", "zz": "y"}) == {
        "name": "a",
        "note": "this is no data in base64 at all",
    }
