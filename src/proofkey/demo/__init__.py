"""What `make demo` shows: a sample app, a sample API, and the people and applications of the demo tenant."""
