from __future__ import annotations

import json
import subprocess

import pytest
import typer

from broker.cli.shells import Changes, Shell, script

NASTY = [
    "plain",
    "a b",
    "$(touch /tmp/x)`id`",
    "'\"'\"",
    "a;b&c|d>e#f\\",
    "-n",
    "~/x*?[a]{b,c}!",
    "%PATH% ${PATH}",
    "\u2019; Remove-Item x; \u2018",
]


def test_sh_takes_every_value_for_the_text_it_is() -> None:
    changes = Changes({f"V{at}": value for at, value in enumerate(NASTY)}, ("GONE",), "/o p/t'$x")
    printed = " ".join(f'"$V{at}"' for at in range(len(NASTY)))
    code = f'GONE=1 PATH=/usr/bin:/bin\n{script(changes, Shell.SH)}\nprintf "%s\\0" {printed} "${{GONE-none}}" "$PATH"'
    done = subprocess.run(["/bin/sh", "-euc", code], capture_output=True, check=True, timeout=30)
    assert done.stdout.decode().split("\0") == [*NASTY, "none", "/o p/t'$x:/usr/bin:/bin", ""]


def test_fish_escapes_what_ends_its_texts() -> None:
    made = script(Changes({"A": "it's\\", "B": "$x"}, ("C",), "/p'q"), Shell.FISH)
    assert made.splitlines() == [
        "set -e C",
        "set -gx A 'it\\'s\\\\'",
        "set -gx B '$x'",
        "set -gx PATH '/p\\'q' $PATH",
    ]


def test_powershell_doubles_every_quote_that_ends_its_texts() -> None:
    made = script(Changes({"A": "it's \u2018\u2019\u201a\u201b $x`"}, ("C",), "/p"), Shell.POWERSHELL)
    assert made.splitlines() == [
        "Remove-Item -ErrorAction SilentlyContinue Env:C",
        "$Env:A = 'it''s \u2018\u2018\u2019\u2019\u201a\u201a\u201b\u201b $x`'",
        "$Env:PATH = '/p' + [IO.Path]::PathSeparator + $Env:PATH",
    ]


def test_a_dotenv_file_has_the_values_alone() -> None:
    assert (
        script(Changes({"A": "x y$z", "B": "http://h:1"}, ("C",), "/p"), Shell.DOTENV) == "A='x y$z'\nB='http://h:1'\n"
    )


@pytest.mark.parametrize("value", ["it's", "a\\b"])
def test_what_readers_of_dotenv_files_disagree_on_is_refused(value: str) -> None:
    with pytest.raises(typer.Exit) as ended:
        script(Changes({"A": value}), Shell.DOTENV)
    assert ended.value.exit_code == 2


def test_json_says_all_of_it() -> None:
    changes = Changes({"A": "x"}, ("C",), "/p")
    assert json.loads(script(changes, Shell.JSON)) == {"set": {"A": "x"}, "unset": ["C"], "path": ["/p"]}
    assert json.loads(script(Changes({}), Shell.JSON)) == {"set": {}, "unset": [], "path": []}


@pytest.mark.parametrize("shell", list(Shell))
@pytest.mark.parametrize("changes", [Changes({"A": "x\ny"}), Changes({"A": "\x7f"}), Changes({}, (), "/a\x1b")])
def test_a_control_character_is_refused_for_every_shell(shell: Shell, changes: Changes) -> None:
    with pytest.raises(typer.Exit) as ended:
        script(changes, shell)
    assert ended.value.exit_code == 2


def test_nothing_to_change_is_nothing_to_say() -> None:
    assert [script(Changes({}), shell) for shell in Shell if shell is not Shell.JSON] == [""] * 4
