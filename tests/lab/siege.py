"""An owner's runs while accounts attack, and what the accounts got out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.lab.attackers import Account, Attack, ansible, hung, messages, unexplained
from tests.lab.conftest import Done, provisioned
from tests.lab.judge import look, losses, mend


class Siege:
    """The disks before the attack, and the runs since then."""

    def __init__(self, accounts: Sequence[Account], words: Sequence[str]) -> None:
        self.accounts, self.words = accounts, words
        self.before = {account: look(account.host) for account in accounts}
        self.done: list[Done] = []

    def play(
        self, book: str, *words: str, begin: Sequence[tuple[int | str, Callable[[], None]]] = ()
    ) -> Done:
        """Run a playbook and keep what it said."""
        done = ansible(book, *self.words, *words, begin=begin)
        self.done.append(done)
        return done

    def losses(self) -> list[str]:
        """What any of the accounts has won until now."""
        return [
            f"{account.host}: {words}"
            for account, disk in self.before.items()
            for words in losses(disk, account, *self.done)
        ]

    def mend(self) -> None:
        """Give root back what was taken, so that one attack does not decide the next."""
        for account, disk in self.before.items():
            mend(disk, account)

    def withstand(
        self, attacks: Mapping[Account, Sequence[Attack]], attempts: int, book: str = "site.yml"
    ) -> None:
        """Run until it is green, each time without the attacks that the last refusals named.

        What is prepared hides behind what a run refuses first; so those come away one after the
        other. In the end everything is put right, and the run has to be green.
        """
        standing = {account: account.plant(chosen) for account, chosen in attacks.items()}
        wrong: list[str] = []
        assert any(standing.values()), "nothing could be planted"
        try:
            for _ in range(attempts):
                done = self.play(book)
                if done.code == 0 or hung(done):
                    wrong += ["the run did not end"] if hung(done) else []
                    break
                named = list(self._refused(done, standing, wrong))
                if not named:
                    break
                for account, attack in named:
                    account.heal([attack])
                    standing[account].remove(attack)
        finally:
            for account, chosen in standing.items():
                account.heal(chosen)
        lost = self.losses()
        self.mend()
        found = lost + wrong
        assert not found, "\n".join(found)
        if self.done[-1].code != 0:
            provisioned(self.play(book))
            lost = self.losses()
            assert not lost, "\n".join(lost)

    def _refused(
        self, done: Done, standing: Mapping[Account, Sequence[Attack]], wrong: list[str]
    ) -> Iterator[tuple[Account, Attack]]:
        """The attacks that a refusal names, by the host that it is about."""
        for account, chosen in standing.items():
            said = messages(done, account.host)
            if said and chosen:
                wrong += unexplained(done, account, chosen)
                yield from ((account, attack) for attack in chosen if attack.path in said)
