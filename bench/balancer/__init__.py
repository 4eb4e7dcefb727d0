"""How many questions a load balancer answers."""
