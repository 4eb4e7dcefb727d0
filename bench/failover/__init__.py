"""`bin/bench failover`: what faults and planned moves cost whoever uses the tunnels."""
