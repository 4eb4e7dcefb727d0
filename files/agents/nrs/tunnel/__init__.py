"""The packet path: wire format, keys, sessions, codec, devices and the packet loop."""
