"""The load balancer: what it decides, what it is asked, what it keeps, and the process itself."""
