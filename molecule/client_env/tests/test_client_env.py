"""Every shell of the person knows where the closet is, and no other program is led astray."""

from __future__ import annotations

import pytest
from lab_mac import Entry, Mac

SHELLS = {
    "zsh for a command": "zsh -c",
    "zsh at the door": "zsh -l -c",
    "zsh in a window": "zsh -i -c",
    "bash in a window": "bash -i -c",
}
FILES = {
    "~/.config/closet": Entry("folder", "admin", "staff", "0700"),
    "~/.config/closet/env.sh": Entry("file", "admin", "staff", "0644"),
    "~/.config/closet/closet.sh": Entry("file", "admin", "staff", "0644"),
    "/usr/local/bin/closet": Entry("file", "root", "wheel", "0755"),
    "~/.zshenv": Entry("file", "admin", "staff", "0644"),
    "~/.bashrc": Entry("file", "admin", "staff", "0644"),
}


def say(laptop: Mac, shell: str, words: str) -> list[str]:
    """What a shell that starts from nothing prints, by line."""
    start = f"env -i HOME=$HOME USER=$USER TERM=dumb PATH=/usr/bin:/bin {SHELLS[shell]} '{words}'"
    return laptop.read(start).splitlines()


@pytest.fixture(scope="module")
def url(closet: Mac) -> str:
    return f"http://{closet.name}.local:8000/v1"


def test_files_belong_to_the_person(laptop: Mac) -> None:
    assert laptop.entries(*FILES) == FILES


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_knows_the_closet_and_finds_opencode(laptop: Mac, shell: str, url: str) -> None:
    found = say(laptop, shell, 'echo "$CLOSET_URL"; echo ":$PATH:"; env')
    assert found[0] == url
    assert ":/usr/local/bin:" in found[1]
    assert "OPENCODE_DISABLE_AUTOUPDATE=1" in found
    # exported for good, these would wake every hosted provider
    assert not [line for line in found if line.startswith("OPENAI_")]


@pytest.mark.parametrize("shell", SHELLS)
def test_closet_env_is_for_the_shell_that_asks(laptop: Mac, shell: str, url: str) -> None:
    found = say(laptop, shell, 'closet_env; echo "$OPENAI_BASE_URL $OPENAI_API_BASE"')
    assert found[-1] == f"{url} {url}"


def test_a_shell_reads_it_once_however_often_the_role_ran(laptop: Mac) -> None:
    counts = laptop.read("grep -c '^[^#].*closet/env.sh' ~/.zshenv ~/.bashrc").split()
    assert [line.rpartition(":")[2] for line in counts] == ["1", "1"]


@pytest.mark.parametrize("shell", SHELLS)
def test_closet_is_a_command_of_every_shell(laptop: Mac, shell: str, url: str) -> None:
    assert say(laptop, shell, "closet url") == [url]


def test_tools_that_nobody_listed_are_left_alone(laptop: Mac) -> None:
    # their folders may be there: other things write into them
    files = (
        "~/.config/zed/settings.json",
        "~/.continue/models/closet.yaml",
        "~/Library/Application Support/Code/User/chatLanguageModels.json",
    )
    assert laptop.entries(*files) == dict.fromkeys(files)
