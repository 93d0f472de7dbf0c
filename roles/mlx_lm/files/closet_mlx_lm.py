# Managed by closet.inference. Runs mlx_lm.server so that launchd can stop and restart it properly.
"""mlx_lm.server with three changes that launchd needs.

It ends in order only when it is interrupted, and launchd sends SIGTERM: one becomes the other.

After its end the threads of MLX would abort the process, and launchd would count a crash.

The thread that loads the model and answers ends when the model is missing or incomplete, and the
rest would answer 503 for ever. Then the process ends too: launchd starts it again, and so it finds
the model.
"""

import os
import signal
import sys

from mlx_lm import server


class Thread(server.Thread):
    """A thread of the server; when the one that answers ends too early, the process does."""

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
