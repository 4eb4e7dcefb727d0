"""The network controller: registry, address pools, configuration and their API."""
