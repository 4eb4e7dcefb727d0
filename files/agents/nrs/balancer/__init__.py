"""The load balancer: scoring, decisions and their API."""
