"""A routing server under datagrams of strangers."""
