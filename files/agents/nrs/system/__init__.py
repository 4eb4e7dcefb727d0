"""The host: netlink, nftables, sysctl, systemd, logging, the control socket."""
