"""The load balancer on paper: its own decisions with a virtual clock and modelled endpoints."""
