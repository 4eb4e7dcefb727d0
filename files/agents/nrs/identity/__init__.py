"""Who may do what: tokens, their revocation, and certificates of the deployment's own."""
