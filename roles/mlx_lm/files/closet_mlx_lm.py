# Managed by closet.inference. Runs mlx_lm.server so that launchd can stop and restart it properly.
"""mlx_lm.server with three changes that launchd needs.

It handles only SIGINT, and launchd sends SIGTERM: this maps one to the other.

At exit the threads of MLX would abort the process, and launchd would count a crash: this exits
before they do.

The thread that loads the model ends when the model is missing or incomplete, and the other threads
would answer 503 for ever. Then this ends the process: launchd starts it again, until the model is
there.
"""

import os
import signal
import sys

from mlx_lm import server


class Thread(server.Thread):
    """A thread of the server; the process ends when the model's thread ends too early."""

    def run(self) -> None:
        """Run, and end the process after an unexpected end."""
        owner = getattr(self._target, "__self__", None)
        try:
            super().run()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            if getattr(owner, "_stop", True) is False:
                os._exit(1)


if __name__ == "__main__":
    server.Thread = Thread
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server.main()
    os._exit(0)
