"""The HTTP APIs: messages, authentication, the Flask base and the client."""
