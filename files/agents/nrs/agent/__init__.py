"""What the routing server and the access endpoint have in common around their packet loop."""
