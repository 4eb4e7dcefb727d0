"""What `bin/test` runs, in which environment, and what it says at the end."""
