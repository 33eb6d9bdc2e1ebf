"""`ssh` itself says what it makes of our options: nothing of the machine is left in them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from connectors.errors import NotSentError
from connectors.git.ssh.host_keys import known_hosts
from connectors.git.ssh.options import Destination, SshFiles, public_key_line, ssh_command, ssh_options

RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAA"
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
TO = Destination("git", "git.example.com", 2222, "192.0.2.7", (ED25519, RSA))


def test_ssh_takes_every_option_and_goes_where_it_is_told_and_nowhere_else(tmp_path: Path) -> None:
    files = SshFiles(Path("/var/area"))
    ssh = shutil.which("ssh")
    assert ssh
    command = [ssh, "-G", *ssh_options(TO, files), "-p", "2222", "-l", "git", "--", "git.example.com"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)}).stdout
    said = dict(line.partition(" ")[::2] for line in shown.splitlines())
    assert said["hostname"] == "192.0.2.7"
    assert said["hostkeyalias"] == "git.example.com"
    assert said["hostkeyalgorithms"] == "ssh-ed25519,rsa-sha2-512,rsa-sha2-256"
    assert said["userknownhostsfile"] == "/var/area/known_hosts"
    assert said["globalknownhostsfile"] == "none"
    assert (said["identityfile"], said["identityagent"]) == ("/var/area/key.pub", "/var/area/agent")
    assert (said["stricthostkeychecking"], said["identitiesonly"], said["batchmode"]) == ("true", "yes", "yes")
    assert said["preferredauthentications"] == "publickey"
    for name in ("forwardagent", "forwardx11", "tunnel", "permitlocalcommand", "updatehostkeys", "addkeystoagent"):
        assert said[name] in {"no", "false"}
    assert not said.keys() & {"proxycommand", "proxyjump", "controlpath", "sendenv", "setenv", "localforward"}


@pytest.mark.parametrize("folder", ["/a b", "/%h", "/${HOME}", "/~", "/" + "a" * 90])
def test_a_folder_that_ssh_would_read_otherwise_is_refused(folder: str) -> None:
    with pytest.raises(NotSentError):
        ssh_options(TO, SshFiles(Path(folder)))


def test_files_and_the_command_for_git_have_the_form_they_must() -> None:
    key = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32
    assert public_key_line(key).startswith("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtra")
    assert known_hosts("h.example", [ED25519, RSA]) == f"h.example {ED25519}\nh.example {RSA}\n"
    assert ssh_command("/usr/bin/ssh", ["-o", "A=b c"]) == "/usr/bin/ssh -o 'A=b c'"
