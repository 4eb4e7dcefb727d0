"""The routing server agent."""
