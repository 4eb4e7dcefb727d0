"""What `bin/bench` measures, and against what."""
