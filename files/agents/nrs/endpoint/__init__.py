"""The network access endpoint agent."""
