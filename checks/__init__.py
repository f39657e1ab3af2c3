"""What `make check` holds the source to, beyond formatter, linter and type checker."""
