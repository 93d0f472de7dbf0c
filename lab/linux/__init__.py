"""A Linux laptop: this machine's own Debian in namespaces, without the face of a Mac."""
