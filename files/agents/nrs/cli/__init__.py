"""The `nrs` command."""
