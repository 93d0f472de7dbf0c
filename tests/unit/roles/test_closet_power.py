"""The program that looks at the source of power, run with macOS's commands replaced by notes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

TEMPLATE = Path(__file__).parents[3] / "roles/power/templates/closet-power.j2"
LAUNCHCTL = """#!/bin/sh
[ "$1" = print ] && exec test -e "$HERE/${2#system/}.loaded"
echo "$*" >>"$HERE/notes"
case "$1" in
bootout) rm "$HERE/${2#system/}.loaded" ;;
bootstrap) : >"$HERE/$(basename "$3" .plist).loaded" ;;
esac
"""


class House:
    """A Mac whose launchd is a folder."""

    def __init__(self, folder: Path, on_battery: str) -> None:
        self.folder = folder
        drain = [str(folder / "drain"), "--idle=60"]
        jobs = [{"label": "a.omlx", "drain": drain, "user": "svc"}, {"label": "a.mlx-lm"}]
        variables = {"power_on_battery": on_battery, "power_jobs": jobs, "power_keep_models": []}
        template = trust_as_template(TEMPLATE.read_text())
        text = str(Templar(DataLoader(), variables=variables).template(template))
        text = text.replace("PATH=/usr/bin", f"HERE={folder}; export HERE\nPATH={folder}:/usr/bin")
        text = text.replace("/opt/closet/", f"{folder}/").replace("/usr/bin/sudo", f"{folder}/sudo")
        self.write("closet-power", text.replace("/Library/LaunchDaemons/", f"{folder}/"))
        self.write("launchctl", LAUNCHCTL)
        self.write("drain", '#!/bin/sh\necho "drain $*" >>"$HERE/notes"\n')
        sudo = '#!/bin/sh\necho "as $4:" >>"$HERE/notes"\nshift 5\nexec "$@"\n'
        self.write("sudo", sudo)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def loads(self, label: str) -> None:
        (self.folder / f"{label}.plist").touch()
        (self.folder / f"{label}.loaded").touch()

    def looks(self, source: str) -> list[str]:
        """What it did, having looked once."""
        self.write("pmset", f"#!/bin/sh\necho \"Now drawing from '{source}'\"\n")
        (self.folder / "notes").write_text("")
        subprocess.run([self.folder / "closet-power"], check=True, stdout=subprocess.DEVNULL)
        return (self.folder / "notes").read_text().splitlines()


@pytest.mark.parametrize(
    ("label", "ended"),
    [
        ("a.omlx", ["as svc:", "drain --idle=60", "bootout system/a.omlx"]),
        ("a.mlx-lm", ["bootout system/a.mlx-lm"]),
    ],
)
def test_whichever_serves_is_stopped_and_started_again(
    tmp_path: Path, label: str, ended: list[str]
) -> None:
    house = House(tmp_path, "stop")
    house.loads(label)
    assert house.looks("Battery Power") == ended
    assert house.looks("Battery Power") == []
    assert house.looks("AC Power") == [f"bootstrap system {tmp_path}/{label}.plist"]
    assert house.looks("AC Power") == []


def test_what_somebody_else_stopped_stays_so(tmp_path: Path) -> None:
    house = House(tmp_path, "stop")
    (tmp_path / "a.omlx.plist").touch()
    assert house.looks("Battery Power") == []
    assert house.looks("AC Power") == []


def test_a_job_that_is_no_longer_defined_is_not_started(tmp_path: Path) -> None:
    house = House(tmp_path, "stop")
    house.loads("a.omlx")
    house.looks("Battery Power")
    (tmp_path / "a.omlx.plist").unlink()
    house.loads("a.mlx-lm")
    assert house.looks("AC Power") == []
    assert not (tmp_path / "stopped-on-battery").exists()


def test_lean_unloads_where_it_can_and_stops_the_others(tmp_path: Path) -> None:
    house = House(tmp_path, "lean")
    house.loads("a.omlx")
    assert house.looks("Battery Power") == ["as svc:", "drain --idle=0 --only-idle"]
    (tmp_path / "a.omlx.loaded").unlink()
    house.loads("a.mlx-lm")
    assert house.looks("Battery Power") == ["bootout system/a.mlx-lm"]


def test_nothing_and_a_battery_backup_change_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, "nothing")
    house.loads("a.omlx")
    assert house.looks("Battery Power") == []
    assert House(tmp_path, "stop").looks("UPS Power") == []
