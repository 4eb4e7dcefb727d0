"""Real hosts on one machine: containers that boot systemd, joined by network namespaces."""
