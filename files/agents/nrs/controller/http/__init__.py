"""The HTTP API of the controller: a file for each resource."""
