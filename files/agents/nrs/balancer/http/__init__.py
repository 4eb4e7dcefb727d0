"""What is asked of the load balancer over HTTP, and what it answers."""
