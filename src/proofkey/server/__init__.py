"""The authorization server."""
