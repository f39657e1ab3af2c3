"""The benchmark: what a sign-in costs the server, beside the servers it is measured against."""
