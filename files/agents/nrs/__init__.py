"""Agents of the network routing system."""

__version__ = "1.0.0"
