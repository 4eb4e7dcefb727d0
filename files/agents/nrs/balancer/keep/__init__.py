"""What outlives the process: stored, shared with others, recorded, and set by operators."""
