"""The lab says in words why it cannot run here."""

from __future__ import annotations

import os
import platform
import shutil

import pytest

from lab import cli


@pytest.fixture(autouse=True)
def a_fit_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux, x86-64, root, everything installed; each test takes one of these away."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/bin/{name}")


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["status"]) == 1
    return capsys.readouterr().err


def test_a_mac_is_told_how_to_provision_real_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    said = refusal(capsys)
    assert "needs Linux" in said
    assert "ansible-playbook -i inventories/home site.yml" in said


def test_another_processor_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert "this is aarch64" in refusal(capsys)


def test_who_is_not_root_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert "run it as root" in refusal(capsys)


def test_missing_programs_are_named_by_their_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        shutil, "which", lambda name, **_: None if name in ("zsh", "sshd") else f"/usr/bin/{name}"
    )
    assert "lacks openssh-server, zsh: run `make packages`" in refusal(capsys)
