"""Configuration files: types, loading, and errors that name file, key and value."""
