from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.document.nodes import Fields, Node, Pair, Reader, describe, to_json
from policies.document.strict_yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse
from policies.errors import YamlError


def refused(text: str | bytes) -> tuple[int, int, str]:
    """Line, column and message of the first finding."""
    with pytest.raises(YamlError) as caught:
        parse(text.encode() if isinstance(text, str) else text, "x.yaml")
    finding = caught.value.findings[0]
    assert finding.file == "x.yaml"
    return finding.line, finding.column, finding.message


def read(text: str) -> object:
    return to_json(parse(text.encode(), "x.yaml"))


def test_values_keep_their_places() -> None:
    root = parse(b"a: 1\nb:\n  - x\n  - 'y'\n", "x.yaml")
    assert isinstance(root.value, Fields)
    pair = root.value.get("b")
    assert pair is not None
    assert (pair.key.line, pair.key.column) == (2, 1)
    assert isinstance(pair.value.value, tuple)
    assert [(item.line, item.column, item.plain) for item in pair.value.value] == [(3, 5, True), (4, 5, False)]
    assert root.value.get("c") is None


def test_what_is_left_resolves_as_in_yaml_1_2() -> None:
    text = "a: true\nb: false\nc: null\nd: ~\ne:\nf: -12\ng: 0\nh: 'true'\ni: |\n  x\n  y\nj: [1, {k: v}]\nk: {}\n"
    assert read(text) == {
        "a": True, "b": False, "c": None, "d": None, "e": None, "f": -12, "g": 0,
        "h": "true", "i": "x\ny\n", "j": [1, {"k": "v"}], "k": {},
    }  # fmt: skip


def test_an_empty_text_is_nothing() -> None:
    assert read("") is None
    assert read("# only a comment\n") is None
    assert read("---\n") is None


def test_a_byte_order_mark_at_the_beginning_is_dropped() -> None:
    assert to_json(parse(b"\xef\xbb\xbfa: b\n", "x.yaml")) == {"a": "b"}


def test_windows_line_ends_read_as_line_ends() -> None:
    assert read("a: b\r\nc: |\r\n  d\r\n") == {"a": "b", "c": "d\n"}


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\na: 2\n", 2, 1, "duplicate key `a`"),
        ("a: {b: 1, b: 2}\n", 1, 11, "duplicate key `b`"),
        ("a: &x b\n", 1, 4, "anchors"),
        ("a: &x {b: 1}\n", 1, 4, "anchors"),
        ("a: 1\nb: *x\n", 2, 4, "aliases"),
        ("- *:read on repos/*\n", 1, 4, "not valid YAML"),
        ("a: !!str b\n", 1, 4, "tags"),
        ("a: !b [c]\n", 1, 4, "tags"),
        ("- !git:push on x\n", 1, 3, "tags"),
        ("a: 1\n<<: b\n", 2, 1, "means different things"),
        ("a: 1\n---\nb: 2\n", 2, 1, "second document"),
        ("%YAML 1.1\n---\na: 1\n", 1, 1, "directives"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1, "directives"),
        ("1: a\n", 1, 1, "a key must be text"),
        ("true: a\n", 1, 1, "a key must be text"),
        ("? [a]\n: b\n", 1, 3, "a key must be text"),
        ("on: push\n", 1, 1, "`on` means different things"),
        ("a: b\n\tc: d\n", 2, 1, "a tab"),
        ("a:\tb\n", 1, 3, "a tab"),
        ("a: b\x00c\n", 1, 5, "U+0000"),
        ("a: b\u2028- evil\n", 1, 5, "U+2028"),
        ("a: b\x85c: d\n", 1, 5, "U+0085"),
        ("a: b\rc: d\n", 1, 5, "U+000D"),
        ("a: \u202eb\n", 1, 4, "U+202E"),
        ("a: b\ufeff\n", 1, 5, "U+FEFF"),
        ("a: b\n  c\n", 2, 3, "silently become part of the text above"),
        ("- a\n\n  b\n", 3, 3, "silently become part of the text above"),
        ("a: [b\n", 2, 1, "not valid YAML"),
        ("a: b: c\n", 1, 5, "not valid YAML"),
        ("- @x\n", 1, 3, "not valid YAML"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_its_place(
    text: str, line: int, column: int, words: str
) -> None:
    found = refused(text)
    assert found[:2] == (line, column)
    assert words in found[2]


@pytest.mark.parametrize(
    "scalar",
    ["yes", "No", "on", "OFF", "True", "TRUE", "FALSE", "Null", "1:30", "010", "0x1F", "12_000", "1.5", "1e3", ".inf",
     "2027-01-01", "2027-01-01T00:00:00Z", "=", "<<", "+1", "0b1", "-0", "9" * 30, "012345678901",
     "0o17", "y", "N"],
)  # fmt: skip
def test_scalars_that_yaml_readers_disagree_on_are_refused_unless_quoted(scalar: str) -> None:
    assert "means different things" in refused(f"a: {scalar}\n")[2]
    assert read(f"a: '{scalar}'\n") == {"a": scalar}


def test_a_file_that_is_not_utf_8_is_refused_where_it_stops_being_so() -> None:
    assert refused(b"a: b\nc: \xff\n") == (2, 4, "the file is not UTF-8")
    assert refused("a: b\n".encode("utf-16"))[2] == "the file is not UTF-8"


def test_size_depth_and_number_of_values_are_bounded() -> None:
    assert "bytes" in refused(b"#" * (MAX_BYTES + 1))[2]
    assert "nested deeper" in refused("[" * 100_000)[2]
    assert "nested deeper" in refused("a: " + "{b: " * MAX_DEPTH + "1" + "}" * MAX_DEPTH)[2]
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    assert "more than" in refused("[" + "a," * MAX_NODES + "a]")[2]


def test_a_flood_of_faults_is_cut_off() -> None:
    with pytest.raises(YamlError) as caught:
        parse(b"- yes\n" * 1000, "x.yaml")
    assert len(caught.value.findings) == 50
    with pytest.raises(YamlError) as caught:
        parse(b"\t" * 1000, "x.yaml")
    assert len(caught.value.findings) == 50


def test_an_alias_bomb_costs_nothing() -> None:
    assert "anchors" in refused("a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\n")[2]


def test_messages_spell_out_what_a_terminal_would_obey() -> None:
    assert "\\x1b" in refused('"a\\e[31m": 1\n"a\\e[31m": 2\n')[2]


@given(st.binary(max_size=200))
def test_any_bytes_become_a_tree_or_findings(data: bytes) -> None:
    try:
        found: object = parse(data, "x.yaml")
    except YamlError as error:
        found = error.findings[0]
    assert found is not None


@given(st.text(alphabet="ab:- \n#'\"[]{}*&!|>?,%@0\t", max_size=60))
def test_what_is_read_is_what_an_ordinary_reader_reads(text: str) -> None:
    try:
        mine = read(text)
    except YamlError:
        return
    assert mine == yaml.CSafeLoader(text).get_single_data()


def test_a_reader_reports_every_wrong_type_in_words() -> None:
    reader = Reader("x.yaml")
    text, number, none = Node("t", 1, 1), Node(5, 2, 1), Node(None, 3, 1)
    assert reader.text(number, "`a`") == ""
    assert reader.text(none, "`a`") == ""
    assert reader.text(Node((), 1, 1), "`a`") == ""
    assert not reader.boolean(text, "`b`")
    assert reader.integer(Node(value=True, line=4, column=1), "`c`") == 0
    assert reader.integer(number, "`c`") == 5
    assert reader.items(Node(Fields(()), 5, 1), "`d`") == ()
    assert reader.pairs(text, "`e`") == ()
    assert [finding.message for finding in reader.findings] == [
        "`a` must be text, found the number `5`",
        "`a` must be text, found nothing",
        "`a` must be text, found a list",
        "`b` must be true or false, found the text `t`",
        "`c` must be a whole number, found `true`",
        "`d` must be a list, found a mapping",
        "`e` must be a mapping, found the text `t`",
    ]


def test_an_unknown_key_gets_the_nearest_known_one_or_all_of_them() -> None:
    reader = Reader("x.yaml")
    node = Node(Fields((Pair(Node("agnet", 2, 3), Node(1, 2, 9)), Pair(Node("zzz", 3, 3), Node(1, 3, 9)))), 1, 1)
    assert reader.fields(node, "a thing", ("agent", "id"), required=("id",)) == {}
    assert [str(finding) for finding in reader.findings] == [
        "x.yaml:2:3: unknown key `agnet` in a thing (did you mean `agent`?)",
        "x.yaml:3:3: unknown key `zzz` in a thing (known here: agent, id)",
        "x.yaml:1:1: a thing has no `id`",
    ]


def test_every_kind_of_value_has_words() -> None:
    values = [None, True, 3, "x", (), Fields(())]
    words = [describe(Node(value, 1, 1)) for value in values]
    assert words == ["nothing", "`true`", "the number `3`", "the text `x`", "a list", "a mapping"]
